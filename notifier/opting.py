"""Who said no is not written to: stops and starts by text, e-mail, link or page, one transaction each.

A stop binds the address for that sender, whoever uses it, and is a no in the ledger of each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes, suppressions
from notifier.consent import ConsentGiven
from notifier.consent_changes import Said
from notifier.models import ConsentEntry, Patient, Sender
from notifier.patient_edits import lock
from notifier.planning import replan

BY_TEXT = "texted STOP"
BY_TEXT_AGAIN = "texted START"


def there(session: Session, clinic_ids: Collection[int], channel: str, address: str) -> list[Patient]:
    """Everybody at these clinics who is reached at the address."""
    column = Patient.phone if channel == "sms" else Patient.email
    rows = session.scalars(
        select(Patient)
        .where(Patient.clinic_id.in_(clinic_ids), column == address, Patient.erased_at.is_(None))
        .order_by(Patient.id)
    )
    return list(rows)


def lock_all(session: Session, patients: Sequence[Patient]) -> None:
    """In one order, and before their messages, as everybody does: a deadlock would lose the no."""
    for patient in sorted(patients, key=lambda each: each.id):
        lock(session, patient)


def stop(
    session: Session,
    senders: Sequence[Sender],
    address: str,
    *,
    method: str,
    reason: str,
    now: datetime,
    actor: str,
    patients: Sequence[Patient] | None = None,
) -> bool:
    """These senders write to the address no more. False: they were stopped before, and nothing changed.

    `patients`: whose ledgers get a no, where that is not everybody who is reached there.
    """
    if not senders:
        return False
    channel = senders[0].channel
    everybody = there(session, {sender.clinic_id for sender in senders}, channel, address)
    lock_all(session, everybody)
    fresh = [sender for sender in senders if suppressions.standing(session, sender, address) is None]
    if not fresh:
        return False
    said_no = everybody if patients is None else patients
    withdrawn = ConsentGiven(channel, False, now, method, "")
    consent.record_all(session, [(patient, withdrawn) for patient in said_no], now=now, actor=actor)
    for sender in fresh:
        suppressions.suppress(session, sender, address, reason=reason, now=now, actor=actor)
    for patient in said_no:
        consent_changes.note(session, patient, Said((channel,), False, method), now=now, actor=actor)
    if everybody:
        # Who says stop to one channel is not written to by another about the same: what was stopped stays so.
        # Whatever else hangs on the address follows, for everybody who is reached there.
        replan(session, everybody, now=now, actor=actor)
    return True


def start(
    session: Session, senders: Sequence[Sender], address: str, *, wording: str, now: datetime, actor: str
) -> bool:
    """START from the address itself: what it stopped may be written again. False: nothing was stopped.

    Who said no in another way, such as at the desk, has to say yes there. Cancelled messages stay cancelled.
    """
    stopped = [
        found for sender in senders if (found := suppressions.standing(session, sender, address)) is not None
    ]
    if not stopped:
        return False
    everybody = there(session, {sender.clinic_id for sender in senders}, senders[0].channel, address)
    lock_all(session, everybody)
    for suppression in stopped:
        suppressions.lift(session, suppression, reason="The reader texted START.", now=now, actor=actor)
    channel = senders[0].channel
    again = ConsentGiven(channel, True, now, BY_TEXT_AGAIN, wording)
    willing = [patient for patient in everybody if _stopped_by_text(session, patient, channel)]
    consent.record_all(session, [(patient, again) for patient in willing], now=now, actor=actor)
    for patient in willing:
        consent_changes.note(session, patient, Said((channel,), True, BY_TEXT_AGAIN), now=now, actor=actor)
    return True


def _stopped_by_text(session: Session, patient: Patient, channel: str) -> bool:
    """Whether the last word in the ledger is a no by text, after a yes: only that is taken back by START."""
    said = [entry for entry in consent.history(session, patient) if entry.channel == channel]
    return _is_stop(said) and any(entry.granted for entry in said)


def _is_stop(newest_first: Sequence[ConsentEntry]) -> bool:
    return bool(newest_first) and not newest_first[0].granted and newest_first[0].method == BY_TEXT

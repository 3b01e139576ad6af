"""A patient stops the messages on a channel by the link in one: a no in the ledger, binding the address."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes, reach, suppressions
from notifier.consent import ConsentGiven
from notifier.consent_changes import Said
from notifier.models import Clinic, Message, Patient
from notifier.patient_edits import lock
from notifier.planning import replan

_METHOD = "unsubscribe link"
_REASON = "The reader of this address stopped the messages by the link in an e-mail."


def stop(session: Session, clinic: Clinic, patient: Patient, channel: str, *, now: datetime) -> None:
    """Once: mail programs ask more often, and a second line in the ledger would say nothing new."""
    others = consent_changes.sharing(session, clinic, patient).get(channel, [])
    # All of them, in one order, and before their messages, as everybody does: a deadlock would lose the no.
    for one in sorted((patient, *others), key=lambda each: each.id):
        lock(session, one)
    address = reach.address_of(patient, channel)
    sender = reach.load(session, [patient]).sender(patient, channel)
    if (
        address is None
        or sender is None
        or channel in consent_changes.standing_suppressions(session, patient)
    ):
        return
    actor = f"patient {patient.id}"
    withdrawn = ConsentGiven(channel, False, now, _METHOD, "")
    consent.record_all(session, [(patient, withdrawn)], now=now, actor=actor)
    suppressions.suppress(session, sender, address, reason=_REASON, now=now, actor=actor)
    consent_changes.note(session, patient, Said((channel,), False, _METHOD), now=now, actor=actor)
    # Another channel may take over, for everybody who is reached there.
    replan(session, [patient, *others], now=now, actor=actor)


def is_in_flight(session: Session, patient: Patient, channel: str) -> bool:
    """Whether a call that had begun before the stop is still under way to this address."""
    query = select(Message.id).where(
        Message.status == literal_column("'sending'"),
        Message.clinic_id == patient.clinic_id,
        Message.channel == channel,
        Message.to == reach.address_of(patient, channel),
    )
    return session.scalar(query.limit(1)) is not None

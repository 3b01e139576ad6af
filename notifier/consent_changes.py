"""What a patient says at the desk about being written to: yes, no, or "stop writing to this number"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, consent, reach, sealing, suppressions
from notifier.consent import ConsentGiven
from notifier.effects import Effect, Watch, follow
from notifier.errors import ConflictError, InputError
from notifier.models import Clinic, ConsentEntry, Patient, Suppression
from notifier.patient_edits import lock
from notifier.rules.plan import CHANNELS

BY_MISTAKE = "Entered by mistake"
# Clocks differ a little.
_AHEAD = timedelta(minutes=15)
_A_MOMENT = timedelta(microseconds=1)
_LONGEST_METHOD = 60


@dataclass(frozen=True, slots=True)
class Said:
    """`method` is how it was said: at the desk, by phone, on a form; `wording` what was read out."""

    channels: tuple[str, ...]
    granted: bool
    method: str = ""
    wording: str = ""
    stop_address: bool = False  # a no that binds everybody who uses the address
    at: datetime | None = None  # when it was said, where that was not just now


def record(session: Session, patient: Patient, said: Said, *, now: datetime, actor: str) -> Effect:
    """One line in the ledger for each channel; unsent messages follow, and what came back is said."""
    at = said.at or now
    _require_sense(said, at, now)
    lock(session, patient)
    watch = Watch(session, patient)
    given = [
        (patient, ConsentGiven(channel, said.granted, at, said.method, said.wording))
        for channel in said.channels
    ]
    consent.record_all(session, given, now=now, actor=actor)
    for channel in said.channels:
        if said.granted and channel == "email":
            _lift(session, patient, channel, at, now, actor)
        elif said.stop_address:
            _stop_address(session, patient, channel, now, actor)
    note(session, patient, said, now=now, actor=actor)
    return follow(session, patient, watch, now=now, actor=actor)


def said_yes_before(session: Session, patient: Patient, channels: Sequence[str], at: datetime) -> bool:
    """Whether a yes to each of these stood when something else was recorded at `at`: only then is there one
    to go back to.
    """
    earlier = (_before(session, patient, channel, at) for channel in channels)
    return all(line is not None and line.granted for line in earlier)


def take_back(
    session: Session, patient: Patient, channels: Sequence[str], at: datetime, *, now: datetime, actor: str
) -> Effect:
    """What was recorded at `at` was a mistake: the ledger says once more what it said before, else no.

    Raises ConflictError where something was said or stopped since: that is newer than the mistake.
    """
    lock(session, patient)
    _require_newest(session, patient, channels, at)
    watch = Watch(session, patient)
    for channel in channels:
        before = _before(session, patient, channel, at)
        granted, wording = (before.granted, before.wording) if before is not None else (False, "")
        given = ConsentGiven(channel, granted, max(now, at + _A_MOMENT), BY_MISTAKE, wording)
        consent.record_all(session, [(patient, given)], now=now, actor=actor)
        note(session, patient, Said((channel,), granted, BY_MISTAKE), now=now, actor=actor)
        _stop_again(session, patient, channel, at, now, actor)
    return follow(session, patient, watch, now=now, actor=actor)


def _before(session: Session, patient: Patient, channel: str, at: datetime) -> ConsentEntry | None:
    """What counted when something was recorded at `at`."""
    return session.scalar(
        select(ConsentEntry)
        .where(ConsentEntry.patient_id == patient.id, ConsentEntry.channel == channel, ConsentEntry.at < at)
        .order_by(ConsentEntry.at.desc(), ConsentEntry.granted)
        .limit(1)
    )


def _require_newest(session: Session, patient: Patient, channels: Sequence[str], at: datetime) -> None:
    known, stops = consent.standings(session, [patient.id]), standing_suppressions(session, patient)
    for channel in channels:
        standing, stop = known.get((patient.id, channel)), stops.get(channel)
        if standing is None or standing.at != at or (stop is not None and stop.since >= at):
            raise ConflictError(
                f"{patient.first_name} has said something else since then, so nothing was taken back. "
                "Record what holds now."
            )


def _stop_again(
    session: Session, patient: Patient, channel: str, at: datetime, now: datetime, actor: str
) -> None:
    """The stop that a yes lifted by mistake binds the address again, and whoever else uses it."""
    address, sender = (
        reach.address_of(patient, channel),
        reach.load(session, [patient]).sender(patient, channel),
    )
    if address is None or sender is None:
        return
    lifted = session.scalar(
        select(Suppression).where(
            Suppression.sender_id == sender.id,
            Suppression.address.in_(sealing.load(session).spellings(channel, address)),
            Suppression.lifted_at == at,
        )
    )
    if lifted is not None:
        suppressions.suppress(session, sender, address, reason=lifted.reason, now=now, actor=actor)


def note(session: Session, patient: Patient, said: Said, *, now: datetime, actor: str) -> None:
    """For the audit trail. The ledger has the words themselves."""
    audit.note(
        session,
        clinic_id=patient.clinic_id,
        at=now,
        actor=actor,
        action="consent.granted" if said.granted else "consent.withdrawn",
        subject="patient",
        subject_id=patient.id,
        channels=list(said.channels),
        method=said.method,
    )


def _require_sense(said: Said, at: datetime, now: datetime) -> None:
    if at > now + _AHEAD:
        raise InputError("Consent cannot have been given in the future. Correct the date.", field="at")
    if not said.channels or not set(said.channels) <= set(CHANNELS):
        raise InputError("Say what it is about: SMS, e-mail or both.", field="channels")
    if not said.method.strip():
        raise InputError("Say how the patient told you, such as at the desk.", field="method")
    if len(said.method) > _LONGEST_METHOD:
        raise InputError(f"Keep it below {_LONGEST_METHOD} characters.", field="method")
    if said.granted and not said.wording.strip():
        raise InputError("Enter the words that the patient agreed to.", field="wording")


def standing_suppressions(session: Session, patient: Patient) -> dict[str, Suppression]:
    """By channel: the stop that binds the patient's address now, whoever asked for it."""
    known = reach.load(session, [patient])
    found: dict[str, Suppression] = {}
    for channel in CHANNELS:
        sender, address = known.sender(patient, channel), reach.address_of(patient, channel)
        if sender is not None and (stop := known.suppressions.get((sender.id, address or ""))) is not None:
            found[channel] = stop
    return found


def _lift(session: Session, patient: Patient, channel: str, at: datetime, now: datetime, actor: str) -> None:
    """An e-mail address is written to again after a newer yes; an SMS stop only by START from that phone."""
    stop = standing_suppressions(session, patient).get(channel)
    if stop is not None and stop.since < at:
        suppressions.lift(session, stop, reason="The patient agreed again.", now=now, actor=actor)


def _stop_address(session: Session, patient: Patient, channel: str, now: datetime, actor: str) -> None:
    address = reach.address_of(patient, channel)
    sender = reach.load(session, [patient]).sender(patient, channel)
    if address is not None and sender is not None:
        reason = "Asked at the desk that nobody writes to this address."
        suppressions.suppress(session, sender, address, reason=reason, now=now, actor=actor)


def sharing(session: Session, clinic: Clinic, patient: Patient) -> dict[str, list[Patient]]:
    """By channel: who else is written to at this patient's addresses."""
    found: dict[str, list[Patient]] = {}
    for channel, column in (("sms", Patient.phone), ("email", Patient.email)):
        address = reach.address_of(patient, channel)
        if address is not None:
            others = session.scalars(
                select(Patient).where(
                    Patient.clinic_id == clinic.id,
                    column == address,
                    Patient.id != patient.id,
                    Patient.erased_at.is_(None),
                )
            )
            # Sorted here: asked to, SQLite would walk through all names instead of looking up the address.
            found[channel] = sorted(others, key=lambda other: other.folded_name)
    return found

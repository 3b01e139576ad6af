"""Erasing a patient: all that names them goes, in one transaction. What stays counts, and binds as a no.

A message that is under way keeps its row and its outcome, without the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session

from notifier import audit, consent, patient_traces, reach, sealing
from notifier.dispatch import ERASED
from notifier.errors import ConflictError
from notifier.models import (
    Address,
    Alert,
    Message,
    MessageEvent,
    Patient,
    Reply,
    Sender,
    Suppression,
    Withdrawal,
)
from notifier.patient_blanking import BY_ERASING, blank_patient, blank_rows, overwrite
from notifier.patient_edits import lock
from notifier.patient_rows import Rows, belonging, rows_of
from notifier.patient_traces import Traces
from notifier.rules.delivery import Status
from notifier.rules.plan import CHANNELS
from notifier.sealing import Sealer

_PENDING = (str(Status.SCHEDULED), str(Status.HELD))


@dataclass(frozen=True, slots=True)
class Counts:
    """What an erasing is about, for who decides and for who is told. `stops`: addresses that said no."""

    treatments: int
    messages: int
    pending: int
    under_way: int
    replies: int
    unread: int
    stops: int
    shared: int


def counts(session: Session, patient: Patient) -> Counts:
    return _counted(session, rows_of(session, patient))


def _counted(session: Session, rows: Rows) -> Counts:
    statuses = (
        select(Message.status, func.count()).where(Message.id.in_(rows.messages)).group_by(Message.status)
    )
    by_status = {row.status: row[1] for row in session.execute(statuses)}
    unread = select(func.count()).where(
        Reply.id.in_(rows.replies), Reply.handled_at.is_(None), Reply.rank < 9
    )
    return Counts(
        treatments=len(rows.treatments),
        messages=len(rows.messages),
        pending=sum(by_status.get(status, 0) for status in _PENDING),
        under_way=by_status.get(str(Status.SENDING), 0),
        replies=len(rows.replies),
        unread=session.scalar(unread) or 0,
        stops=len(_refusals(session, rows)),
        shared=len(rows.shared),
    )


def why_not(session: Session, patient: Patient) -> str:
    """Why the patient cannot be erased yet; empty: they can."""
    if patient.erased_at is not None:
        return f"The data of patient {patient.id} were erased on {patient.erased_at:%Y-%m-%d}."
    rows = rows_of(session, patient)
    ringing = select(Alert.code).where(Alert.id.in_(rows.alerts), Alert.acknowledged_at.is_(None))
    code = session.scalar(ringing.limit(1))
    return f"The alert {code} about this patient is open. Take it first, then erase." if code else ""


def erase(session: Session, patient: Patient, *, now: datetime, actor: str) -> Counts:
    """Raises ConflictError while an alert about the patient is open: a warning comes first."""
    lock(session, patient)
    if refused := why_not(session, patient):
        raise ConflictError(refused)
    patient_traces.require_no_import(session, patient)
    rows = rows_of(session, patient)
    session.execute(
        select(Message.id)
        .where(Message.id.in_(rows.written))
        .order_by(Message.id)
        .with_for_update(key_share=True)
    )
    traces, counted = Traces.of(session, rows), _counted(session, rows)
    sealer = sealing.make(session)
    _keep_withdrawals(session, rows, sealer, now)
    _seal_stops(session, rows, sealer, traces)
    _stop_pending(session, rows, now, actor)
    blank_rows(session, rows, now, actor)
    patient_traces.remove(session, traces)
    blank_patient(session, patient, now)
    _note(session, patient, counted, now, actor)
    session.expire_all()
    return counted


def _refusals(session: Session, rows: Rows) -> list[tuple[str, str, datetime]]:
    """Channel, address and moment of each no that stands in the ledger."""
    patient = rows.patient
    said = consent.standings(session, [patient.id])
    return [
        (channel, address, said[patient.id, channel].at)
        for channel in CHANNELS
        if (address := reach.address_of(patient, channel))
        and (patient.id, channel) in said
        and not said[patient.id, channel].granted
    ]


def _keep_withdrawals(session: Session, rows: Rows, sealer: Sealer, now: datetime) -> None:
    for channel, address, at in _refusals(session, rows):
        session.add(
            Withdrawal(
                clinic_id=rows.patient.clinic_id,
                channel=channel,
                address=sealer.seal(channel, address),
                at=at,
                erased_at=now,
            )
        )
    session.flush()


def _seal_stops(session: Session, rows: Rows, sealer: Sealer, traces: Traces) -> None:
    """At the other clinics too, where nobody of theirs is reached there: one number may serve several."""
    for channel, address in rows.own:
        senders = select(Sender.id).where(Sender.channel == channel)
        stops = session.scalars(
            select(Suppression).where(Suppression.sender_id.in_(senders), Suppression.address == address)
        )
        for stop in stops:
            if stop.clinic_id == rows.patient.clinic_id or not _is_used(session, stop):
                _unite(session, stop, sealer.seal(channel, address))
                stop.reason = "Opted out." if traces.are_in(stop.reason) else stop.reason
                stop.lifted_reason = "" if traces.are_in(stop.lifted_reason) else stop.lifted_reason
    for row in session.scalars(select(Address).where(belonging(rows)[Address])):
        if (row.channel, row.address) in rows.own:
            row.address = f"erased {row.id}"
    session.flush()


def _unite(session: Session, stop: Suppression, sealed: str) -> None:
    """Of two that stand for one address, the older stays."""
    twin = select(Suppression.id).where(
        Suppression.sender_id == stop.sender_id,
        Suppression.address == sealed,
        Suppression.lifted_at.is_(None),
    )
    if stop.lifted_at is None and session.scalar(twin) is not None:
        stop.lifted_at, stop.lifted_reason = stop.since, "It stood already."
    stop.address = sealed


def _is_used(session: Session, stop: Suppression) -> bool:
    column = Patient.phone if stop.channel == "sms" else Patient.email
    users = select(Patient.id).where(
        Patient.clinic_id == stop.clinic_id, column == stop.address, Patient.erased_at.is_(None)
    )
    return session.scalar(users.limit(1)) is not None


def _stop_pending(session: Session, rows: Rows, now: datetime, actor: str) -> None:
    pending = and_(Message.id.in_(rows.messages), Message.status.in_(_PENDING))
    found = session.execute(select(Message.id, Message.status).where(pending)).all()
    events = [
        {
            "message_id": message_id,
            "at": now,
            "from_status": status,
            "to_status": str(Status.CANCELLED),
            "reason": ERASED,
            "actor": actor,
        }
        for message_id, status in found
    ]
    overwrite(session, Message, pending, status=str(Status.CANCELLED), reason=ERASED, reason_code=BY_ERASING)
    if events:
        session.execute(insert(MessageEvent), events)


def _note(session: Session, patient: Patient, counted: Counts, now: datetime, actor: str) -> None:
    audit.note(
        session,
        clinic_id=patient.clinic_id,
        at=now,
        actor=actor,
        action="patient.erased",
        subject="patient",
        subject_id=patient.id,
        messages=counted.messages,
        treatments=counted.treatments,
    )

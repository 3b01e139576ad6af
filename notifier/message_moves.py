"""How a person moves a message: by the table of legal moves, with an event and a line in the audit trail."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier import audit
from notifier.errors import ConflictError
from notifier.models import Clinic, Message, MessageEvent, Patient
from notifier.rules import timing
from notifier.rules.delivery import Kind, Status, may_move
from notifier.rules.zones import zone

# An answer goes out within moments, and an alert is not the patient's: neither is the desk's to change.
OF_THE_DESK = frozenset({Kind.PLANNED, Kind.STAFF})


def useful_until_in_words(session: Session, message: Message) -> str:
    assert message.useful_until is not None
    own = session.scalar(select(Patient.timezone).where(Patient.id == message.patient_id))
    clinic = session.get_one(Clinic, message.clinic_id)
    return timing.say(message.useful_until, zone(own or clinic.timezone))


def require(message: Message, allowed: Collection[Status], done: str) -> None:
    if message.kind not in OF_THE_DESK:
        raise ConflictError("Answers and alerts are not the desk's to change.")
    if message.status not in allowed:
        raise ConflictError(f"It cannot be {done}: {state(message)}.")


def state(message: Message) -> str:
    if message.status == Status.SENDING:
        return "it is being sent at this moment"
    return {
        Status.SCHEDULED: "it waits to be sent",
        Status.HELD: "it waits for a person",
        Status.CANCELLED: "it is cancelled",
        Status.SKIPPED: "it was not sent",
        Status.UNKNOWN: "it is not known whether it arrived",
    }.get(Status(message.status), "it has left already")


def move(
    session: Session,
    message: Message,
    status: Status,
    reason: str,
    code: str = "",
    *,
    now: datetime,
    actor: str,
) -> None:
    before = Status(message.status)
    if not may_move(before, status):
        raise ConflictError(f"It cannot be changed: {state(message)}.")
    message.status, message.reason, message.reason_code = str(status), reason, code
    event = {
        "message_id": message.id,
        "at": now,
        "from_status": str(before),
        "to_status": str(status),
        "reason": reason,
        "actor": actor,
    }
    session.flush()
    session.execute(insert(MessageEvent), [event])


def note(
    session: Session, message: Message, action: str, now: datetime, actor: str, **detail: object
) -> None:
    audit.note(
        session,
        clinic_id=message.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="message",
        subject_id=message.id,
        patient_id=message.patient_id,
        **detail,
    )

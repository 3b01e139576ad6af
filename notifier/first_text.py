"""The first text to a number: who writes, how often, how to stop, and what to reply where it is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from notifier import answer_texts
from notifier.models import Address, Message, MessageEvent
from notifier.rules.delivery import Kind, Priority, Status

if TYPE_CHECKING:
    from notifier.cases import Case

NAME = "first-after-consent"
# Apart, so that the two arrive in their order.
BEFORE = timedelta(seconds=20)
_USEFUL = timedelta(hours=12)
_REASON = "Before the first message to this number."


Introduced = dict[int, datetime]  # address id → when its first text was made


def is_for(case: Case) -> bool:
    message = case.message
    return (
        message.kind == Kind.PLANNED
        and message.channel == "sms"
        and case.clinic.first_text
        and message.address_id is not None
    )


def make_way(
    session: Session, case: Case, introduced: Introduced, *, now: datetime, actor: str
) -> datetime | None:
    """From when this planned message may go; None: now. Makes the first text where there was none yet."""
    address_id = case.message.address_id or 0
    if not is_for(case):
        return None
    if address_id not in introduced:
        write(session, case, now=now, actor=actor)
        introduced[address_id] = now
    free = introduced[address_id] + BEFORE
    return free if free > now else None


def write(session: Session, case: Case, *, now: datetime, actor: str) -> Message:
    """In the claim of the message that it precedes, whose address row is locked: so there is only one."""
    before, patient = case.message, case.patient
    language = patient.language if patient is not None else case.clinic.language
    message = Message(
        clinic_id=before.clinic_id,
        kind=str(Kind.ANSWER),
        dedup_key=f"first:{before.address_id}",
        sender_id=before.sender_id,
        priority=Priority.ANSWER,
        status=str(Status.SCHEDULED),
        reason=_REASON,
        channel="sms",
        to=before.to,
        address_id=before.address_id,
        patient_id=before.patient_id,
        due_at=now,
        useful_until=before.useful_until or now + _USEFUL,
        words=answer_texts.render(case.clinic, NAME, language=language, now=now, patient=patient),
        attempts=0,
        created_at=now,
    )
    session.add(message)
    session.execute(update(Address).where(Address.id == before.address_id).values(introduced_at=now))
    session.flush()
    event = {"message_id": message.id, "at": now, "from_status": "", "to_status": message.status}
    session.execute(insert(MessageEvent), [event | {"reason": _REASON, "actor": actor}])
    return message

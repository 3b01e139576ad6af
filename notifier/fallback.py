"""When one channel cannot take a step, the other one does: a new row that names the one it stands in for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier import reach
from notifier.models import Message, MessageEvent
from notifier.planning import FINAL_CODES, step_obstacle
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Status

if TYPE_CHECKING:
    from notifier.cases import Case


def take_over(session: Session, case: Case, *, now: datetime, actor: str) -> Message | None:
    """The row that now stands in for this message; None where the step goes no other way."""
    message, step, patient = case.message, case.step, case.patient
    if message.kind != Kind.PLANNED or step is None or patient is None or step.deliver != "first":
        return None
    if message.useful_until is not None and now > message.useful_until:
        return None
    session.flush()
    rows = _rows_of_step(session, message)
    if any(row.status in MAY_HAVE_ARRIVED or row.status == Status.SCHEDULED for row in rows.values()):
        return None
    for channel in step.channels or reach.preferred_order(patient):
        row = rows.get(channel)
        untried = row is None or (not row.attempts and row.reason_code not in FINAL_CODES)
        if channel != message.channel and untried and _is_free(case, channel):
            return _schedule(session, case, channel, row, now, actor)
    return None


def _rows_of_step(session: Session, message: Message) -> dict[str, Message]:
    rows = session.scalars(
        select(Message)
        .where(Message.treatment_id == message.treatment_id, Message.step == message.step)
        .order_by(Message.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.channel: row for row in rows}


def _is_free(case: Case, channel: str) -> bool:
    assert case.patient is not None
    assert case.step is not None
    assert case.definition is not None
    return (
        step_obstacle(case.definition, case.step, case.patient, channel) is None
        and case.reach.obstacle(case.patient, channel) is None
    )


def _schedule(
    session: Session, case: Case, channel: str, row: Message | None, now: datetime, actor: str
) -> Message:
    message, patient = case.message, case.patient
    assert patient is not None
    sender = case.reach.sender(patient, channel)
    address = reach.address_of(patient, channel)
    assert sender is not None
    assert address is not None
    key = (message.clinic_id, channel, address)
    place = reach.addresses_of(session, {key})[key]
    before = row.status if row is not None else ""
    if row is None:
        row = Message(
            clinic_id=message.clinic_id,
            kind=message.kind,
            dedup_key=f"plan:{message.treatment_id}:{message.step}:{channel}",
            priority=message.priority,
            channel=channel,
            patient_id=message.patient_id,
            treatment_id=message.treatment_id,
            step=message.step,
            safety=message.safety,
            attempts=0,
            created_at=now,
        )
    row.sender_id, row.to, row.address_id = sender.id, address, place.id
    row.status, row.due_at, row.useful_until = Status.SCHEDULED, now, message.useful_until
    row.plan_version_id, row.fallback_of_id = message.plan_version_id, message.id
    called = "SMS" if message.channel == "sms" else "e-mail"
    row.reason, row.reason_code = f"Instead of the {called}: {message.reason}", ""
    session.add(row)
    session.flush()
    session.execute(
        insert(MessageEvent),
        [
            {
                "message_id": row.id,
                "at": now,
                "from_status": before,
                "to_status": row.status,
                "reason": row.reason,
                "actor": actor,
            }
        ],
    )
    return row

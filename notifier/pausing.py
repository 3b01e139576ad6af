"""A patient's messages paused, by the desk or by what the patient wrote, and let go on afterwards."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier.db import wake_workers
from notifier.effects import Effect, Watch
from notifier.errors import ConflictError
from notifier.models import Message, MessageEvent, Patient
from notifier.patient_edits import lock, note
from notifier.planning import replan
from notifier.rules.delivery import Status

PAUSED = "paused"


def pause(session: Session, patient: Patient, why: str, *, now: datetime, actor: str) -> None:
    """Planned messages are held as they come due, until `resume`."""
    lock(session, patient)
    if patient.paused_at is not None:
        raise ConflictError(f"{patient.first_name}'s messages are paused already.")
    patient.paused_at, patient.paused_reason = now, why.strip().rstrip(".") or "the desk said so"
    session.flush()
    note(session, patient, "patient.paused", now, actor)


def resume(session: Session, patient: Patient, *, now: datetime, actor: str) -> Effect:
    """What was held meanwhile is planned anew: what is still useful goes, apart from each other."""
    lock(session, patient)
    if patient.paused_at is None:
        raise ConflictError(f"{patient.first_name}'s messages are not paused.")
    watch = Watch(session, patient)
    patient.paused_at, patient.paused_reason = None, ""
    held = _held(session, patient)
    for message in held:
        _let_go(session, message, now, actor)
    session.flush()
    note(session, patient, "patient.resumed", now, actor)
    replan(session, [patient], now=now, actor=actor)
    for message in held:
        # Beside the plan: sent again by a person, or in the place of one that failed. No rule says when.
        if message.status == Status.SCHEDULED and message.due_at is None:
            message.due_at = now
    wake_workers(session)
    return watch.effect()


def _held(session: Session, patient: Patient) -> list[Message]:
    return list(
        session.scalars(
            select(Message)
            .where(
                Message.patient_id == patient.id,
                Message.status == str(Status.HELD),
                Message.reason_code == PAUSED,
            )
            .order_by(Message.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def _let_go(session: Session, message: Message, now: datetime, actor: str) -> None:
    reason = "The patient's messages go on."
    # Without a due time a replan finds one, by the rules; what was tried before is out of its reach.
    message.due_at = now if message.attempts else None
    message.status, message.reason, message.reason_code = str(Status.SCHEDULED), reason, ""
    event = {
        "message_id": message.id,
        "at": now,
        "from_status": str(Status.HELD),
        "to_status": message.status,
        "reason": reason,
        "actor": actor,
    }
    session.execute(insert(MessageEvent), [event])

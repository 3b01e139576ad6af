"""Suppressions: a sender may not write to an address any more, whoever uses it. Pending rows go with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier import audit, sealing
from notifier.db import insert_missing
from notifier.models import Message, MessageEvent, Sender, Suppression
from notifier.rules.delivery import Kind, Status

_WAITING = [str(Status.SCHEDULED), str(Status.HELD)]
_TO_PATIENTS = [str(Kind.PLANNED), str(Kind.ANSWER), str(Kind.STAFF)]


def suppress(
    session: Session, sender: Sender, address: str, *, reason: str, now: datetime, actor: str
) -> list[Message]:
    """Stop this sender writing to this address, and cancel what waits for it. Returns what was cancelled."""
    if standing(session, sender, address) is None:
        _add(session, sender, address, reason, now)
    audit.note(
        session,
        clinic_id=sender.clinic_id,
        at=now,
        actor=actor,
        action="address.suppressed",
        subject="sender",
        subject_id=sender.id,
        reason=reason,
    )
    return _cancel_waiting(session, sender, address, reason, now, actor)


def _add(session: Session, sender: Sender, address: str, reason: str, now: datetime) -> None:
    """Somebody else may be adding the same one at this moment; then theirs is as good."""
    values = {
        "clinic_id": sender.clinic_id,
        "sender_id": sender.id,
        "channel": sender.channel,
        "address": address,
        "since": now,
        "reason": reason,
    }
    session.execute(insert_missing(session, Suppression), [values])


def standing(session: Session, sender: Sender, address: str) -> Suppression | None:
    """The stop that binds this sender there now; also one by a patient who was erased since."""
    return session.scalar(
        select(Suppression).where(
            Suppression.sender_id == sender.id,
            Suppression.address.in_(sealing.load(session).spellings(sender.channel, address)),
            Suppression.lifted_at.is_(None),
        )
    )


def _cancel_waiting(
    session: Session, sender: Sender, address: str, reason: str, now: datetime, actor: str
) -> list[Message]:
    session.flush()
    waiting = session.scalars(
        select(Message)
        .where(
            Message.sender_id == sender.id,
            Message.to == address,
            Message.status.in_(_WAITING),
            Message.kind.in_(_TO_PATIENTS),
        )
        .order_by(Message.id)
        # A row that a worker is claiming at this moment has to be waited for: then it no longer waits.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    events = []
    for message in waiting:
        events.append(
            {
                "message_id": message.id,
                "at": now,
                "from_status": message.status,
                "to_status": str(Status.CANCELLED),
                "reason": reason,
                "actor": actor,
            }
        )
        message.status, message.reason, message.reason_code = Status.CANCELLED, reason, "opt_out"
    if events:
        session.execute(insert(MessageEvent), events)
    return list(waiting)


def lift(session: Session, suppression: Suppression, *, reason: str, now: datetime, actor: str) -> None:
    """This sender may write to this address again; what it was asked to stop stays stopped until a replan."""
    suppression.lifted_at, suppression.lifted_reason = now, reason
    session.flush()
    audit.note(
        session,
        clinic_id=suppression.clinic_id,
        at=now,
        actor=actor,
        action="address.lifted",
        subject="sender",
        subject_id=suppression.sender_id,
        reason=reason,
    )

"""Messages that no longer can be useful while their sender cannot send: they are skipped, and say why.

What an open sender has is judged when it is claimed; this is for the others, whose rows nobody claims.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, insert, or_, select
from sqlalchemy.orm import Session

from notifier.models import Clinic, Message, MessageEvent, Sender
from notifier.rules import timing
from notifier.rules.delivery import Priority, Status
from notifier.rules.zones import zone
from notifier.senders import SCHEDULED

_AT_ONCE = 500


def is_due(session: Session, channels: Collection[str], *, now: datetime) -> bool:
    """Whether there is any; costs one look into the queue's index for each sender that cannot send."""
    senders = session.scalars(select(Sender.id).where(_closed(channels))).all()
    return any(session.scalar(_late(sender, now).limit(1)) is not None for sender in senders)


def expire(session: Session, channels: Collection[str], *, now: datetime, actor: str) -> int:
    """Skip some hundreds of them at most, so that others get their turn. Returns how many."""
    closed = session.execute(
        select(Sender, Clinic).join(Clinic, Clinic.id == Sender.clinic_id).where(_closed(channels))
    ).all()
    return sum(_expire_one(session, row.Sender, row.Clinic, channels, now, actor) for row in closed)


def _closed(channels: Collection[str]) -> ColumnElement[bool]:
    return or_(Sender.stopped_at.is_not(None), Sender.active.is_(False), Sender.channel.not_in(channels))


def _late(sender_id: int, now: datetime) -> Select[Message]:
    return select(Message).where(
        Message.sender_id == sender_id,
        Message.priority.in_(Priority.ALL),
        Message.status == SCHEDULED,
        Message.due_at < now,
        Message.useful_until < now,
    )


def _expire_one(
    session: Session, sender: Sender, clinic: Clinic, channels: Collection[str], now: datetime, actor: str
) -> int:
    late = session.scalars(
        _late(sender.id, now).limit(_AT_ONCE).with_for_update(skip_locked=True, key_share=True)
    ).all()
    events = [_skip(message, _why(sender, channels), clinic, now, actor) for message in late]
    if events:
        session.flush()
        session.execute(insert(MessageEvent), events)
    return len(late)


def _why(sender: Sender, channels: Collection[str]) -> str:
    called = "SMS" if sender.channel == "sms" else "e-mail"
    if sender.channel not in channels:
        return f"{called} is not set up"
    if sender.stopped_reason:
        return f"its sender could not send: {sender.stopped_reason}"
    return f"the clinic does not send {called}"


def _skip(message: Message, why: str, clinic: Clinic, now: datetime, actor: str) -> dict[str, object]:
    assert message.useful_until is not None
    until = timing.say(message.useful_until, zone(clinic.timezone))
    message.status, message.reason_code = str(Status.SKIPPED), str(timing.SkipCode.TOO_LATE)
    message.reason = f"It was useful until {until}, and {why.rstrip('.')}."
    return {
        "message_id": message.id,
        "at": now,
        "from_status": str(Status.SCHEDULED),
        "to_status": message.status,
        "reason": message.reason,
        "actor": actor,
    }

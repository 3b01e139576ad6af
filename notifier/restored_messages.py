"""Messages of a restored database that may have gone out since the backup: they are treated as in doubt.

Each gets the attempt that it may have had, with the words that it would have had, so that the provider can be
asked for it by recipient, time and words before anything is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from notifier import first_text, wording
from notifier.cases import Case, gather
from notifier.db import RealTime
from notifier.errors import NotifierError
from notifier.links import Links
from notifier.models import Address, Attempt, Message, MessageEvent, Reply, Sender
from notifier.pausing import PAUSED
from notifier.rules.delivery import Kind, Priority, Status
from notifier.settling import RESTORED, TWICE_BEATS_NEVER

log = logging.getLogger(__name__)

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Since:
    """What was lost: everything from the backup until now. The rest is how a worker would go about it.

    `asks`: the provider may be asked at once; else when the sender is released, because only then is all
    known that may have been sent there: the answers to replies too.
    """

    made_at: datetime
    now: datetime
    lookup_after: timedelta
    links: Links | None
    reply_address: str
    asks: bool

    @property
    def why(self) -> str:
        return f"It may have been sent after the backup of {self.made_at:%Y-%m-%d %H:%M} UTC was made."


def doubt_all(session: Session, since: Since) -> int:
    """Everything that was under way or became due meanwhile. Returns how many."""
    _doubt_sending(session, since)
    _ask_again(session, since)
    _alerts_go_again(session, since)
    due = and_(Message.due_at <= since.now, or_(Message.status == str(Status.SCHEDULED), _paused()))
    while _doubt_some(session, due, since):
        pass
    doubtful = select(func.count()).where(Message.status == str(Status.UNKNOWN))
    return session.scalar(doubtful) or 0


def doubt_answers(session: Session, sender: Sender, since: Since) -> None:
    """Answers to replies that had been answered before they were lost and were fetched a second time."""
    answered = select(Reply.id).where(Reply.received_at <= sender.stopped_at)
    mine = and_(
        Message.sender_id == sender.id,
        Message.kind == str(Kind.ANSWER),
        Message.status == str(Status.SCHEDULED),
        Message.attempts == 0,
        Message.reply_id.in_(answered),
    )
    while _doubt_some(session, mine, since):
        pass


def ask_now(session: Session, sender: Sender, since: Since) -> None:
    session.execute(
        update(Message)
        .where(
            Message.sender_id == sender.id,
            Message.status == str(Status.UNKNOWN),
            Message.worker == RESTORED,
            Message.lookup_at.is_(None),
        )
        .values(lookup_at=RealTime(since.lookup_after.total_seconds()))
        .execution_options(synchronize_session=False)
    )


def _paused() -> ColumnElement[bool]:
    """What is held because its patient is paused may have been let go since."""
    return and_(Message.status == str(Status.HELD), Message.reason_code == PAUSED, Message.attempts == 0)


def _doubt_sending(session: Session, since: Since) -> None:
    rows = session.scalars(select(Message).where(Message.status == str(Status.SENDING))).all()
    session.execute(
        update(Attempt)
        .where(Attempt.outcome == "", Attempt.message_id.in_([row.id for row in rows]))
        .values(outcome=str(Status.UNKNOWN))
        .execution_options(synchronize_session=False)
    )
    for message in rows:
        _to_unknown(message, since)
    _tell(session, [_event(message, Status.SENDING, since) for message in rows])


def _ask_again(session: Session, since: Since) -> None:
    """What was in doubt then may have been sent again since, so the provider is asked from the start."""
    session.execute(
        update(Message)
        .where(Message.status == str(Status.UNKNOWN), Message.lookup_at.is_not(None))
        .values(lookups=0, lookup_at=RealTime(since.lookup_after.total_seconds()))
        .execution_options(synchronize_session=False)
    )


def _alerts_go_again(session: Session, since: Since) -> None:
    """A warning that comes twice is better than none."""
    session.execute(
        update(Message)
        .where(_is_alert(), Message.status == str(Status.SCHEDULED), Message.due_at <= since.now)
        .values(reason=f"{TWICE_BEATS_NEVER} {since.why}")
        .execution_options(synchronize_session=False)
    )


def _is_alert() -> ColumnElement[bool]:
    return and_(Message.priority == Priority.ALERT, Message.attempts == 0)


def _doubt_some(session: Session, which: ColumnElement[bool], since: Since) -> int:
    rows = session.scalars(
        select(Message)
        .where(which, ~_is_alert())
        .order_by(Message.id)
        .limit(_AT_ONCE)
        .with_for_update(key_share=True)
    ).all()
    cases = gather(session, rows, since.now, since.links, since.reply_address)
    cases += _first_texts(session, cases, since)
    events = [event for case in cases for event in _doubt(session, case, since)]
    session.flush()
    _tell(session, events)
    return len(rows)


def _first_texts(session: Session, cases: Sequence[Case], since: Since) -> list[Case]:
    """Before the first planned SMS to a number another one went, which no row tells of yet."""
    first = {case.message.address_id: case for case in reversed(cases) if first_text.is_for(case)}
    new = session.scalars(select(Address.id).where(Address.id.in_(first), Address.introduced_at.is_(None)))
    made = [first_text.write(session, first[key], now=since.now, actor=RESTORED) for key in new.all()]
    return gather(session, made, since.now, since.links, since.reply_address) if made else []


def _doubt(session: Session, case: Case, since: Since) -> list[dict[str, Any]]:
    message, before = case.message, Status(case.message.status)
    words = _words(case, since)
    if words is None:
        message.status, message.reason_code = str(Status.HELD), "broken"
        message.reason = f"{since.why} Its words cannot be made, so nobody can be asked. Look into its story."
        return [_event(message, before, since)]
    events = [] if before is Status.SCHEDULED else [_event(message, before, since, Status.SCHEDULED)]
    message.attempts += 1
    message.claimed_at = min(message.due_at or since.now, since.now)
    session.add(_attempt(message, words, since))
    _to_unknown(message, since)
    return [*events, _event(message, Status.SENDING, since)]


def _words(case: Case, since: Since) -> wording.Ready | None:
    """As the worker would have written them. One that cannot be written keeps no backup from coming back."""
    if case.problem:
        return None
    try:
        return wording.ready(case, case.message.due_at or since.now)
    except NotifierError:
        return None
    except Exception:
        log.exception("message %s cannot be prepared", case.message.id)
        return None


def _attempt(message: Message, ready: wording.Ready, since: Since) -> Attempt:
    return Attempt(
        message_id=message.id,
        number=message.attempts,
        channel=message.channel,
        address=message.to,
        sender=ready.outbound.sender,
        subject=ready.outbound.subject,
        words=ready.outbound.text,
        encoding=ready.encoding,
        segments=ready.segments,
        # The provider is asked from here on: somebody may have sent it before its time.
        claimed_at=since.made_at,
        worker=RESTORED,
        outcome=str(Status.UNKNOWN),
    )


def _to_unknown(message: Message, since: Since) -> None:
    message.status, message.reason, message.reason_code = str(Status.UNKNOWN), since.why, ""
    message.lookups, message.lease_until, message.worker = 0, None, RESTORED
    message.lookup_at = RealTime(since.lookup_after.total_seconds()) if since.asks else None


def _event(message: Message, before: Status, since: Since, after: Status | None = None) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "at": since.now,
        "from_status": str(before),
        "to_status": str(after or message.status),
        "reason": since.why if after else message.reason,
        "actor": RESTORED,
        "attempt": None if after or message.status == Status.HELD else message.attempts,
    }


def _tell(session: Session, events: Sequence[dict[str, Any]]) -> None:
    session.flush()
    if events:
        session.execute(insert(MessageEvent), list(events))

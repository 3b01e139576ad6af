"""Words that are older than `[retention]` says are blanked, and old entries of the audit trail deleted.

Rows are gone through by their numbers, which rise with time, a few hundred in a transaction, so that nobody
waits and no index is needed. What is still open stays: the next walk begins at the first such row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.orm import Session

from notifier.config import Settings
from notifier.db import insert_missing
from notifier.models import Alert, Attempt, AuditEntry, Message, Reply, RetentionWalk
from notifier.rules.delivery import Status

BATCH = 500
_EVERY = timedelta(days=1)
# Between two batches, so that on SQLite others may write.
_PAUSE = timedelta(seconds=2)
_OPEN = (Status.SCHEDULED, Status.HELD, Status.SENDING, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows that were looked at: how far, which may be blanked, the first that has to stay, and whether more
    are old enough to be looked at.
    """

    last: int
    old: Sequence[int]
    open: int | None
    more: bool


def blank_old(session: Session, settings: Settings, now: datetime) -> datetime:
    """The chore: one batch of each kind; again soon while there is more, else in a day."""
    kept = settings.retention
    more = [
        _walk(session, "messages", now - kept.words, _old_messages, _blank_messages),
        _walk(session, "replies", now - kept.replies, _old_replies, _blank_replies),
        _delete_audit(session, now - kept.audit),
    ]
    return now + (_PAUSE if any(more) else _EVERY)


def _walk(
    session: Session,
    name: str,
    before: datetime,
    look: Callable[[Session, int, datetime], _Stretch],
    blank: Callable[[Session, Sequence[int]], None],
) -> bool:
    """Whether there is more to do now."""
    session.execute(insert_missing(session, RetentionWalk), [{"name": name, "cursor": {}}])
    walk = session.get_one(RetentionWalk, name)
    stretch = look(session, walk.cursor.get("after", 0), before)
    blank(session, stretch.old)
    first_open = walk.cursor.get("open") or stretch.open
    if stretch.more:
        walk.cursor = {"after": stretch.last, "open": first_open}
    else:
        walk.cursor = {"after": first_open - 1 if first_open else stretch.last, "open": None}
    session.flush()
    return stretch.more


def _stretch(rows: Sequence[Row[int, bool, bool]], after: int) -> _Stretch:
    """Rows as (id, is old, is open), in the order of ids: up to the first that is not old yet."""
    young = next((place for place, (_, is_old, _) in enumerate(rows) if not is_old), len(rows))
    looked = rows[:young]
    return _Stretch(
        looked[-1][0] if looked else after,
        [row_id for row_id, _, is_open in looked if not is_open],
        next((row_id for row_id, _, is_open in looked if is_open), None),
        more=len(looked) == BATCH,
    )


def _old_messages(session: Session, after: int, before: datetime) -> _Stretch:
    """By when they were made; one that left or is due later than that counts as open until then."""
    ringing = select(Alert.id).where(Alert.acknowledged_at.is_(None))
    tells = func.coalesce(Message.alert_id.in_(ringing), False)
    last = func.coalesce(Message.claimed_at, Message.due_at, Message.created_at)
    is_open = or_(Message.status.in_(_OPEN), tells, last >= before)
    return _looked(session, Message.id, Message.created_at < before, is_open, after)


def _old_replies(session: Session, after: int, before: datetime) -> _Stretch:
    ringing = select(Alert.reply_id).where(Alert.acknowledged_at.is_(None), Alert.reply_id.is_not(None))
    unread = Reply.handled_at.is_(None) & (Reply.rank < 9)
    return _looked(session, Reply.id, Reply.received_at < before, or_(unread, Reply.id.in_(ringing)), after)


def _looked(session: Session, number: Any, is_old: Any, is_open: Any, after: int) -> _Stretch:
    query = select(number, is_old, is_open).where(number > after).order_by(number).limit(BATCH)
    return _stretch(session.execute(query).all(), after)


def _blank_messages(session: Session, ids: Sequence[int]) -> None:
    for statement in (
        update(Message).where(Message.id.in_(ids), or_(Message.words != "", Message.subject != "")),
        update(Attempt).where(Attempt.message_id.in_(ids), or_(Attempt.words != "", Attempt.subject != "")),
    ):
        session.execute(statement.values(words="", subject="").execution_options(synchronize_session=False))


def _blank_replies(session: Session, ids: Sequence[int]) -> None:
    session.execute(
        update(Reply)
        .where(Reply.id.in_(ids), or_(Reply.body != "", Reply.subject != "", Reply.note != ""))
        .values(body="", subject="", note="", keyword="", matched=[])
        .execution_options(synchronize_session=False)
    )


def _delete_audit(session: Session, before: datetime) -> bool:
    first = session.execute(select(AuditEntry.id, AuditEntry.at).order_by(AuditEntry.id).limit(BATCH)).all()
    old = [entry_id for entry_id, at in first if at < before]
    if old:
        session.execute(
            delete(AuditEntry).where(AuditEntry.id.in_(old)).execution_options(synchronize_session=False)
        )
    return len(old) == BATCH

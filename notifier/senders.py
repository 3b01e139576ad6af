"""Senders as the queue sees them: which may send now, when the next one may, their rate and their breaker."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, literal_column, or_, select, update
from sqlalchemy.orm import Session

from notifier.clock import real_wait
from notifier.db import RealTime
from notifier.links import Links
from notifier.models import Message, Sender
from notifier.rules.delivery import Priority

# How far ahead of a sender's rate rows are claimed; they wait for their turn in the worker.
_AHEAD = timedelta(seconds=1)
_NOW = timedelta(0)
# A literal, not a parameter: only so can a database prove that the partial index serves.
SCHEDULED: ColumnElement[str] = literal_column("'scheduled'")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker brings to a claim: who it is, which channels it has open, and at what rate."""

    worker: str
    lease: timedelta
    channels: frozenset[str]
    rates: Mapping[str, float]  # messages a second, by channel; none: no limit
    links: Links | None = None
    kinds: frozenset[str] | None = None  # only these; a test message sends nothing else along
    reply_address: str = ""  # of the mailbox that this program reads
    nothing_leaves: bool = False  # everything stays in the outbox


@dataclass(slots=True)
class OpenSender:
    """A sender that may send and has something to send; `now` and `mark` are one moment on two clocks."""

    row: Sender
    now: datetime  # real time, the database's
    mark: float  # this host's monotonic clock
    is_probe: bool
    rate: float | None  # messages a second; None: no limit
    due: Sequence[datetime | None] = ()  # the first of each priority

    def has_due(self, priority: int, now: datetime) -> bool:
        earliest = self.due[priority]
        return earliest is not None and earliest <= now

    @property
    def free_from(self) -> datetime:
        return max(self.row.next_free_at or self.now, self.now)

    def room(self, wanted: int) -> int:
        """How many messages its rate lets through within the next second."""
        if self.is_probe:
            return 1
        if self.rate is None:
            return wanted
        return min(wanted, int(((self.now + _AHEAD) - self.free_from).total_seconds() * self.rate) + 1)


def open_senders(session: Session, terms: Terms, now: datetime) -> dict[int, OpenSender]:
    """Those with something due that may be sent now.

    One with a rate is claimed for by one worker at a time, which reserves its turns; the others pass it by.
    """
    found: list[OpenSender] = []
    for limited in (True, False):
        channels = {channel for channel in terms.channels if (channel in terms.rates) is limited}
        if channels:
            query = _open(channels, terms, now)
            if limited:
                query = query.with_for_update(of=Sender, key_share=True, skip_locked=True)
            rows = session.execute(query).all()
            mark = time.monotonic()
            found += [
                OpenSender(row, at, mark, row.probe_at is not None, _rate(row, terms), due)
                for row, at, *due in rows
            ]
    return {sender.row.id: sender for sender in found}


def _open(channels: Collection[str], terms: Terms, now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(Sender, RealTime(), *(_earliest(priority, terms.kinds) for priority in Priority.ALL))
        .where(
            *_usable(channels),
            or_(Sender.stopped_at.is_(None), Sender.probe_at <= RealTime(), *_all_the_same(terms)),
            or_(Sender.next_free_at.is_(None), Sender.next_free_at <= RealTime(_AHEAD.total_seconds())),
            or_(*(_earliest(priority, terms.kinds) <= now for priority in Priority.ALL)),
        )
        .order_by(Sender.id)
        .execution_options(populate_existing=True)
    )


def awaits_release() -> ColumnElement[bool]:
    """Stopped since a restore: nothing tries such a sender out, see `restored`."""
    return and_(Sender.stopped_at.is_not(None), Sender.probe_at.is_(None))


def _all_the_same(terms: Terms) -> list[ColumnElement[bool]]:
    """What stays in the outbox reaches nobody who might have said no."""
    return [awaits_release()] if terms.nothing_leaves else []


def _usable(channels: Collection[str]) -> list[ColumnElement[bool]]:
    return [Sender.active.is_(True), Sender.channel.in_(channels)]


def _earliest(priority: int, kinds: Collection[str] | None) -> ScalarSelect[datetime | None]:
    """When the first waiting message of a sender is due: one look into the index."""
    return (
        select(Message.due_at)
        .where(
            Message.sender_id == Sender.id,
            Message.priority == literal_column(str(priority)),
            Message.status == SCHEDULED,
            Message.due_at.is_not(None),
            *of_kind(kinds),
        )
        .order_by(Message.due_at)
        .limit(1)
        .correlate(Sender)
        .scalar_subquery()
    )


def of_kind(kinds: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if kinds is None else [Message.kind.in_(kinds)]


def may_probe(session: Session, sender: Sender, terms: Terms) -> bool:
    """One real message tries a stopped sender out; until its outcome is known, nobody else does."""
    # Not waited for: whoever holds this sender is trying it out already.
    free = select(Sender.id).where(Sender.id == sender.id, Sender.probe_at <= RealTime())
    if session.scalar(free.with_for_update(key_share=True, skip_locked=True)) is None:
        return False
    session.execute(
        update(Sender)
        .where(Sender.id == sender.id)
        .values(probe_at=RealTime(terms.lease.total_seconds()))
        .execution_options(synchronize_session=False)
    )
    return True


def _rate(sender: Sender, terms: Terms) -> float | None:
    configured = terms.rates.get(sender.channel)
    # Where the channel has no limit (the outbox), a sender's own does not slow it down either.
    return (sender.max_per_second or configured) if configured else None


def reserve(sender: OpenSender) -> float:
    """When this message's turn comes, on the monotonic clock; the sender is free again after it."""
    if sender.rate is None:
        return sender.mark
    turn = sender.free_from
    sender.row.next_free_at = turn + timedelta(seconds=1 / sender.rate)
    return sender.mark + (turn - sender.now).total_seconds()


def next_due(session: Session, channels: Collection[str]) -> datetime | None:
    """When the next message of an open sender is due; in plan time."""
    is_open = or_(Sender.stopped_at.is_(None), Sender.probe_at <= RealTime())
    earliest = select(*(_earliest(priority, None) for priority in Priority.ALL)).select_from(Sender)
    rows = session.execute(earliest.where(*_usable(channels), is_open))
    return min((at for row in rows for at in row if at is not None), default=None)


def wait_for_work(
    session: Session,
    terms: Terms,
    *,
    now: datetime,
    priorities: Collection[int] = Priority.ALL,
    pace: float = 1.0,
) -> timedelta | None:
    """How long in real time until a message is due and its sender is free; zero: now. None: nothing waits.

    What is due counts in plan time, which runs at this `pace`; the rate and the breaker in real time.
    """
    waits = []
    query = select(
        RealTime(),
        Sender.next_free_at,
        case((Sender.stopped_at.is_not(None), Sender.probe_at)),
        *(_earliest(priority, terms.kinds) for priority in priorities),
    ).where(
        *_usable(terms.channels),
        or_(Sender.stopped_at.is_(None), Sender.probe_at.is_not(None), *_all_the_same(terms)),
    )
    for real, next_free, probe_at, *due in session.execute(query):
        earliest = min((at for at in due if at is not None), default=None)
        due_in = real_wait(earliest - now, pace) if earliest is not None else None
        if due_in is not None:
            free_in = next_free - _AHEAD - real if next_free is not None else _NOW
            probe_in = probe_at - real if probe_at is not None else _NOW
            waits.append(max(due_in, free_in, probe_in, _NOW))
    return min(waits, default=None)

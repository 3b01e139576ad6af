"""Claiming what is due: check everything again, render, write the attempt, in one transaction.

The worker commits it; after that, and only then, the provider is called.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, insert, literal_column, or_, select, update
from sqlalchemy.orm import Session

from notifier import fallback
from notifier.cases import Case, gather
from notifier.db import RealTime
from notifier.dispatch import Hold, Move, Stop, Verdict, judge
from notifier.envelope import OutboundMessage
from notifier.links import Links
from notifier.models import Address, Attempt, Message, MessageEvent, Sender
from notifier.rules.delivery import Kind, Priority, Status
from notifier.wording import Ready

# How far ahead of a sender's rate rows are claimed; they wait for their turn in the worker.
_AHEAD = timedelta(seconds=1)
# A literal, not a parameter: only so can a database prove that the partial index serves.
SCHEDULED: ColumnElement[str] = literal_column("'scheduled'")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker, and nobody else, may now hand to its provider.

    `wait` is how many seconds from the claim its turn in the sender's rate comes.
    """

    outbound: OutboundMessage
    sender_id: int
    kind: str
    priority: int
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker brings to a claim: who it is, which channels it has open, and at what rate."""

    worker: str
    lease: timedelta
    channels: frozenset[str]
    rates: Mapping[str, float]  # messages a second, by channel; none: no limit
    links: Links | None = None
    kinds: frozenset[str] | None = None  # only these; a test message sends nothing else along


@dataclass(slots=True)
class _OpenSender:
    row: Sender
    now: datetime  # real time, the database's
    is_probe: bool

    def room(self, rate: float | None, wanted: int) -> int:
        """How many messages its rate lets through within the next second."""
        if self.is_probe:
            return 1
        if rate is None:
            return wanted
        free_from = max(self.row.next_free_at or self.now, self.now)
        return min(wanted, int(((self.now + _AHEAD) - free_from).total_seconds() * rate) + 1)


@dataclass(slots=True)
class Claim:
    """`settled` counts the messages that were skipped, held or moved instead."""

    messages: list[Claimed]
    settled: int = 0


def claim_due(session: Session, terms: Terms, *, now: datetime, limit: int, urgent: int = 0) -> Claim:
    """Claim up to `limit` messages that are due, and up to `urgent` more alerts and safety answers.

    What turns out to be stale, unwelcome or not allowed now is skipped, held or moved, with its reason.
    """
    claim = Claim([])
    senders = _open_senders(session, terms)
    for priority in Priority.ALL:
        room = limit + (urgent if priority == Priority.ALERT else 0) - len(claim.messages)
        if room <= 0 or not senders:
            break
        rows = _lock_due(session, terms, senders, priority, now=now, limit=room)
        if rows:
            _claim(session, terms, senders, rows, now, claim)
    return claim


def _open_senders(session: Session, terms: Terms) -> dict[int, _OpenSender]:
    query = (
        select(Sender, RealTime())
        .where(
            Sender.active,
            Sender.channel.in_(terms.channels),
            or_(Sender.stopped_at.is_(None), Sender.probe_at <= RealTime()),
            or_(Sender.next_free_at.is_(None), Sender.next_free_at <= RealTime(_AHEAD.total_seconds())),
        )
        .order_by(Sender.id)
    )
    if terms.rates:
        # Workers that reserve turns of one rate take theirs one after the other.
        query = query.with_for_update(of=Sender)
    rows = session.execute(query).tuples()
    return {row.id: _OpenSender(row, at, row.stopped_at is not None) for row, at in rows}


def _lock_due(
    session: Session,
    terms: Terms,
    senders: Mapping[int, _OpenSender],
    priority: int,
    *,
    now: datetime,
    limit: int,
) -> list[Message]:
    """Due rows of this priority, oldest first, a fair share for each sender, locked against other workers."""
    found: list[Message] = []
    waiting = list(senders.values())
    while waiting and len(found) < limit:
        share = -(-(limit - len(found)) // len(waiting))
        sender = waiting.pop(0)
        room = sender.room(_rate(sender.row, terms), min(share, limit - len(found)))
        if room <= 0:
            continue
        rows = session.scalars(
            select(Message)
            .where(
                Message.sender_id == sender.row.id,
                Message.priority == literal_column(str(priority)),
                Message.status == SCHEDULED,
                Message.due_at <= now,
                *_of_kind(terms.kinds),
            )
            .order_by(Message.due_at)
            .limit(room)
            .with_for_update(skip_locked=True)
        ).all()
        if rows and sender.is_probe and not _may_probe(session, sender.row, terms):
            continue
        found += rows
    return found


def _of_kind(kinds: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if kinds is None else [Message.kind.in_(kinds)]


def _may_probe(session: Session, sender: Sender, terms: Terms) -> bool:
    """One real message tries a stopped sender out; until its outcome is known, nobody else does."""
    won = session.execute(
        update(Sender)
        .where(Sender.id == sender.id, Sender.probe_at <= RealTime())
        .values(probe_at=RealTime(terms.lease.total_seconds()))
        .execution_options(synchronize_session=False)
    )
    return bool(won.rowcount)  # type: ignore[attr-defined]


def _rate(sender: Sender, terms: Terms) -> float | None:
    configured = terms.rates.get(sender.channel)
    # Where the channel has no limit (the outbox), a sender's own does not slow it down either.
    return (sender.max_per_second or configured) if configured else None


def _claim(
    session: Session,
    terms: Terms,
    senders: Mapping[int, _OpenSender],
    rows: Sequence[Message],
    now: datetime,
    claim: Claim,
) -> None:
    cases = gather(session, rows, now, terms.links)
    free = _free_addresses(session, rows)
    ready: list[tuple[Message, Ready]] = []
    events: list[dict[str, Any]] = []
    taken: set[tuple[str, int | None]] = set()
    for message, case in zip(rows, cases, strict=True):
        if not _may_go_beside(message, taken, free):
            continue  # stays due; the next claim sees what this one did
        verdict = judge(case, now)
        if isinstance(verdict, Ready):
            taken |= {("patient", message.patient_id), ("address", message.address_id)}
            ready.append((message, verdict))
        else:
            events += _settle(session, message, verdict, case, now, terms.worker)
            claim.settled += 1
    if events:
        session.execute(insert(MessageEvent), events)
    claim.messages += _take(session, terms, senders, ready, now)


def _free_addresses(session: Session, rows: Sequence[Message]) -> set[int]:
    """The addresses that no other worker is claiming for at this moment, locked for this one."""
    wanted = sorted({row.address_id for row in rows if row.address_id is not None})
    if not wanted:
        return set()
    query = select(Address.id).where(Address.id.in_(wanted)).order_by(Address.id)
    return set(session.scalars(query.with_for_update(skip_locked=True)))


def _may_go_beside(message: Message, taken: set[tuple[str, int | None]], free: set[int]) -> bool:
    """At most one planned message to one patient and one address in a claim."""
    if message.kind != Kind.PLANNED:
        return True
    mine = {("patient", message.patient_id), ("address", message.address_id)}
    return taken.isdisjoint(mine) and (message.address_id is None or message.address_id in free)


def _settle(
    session: Session, message: Message, verdict: Verdict, case: Case, now: datetime, actor: str
) -> list[dict[str, Any]]:
    """A message that is not sent now, and why."""
    before = message.status
    match verdict:
        case Stop():
            message.status, message.reason, message.reason_code = verdict.status, verdict.reason, verdict.code
        case Hold():
            message.status, message.reason, message.reason_code = Status.HELD, verdict.reason, verdict.code
        case Move():
            message.due_at, message.reason = verdict.at, verdict.reason
    events = [_event(message, before, now, actor)]
    if isinstance(verdict, Stop) and verdict.fallback:
        fallback.take_over(session, case, now=now, actor=actor)
    return events


def _event(message: Message, before: str, now: datetime, actor: str) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "at": now,
        "from_status": before,
        "to_status": message.status,
        "reason": message.reason,
        "actor": actor,
    }


def _take(
    session: Session,
    terms: Terms,
    senders: Mapping[int, _OpenSender],
    ready: Sequence[tuple[Message, Ready]],
    now: datetime,
) -> list[Claimed]:
    """Mark them as being sent, by us and until when, and write their attempts."""
    if not ready:
        return []
    session.execute(
        insert(Attempt),
        [
            {
                "message_id": message.id,
                "number": message.attempts + 1,
                "channel": message.channel,
                "address": message.to,
                "sender": verdict.outbound.sender,
                "subject": verdict.outbound.subject,
                "words": verdict.outbound.text,
                "encoding": verdict.encoding,
                "segments": verdict.segments,
                "claimed_at": now,
                "worker": terms.worker,
            }
            for message, verdict in ready
        ],
    )
    ids = [message.id for message, _ in ready]
    # The status is in the condition too: on SQLite, which locks no rows, this is the guard.
    taken = session.execute(
        update(Message)
        .where(Message.id.in_(ids), Message.status == SCHEDULED)
        .values(
            status=str(Status.SENDING),
            attempts=Message.attempts + 1,
            claimed_at=now,
            lease_until=RealTime(terms.lease.total_seconds()),
            worker=terms.worker,
        )
        .execution_options(synchronize_session=False)
    )
    assert taken.rowcount == len(ready)  # type: ignore[attr-defined]
    _move_gaps(session, ready, now)
    return [
        Claimed(
            verdict.outbound,
            message.sender_id,
            message.kind,
            message.priority,
            _reserve(senders[message.sender_id], terms),
        )
        for message, verdict in ready
    ]


def _move_gaps(session: Session, ready: Sequence[tuple[Message, Ready]], now: datetime) -> None:
    gaps = {
        message.address_id: now + verdict.gap
        for message, verdict in ready
        if message.address_id is not None and verdict.gap
    }
    for address_id, until in gaps.items():
        session.execute(
            update(Address)
            .where(Address.id == address_id, or_(Address.gap_until.is_(None), Address.gap_until < until))
            .values(gap_until=until)
            .execution_options(synchronize_session=False)
        )


def _reserve(sender: _OpenSender, terms: Terms) -> float:
    """Seconds until this message's turn; the sender is free again after it."""
    rate = _rate(sender.row, terms)
    if rate is None:
        return 0.0
    turn = max(sender.row.next_free_at or sender.now, sender.now)
    sender.row.next_free_at = turn + timedelta(seconds=1 / rate)
    return (turn - sender.now).total_seconds()


def next_due(
    session: Session, channels: Collection[str], kinds: Collection[str] | None = None
) -> datetime | None:
    """When the next message of an open sender is due; in plan time."""
    earliest = [
        session.scalar(
            select(Message.due_at)
            .where(
                Message.sender_id == sender_id,
                Message.priority == literal_column(str(priority)),
                Message.status == SCHEDULED,
                Message.due_at.is_not(None),
                *_of_kind(kinds),
            )
            .order_by(Message.due_at)
            .limit(1)
        )
        for sender_id in session.scalars(
            select(Sender.id).where(
                Sender.active,
                Sender.channel.in_(channels),
                or_(Sender.stopped_at.is_(None), Sender.probe_at <= RealTime()),
            )
        )
        for priority in Priority.ALL
    ]
    return min((at for at in earliest if at is not None), default=None)

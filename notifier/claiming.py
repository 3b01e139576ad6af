"""Claiming what is due: check everything again, render, write the attempt, in one transaction.

The worker commits it; after that, and only then, the provider is called.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, literal_column, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import fallback, first_text
from notifier.cases import Case, gather
from notifier.db import RealTime
from notifier.dispatch import Hold, Move, Stop, Verdict, judge
from notifier.envelope import OutboundMessage
from notifier.errors import DatabaseUnavailable
from notifier.models import Address, Attempt, Message, MessageEvent
from notifier.rules.delivery import Kind, Priority, Status
from notifier.senders import SCHEDULED, OpenSender, Terms, may_probe, of_kind, open_senders, reserve
from notifier.wording import Ready

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker, and nobody else, may now hand to its provider.

    `turn` is when the sender's rate lets it through, on this host's monotonic clock.
    """

    outbound: OutboundMessage
    sender_id: int
    kind: str
    priority: int
    turn: float


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
    senders = open_senders(session, terms, now)
    for priority in Priority.ALL:
        room = limit + (urgent if priority == Priority.ALERT else 0) - len(claim.messages)
        if room <= 0 or not senders:
            break
        rows = _lock_due(session, terms, senders, priority, now=now, limit=room)
        if rows:
            _claim(session, terms, senders, rows, now, claim)
    return claim


def _lock_due(
    session: Session,
    terms: Terms,
    senders: Mapping[int, OpenSender],
    priority: int,
    *,
    now: datetime,
    limit: int,
) -> list[Message]:
    """Due rows of this priority, oldest first, a fair share for each sender, locked against other workers."""
    found: list[Message] = []
    # By chance, because a claim is often for one message only, and no sender must always be the first.
    waiting = random.sample(list(senders.values()), len(senders))
    waiting = [sender for sender in waiting if sender.has_due(priority, now)]
    while waiting and len(found) < limit:
        share = -(-(limit - len(found)) // len(waiting))
        sender = waiting.pop(0)
        room = sender.room(min(share, limit - len(found)))
        if room <= 0:
            continue
        rows = session.scalars(
            select(Message)
            .where(
                Message.sender_id == sender.row.id,
                Message.priority == literal_column(str(priority)),
                Message.status == SCHEDULED,
                Message.due_at <= now,
                *of_kind(terms.kinds),
            )
            .order_by(Message.due_at)
            .limit(room)
            .with_for_update(key_share=True, skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        found += rows
    return found


def _claim(
    session: Session,
    terms: Terms,
    senders: Mapping[int, OpenSender],
    rows: Sequence[Message],
    now: datetime,
    claim: Claim,
) -> None:
    # Locked before anything is looked up: what another worker has just sent there must be seen.
    free, introduced = _free_addresses(session, rows)
    cases = gather(session, rows, now, terms.links, terms.reply_address)
    ready: list[tuple[Message, Ready]] = []
    events: list[dict[str, Any]] = []
    taken: set[tuple[str, int | None]] = set()
    for message, case in zip(rows, cases, strict=True):
        if not _may_go_beside(message, taken, free):
            continue  # stays due; the next claim sees what this one did
        verdict = judge(case, now)
        if isinstance(verdict, Ready):
            verdict = _after_first_text(session, case, verdict, introduced, now, terms.worker)
        if isinstance(verdict, Ready):
            sender = senders[message.sender_id]
            if sender.is_probe and not may_probe(session, sender.row, terms):
                continue
            taken |= {("patient", message.patient_id), ("address", message.address_id)}
            ready.append((message, verdict))
        else:
            events += _settle(session, message, verdict, case, now, terms.worker)
            claim.settled += 1
    if events:
        session.execute(insert(MessageEvent), events)
    claim.messages += _take(session, terms, senders, ready, now)


def _free_addresses(session: Session, rows: Sequence[Message]) -> tuple[set[int], first_text.Introduced]:
    """The addresses that no other worker is claiming for at this moment, locked for this one; and when those
    of them that know us were told who writes.
    """
    wanted = sorted({row.address_id for row in rows if row.address_id is not None})
    if not wanted:
        return set(), {}
    query = select(Address.id, Address.introduced_at).where(Address.id.in_(wanted)).order_by(Address.id)
    found = session.execute(query.with_for_update(key_share=True, skip_locked=True)).all()
    return {row.id for row in found}, {
        row.id: row.introduced_at for row in found if row.introduced_at is not None
    }


def _after_first_text(
    session: Session, case: Case, ready: Ready, introduced: first_text.Introduced, now: datetime, actor: str
) -> Verdict:
    """A first text that cannot be written holds this one, and the others go on."""
    if not first_text.is_for(case):
        return ready
    try:
        with session.begin_nested():
            free_at = first_text.make_way(session, case, introduced, now=now, actor=actor)
    except (OperationalError, DatabaseUnavailable):
        raise
    except Exception as error:
        log.exception("the first text before message %s cannot be prepared", case.message.id)
        return Hold("broken", f"The first text to this number could not be made ({type(error).__name__}).")
    return ready if free_at is None else Move(free_at, "First a text that says who writes.")


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
    senders: Mapping[int, OpenSender],
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
            reserve(senders[message.sender_id]),
        )
        for message, verdict in ready
    ]


def _move_gaps(session: Session, ready: Sequence[tuple[Message, Ready]], now: datetime) -> None:
    resting: dict[datetime, list[int]] = defaultdict(list)
    for message, verdict in ready:
        if message.address_id is not None and verdict.gap:
            resting[now + verdict.gap].append(message.address_id)
    for until, ids in resting.items():
        session.execute(
            update(Address)
            .where(Address.id.in_(ids), or_(Address.gap_until.is_(None), Address.gap_until < until))
            .values(gap_until=until)
            .execution_options(synchronize_session=False)
        )

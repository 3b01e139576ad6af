"""Messages in doubt: a lease that ran out becomes `unknown`, and `unknown` is settled by asking the provider.

Found: its id is adopted. Asked twice and absent: sent again. Cannot be told: a person decides. E-mail has
no look-up; it is sent again under the same Message-ID, so that a second copy is seen to be one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, insert, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.db import RealTime
from notifier.envelope import Found, OutboundMessage
from notifier.models import Attempt, Clinic, Message, MessageEvent
from notifier.rules.delivery import Status
from notifier.wording import reference_of

ABSENT_TWICE = 2
# After this many look-ups that got no answer, a person is asked instead.
_GIVE_UP_AFTER = 50


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt that may or may not have reached its provider, as it was sent."""

    outbound: OutboundMessage
    since: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking brought: None, it could not be asked now. `possible` is False where it never can be."""

    doubt: Doubt
    found: Sequence[Found] | None
    possible: bool = True


def is_doubt_due(session: Session) -> bool:
    """Whether there is anything to expire or to ask about; costs one look into a partial index."""
    due = or_(
        and_(Message.status == literal_column("'sending'"), Message.lease_until < RealTime()),
        and_(Message.status == literal_column("'unknown'"), Message.lookup_at <= RealTime()),
    )
    in_doubt = Message.status.in_([literal_column("'sending'"), literal_column("'unknown'")])
    return session.scalar(select(Message.id).where(in_doubt, due).limit(1)) is not None


def expire_leases(session: Session, *, now: datetime, lookup_after: timedelta, worker: str) -> int:
    """A worker stopped between its claim and its answer: what became of those messages is unknown."""
    lost = session.execute(
        select(Message.id, Message.attempts, Message.worker)
        .where(Message.status == literal_column("'sending'"), Message.lease_until < RealTime())
        .limit(1000)
        .with_for_update(skip_locked=True)
    ).all()
    if not lost:
        return 0
    reason = "{} stopped before it could say whether the provider took it."
    for row in lost:
        session.execute(
            update(Message)
            .where(Message.id == row.id, Message.status == literal_column("'sending'"))
            .values(
                status=str(Status.UNKNOWN),
                reason=reason.format(row.worker or "The worker"),
                lookup_at=RealTime(lookup_after.total_seconds()),
                lease_until=None,
            )
            .execution_options(synchronize_session=False)
        )
    session.execute(
        update(Attempt)
        .where(
            tuple_(Attempt.message_id, Attempt.number).in_([(row.id, row.attempts) for row in lost]),
            Attempt.outcome == "",
        )
        .values(outcome=str(Status.UNKNOWN))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(MessageEvent),
        [
            _event(
                row.id, Status.SENDING, Status.UNKNOWN, reason.format(row.worker or "The worker"), now, worker
            )
            for row in lost
        ],
    )
    return len(lost)


def take_doubts(
    session: Session, channels: Collection[str], *, gap: timedelta, limit: int = 100
) -> list[Doubt]:
    """Messages whose look-up is due, and which nobody else will ask about for a while."""
    rows = session.scalars(
        select(Message)
        .where(
            Message.status == literal_column("'unknown'"),
            Message.channel.in_(channels),
            Message.lookup_at <= RealTime(),
        )
        .order_by(Message.lookup_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    attempts = session.scalars(
        select(Attempt).where(
            tuple_(Attempt.message_id, Attempt.number).in_([(row.id, row.attempts) for row in rows])
        )
    )
    by_message = {attempt.message_id: attempt for attempt in attempts}
    clinics = {clinic.id: clinic for clinic in session.scalars(select(Clinic))}
    doubts = [_doubt(row, by_message[row.id], clinics[row.clinic_id]) for row in rows]
    session.execute(
        update(Message)
        .where(Message.id.in_([row.id for row in rows]))
        .values(lookup_at=RealTime(gap.total_seconds()))
        .execution_options(synchronize_session=False)
    )
    return doubts


def _doubt(message: Message, attempt: Attempt, clinic: Clinic) -> Doubt:
    outbound = OutboundMessage(
        message_id=message.id,
        attempt=attempt.number,
        reference=reference_of(message, clinic),
        channel=message.channel,
        to=attempt.address,
        text=attempt.words,
        subject=attempt.subject,
        sender=attempt.sender,
    )
    return Doubt(outbound, attempt.claimed_at)


def settle(session: Session, answer: Answer, *, now: datetime, gap: timedelta, worker: str) -> None:
    outbound = answer.doubt.outbound
    message = session.get_one(Message, outbound.message_id, with_for_update=True)
    if message.status != Status.UNKNOWN or message.attempts != outbound.attempt:
        return  # a report or a late answer was quicker
    verdict = _verdict(session, message, answer, now)
    if verdict is None:
        message.lookup_at = RealTime(gap.total_seconds())
        return
    status, reason = verdict
    message.status, message.reason, message.lookup_at = str(status), reason, None
    if status is Status.SCHEDULED:
        message.lookups = 0
    session.execute(
        insert(MessageEvent),
        [_event(message.id, Status.UNKNOWN, status, reason, now, worker, outbound.attempt)],
    )


def _verdict(session: Session, message: Message, answer: Answer, now: datetime) -> tuple[Status, str] | None:
    """The status that settles it and why; None: ask again later."""
    outbound = answer.doubt.outbound
    if not answer.possible:
        if message.channel == "email":
            return _again(message, now, "E-mail cannot be asked about; sent again under the same Message-ID.")
        return (
            Status.HELD,
            "The provider cannot be asked whether it took it. Decide whether to send it again.",
        )
    if answer.found is None:
        message.lookups -= 1  # counts down apart from the answers that count up
        if message.lookups <= -_GIVE_UP_AFTER:
            return (
                Status.HELD,
                "The provider did not answer whether it took it. Decide whether to send it again.",
            )
        return None
    fresh = _not_ours_yet(session, outbound, answer.found)
    if len(fresh) == 1:
        _adopt(session, outbound, fresh[0])
        return fresh[0].status, f"Found at the provider as {fresh[0].provider_id}."
    if fresh:
        ids = ", ".join(found.provider_id for found in fresh)
        return (
            Status.HELD,
            f"The provider has {len(fresh)} messages that may be this one: {ids}. Compare them.",
        )
    message.lookups = max(message.lookups, 0) + 1
    if message.lookups < ABSENT_TWICE:
        return None
    return _again(message, now, "The provider was asked twice and does not know it; sent again.")


def _again(message: Message, now: datetime, reason: str) -> tuple[Status, str]:
    if message.useful_until is not None and now > message.useful_until:
        return Status.SKIPPED, "It did not reach the provider, and is no longer useful."
    return Status.SCHEDULED, reason


def _not_ours_yet(session: Session, outbound: OutboundMessage, found: Sequence[Found]) -> list[Found]:
    """Without those that already belong to an attempt, of this message or another."""
    ids = [item.provider_id for item in found]
    known = set(
        session.scalars(
            select(Attempt.provider_id).where(
                Attempt.provider_id.in_(ids),
                or_(Attempt.message_id != outbound.message_id, Attempt.number != outbound.attempt),
            )
        )
    )
    return [item for item in found if item.provider_id not in known]


def _adopt(session: Session, outbound: OutboundMessage, found: Found) -> None:
    session.execute(
        update(Attempt)
        .where(Attempt.message_id == outbound.message_id, Attempt.number == outbound.attempt)
        .values(provider_id=found.provider_id, outcome=str(found.status), error_code=found.code or "")
        .execution_options(synchronize_session=False)
    )


def _event(
    message_id: int,
    before: Status,
    after: Status,
    reason: str,
    now: datetime,
    actor: str,
    attempt: int | None = None,
) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "at": now,
        "from_status": str(before),
        "to_status": str(after),
        "reason": reason,
        "actor": actor,
        "attempt": attempt,
    }

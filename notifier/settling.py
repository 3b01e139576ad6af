"""Messages in doubt: a lease that ran out becomes `unknown`, and `unknown` is settled by asking the provider.

Found: its id is adopted. Asked twice and absent: sent again. Cannot be told: a person decides. E-mail has
no look-up; it is sent again under the same Message-ID, so that a second copy is seen to be one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, insert, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.db import RealTime
from notifier.envelope import DeliveryReport, Found, OutboundMessage, Stray
from notifier.models import Attempt, Clinic, Message, MessageEvent
from notifier.rules.delivery import Priority, Status
from notifier.strays import unexplained
from notifier.wording import reference_of

ABSENT_TWICE = 2
# Providers whose last word comes later, and after how long they are asked where they do not call.
REPORTING = frozenset({"twilio"})
FIRST_LOOK = timedelta(seconds=10)
# Who made an attempt that a database lost, if it was ever made; see `restored_messages`.
RESTORED = "restore"
# For alerts and safety answers: they do not wait until the provider can be asked.
TWICE_BEATS_NEVER = "In doubt, sent again at once:"
# A mail server that takes a mail but never says so would otherwise get it for as long as it is useful.
_MOST_COPIES = 3
_MOST_DEATHS = 6
# After this many look-ups that got no answer, a person is asked instead.
_GIVE_UP_AFTER = 50


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt that may or may not have reached its provider, as it was sent."""

    outbound: OutboundMessage
    since: datetime
    is_restored: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking brought: None, it could not be asked now. `possible` is False where it never can be."""

    doubt: Doubt
    found: Sequence[Found] | None
    possible: bool = True
    provider: str = ""
    strays: Sequence[Stray] = ()  # asked for only after a restore


def goes_again_at_once(priority: int, attempt: int) -> bool:
    """Alerts and safety answers: twice beats never. After that they are settled like everything else."""
    return priority == Priority.ALERT and attempt < 2


def wait_for_doubt(session: Session, channels: Collection[str]) -> timedelta | None:
    """How long until a lease runs out or a provider is to be asked; zero: now. None: nothing is in doubt.

    Costs one look into a partial index.
    """
    moments = session.execute(
        select(
            RealTime(),
            func.min(case((Message.status == literal_column("'sending'"), Message.lease_until))),
            func.min(
                case(
                    (
                        and_(
                            Message.status == literal_column("'unknown'"),
                            Message.channel.in_(channels),
                        ),
                        Message.lookup_at,
                    )
                )
            ),
        ).where(Message.status.in_([literal_column("'sending'"), literal_column("'unknown'")]))
    ).one()
    real, *due = moments
    earliest = min((at for at in due if at is not None), default=None)
    return None if earliest is None else max(earliest - real, timedelta(0))


def expire_leases(session: Session, *, now: datetime, lookup_after: timedelta, worker: str) -> int:
    """A worker stopped between its claim and its answer: what became of those messages is unknown."""
    lost = session.execute(
        select(Message.id, Message.attempts, Message.worker, Message.priority)
        .where(Message.status == literal_column("'sending'"), Message.lease_until < RealTime())
        .limit(1000)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not lost:
        return 0
    events = []
    for row in lost:
        reason = f"{row.worker or 'The worker'} stopped before it could say whether the provider took it."
        status = Status.UNKNOWN
        if goes_again_at_once(row.priority, row.attempts):
            status, reason = Status.SCHEDULED, f"{TWICE_BEATS_NEVER} {reason}"
        session.execute(
            update(Message)
            .where(Message.id == row.id, Message.status == literal_column("'sending'"))
            .values(
                status=str(status),
                reason=reason,
                lookups=0,
                # Of an erased patient nothing is left to ask by.
                lookup_at=case((Message.to != "", RealTime(lookup_after.total_seconds()))),
                lease_until=None,
            )
            .execution_options(synchronize_session=False)
        )
        events.append(_event(row.id, Status.SENDING, status, reason, now, worker, row.attempts))
    session.execute(
        update(Attempt)
        .where(
            tuple_(Attempt.message_id, Attempt.number).in_([(row.id, row.attempts) for row in lost]),
            Attempt.outcome == "",
        )
        .values(outcome=str(Status.UNKNOWN))
        .execution_options(synchronize_session=False)
    )
    session.execute(insert(MessageEvent), events)
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
        .with_for_update(key_share=True, skip_locked=True)
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
    return Doubt(outbound, attempt.claimed_at, attempt.worker == RESTORED)


def settle(
    session: Session, answer: Answer, *, now: datetime, gap: timedelta, worker: str
) -> DeliveryReport | None:
    """Returns what was found where it did not arrive: that is applied like every report of it."""
    outbound = answer.doubt.outbound
    message = session.get_one(Message, outbound.message_id, with_for_update={"key_share": True})
    if message.status != Status.UNKNOWN or message.attempts != outbound.attempt:
        return None  # a report or a late answer was quicker
    verdict = _verdict(session, message, answer, now)
    if isinstance(verdict, DeliveryReport):
        return verdict
    if verdict is None:
        message.lookup_at = RealTime(gap.total_seconds())
        return None
    status, reason = verdict
    message.status, message.reason, message.reason_code = str(status), reason, ""
    message.lookups, message.lookup_at = 0, None
    if status in (Status.ACCEPTED, Status.SENT) and answer.provider in REPORTING:
        message.lookup_at = RealTime(FIRST_LOOK.total_seconds())
    if status is Status.UNKNOWN:
        return None
    session.execute(
        insert(MessageEvent),
        [_event(message.id, Status.UNKNOWN, status, reason, now, worker, outbound.attempt)],
    )
    return None


def _verdict(
    session: Session, message: Message, answer: Answer, now: datetime
) -> tuple[Status, str] | DeliveryReport | None:
    """The status that settles it and why; unknown: it stays so for good; None: ask again later."""
    outbound = answer.doubt.outbound
    if not answer.possible:
        return _unasked(session, message, now)
    if answer.found is None:
        if message.lookups > 0:
            return None  # it was absent once: one more answer settles it
        message.lookups -= 1  # counts down apart from the answers that count up
        if message.lookups <= -_GIVE_UP_AFTER:
            return (
                Status.HELD,
                "The provider did not answer whether it took it. Decide whether to send it again.",
            )
        return None
    fresh = _not_ours_yet(session, outbound, answer.found)
    if len(fresh) == 1:
        return _adopt(session, answer, fresh[0], now)
    if fresh:
        ids = ", ".join(found.provider_id for found in fresh)
        return (
            Status.HELD,
            f"The provider has {len(fresh)} messages that may be this one: {ids}. Compare them.",
        )
    if strays := unexplained(session, outbound, answer.strays):
        ids = ", ".join(strays)
        return (
            Status.HELD,
            f"Since the backup something was sent there that is not known here: {ids}. Compare the words.",
        )
    message.lookups = max(message.lookups, 0) + 1
    if message.lookups < ABSENT_TWICE:
        return None
    if _is_stale(message, now):
        return Status.SKIPPED, "It did not reach the provider, and is no longer useful."
    return Status.SCHEDULED, "The provider was asked twice and does not know it; sent again."


def _unasked(session: Session, message: Message, now: datetime) -> tuple[Status, str]:
    """Where the provider has no look-up."""
    if message.channel != "email" or _is_enough(session, message):
        return (
            Status.HELD,
            "The provider cannot be asked whether it took it. Decide whether to send it again.",
        )
    if _is_stale(message, now):
        # Not skipped, which would say that it was never sent.
        return Status.UNKNOWN, "Whether it reached the mail server is not known, and it is no longer useful."
    return Status.SCHEDULED, "E-mail cannot be asked about; sent again under the same Message-ID."


def _is_enough(session: Session, message: Message) -> bool:
    """Whether so many attempts may have reached the provider that no more are to follow.

    A worker that died says less about the mail than a server that broke off: most mails that it held had not
    been begun. But a mail that its worker dies of must come to an end too.
    """
    answered = func.count(Attempt.finished_at)
    doubtful = select(answered, func.count() - answered).where(
        Attempt.message_id == message.id, Attempt.outcome == str(Status.UNKNOWN)
    )
    broken_off, died = session.execute(doubtful).one()
    return bool(broken_off >= _MOST_COPIES or died >= _MOST_DEATHS)


def _is_stale(message: Message, now: datetime) -> bool:
    return message.useful_until is not None and now > message.useful_until


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


def _adopt(
    session: Session, answer: Answer, found: Found, now: datetime
) -> tuple[Status, str] | DeliveryReport:
    outbound = answer.doubt.outbound
    failed = found.status in (Status.FAILED, Status.UNDELIVERED)
    session.execute(
        update(Attempt)
        .where(Attempt.message_id == outbound.message_id, Attempt.number == outbound.attempt)
        .values(
            provider=answer.provider,
            provider_id=found.provider_id,
            outcome=str(Status.UNKNOWN if failed else found.status),
            error_code=found.code or "",
            finished_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    if failed:
        return DeliveryReport(
            found.provider_id,
            found.status,
            str(found.status),
            now,
            code=found.code,
            message_id=outbound.message_id,
            attempt=outbound.attempt,
            provider=answer.provider,
            error_class=found.error_class,
            said=found.said,
        )
    return found.status, f"Found at the provider as {found.provider_id}: {found.status}."


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

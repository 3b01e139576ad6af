"""Messages as people ask for them: a list, the story of one, and one made by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from notifier import reach
from notifier.db import wake_workers
from notifier.errors import InputError, NotFoundError
from notifier.models import Attempt, Clinic, DeliveryReportRow, Message, MessageEvent, Sender, Treatment
from notifier.rules.delivery import Kind, Priority, Status


@dataclass(frozen=True, slots=True)
class Listed:
    """A message with what belongs to it."""

    message: Message
    external_id: str | None
    attempts: list[Attempt]


def listing(
    session: Session,
    clinic: Clinic,
    *,
    statuses: Collection[str] = (),
    patient_id: int | None = None,
    treatment_id: int | None = None,
    limit: int | None = None,
) -> list[Listed]:
    """Oldest due first; what was never due stands where its treatment was logged."""
    query = (
        select(Message, Treatment.external_id)
        .outerjoin(Treatment, Treatment.id == Message.treatment_id)
        .where(Message.clinic_id == clinic.id)
        .order_by(Message.due_at.is_(None), Message.due_at, Message.id)
    )
    if statuses:
        query = query.where(Message.status.in_(statuses))
    if patient_id is not None:
        query = query.where(Message.patient_id == patient_id)
    if treatment_id is not None:
        query = query.where(Message.treatment_id == treatment_id)
    return _with_attempts(session, query.limit(limit))


def _with_attempts(session: Session, query: Select[Message, str | None]) -> list[Listed]:
    rows = session.execute(query).tuples().all()
    attempts: dict[int, list[Attempt]] = {}
    for chunk in _chunks([message.id for message, _ in rows], 500):
        found = session.scalars(
            select(Attempt).where(Attempt.message_id.in_(chunk)).order_by(Attempt.message_id, Attempt.number)
        )
        for attempt in found:
            attempts.setdefault(attempt.message_id, []).append(attempt)
    return [Listed(message, external_id, attempts.get(message.id, [])) for message, external_id in rows]


def _chunks(ids: list[int], size: int) -> Iterable[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def as_json(listed: Listed) -> dict[str, Any]:
    """The documented shape of `notifier messages --json`."""
    message = listed.message
    return {
        "id": message.id,
        "external_id": listed.external_id,
        "kind": message.kind,
        "step": message.step,
        "channel": message.channel,
        "to": message.to,
        "status": message.status,
        "reason": message.reason,
        "due_at": message.due_at,
        "useful_until": message.useful_until,
        "provider_id": listed.attempts[-1].provider_id if listed.attempts else None,
        "attempts": [_attempt(attempt) for attempt in listed.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "claimed_at": attempt.claimed_at,
        "finished_at": attempt.finished_at,
        "outcome": attempt.outcome,
        "provider": attempt.provider,
        "provider_id": attempt.provider_id,
        "error_class": attempt.error_class,
        "error_code": attempt.error_code,
        "error": attempt.error,
        "segments": attempt.segments,
        "words": attempt.words,
    }


def get(session: Session, clinic: Clinic, message_id: int) -> Listed:
    found = _with_attempts(
        session,
        select(Message, Treatment.external_id)
        .outerjoin(Treatment, Treatment.id == Message.treatment_id)
        .where(Message.clinic_id == clinic.id, Message.id == message_id),
    )
    if not found:
        raise NotFoundError(f"There is no message {message_id} at {clinic.name}.")
    return found[0]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a message's story."""

    at: datetime
    what: str
    why: str
    who: str


def story(session: Session, listed: Listed) -> list[Moment]:
    """Everything that happened to a message, in order: moves, claims, what the provider said."""
    message_id = listed.message.id
    moments: list[tuple[datetime, int, Moment]] = []
    for event in session.scalars(select(MessageEvent).where(MessageEvent.message_id == message_id)):
        what = (
            f"{event.from_status} → {event.to_status}" if event.from_status else f"planned: {event.to_status}"
        )
        moments.append((event.at, 1 + 2 * event.id, Moment(event.at, what, event.reason, event.actor)))
    for attempt in listed.attempts:
        size = f", {attempt.segments} segments {attempt.encoding}" if attempt.segments else ""
        what = f"attempt {attempt.number} to {attempt.address}{size}"
        moments.append(
            (attempt.claimed_at, 0, Moment(attempt.claimed_at, what, attempt.error, attempt.worker))
        )
    for report in session.scalars(
        select(DeliveryReportRow).where(DeliveryReportRow.message_id == message_id)
    ):
        what = f"{report.provider} says {report.provider_status}"
        why = f"code {report.code}" if report.code else ""
        moments.append((report.received_at, 1 << 62, Moment(report.received_at, what, why, report.provider)))
    return [moment for _, _, moment in sorted(moments, key=lambda item: item[:2])]


def write_test(
    session: Session, clinic: Clinic, channel: str, to: str, *, subject: str, words: str, now: datetime
) -> Message:
    """One message to anyone, due now: it goes the way of every other, and waits only for its turn."""
    sender = session.scalar(
        select(Sender)
        .where(Sender.clinic_id == clinic.id, Sender.channel == channel, Sender.active)
        .order_by(Sender.id)
        .limit(1)
    )
    if sender is None:
        raise InputError(f"{clinic.name} has no sender for {channel}.", field="channel")
    key = (clinic.id, channel, to)
    message = Message(
        clinic_id=clinic.id,
        kind=Kind.TEST,
        dedup_key=f"test:{channel}:{to}:{now.isoformat()}",
        sender_id=sender.id,
        priority=Priority.ANSWER,
        status=Status.SCHEDULED,
        channel=channel,
        to=to,
        address_id=reach.addresses_of(session, {key})[key].id,
        due_at=now,
        subject=subject,
        words=words,
        attempts=0,
        created_at=now,
    )
    session.add(message)
    session.flush()
    wake_workers(session)
    return message

"""Messages as people ask for them: a list, the story of one, and one made by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal_column, select
from sqlalchemy.orm import Session

from notifier import reach
from notifier.db import RealTime, wake_workers
from notifier.errors import InputError, NotFoundError
from notifier.models import (
    Attempt,
    Clinic,
    DeliveryReportRow,
    Message,
    MessageEvent,
    Patient,
    Sender,
    Treatment,
)
from notifier.rules import recipients
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Priority, Status


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
        .order_by(func.coalesce(Message.due_at, Message.created_at), Message.id)
    )
    if statuses:
        query = query.where(Message.status.in_(statuses))
    if patient_id is not None:
        query = query.where(Message.patient_id == patient_id)
    if treatment_id is not None:
        query = query.where(Message.treatment_id == treatment_id)
    return _with_attempts(session, query.limit(limit))


def _with_attempts(session: Session, query: Select[Message, str | None]) -> list[Listed]:
    rows = session.execute(query).all()
    attempts = _attempts(session, [message.id for message, _ in rows])
    return [Listed(message, external_id, attempts.get(message.id, [])) for message, external_id in rows]


def with_attempts(session: Session, rows: Sequence[Message]) -> list[Listed]:
    """These messages, with what belongs to each."""
    wanted = {message.treatment_id for message in rows if message.treatment_id is not None}
    external_ids: dict[int | None, str | None] = {}
    for chunk in _chunks(sorted(wanted), 500):
        found = session.execute(select(Treatment.id, Treatment.external_id).where(Treatment.id.in_(chunk)))
        external_ids |= {number: external_id for number, external_id in found}  # noqa: C416 - typed as rows
    attempts = _attempts(session, [message.id for message in rows])
    return [
        Listed(message, external_ids.get(message.treatment_id), attempts.get(message.id, []))
        for message in rows
    ]


def _attempts(session: Session, message_ids: list[int]) -> dict[int, list[Attempt]]:
    attempts: dict[int, list[Attempt]] = {}
    for chunk in _chunks(message_ids, 500):
        found = session.scalars(
            select(Attempt).where(Attempt.message_id.in_(chunk)).order_by(Attempt.message_id, Attempt.number)
        )
        for attempt in found:
            attempts.setdefault(attempt.message_id, []).append(attempt)
    return attempts


def _chunks(ids: list[int], size: int) -> Iterable[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def leading(listed: Iterable[Listed]) -> list[Listed]:
    """Each step once: without rows that did not come about while another row of the step did or will, and
    without a second one that says the same.
    """
    items = list(listed)
    stopped = (Status.SKIPPED, Status.CANCELLED)
    places = [(item.message.treatment_id, item.message.step) for item in items]
    told = {
        place: "" for item, place in zip(items, places, strict=True) if item.message.status not in stopped
    }
    shown = []
    for item, place in zip(items, places, strict=True):
        if item.message.status in stopped:
            if told.get(place) in ("", item.message.reason):
                continue
            told[place] = item.message.reason
        shown.append(item)
    return shown


def remark(listed: Listed) -> str:
    """What the desk has to know beside the status: the reason, and whether anybody was reached at all."""
    kept = bool(listed.attempts) and listed.attempts[-1].provider == "outbox"
    reached_nobody = kept and listed.message.status in MAY_HAVE_ARRIVED
    note = "Kept in the outbox; it reached nobody." if reached_nobody else ""
    return " ".join(filter(None, [listed.message.reason, note]))


def names(session: Session, listed: Iterable[Listed]) -> dict[int | None, str]:
    """Whose messages these are, by patient id."""
    wanted = sorted({item.message.patient_id for item in listed if item.message.patient_id is not None})
    found: dict[int | None, str] = {}
    for chunk in _chunks(wanted, 500):
        rows = session.execute(
            select(Patient.id, Patient.first_name, Patient.last_name).where(Patient.id.in_(chunk))
        )
        found |= {patient_id: f"{first} {last}".strip() for patient_id, first, last in rows}
    return found


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
    """Everything that happened to a message, in order: moves, claims, what the provider said.

    At one instant, which plan time has whenever a clock stands still, an attempt comes before what it led to.
    """
    message_id = listed.message.id
    moments: list[tuple[tuple[datetime, int, int, int], Moment]] = []
    settled: set[int | None] = set()
    for event in session.scalars(select(MessageEvent).where(MessageEvent.message_id == message_id)):
        settled.add(event.attempt)
        moments.append(((event.at, event.attempt or 0, 1, event.id), _move(event)))
    for attempt in listed.attempts:
        # What it met is told by the move that it led to, where it led to one.
        why = "" if attempt.number in settled else attempt.error
        moments.append(((attempt.claimed_at, attempt.number, 0, 0), _try(attempt, why)))
    for report in session.scalars(
        select(DeliveryReportRow).where(DeliveryReportRow.message_id == message_id)
    ):
        moments.append(((report.received_at, report.attempt or 0, 2, report.id), _report(report)))
    return [moment for _, moment in sorted(moments, key=lambda item: item[0])]


def _move(event: MessageEvent) -> Moment:
    arrow = f"{event.from_status} → {event.to_status}"
    if not event.from_status:
        arrow = f"planned: {event.to_status}"
    elif event.from_status == event.to_status:
        arrow = f"{event.to_status}, changed"
    return Moment(event.at, arrow, event.reason, event.actor)


def _try(attempt: Attempt, why: str) -> Moment:
    segments = f"{attempt.segments} segment{'' if attempt.segments == 1 else 's'}"
    size = f", {segments} {attempt.encoding}" if attempt.segments else ""
    what = f"attempt {attempt.number} to {attempt.address or 'an address no longer kept'}{size}"
    return Moment(attempt.claimed_at, what, why, attempt.worker)


def _report(report: DeliveryReportRow) -> Moment:
    what = f"{report.provider} says {report.provider_status}"
    return Moment(report.received_at, what, f"code {report.code}" if report.code else "", report.provider)


def behind_stopped_senders(session: Session, now: datetime) -> list[str]:
    """A sentence for each sender that is stopped while messages of its are due."""
    rows = session.execute(
        select(Clinic.name, Sender.channel, Sender.stopped_reason, func.count())
        .select_from(Message)
        .join(Sender, Sender.id == Message.sender_id)
        .join(Clinic, Clinic.id == Sender.clinic_id)
        .where(
            Sender.stopped_at.is_not(None),
            Message.status == literal_column("'scheduled'"),
            Message.due_at <= now,
        )
        .group_by(Sender.id, Clinic.name, Sender.channel, Sender.stopped_reason)
        .order_by(Sender.id)
    )
    return [
        f"{count} due, but {channel} of {clinic} is stopped: {reason}"
        for clinic, channel, reason, count in rows
    ]


def write_test(
    session: Session, clinic: Clinic, channel: str, to: str, *, subject: str, words: str, now: datetime
) -> Message:
    """One message to anyone, due now: it goes the way of every other, and waits only for its turn.

    Raises InputError where it would go to a patient who has said no.
    """
    to = recipients.address_key(channel, to)  # as a stop and a patient have it
    if reach.is_refused(session, clinic, channel, to):
        raise InputError(
            "A patient who is written to there has said no. Send the test to an address of your own.",
            field="to",
        )
    sender = session.scalar(
        select(Sender)
        .where(Sender.clinic_id == clinic.id, Sender.channel == channel, Sender.active)
        .order_by(Sender.id)
        .limit(1)
    )
    if sender is None:
        raise InputError(f"{clinic.name} has no sender for {channel}.", field="channel")
    if sender.probe_at is not None:
        sender.probe_at = RealTime()  # who tests has put something right and wants to know now
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


def withdraw_test(session: Session, message_id: int, *, now: datetime, actor: str) -> None:
    """A test that still waits is not sent hours later, when nobody looks for it any more."""
    waiting = select(Message).where(Message.id == message_id, Message.status == Status.SCHEDULED)
    message = session.scalar(waiting.with_for_update(key_share=True))
    if message is None:
        return
    latest = select(Attempt.error).where(Attempt.message_id == message_id).order_by(Attempt.number.desc())
    stopped = session.get_one(Sender, message.sender_id).stopped_reason
    error = session.scalar(latest.limit(1)) or stopped or "Its turn did not come."
    message.reason = f"{error} It was a test and is not tried again."
    message.status, message.reason_code = Status.CANCELLED, "person"
    session.add(
        MessageEvent(
            message_id=message_id,
            at=now,
            from_status=str(Status.SCHEDULED),
            to_status=str(Status.CANCELLED),
            reason=message.reason,
            actor=actor,
        )
    )

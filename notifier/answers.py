"""Automatic answers: message rows like all others, due at once and at any hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import answer_texts, reach
from notifier.db import wake_workers
from notifier.models import Clinic, Message, MessageEvent, Patient, Reply, Sender
from notifier.rules.answering import FALLBACK_EVERY
from notifier.rules.delivery import Kind, Priority, Status

# What could not be said by then is left to the person who reads the reply.
_USEFUL, _USEFUL_IF_URGENT = timedelta(hours=6), timedelta(hours=24)


def write(
    session: Session,
    clinic: Clinic,
    sender: Sender,
    reply: Reply,
    name: str,
    *,
    patient: Patient | None,
    urgent: bool,
    through: bool,
    now: datetime,
) -> Message:
    """The answer `name` to this reply. `urgent`: it overtakes everything that is due. `through`: it may go to
    an address that this very reply stops.
    """
    language = patient.language if patient is not None else clinic.language
    place = (clinic.id, sender.channel, reply.from_address)
    message = Message(
        clinic_id=clinic.id,
        kind=str(Kind.ANSWER),
        dedup_key=f"answer:{reply.id}",
        sender_id=sender.id,
        priority=Priority.ALERT if urgent else Priority.ANSWER,
        status=str(Status.SCHEDULED),
        channel=sender.channel,
        to=reply.from_address,
        address_id=reach.addresses_of(session, {place})[place].id,
        patient_id=patient.id if patient is not None else None,
        due_at=now,
        useful_until=now + (_USEFUL_IF_URGENT if urgent else _USEFUL),
        safety=through,
        subject=_subject(clinic, reply) if sender.channel == "email" else "",
        words=answer_texts.render(clinic, name, language=language, now=now, patient=patient),
        reason=f"The automatic answer “{name}”.",
        attempts=0,
        created_at=now,
        reply_id=reply.id,
    )
    session.add(message)
    reply.answer = name
    session.flush()
    session.add(
        MessageEvent(
            message_id=message.id,
            at=now,
            from_status="",
            to_status=str(Status.SCHEDULED),
            reason=message.reason,
            actor="automatic answer",
        )
    )
    wake_workers(session)
    return message


def _subject(clinic: Clinic, reply: Reply) -> str:
    said = " ".join(reply.subject.split())[:150]
    return f"Re: {said.removeprefix('Re: ')}" if said else clinic.name


@dataclass(frozen=True, slots=True)
class Lately:
    """What came from an address within FALLBACK_EVERY, and what it was answered."""

    bodies: tuple[str, ...]  # within an hour
    answered: int  # within an hour
    fallback: bool


def lately(session: Session, reply: Reply, now: datetime) -> Lately:
    """Before this reply, which may have been written long before it came in."""
    at = min(now, reply.received_at)
    rows = session.execute(
        select(Reply.body, Reply.answer, Reply.received_at).where(
            Reply.clinic_id == reply.clinic_id,
            Reply.from_address == reply.from_address,
            Reply.received_at > at - FALLBACK_EVERY,
            Reply.id != reply.id,
        )
    ).all()
    hour = [row for row in rows if row.received_at > at - timedelta(hours=1)]
    return Lately(
        tuple(row.body for row in hour),
        sum(bool(row.answer) for row in hour),
        any(row.answer == "fallback" for row in rows),
    )


def was_unclear(session: Session, reply: Reply, question: Message) -> bool:
    """Whether the reader of this question was told once that the answer could not be read."""
    query = select(Reply.id).where(
        Reply.clinic_id == reply.clinic_id,
        Reply.from_address == reply.from_address,
        Reply.received_at >= (question.claimed_at or question.created_at),
        Reply.answer == "score-unclear",
        Reply.id != reply.id,
    )
    return session.scalar(query.limit(1)) is not None

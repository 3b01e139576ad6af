"""What a person at the clinic writes back: a message row like all others, a few seconds ahead so that it can
be taken back, and refused in words where the patient has said no."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier import inbox, inbox_handling, message_actions, patient_edits, reach, suppressions
from notifier.cases import gather
from notifier.db import wake_workers
from notifier.dispatch import Hold, Stop, judge
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.message_moves import note
from notifier.models import Clinic, Message, MessageEvent, Patient, Reply, Sender
from notifier.rules import sms_text
from notifier.rules.delivery import Kind, Priority, Status
from notifier.rules.plan import CHANNELS
from notifier.status_words import channel_name

# Between the click and the moment it leaves: time to see one's mistake.
TAKE_BACK = timedelta(seconds=10)
# What could not be said by then would come out of the blue.
_USEFUL = timedelta(hours=24)
_MOST_PARTS = 8
_LONGEST_MAIL = 8000
# Alerts beside which nothing may reassure.
_WARNINGS = ("red_flag", "crisis", "score", "unreadable")


@dataclass(frozen=True, slots=True)
class Way:
    """A channel by which an answer could go. `obstacle`: why it cannot, in a sentence; empty: it can."""

    channel: str
    to: str
    obstacle: str = ""

    @property
    def name(self) -> str:
        return channel_name(self.channel)


def ways(session: Session, clinic: Clinic, patient: Patient | None, reply: Reply | None) -> list[Way]:
    """The channel of the reply first, else the patient's choice. Empty: it came by no number of anybody's."""
    if patient is None:
        return [_to_stranger(session, clinic, reply)] if reply and reply.channel in CHANNELS else []
    known = reach.load(session, [patient])
    first = [reply.channel] if reply is not None and reply.channel in CHANNELS else []
    order = dict.fromkeys([*first, *reach.preferred_order(patient)])
    return [
        Way(channel, address, known.obstacle(patient, channel) or "")
        for channel in order
        if (address := reach.address_of(patient, channel)) is not None
    ]


def _to_stranger(session: Session, clinic: Clinic, reply: Reply) -> Way:
    """Nobody's number, or several patients': who wrote from there may be answered there."""
    channel, to = reply.channel, reply.from_address
    sender = _sender(session, clinic, channel)
    if sender is None:
        return Way(channel, to, f"The clinic has no sender for {channel_name(channel)}.")
    stop = suppressions.standing(session, sender, to)
    if stop is not None:
        called = "number" if channel == "sms" else "address"
        return Way(channel, to, f"This {called} opted out on {stop.since:%Y-%m-%d}.")
    if reach.is_refused(session, clinic, channel, to):
        return Way(channel, to, f"Somebody who is reached there does not want {channel_name(channel)}.")
    return Way(channel, to)


def _sender(session: Session, clinic: Clinic, channel: str) -> Sender | None:
    query = select(Sender).where(Sender.clinic_id == clinic.id, Sender.channel == channel, Sender.active)
    return session.scalars(query.order_by(Sender.id.desc()).limit(1)).first()


def usable(found: Sequence[Way]) -> Way | None:
    return next((way for way in found if not way.obstacle), None)


def is_worrying(session: Session, patients: Iterable[Patient], reply: Reply) -> bool:
    """Whether a warning of whoever may have written this is open: paused, ringing, or not dealt with."""
    if any(patient.paused_at is not None for patient in patients):
        return True
    if any(row.rank <= inbox.SERIOUS for row in inbox.open_of(session, reply)):
        return True
    return any(alert.kind in _WARNINGS for alert in inbox_handling.open_alerts(session, reply))


def write(
    session: Session,
    clinic: Clinic,
    patient: Patient | None,
    channel: str,
    words: str,
    *,
    token: str = "",
    reply: Reply | None = None,
    was_open: bool = False,
    now: datetime,
    actor: str,
) -> Message:
    """A message from the clinic in these words. `token`: the same click again is the same message.

    `was_open`: nobody had dealt with the reply when the words were written, so it is not answered twice.

    Raises InputError for words that cannot be sent, ConflictError where the patient may not be written to.
    """
    words = _checked(words, channel)
    if patient is not None:
        patient_edits.lock(session, patient)
    elif reply is not None:
        session.refresh(reply, with_for_update={"key_share": True})
    key = f"staff:{token or secrets.token_hex(16)}"
    known = session.scalar(select(Message).where(Message.clinic_id == clinic.id, Message.dedup_key == key))
    if known is not None:
        return known
    if was_open and reply is not None:
        _require_open(session, reply)
    message = _row(session, clinic, patient, _way(session, clinic, patient, reply, channel), words, key, now)
    message.reply_id = reply.id if reply is not None else None
    message.subject = _subject(clinic, reply) if channel == "email" else ""
    _require_sendable(session, message, now)
    session.add(message)
    session.flush()
    event = {"message_id": message.id, "at": now, "to_status": message.status, "reason": message.reason}
    session.execute(insert(MessageEvent), [event | {"from_status": "", "actor": actor}])
    note(session, message, "message.written", now, actor)
    wake_workers(session)
    return message


def _require_open(session: Session, reply: Reply) -> None:
    session.refresh(reply, with_for_update={"key_share": True})
    if reply.handled_at is not None:
        told = inbox_handling.dealt_with(session, reply)
        raise ConflictError(f"{told} Your answer was not sent; if it is still needed, send it now.")


def _checked(words: str, channel: str) -> str:
    words = words.strip()
    if not words:
        raise InputError("Write what you want to say.", field="words")
    if channel != "sms" and len(words) > _LONGEST_MAIL:
        raise InputError(f"Keep it under {_LONGEST_MAIL:,} characters.", field="words")
    parts = sms_text.measure(as_sms(words)).segments if channel == "sms" else 1
    if parts > _MOST_PARTS:
        raise InputError(f"It takes {parts} parts as SMS; {_MOST_PARTS} are the most.", field="words")
    return words


def as_sms(words: str) -> str:
    """As it goes out."""
    return " ".join(sms_text.fold(words).split())


def _way(session: Session, clinic: Clinic, patient: Patient | None, reply: Reply | None, channel: str) -> Way:
    found = next((way for way in ways(session, clinic, patient, reply) if way.channel == channel), None)
    if found is None:
        raise ConflictError(f"There is no address for {channel_name(channel)}. Call instead.")
    if found.obstacle:
        raise ConflictError(f"It was not sent. {found.obstacle} Call instead.")
    return found


def _row(
    session: Session, clinic: Clinic, patient: Patient | None, way: Way, words: str, key: str, now: datetime
) -> Message:
    sender = _sender(session, clinic, way.channel)
    assert sender is not None  # else the way had an obstacle
    place = (clinic.id, way.channel, way.to)
    return Message(
        clinic_id=clinic.id,
        kind=str(Kind.STAFF),
        dedup_key=key,
        sender_id=sender.id,
        priority=Priority.ANSWER,
        status=str(Status.SCHEDULED),
        reason="Written at the clinic.",
        reason_code="",
        due_at=now + TAKE_BACK,
        useful_until=now + _USEFUL,
        channel=way.channel,
        to=way.to,
        address_id=reach.addresses_of(session, {place})[place].id,
        patient_id=patient.id if patient is not None else None,
        safety=False,
        words=words,
        attempts=0,
        created_at=now,
    )


def _subject(clinic: Clinic, reply: Reply | None) -> str:
    said = " ".join(reply.subject.split())[:150] if reply is not None else ""
    return f"Re: {said.removeprefix('Re: ')}" if said else clinic.name


def _require_sendable(session: Session, message: Message, now: datetime) -> None:
    """Asked before anything is written: dispatch would only stop it a moment later."""
    (case,) = gather(session, [message], now)
    verdict = judge(case, now)
    if isinstance(verdict, Stop | Hold):
        raise ConflictError(f"It was not sent. {verdict.reason} Call instead.")


def take_back(session: Session, clinic: Clinic, message_id: int, *, now: datetime, actor: str) -> Message:
    """Undo of `write`, while it has not left. Raises ConflictError when it has."""
    message = message_actions.get(session, clinic, message_id)
    if message.kind != Kind.STAFF:
        raise NotFoundError("Nobody here wrote this message.")
    if message.status != Status.CANCELLED:
        message_actions.cancel(session, message, now=now, actor=actor, why="taken back.")
    return message

"""What was said between the clinic and one patient, or a number that nobody knows, in the order of time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from notifier import status_words
from notifier.models import Attempt, Clinic, Message, Patient, Reply
from notifier.rules.delivery import Kind, Status

SHOWN = 60
# A planned message is part of it once it left; what is still to come stands on the patient's page.
_NOT_YET = (Status.SCHEDULED, Status.HELD, Status.SKIPPED, Status.CANCELLED)
_WORD = re.compile(r"[\w'’]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what was said. `is_found`: the rules went by these words."""

    text: str
    is_found: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said: a reply, or a message of ours as it went out."""

    at: datetime
    reply: Reply | None = None
    message: Message | None = None
    words: str = ""
    subject: str = ""
    parts: Sequence[Part] = ()
    found: Sequence[str] = ()  # what made it a warning, in the words of the rules
    is_shared: bool = False  # from a phone of several patients, and it is not known which of them wrote

    @property
    def id(self) -> int:
        row = self.reply or self.message
        assert row is not None
        return row.id

    @property
    def who(self) -> str:
        if self.message is None:
            return "patient"
        return {Kind.ANSWER: "automatic answer", Kind.STAFF: "the clinic"}.get(
            Kind(self.message.kind), status_words.step_name(self.message.step)
        )

    @property
    def label(self) -> str:
        return status_words.of_message(self.message) if self.message is not None else ""

    @property
    def channel(self) -> str:
        row = self.reply or self.message
        assert row is not None
        return "the patient's page" if row.channel == "page" else status_words.channel_name(row.channel)


def of_patient(session: Session, patient: Patient) -> list[Turn]:
    """Also what came from a phone that this patient shares, where nobody can tell who wrote it."""
    return _together(session, _replies(session, from_patient(patient)), Message.patient_id == patient.id)


def from_patient(patient: Patient) -> ColumnElement[bool]:
    """The replies of a patient, and those that may be theirs."""
    shared = [
        and_(
            Reply.clinic_id == patient.clinic_id,
            Reply.channel == channel,
            Reply.from_address == address,
            Reply.patient_id.is_(None),
        )
        for channel, address in (("sms", patient.phone), ("email", patient.email))
        if address
    ]
    return or_(Reply.patient_id == patient.id, *shared)


def of_reply(session: Session, clinic: Clinic, reply: Reply) -> list[Turn]:
    """The conversation that a reply is part of: its patient's, else its number's."""
    if reply.patient_id is not None:
        return of_patient(session, session.get_one(Patient, reply.patient_id))
    there = and_(
        Reply.clinic_id == clinic.id,
        Reply.from_address == reply.from_address,
        Reply.patient_id.is_(None),
    )
    return _together(session, _replies(session, there), None)


def _replies(session: Session, which: ColumnElement[bool]) -> list[Reply]:
    query = select(Reply).where(which).order_by(Reply.received_at.desc(), Reply.id.desc())
    return list(session.scalars(query.limit(SHOWN)))


def _together(session: Session, replies: Collection[Reply], ours: ColumnElement[bool] | None) -> list[Turn]:
    messages = _messages(session, [reply.id for reply in replies], ours)
    attempts = _last_attempts(session, [message.id for message in messages])
    turns = [_heard(reply) for reply in replies]
    turns += [_said(message, attempts.get(message.id)) for message in messages]
    turns.sort(key=lambda turn: (turn.at, turn.message is not None, turn.id))
    return turns[-SHOWN:]


def _messages(
    session: Session, reply_ids: Collection[int], ours: ColumnElement[bool] | None
) -> list[Message]:
    """To the patient, and whatever answers one of these replies. Alerts go to staff."""
    by_id: dict[int, Message] = {}
    wanted = [Message.reply_id.in_(reply_ids)] if reply_ids else []
    for which in [*wanted, *([ours] if ours is not None else [])]:
        query = select(Message).where(
            which,
            Message.kind.in_([str(kind) for kind in (Kind.PLANNED, Kind.ANSWER, Kind.STAFF)]),
            or_(
                and_(Message.kind == str(Kind.PLANNED), Message.status.not_in(_NOT_YET)),
                and_(Message.kind != str(Kind.PLANNED), Message.status != str(Status.CANCELLED)),
            ),
        )
        by_id |= {row.id: row for row in session.scalars(query.order_by(Message.id.desc()).limit(SHOWN))}
    return list(by_id.values())


def _last_attempts(session: Session, ids: Collection[int]) -> dict[int, Attempt]:
    rows = session.scalars(
        select(Attempt).where(Attempt.message_id.in_(ids)).order_by(Attempt.message_id, Attempt.number)
    )
    return {row.message_id: row for row in rows}


def _heard(reply: Reply) -> Turn:
    found = telling(reply.matched) if reply.red_flags else []
    return Turn(
        reply.received_at,
        reply=reply,
        words=reply.body,
        subject=reply.subject,
        parts=tuple(parts(reply.body, [_phrase(entry) for entry in found])),
        found=found,
        is_shared=reply.patient_id is None,
    )


def _said(message: Message, attempt: Attempt | None) -> Turn:
    words = attempt.words if attempt is not None else message.words
    subject = attempt.subject if attempt is not None else message.subject
    at = message.claimed_at or message.due_at or message.created_at
    return Turn(at, message=message, words=words, subject=subject, parts=(Part(words),))


def telling(matched: Sequence[str]) -> list[str]:
    """Without what says a part of something else again: "Chest: elephant on my chest" says "chest" too."""
    longest: list[str] = []
    for entry in sorted(dict.fromkeys(matched), key=lambda entry: -len(_phrase(entry))):
        if not any(f" {_phrase(entry)} " in f" {_phrase(other)} " for other in longest):
            longest.append(entry)
    return [entry for entry in dict.fromkeys(matched) if entry in longest]


def _phrase(entry: str) -> str:
    """The words themselves: "Breathing: cant breathe" names what they were taken for."""
    return entry.partition(": ")[2] or entry


def parts(body: str, phrases: Sequence[str]) -> Iterator[Part]:
    """The words of a reply with those marked that the rules found, however they are spelled."""
    words = [(match.span(), _folded(match.group())) for match in _WORD.finditer(body)]
    hits: set[int] = set()
    for phrase in phrases:
        sought = [_folded(word) for word in _WORD.findall(phrase)]
        for start in range(len(words) - len(sought) + 1):
            if sought and [word for _, word in words[start : start + len(sought)]] == sought:
                hits |= set(range(start, start + len(sought)))
    done = 0
    for first, last in _runs(hits):
        begin, end = words[first][0][0], words[last][0][1]
        if begin > done:
            yield Part(body[done:begin])
        yield Part(body[begin:end], is_found=True)
        done = end
    if done < len(body):
        yield Part(body[done:])


def _runs(places: Collection[int]) -> Iterator[tuple[int, int]]:
    """Neighbours taken together."""
    ordered = sorted(places)
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] != ordered[index - 1] + 1:
            yield ordered[start], ordered[index - 1]
            start = index


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in plain if char.isalnum())

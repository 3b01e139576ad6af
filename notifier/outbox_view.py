"""What the outbox was given, as a phone and an inbox would show it: read from the attempts, newest first.

A look goes back over a bounded number of attempts, so that it stays quick however many there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from notifier import wording
from notifier.cases import gather
from notifier.errors import NotFoundError, RenderError
from notifier.links import Links
from notifier.models import Address, Attempt, Message, Patient, Reply
from notifier.status_words import title

OUTBOX = "outbox"
_LOOKS_BACK = 20_000  # attempts
_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """One attempt that stayed in the outbox, and whose message it was."""

    id: int
    message_id: int
    kind: str
    step: str
    channel: str
    to: str
    at: datetime
    subject: str
    words: str
    segments: int
    encoding: str
    patient_id: int | None
    name: str  # the patient's
    reader: str  # who it is for, where that is not the patient
    timezone: str | None  # the patient's own

    @property
    def about(self) -> str:
        return title(self.kind, self.step)


@dataclass(frozen=True, slots=True)
class Said:
    """What was written back from a phone."""

    id: int
    at: datetime
    words: str
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """One phone: its number, whose it is, its messages and what was written back, the oldest first."""

    to: str
    names: tuple[str, ...]
    messages: tuple[Kept, ...]
    said: tuple[Said, ...] = ()

    @property
    def turns(self) -> list[Kept | Said]:
        """At one instant a reply comes before its answer."""
        return sorted(
            [*self.messages, *self.said], key=lambda turn: (turn.at, isinstance(turn, Kept), turn.id)
        )

    @property
    def stamp(self) -> str:
        return f"{max((kept.id for kept in self.messages), default=0)}-{len(self.said)}"


@dataclass(frozen=True, slots=True)
class Outbox:
    threads: tuple[Thread, ...]
    mails: tuple[Kept, ...]
    newest: int = 0
    stamp: str = ""  # another one whenever anything is shown that was not
    older: int | None = None  # the attempt to go on before; None: there is no more
    fresh: tuple[Kept, ...] = field(default=())  # since the stamp that was given


def look(
    session: Session,
    clinic_id: int,
    *,
    texts: int = 30,
    mails: int = 15,
    before: int | None = None,
    seen: str = "",
) -> Outbox:
    """`before`: an attempt from which on it goes further back."""
    sms = _latest(session, clinic_id, "sms", before, texts + 1)
    email = _latest(session, clinic_id, "email", before, mails + 1)
    said = _said(session, clinic_id, sms[:texts])
    return _outbox(sms[:texts], email[:mails], said, seen, more=(len(sms) > texts, len(email) > mails))


def thread(session: Session, clinic_id: int, to: str, *, limit: int = 100) -> Thread:
    """Everything lately kept for one number, by the index of its address."""
    address = select(Address.id).where(
        Address.clinic_id == clinic_id, Address.channel == "sms", Address.address == to
    )
    rows = session.execute(
        _rows(clinic_id)
        .where(Message.address_id == address.scalar_subquery(), Message.claimed_at.is_not(None))
        .order_by(Message.claimed_at.desc())
        .limit(limit)
    )
    found = [_kept(*row) for row in rows]
    if not found:
        raise NotFoundError("No message to this number is kept in the outbox.")
    return _threads(found, _said(session, clinic_id, found))[0]


def _said(session: Session, clinic_id: int, shown: Iterable[Kept]) -> dict[str, list[Said]]:
    """By number: what was written back since the oldest message that is shown of it."""
    since: dict[str, datetime] = {}
    for kept in shown:
        since[kept.to] = min(since.get(kept.to, kept.at), kept.at)
    if not since:
        return {}
    rows = session.scalars(
        select(Reply)
        .where(
            Reply.clinic_id == clinic_id,
            Reply.channel == "sms",
            Reply.from_address.in_(since),
            Reply.received_at >= min(since.values()),
        )
        .order_by(Reply.received_at.desc())
        .limit(_MOST_SAID)
    )
    found: dict[str, list[Said]] = {}
    for reply in rows:
        if reply.received_at >= since[reply.from_address]:
            found.setdefault(reply.from_address, []).append(Said(reply.id, reply.received_at, reply.body))
    return found


def _latest(session: Session, clinic_id: int, channel: str, before: int | None, limit: int) -> list[Kept]:
    top = before or (session.scalar(select(func.max(Attempt.id))) or 0) + 1
    rows = session.execute(
        _rows(clinic_id)
        .where(Attempt.channel == channel, Attempt.id < top, Attempt.id >= top - _LOOKS_BACK)
        .order_by(Attempt.id.desc())
        .limit(limit)
    )
    return [_kept(*row) for row in rows]


def _rows(clinic_id: int) -> Select[*tuple[Any, ...]]:
    # Not by the index of clinics: that would gather all of a clinic's messages before it sorts them.
    of_clinic: ColumnElement[bool] = (Message.clinic_id + 0) == clinic_id
    return (
        select(Attempt, Message, Patient)
        .join(Message, Message.id == Attempt.message_id)
        .outerjoin(Patient, Patient.id == Message.patient_id)
        .where(Attempt.provider == OUTBOX, of_clinic)
    )


def _kept(attempt: Attempt, message: Message, patient: Patient | None) -> Kept:
    name = f"{patient.first_name} {patient.last_name}".strip() if patient else ""
    return Kept(
        id=attempt.id,
        message_id=message.id,
        kind=message.kind,
        step=message.step or "",
        channel=attempt.channel,
        to=attempt.address,
        at=attempt.claimed_at,
        subject=attempt.subject,
        words=attempt.words,
        segments=attempt.segments,
        encoding=attempt.encoding,
        patient_id=patient.id if patient else None,
        name=name,
        reader=patient.contact_name if patient else "",
        timezone=patient.timezone if patient else None,
    )


def _outbox(
    sms: list[Kept], email: list[Kept], said: dict[str, list[Said]], seen: str, more: tuple[bool, bool]
) -> Outbox:
    shown = sorted([*sms, *email], key=lambda kept: -kept.id)
    newest = shown[0].id if shown else 0
    ids = [*(kept.id for kept in shown), *(turn.id for turns in said.values() for turn in turns)]
    mark = zlib.crc32(",".join(map(str, ids)).encode())
    known = seen.partition("-")[0]
    since = int(known) if known.isdecimal() and len(known) < 19 else newest
    return Outbox(
        tuple(_threads(sms, said)),
        tuple(email),
        newest,
        f"{newest}-{mark:x}",
        # The list that ends later: what stands on the next page again is better than what is left out.
        max((kept[-1].id for kept, goes_on in zip((sms, email), more, strict=True) if goes_on), default=None),
        tuple(kept for kept in shown if kept.id > since),
    )


def _threads(newest_first: Iterable[Kept], said: dict[str, list[Said]]) -> list[Thread]:
    by_number: dict[str, list[Kept]] = {}
    for kept in newest_first:
        by_number.setdefault(kept.to, []).append(kept)
    return [
        Thread(
            to,
            tuple(dict.fromkeys(kept.name for kept in found if kept.name)),
            tuple(reversed(found)),
            tuple(replace(turn, timezone=found[0].timezone) for turn in reversed(said.get(to, []))),
        )
        for to, found in by_number.items()
    ]


def mail(session: Session, clinic_id: int, attempt_id: int) -> Kept:
    row = session.execute(
        _rows(clinic_id).where(Attempt.id == attempt_id, Attempt.channel == "email")
    ).one_or_none()
    if row is None:
        raise NotFoundError("There is no such e-mail in the outbox.")
    return _kept(*row)


def html_of(session: Session, kept: Kept, *, now: datetime, links: Links | None) -> str | None:
    """The mail as it was laid out. Only the words are kept, so it is made again; None where the words would
    not be the same any more, because something that they name has changed.
    """
    message = session.get_one(Message, kept.message_id)
    (case,) = gather(session, [message], now, links)
    try:
        made = wording.ready(case, now).outbound
    except RenderError:
        return None
    return made.html if (made.subject, made.text) == (kept.subject, kept.words) else None

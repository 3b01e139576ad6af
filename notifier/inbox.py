"""The inbox: replies that need a person, the most serious first, and what a person does about them.

Whoever writes three texts is one entry in it, and is dealt with in one go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from notifier.errors import NotFoundError
from notifier.models import Clinic, Patient, Reply, Staff

# Word for word what the partial index says: a database that cannot see that reads every reply instead.
_OPEN = text("replies.handled_at IS NULL AND replies.rank < 9")
_AT_MOST = 500
_DONE_LATELY = timedelta(days=14)
_DONE_SHOWN = 60
SERIOUS = 1


class Show(StrEnum):
    ALL = "all"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    DONE = "done"


Key = tuple[int, str]  # the patient; where it is none, or in doubt, the address


def key_of(reply: Reply) -> Key:
    return (reply.patient_id, "") if reply.patient_id is not None else (0, reply.from_address)


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who waits: their most serious reply, and how many more of theirs are open.

    `sharing` are those whose phone it is, where it cannot be told which of them wrote.
    """

    reply: Reply
    more: int
    patient: Patient | None
    sharing: Sequence[Patient]
    assigned: str  # a name, empty: nobody
    handled_by: str

    @property
    def patients(self) -> Sequence[Patient]:
        """All whose names it shows."""
        return [self.patient] if self.patient is not None else self.sharing


def entries(
    session: Session, clinic: Clinic, show: Show = Show.ALL, *, staff_id: int, now: datetime
) -> list[Entry]:
    if show is Show.DONE:
        return _entries(session, clinic, _done_lately(session, clinic, now))
    rows = _open(session, clinic.id)
    if show is Show.MINE:
        rows = [row for row in rows if row.assigned_to == staff_id]
    elif show is Show.UNASSIGNED:
        rows = [row for row in rows if row.assigned_to is None]
    return _entries(session, clinic, rows)


def _open(session: Session, clinic_id: int) -> list[Reply]:
    query = select(Reply).where(Reply.clinic_id == clinic_id, _OPEN)
    return list(session.scalars(query.order_by(Reply.rank, Reply.received_at, Reply.id).limit(_AT_MOST)))


def open_replies(session: Session, clinic: Clinic) -> list[Entry]:
    """For whoever lists what needs a person."""
    return _entries(session, clinic, _open(session, clinic.id))


def _done_lately(session: Session, clinic: Clinic, now: datetime) -> list[Reply]:
    rows = session.scalars(
        select(Reply)
        .where(
            Reply.clinic_id == clinic.id,
            Reply.received_at > now - _DONE_LATELY,
            Reply.handled_at.is_not(None),
        )
        .order_by(Reply.received_at.desc())
        .limit(_AT_MOST)
    )
    return sorted(rows, key=lambda row: (row.handled_at or now, row.id), reverse=True)[:_DONE_SHOWN]


def _entries(session: Session, clinic: Clinic, rows: Sequence[Reply]) -> list[Entry]:
    groups: dict[Key, list[Reply]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    patients = _patients(session, {row.patient_id for row in rows if row.patient_id is not None})
    sharing = sharing_of(session, clinic, [row for row in rows if row.patient_id is None])
    names = names_of(session, rows)
    return [
        Entry(
            group[0],
            len(group) - 1,
            patients.get(group[0].patient_id or 0),
            sharing.get(group[0].from_address, []) if group[0].patient_id is None else [],
            names.get(str(group[0].assigned_to), ""),
            names.get(group[0].handled_by, group[0].handled_by),
        )
        for group in groups.values()
    ]


def _patients(session: Session, ids: Collection[int]) -> dict[int, Patient]:
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(select(Patient).where(Patient.id.in_(ids)))}


def sharing_of(session: Session, clinic: Clinic, replies: Iterable[Reply]) -> dict[str, list[Patient]]:
    """By address: the patients who are reached where these replies came from."""
    found: dict[str, list[Patient]] = {}
    wanted = {(row.channel, row.from_address) for row in replies}
    for channel, column in (("sms", Patient.phone), ("email", Patient.email)):
        there = {address for on, address in wanted if on == channel}
        if not there:
            continue
        query = select(Patient).where(
            Patient.clinic_id == clinic.id, column.in_(there), Patient.erased_at.is_(None)
        )
        for patient in sorted(session.scalars(query), key=lambda one: (one.folded_name, one.id)):
            address = (patient.phone if channel == "sms" else patient.email) or ""
            found.setdefault(address, []).append(patient)
    return found


def names_of(session: Session, rows: Iterable[Reply]) -> dict[str, str]:
    """Of staff, by number and by e-mail address, whichever a reply holds."""
    rows = list(rows)
    ids = {row.assigned_to for row in rows if row.assigned_to is not None}
    emails = {row.handled_by for row in rows if row.handled_by}
    if not ids and not emails:
        return {}
    people = session.scalars(select(Staff).where(Staff.id.in_(ids) | Staff.email.in_(emails))).all()
    return {str(person.id): person.name for person in people} | {
        person.email: person.name for person in people
    }


def writers(session: Session, clinic: Clinic, reply: Reply) -> list[Patient]:
    """Whoever wrote it; where that is in doubt, all who are reached there."""
    if reply.patient_id is not None:
        return [session.get_one(Patient, reply.patient_id)]
    return sharing_of(session, clinic, [reply]).get(reply.from_address, [])


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many people wait for an answer, and whether any of them is a warning."""

    count: int = 0
    is_serious: bool = False


def waiting(session: Session, clinic_id: int) -> Waiting:
    """Asked from every page: a look into one small index."""
    rows = session.execute(
        select(Reply.patient_id, Reply.from_address, Reply.rank)
        .where(Reply.clinic_id == clinic_id, _OPEN)
        .limit(_AT_MOST)
    ).all()
    who = {(row.patient_id or 0, "" if row.patient_id else row.from_address) for row in rows}
    return Waiting(len(who), any(row.rank <= SERIOUS for row in rows))


def open_count(session: Session, clinic_id: int) -> int:
    return waiting(session, clinic_id).count


def stamp(listed: Sequence[Entry]) -> str:
    """Another one whenever the list has become another."""
    said = repr([(e.reply.id, e.reply.rank, e.more, e.assigned, e.reply.seen_at is None) for e in listed])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def get(session: Session, clinic: Clinic, reply_id: int) -> Reply:
    reply = session.get(Reply, reply_id)
    if reply is None or reply.clinic_id != clinic.id:
        raise NotFoundError(f"There is no reply {reply_id} at {clinic.name}.")
    return reply


def same_person(reply: Reply) -> ColumnElement[bool]:
    """Everything from whoever wrote this."""
    if reply.patient_id is not None:
        return Reply.patient_id == reply.patient_id
    return (
        (Reply.clinic_id == reply.clinic_id)
        & (Reply.from_address == reply.from_address)
        & Reply.patient_id.is_(None)
    )


def open_of(session: Session, reply: Reply, *, lock: bool = False) -> list[Reply]:
    """What is open of whoever wrote this, as the database has it now."""
    query = select(Reply).where(
        same_person(reply), Reply.clinic_id == reply.clinic_id, Reply.handled_at.is_(None), Reply.rank < 9
    )
    if lock:
        query = query.with_for_update(key_share=True)
    query = query.order_by(Reply.rank, Reply.received_at, Reply.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))

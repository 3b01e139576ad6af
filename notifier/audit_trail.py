"""The audit trail as people read it: who saw or changed what, by person, patient, kind and day."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, literal_column, or_, select
from sqlalchemy.orm import Session

from notifier import audit, audit_subjects, audit_words, searching, spreadsheet
from notifier.audit_subjects import Subject
from notifier.models import AuditEntry, Clinic, Membership, Message, Staff, Treatment
from notifier.rules.zones import zone
from notifier.searching import MOST_DAYS, before, check_days, midnight, patients_meant

HEADER = ("at", "person", "did", "action", "subject", "subject_id", "detail")


@dataclass(frozen=True, slots=True)
class Filters:
    """Both days are included, and meant in the clinic's zone. What is empty does not restrict."""

    first: date
    last: date
    person: str = ""  # a name or an e-mail address, or the beginning of one
    kind: str = ""  # of `audit_words.KINDS`
    words: str = ""  # a patient's name, number, e-mail or record number
    actors: tuple[str, ...] = ()  # whom `person` means, see `resolved`
    patients: tuple[int, ...] | None = None  # and whom the words mean


@dataclass(frozen=True, slots=True)
class Entry:
    row: AuditEntry
    who: str
    did: str  # "changed the phone of patient 1031"
    subject: Subject

    @property
    def sentence(self) -> str:
        return f"{self.who} {self.did}"


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry] = field(default_factory=list)
    older: str = ""  # the cursor of the next page; empty: this is the last one


def check(filters: Filters, *, most_days: int = MOST_DAYS) -> None:
    """Raises InputError, its field `last`."""
    check_days(filters.first, filters.last, words=filters.words, most_days=most_days)


def resolved(session: Session, clinic: Clinic, filters: Filters) -> Filters:
    """With the people whom the words mean, so that they are looked for once."""
    return replace(
        filters,
        actors=_actors(session, clinic, filters.person) if filters.person else (),
        patients=patients_meant(session, clinic, filters.words) if filters.words else None,
    )


def _actors(session: Session, clinic: Clinic, person: str) -> tuple[str, ...]:
    staff = session.scalars(
        select(Staff.email)
        .join(Membership, Membership.staff_id == Staff.id)
        .where(Membership.clinic_id == clinic.id, Staff.name.icontains(person, autoescape=True))
    )
    return tuple(staff)


def page(session: Session, clinic: Clinic, filters: Filters, *, cursor: str = "", size: int = 50) -> Page:
    """The newest first. `cursor`: what the page before gave as `older`."""
    found: dict[int, AuditEntry] = {}
    for test in _legs(clinic, filters):
        query = select(AuditEntry).where(test, *_tests(clinic, filters))
        if cursor:
            query = query.where(before(AuditEntry.at, AuditEntry.id, cursor))
        newest = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(size + 1)
        found |= {row.id: row for row in session.scalars(newest)}
    rows = sorted(found.values(), key=lambda row: (row.at, row.id), reverse=True)
    older = searching.cursor(rows[size - 1].at, rows[size - 1].id) if len(rows) > size else ""
    return Page(_told(session, clinic, rows[:size]), older)


def _legs(clinic: Clinic, filters: Filters) -> list[ColumnElement[bool]]:
    """Each a query with an index of its own: by time, or by the patients that are looked for."""
    if filters.patients is None:
        return [AuditEntry.clinic_id == clinic.id]
    # The sum keeps SQLite from walking through the whole trail by its time.
    mine = (AuditEntry.clinic_id + 0) == clinic.id
    ids = filters.patients
    treatments = select(Treatment.id).where(Treatment.patient_id.in_(ids))
    messages = select(Message.id).where(Message.patient_id.in_(ids))
    about = [
        ("patient", AuditEntry.subject_id.in_(ids)),
        ("treatment", AuditEntry.subject_id.in_(treatments)),
        ("message", AuditEntry.subject_id.in_(messages)),
    ]
    legs = [and_(mine, AuditEntry.subject == name, test) for name, test in about]
    return [*legs, and_(AuditEntry.clinic_id == clinic.id, LISTED, names_one_of(ids))]


# As a partial index says it, word for word.
LISTED = AuditEntry.action == literal_column("'patients.listed'")


def names_one_of(patient_ids: Collection[int]) -> ColumnElement[bool]:
    """Both databases write a list of numbers alike, so that a number is found by what stands around it."""
    written = cast(AuditEntry.detail, String)
    around = [(before, after) for before in ("[", " ") for after in (",", "]")]
    tests = [written.contains(f"{a}{number}{b}") for number in patient_ids for a, b in around]
    return or_(literal_column("1=0"), *tests)


def _tests(clinic: Clinic, filters: Filters) -> Iterator[ColumnElement[bool]]:
    tz = zone(clinic.timezone)
    yield AuditEntry.at >= midnight(filters.first, tz)
    yield AuditEntry.at < midnight(filters.last + timedelta(days=1), tz)
    if filters.kind:
        yield AuditEntry.action.in_(audit_words.actions_of(filters.kind))
    if filters.person:
        named = AuditEntry.actor.istartswith(filters.person, autoescape=True)
        yield or_(named, AuditEntry.actor.in_(filters.actors))


def _told(session: Session, clinic: Clinic, rows: Sequence[AuditEntry]) -> list[Entry]:
    subjects = audit_subjects.of(session, clinic, rows)
    names = _names(session, {row.actor for row in rows})
    return [
        Entry(
            row,
            names.get(row.actor, row.actor),
            audit_words.sentence(row.action, row.detail, subjects[row.id].words),
            subjects[row.id],
        )
        for row in rows
    ]


def _names(session: Session, actors: Collection[str]) -> dict[str, str]:
    """People by their names, programs by what their token is called; others are called as they are noted."""
    rows = session.execute(select(Staff.email, Staff.name).where(Staff.email.in_(actors)))
    programs = {actor: f'The program "{actor[4:]}"' for actor in actors if actor.startswith("api:")}
    return programs | {email: name for email, name in rows if name}


def csv_of(session: Session, clinic: Clinic, filters: Filters) -> Iterator[bytes]:
    """Newest first, in pieces; the session has to stay open until the last one."""
    tz = zone(clinic.timezone)
    cells = (
        (
            *(spreadsheet.moment(entry.row.at, tz), entry.row.actor, entry.did, entry.row.action),
            *(entry.row.subject, entry.row.subject_id, _written(entry.row.detail)),
        )
        for entry in _every_entry(session, clinic, filters)
    )
    return spreadsheet.lines(HEADER, cells)


def _written(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else ""


def _every_entry(session: Session, clinic: Clinic, filters: Filters) -> Iterator[Entry]:
    cursor = ""
    while True:
        fetched = page(session, clinic, filters, cursor=cursor, size=1000)
        yield from fetched.entries
        if not fetched.older:
            return
        cursor = fetched.older


def note_export(session: Session, clinic: Clinic, filters: Filters, *, now: datetime, actor: str) -> None:
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action="audit.exported",
        subject="clinic",
        subject_id=clinic.id,
        first=filters.first.isoformat(),
        last=filters.last.isoformat(),
    )

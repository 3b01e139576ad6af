"""What went out, what did not and why: the messages of some days, as the admin asks for them.

A message stands at the moment it was or is due; one that was never to be sent, at the moment that said so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, SQLColumnExpression, and_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from notifier import reason_groups, searching, status_words
from notifier.models import Clinic, Message, Patient, PlanRow, PlanVersion
from notifier.rules.delivery import Status
from notifier.rules.zones import zone
from notifier.searching import MOST_DAYS, before, check_days, midnight, patients_meant

# What people count. Waiting and in doubt are not yet one of the others.
OUTCOMES: dict[str, tuple[Status, ...]] = {
    "delivered": (Status.DELIVERED,),
    "sent": (Status.SENT, Status.ACCEPTED),
    "failed": (Status.FAILED, Status.UNDELIVERED),
    "skipped": (Status.SKIPPED, Status.CANCELLED),
    "waiting": (Status.SCHEDULED, Status.HELD),
    "doubt": (Status.SENDING, Status.UNKNOWN),
}
STOPPED = [
    str(status)
    for status in (
        *(Status.FAILED, Status.UNDELIVERED, Status.SKIPPED, Status.CANCELLED),
        *(Status.HELD, Status.UNKNOWN),
    )
]


@dataclass(frozen=True, slots=True)
class Filters:
    """Both days are included, and meant in the clinic's zone. What is empty does not restrict."""

    first: date
    last: date
    outcome: str = ""
    status: str = ""
    channel: str = ""
    plan: str = ""
    step: str = ""
    kind: str = ""
    reason: str = ""  # the key of a reason group
    words: str = ""  # a patient's name, number, e-mail or record number
    patients: tuple[int, ...] | None = None  # whom the words mean, see `resolved`

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Row:
    message: Message
    patient: str
    plan: str

    @property
    def at(self) -> datetime:
        return place_of(self.message)

    @property
    def title(self) -> str:
        return status_words.title(self.message.kind, self.message.step)

    @property
    def by(self) -> str:
        return status_words.channel_name(self.message.channel)

    @property
    def state(self) -> str:
        return status_words.of_message(self.message)


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row] = field(default_factory=list)
    older: str = ""  # the cursor of the next page; empty: this is the last one


def place_of(message: Message) -> datetime:
    return message.due_at or message.created_at


def resolved(session: Session, clinic: Clinic, filters: Filters) -> Filters:
    """With the patients whom the words mean, so that they are looked for once."""
    meant = patients_meant(session, clinic, filters.words) if filters.words else None
    return replace(filters, patients=meant)


def check(filters: Filters, *, most_days: int = MOST_DAYS) -> None:
    """Raises InputError, its field `last`."""
    check_days(filters.first, filters.last, words=filters.words, most_days=most_days)


When = SQLColumnExpression[datetime] | SQLColumnExpression[datetime | None]
Leg = tuple[When, ColumnElement[bool]]


def legs(clinic: Clinic, filters: Filters) -> list[Leg]:
    """Each query falls into two, with an index each: what was to be sent at some time, and what never was.

    Days are left to the caller.
    """
    tests = list(_tests(filters))
    if filters.patients is not None:
        # By the patients' own index: the sum keeps SQLite from walking through everybody's messages instead.
        mine = (Message.clinic_id + 0) == clinic.id
        of_patients = Message.patient_id.in_(filters.patients)
        return [(func.coalesce(Message.due_at, Message.created_at), and_(mine, of_patients, *tests))]
    mine = Message.clinic_id == clinic.id
    return [
        (Message.due_at, and_(mine, Message.due_at.is_not(None), *tests)),
        (Message.created_at, and_(mine, Message.due_at.is_(None), *tests)),
    ]


def within(when: When, filters: Filters, tz: ZoneInfo) -> ColumnElement[bool]:
    last = filters.last + timedelta(days=1)
    return and_(when >= midnight(filters.first, tz), when < midnight(last, tz))


def _tests(filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.outcome:
        yield Message.status.in_([str(status) for status in OUTCOMES[filters.outcome]])
    for column, wanted in (
        (Message.status, filters.status),
        (Message.channel, filters.channel),
        (Message.step, filters.step),
        (Message.kind, filters.kind),
    ):
        if wanted:
            yield column == wanted
    if filters.plan:
        yield Message.plan_version_id.in_(_of_plan(filters.plan))
    if filters.reason:
        # Only these were stopped; the index knows the status, and the sentence stands in the row.
        yield Message.status.in_(STOPPED)
        yield reason_groups.in_group(filters.reason)


def _of_plan(key: str) -> Select[int]:
    """Of any clinic: the messages are one clinic's already."""
    return select(PlanVersion.id).join(PlanRow, PlanRow.id == PlanVersion.plan_id).where(PlanRow.key == key)


def page(session: Session, clinic: Clinic, filters: Filters, *, cursor: str = "", size: int = 50) -> Page:
    """The newest first. `cursor`: what the page before gave as `older`."""
    tz = zone(clinic.timezone)
    found: list[Message] = []
    for when, test in legs(clinic, filters):
        query = select(Message).where(test, within(when, filters, tz))
        if cursor:
            query = query.where(before(when, Message.id, cursor))
        found += session.scalars(query.order_by(when.desc(), Message.id.desc()).limit(size + 1))
    found.sort(key=lambda message: (place_of(message), message.id), reverse=True)
    shown = found[:size]
    older = searching.cursor(place_of(shown[-1]), shown[-1].id) if shown else ""
    return Page(_rows(session, shown), older if len(found) > size else "")


def _rows(session: Session, shown: list[Message]) -> list[Row]:
    people = session.execute(
        select(Patient.id, Patient.first_name, Patient.last_name).where(
            Patient.id.in_({message.patient_id for message in shown} - {None})
        )
    )
    names = {number: f"{first} {last}".strip() for number, first, last in people}
    plans = session.execute(
        select(PlanVersion.id, PlanRow.key)
        .join(PlanRow, PlanRow.id == PlanVersion.plan_id)
        .where(PlanVersion.id.in_({message.plan_version_id for message in shown} - {None}))
    )
    keys = {number: key for number, key in plans}  # noqa: C416 - rows are typed as rows, not as pairs
    return [
        Row(message, names.get(message.patient_id or 0, ""), keys.get(message.plan_version_id or 0, ""))
        for message in shown
    ]


def every_row(session: Session, clinic: Clinic, filters: Filters, *, at_once: int = 1000) -> Iterator[Row]:
    """All of them, fetched by the page: for exports of any length."""
    cursor = ""
    while True:
        fetched = page(session, clinic, filters, cursor=cursor, size=at_once)
        yield from fetched.rows
        if not fetched.older:
            return
        cursor = fetched.older


def days_back(today: date, days: int) -> Filters:
    """The last so many days, today included."""
    return Filters(today - timedelta(days=days - 1), today)

"""How many messages went out and how many did not: in all, by day, by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import bindparam, case, func, literal_column, or_, select
from sqlalchemy.orm import Session

from notifier import reason_groups
from notifier.db import UTCDateTime
from notifier.delivery import OUTCOMES, STOPPED, Filters, legs, within
from notifier.models import Clinic, Message, Patient
from notifier.reason_groups import Group
from notifier.rules.zones import zone
from notifier.searching import midnight

# So many columns stand in a chart; more days than that are counted by the week.
_MOST_COLUMNS = 62


@dataclass(frozen=True, slots=True)
class Stretch:
    """A day, or the days of a week, and what became of its messages."""

    first: date
    last: date
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Why:
    group: Group
    count: int


# Counted in one row: to sort by status and day first takes longer than all the rest.
_COUNTS = [
    func.count().filter(Message.status.in_([str(status) for status in statuses]))
    for statuses in OUTCOMES.values()
]
_BEGINS, _ENDS = bindparam("begins", type_=UTCDateTime), bindparam("ends", type_=UTCDateTime)


def by_day(session: Session, clinic: Clinic, filters: Filters) -> list[Stretch]:
    """Every day of the filters, also those without any; weeks, where there are too many days."""
    stretches = _stretches(filters)
    _count(session, clinic, filters, stretches)
    return stretches


def outcomes(session: Session, clinic: Clinic, filters: Filters) -> Counter[str]:
    """In all, without days."""
    whole = Stretch(filters.first, filters.last)
    _count(session, clinic, filters, [whole])
    return whole.outcomes


def _count(session: Session, clinic: Clinic, filters: Filters, stretches: Sequence[Stretch]) -> None:
    """A day is as long as the clinic's clock says, so its ends are told to the database."""
    tz = zone(clinic.timezone)
    for when, test in legs(clinic, filters):
        query = select(*_COUNTS).select_from(Message).where(test, when >= _BEGINS, when < _ENDS)
        for stretch in stretches:
            ends = midnight(stretch.last + timedelta(days=1), tz)
            row = session.execute(query, {"begins": midnight(stretch.first, tz), "ends": ends}).one()
            for outcome, count in zip(OUTCOMES, row, strict=True):
                if count:
                    stretch.outcomes[outcome] += count


def _stretches(filters: Filters) -> list[Stretch]:
    length = 1 if filters.days <= _MOST_COLUMNS else 7
    starts = range(0, filters.days, length)
    return [
        Stretch(
            filters.first + timedelta(days=start),
            min(filters.first + timedelta(days=start + length - 1), filters.last),
        )
        for start in starts
    ]


def totals(stretches: Sequence[Stretch]) -> Counter[str]:
    return sum((stretch.outcomes for stretch in stretches), Counter())


def by_reason(session: Session, clinic: Clinic, filters: Filters) -> list[Why]:
    """Why messages were stopped, the most frequent first."""
    tz = zone(clinic.timezone)
    # Where the code says all, the sentence with its moments only makes more rows.
    told = case((Message.reason_code.in_(reason_groups.CODES_THAT_SAY_ALL), ""), else_=Message.reason)
    counted: Counter[Group] = Counter()
    for when, test in legs(clinic, filters):
        rows = session.execute(
            select(Message.reason_code, told, func.count())
            .where(test, within(when, filters, tz), Message.status.in_(STOPPED))
            .group_by(Message.reason_code, told)
        )
        for code, reason, count in rows:
            counted[reason_groups.group_of(reason, code)] += count
    return [Why(group, count) for group, count in counted.most_common()]


# As a partial index says it, word for word.
_FAULTY = or_(Patient.phone_problem != literal_column("''"), Patient.email_problem != literal_column("''"))


@dataclass(frozen=True, slots=True)
class ToFix:
    """A patient whose number or e-mail address a provider could not reach."""

    patient: Patient
    problem: str


def to_fix(session: Session, clinic: Clinic, *, limit: int = 50) -> list[ToFix]:
    faulty = select(Patient).where(Patient.clinic_id == clinic.id, _FAULTY)
    rows = session.scalars(faulty.order_by(Patient.id).limit(limit))
    return [ToFix(patient, patient.phone_problem or patient.email_problem) for patient in rows]


def count_to_fix(session: Session, clinic: Clinic) -> int:
    faulty = select(func.count()).select_from(Patient).where(Patient.clinic_id == clinic.id, _FAULTY)
    return session.scalar(faulty) or 0

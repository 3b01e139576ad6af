"""How sore patients were after each plan's treatments, by the hours since, over some days of treatments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from notifier import audit, plans, spreadsheet
from notifier.errors import InputError
from notifier.models import Clinic, PlanRow, ScoreRow, Treatment
from notifier.rules import soreness
from notifier.rules.soreness import Answer, Spread
from notifier.rules.zones import zone
from notifier.scores import ABOUT_WITHIN
from notifier.searching import midnight

MOST_DAYS = 366
_UNTIL = ABOUT_WITHIN / timedelta(hours=1)
HEADER = (
    *("plan", "name", "treatments", "treatments_answered", "hours_from", "hours_to"),
    *("answers", "median", "lower_quartile", "upper_quartile"),
)


@dataclass(frozen=True, slots=True)
class PlanSoreness:
    """`high`: how many of the answers are in the highest band."""

    key: str
    name: str
    treatments: int
    answered: int = 0
    answers: int = 0
    high: int = 0
    spreads: Sequence[Spread] = field(default_factory=list)


def check(first: date, last: date) -> None:
    """Raises InputError, its field `last`."""
    if last < first:
        raise InputError("The last day has to be the first one or later.", field="last")
    if (last - first).days >= MOST_DAYS:
        raise InputError(f"Choose at most {MOST_DAYS} days.", field="last")


def by_plan(session: Session, clinic: Clinic, first: date, last: date) -> list[PlanSoreness]:
    """Of the treatments that ended on these days, both included; the plan with the most answers first."""
    among = _ended(clinic, first, last)
    counts = session.execute(
        select(Treatment.plan_id, func.count()).where(among).group_by(Treatment.plan_id)
    ).all()
    told = _answers(session, among)
    names = _names(session, clinic)
    found = [
        _summed(*names[plan_id], count, told.get(plan_id, []))
        for plan_id, count in counts
        if plan_id in names
    ]
    return sorted(found, key=lambda plan: (-plan.answers, -plan.treatments, plan.name))


def _ended(clinic: Clinic, first: date, last: date) -> ColumnElement[bool]:
    tz = zone(clinic.timezone)
    return and_(
        Treatment.clinic_id == clinic.id,
        Treatment.ended_at >= midnight(first, tz),
        Treatment.ended_at < midnight(last + timedelta(days=1), tz),
        Treatment.voided_at.is_(None),
    )


def _answers(session: Session, among: ColumnElement[bool]) -> dict[int, list[Answer]]:
    """By plan. What came before the treatment ended, or long after, says nothing of its course."""
    rows = session.execute(
        select(Treatment.plan_id, Treatment.id, Treatment.ended_at, ScoreRow.at, ScoreRow.value)
        .join(ScoreRow, ScoreRow.treatment_id == Treatment.id)
        .where(among, ScoreRow.withdrawn_at.is_(None))
        .order_by(ScoreRow.at, ScoreRow.id)
    )
    found: dict[int, list[Answer]] = defaultdict(list)
    for plan_id, treatment_id, ended_at, at, value in rows:
        hours = (at - ended_at) / timedelta(hours=1)
        if 0 <= hours < _UNTIL:
            found[plan_id].append(Answer(treatment_id, hours, value))
    return found


def _names(session: Session, clinic: Clinic) -> dict[int, tuple[str, str]]:
    """Also of plans that were put away: their treatments were given all the same."""
    rows = session.scalars(select(PlanRow).where(PlanRow.clinic_id == clinic.id))
    return {
        row.id: (row.key, plans.definition(plans.current_version(session, row)).plan.name_in("en"))
        for row in rows
    }


def _summed(key: str, name: str, treatments: int, answers: Sequence[Answer]) -> PlanSoreness:
    return PlanSoreness(
        key,
        name,
        treatments,
        answered=len({answer.treatment for answer in answers}),
        answers=len(answers),
        high=sum(soreness.band(answer.value) == "high" for answer in answers),
        spreads=soreness.by_hours(answers),
    )


def csv_of(session: Session, clinic: Clinic, first: date, last: date) -> Iterator[bytes]:
    """What the page shows, as a file: nobody's name and nobody's single answer with their name is in it."""
    found = by_plan(session, clinic, first, last)
    return spreadsheet.lines(
        HEADER,
        (
            (
                *(plan.key, plan.name, plan.treatments, plan.answered, spread.first, spread.last),
                *(spread.count, spread.median, spread.lower, spread.upper),
            )
            for plan in found
            for spread in plan.spreads
        ),
    )


def note_export(
    session: Session, clinic: Clinic, first: date, last: date, *, now: datetime, actor: str
) -> None:
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action="scores.exported",
        subject="clinic",
        subject_id=clinic.id,
        first=first.isoformat(),
        last=last.isoformat(),
    )

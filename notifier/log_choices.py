"""What the desk chooses from when it logs a treatment: plans, practitioners, areas; the usual ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import body_areas, known_plans, practitioners
from notifier.models import Clinic, PlanRow, PlanVersion, Treatment

# Enough to know the habits of a desk, and as few in a large clinic as in a small one.
_LATELY = 200


@dataclass(frozen=True, slots=True)
class Choices:
    """`plans` are (key, name), what this person used last first; `practitioner` is whom they named last."""

    plans: list[tuple[str, str]]
    practitioner: str
    practitioners: list[str]
    areas: list[tuple[str, str]]


class _Use(NamedTuple):
    plan_id: int
    practitioner: str
    logged_by: str


def choices(session: Session, clinic: Clinic, *, actor: str) -> Choices:
    lately = _lately(session, clinic)
    mine = [row for row in lately if row.logged_by == actor]
    versions = _current(session, clinic)
    definitions = known_plans.definitions(session, [version_id for _, _, version_id in versions])
    names = {
        plan_id: (key, definitions[version_id].plan.name_in("en")) for plan_id, key, version_id in versions
    }
    return Choices(
        [names[plan_id] for plan_id in _in_order_of_use(list(names), [*mine, *lately])],
        next((row.practitioner for row in mine), ""),
        _practitioners(session, clinic, lately),
        [
            (area, body_areas.spoken(area))
            for area in body_areas.offered(definition.plan for definition in definitions.values())
        ],
    )


def _lately(session: Session, clinic: Clinic) -> list[_Use]:
    rows = session.execute(
        select(Treatment.plan_id, Treatment.practitioner, Treatment.logged_by)
        .where(Treatment.clinic_id == clinic.id)
        .order_by(Treatment.logged_at.desc())
        .limit(_LATELY)
    )
    return [_Use(*row) for row in rows]


def _current(session: Session, clinic: Clinic) -> list[tuple[int, str, int]]:
    """Plan, key and current version of each plan that may be chosen, without their contents."""
    rows = session.execute(
        select(PlanRow.id, PlanRow.key, PlanVersion.id)
        .join(PlanVersion, PlanVersion.plan_id == PlanRow.id)
        .where(PlanRow.clinic_id == clinic.id, PlanRow.archived_at.is_(None))
        .order_by(PlanRow.key, PlanVersion.number)
    )
    return list({plan_id: (plan_id, key, version_id) for plan_id, key, version_id in rows}.values())


def _in_order_of_use(plan_ids: list[int], used: Sequence[_Use]) -> list[int]:
    lately = dict.fromkeys(row.plan_id for row in used if row.plan_id in plan_ids)
    return [*lately, *(plan_id for plan_id in plan_ids if plan_id not in lately)]


def _practitioners(session: Session, clinic: Clinic, lately: Sequence[_Use]) -> list[str]:
    listed = [person.name for person in practitioners.of_clinic(session, clinic)]
    gone = {person.name for person in practitioners.of_clinic(session, clinic, archived=True)}
    used = sorted({row.practitioner for row in lately} - {""} - gone - set(listed))
    return [*listed, *used]

"""The plans of a clinic as a whole: which there are, new ones, and those that are put away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import audit, plans
from notifier.errors import ConflictError, InputError
from notifier.models import Clinic, PlanRow, PlanVersion, Treatment
from notifier.plan_checks import check_content
from notifier.plan_editing import STARTER
from notifier.planfiles import Content, Definition, read_content, shipped_plans
from notifier.rules.plan import LANGUAGES

_LATELY = timedelta(days=30)
_LONGEST = 60
_FIRST_STEP = {"key": "day1-how-are-you", "after": "22h", "useful_for": "48h"}


@dataclass(frozen=True, slots=True)
class Shelved:
    """A plan in its current version. `treatments`: how many were logged on it in the last 30 days."""

    key: str
    definition: Definition
    number: int
    saved_at: datetime
    saved_by: str
    approved_by: str
    approved_on: datetime | None
    archived_at: datetime | None
    treatments: int

    @property
    def name(self) -> str:
        return self.definition.plan.name_in("en")


def all_of(session: Session, clinic: Clinic, *, now: datetime) -> list[Shelved]:
    """By name, archived ones too."""
    newest = (
        select(PlanVersion.plan_id, func.max(PlanVersion.number).label("number"))
        .where(PlanVersion.clinic_id == clinic.id)
        .group_by(PlanVersion.plan_id)
        .subquery()
    )
    rows = session.execute(
        select(PlanRow, PlanVersion)
        .join(newest, newest.c.plan_id == PlanRow.id)
        .join(
            PlanVersion,
            (PlanVersion.plan_id == newest.c.plan_id) & (PlanVersion.number == newest.c.number),
        )
        .where(PlanRow.clinic_id == clinic.id)
    )
    counts = _lately(session, clinic, now)
    found = [_shelved(row.PlanRow, row.PlanVersion, counts) for row in rows]
    return sorted(found, key=lambda each: each.name.casefold())


def _lately(session: Session, clinic: Clinic, now: datetime) -> dict[int, int]:
    rows = session.execute(
        select(Treatment.plan_id, func.count())
        .where(
            Treatment.clinic_id == clinic.id,
            Treatment.ended_at > now - _LATELY,
            Treatment.ended_at <= now,
            Treatment.voided_at.is_(None),
        )
        .group_by(Treatment.plan_id)
    )
    return {plan_id: count for plan_id, count in rows}  # noqa: C416 - rows are not pairs to mypy


def _shelved(row: PlanRow, version: PlanVersion, counts: Mapping[int, int]) -> Shelved:
    approval = version.approvals[-1] if version.approvals else None
    return Shelved(
        row.key,
        plans.definition(version),
        version.number,
        version.created_at,
        version.created_by,
        approval.approved_by if approval else "",
        approval.approved_on if approval else None,
        row.archived_at,
        counts.get(row.id, 0),
    )


def create(
    session: Session, clinic: Clinic, *, name: str, name_es: str, source: str, now: datetime, actor: str
) -> str:
    """A new plan, as a copy of `own:<key>` or `shipped:<key>`, or with one step; its key."""
    name = " ".join(name.split())
    key = _key_of(name)
    if session.scalar(select(PlanRow.id).where(PlanRow.clinic_id == clinic.id, PlanRow.key == key)):
        raise InputError(f'There is a plan "{key}" already. Choose another name.', field="name")
    content = _content(session, clinic, key, source)
    content["plan"] = {k: v for k, v in content["plan"].items() if k not in ("review", "name_es")}
    content["plan"] |= {"name": name} | ({"name_es": " ".join(name_es.split())} if name_es.strip() else {})
    errors = [finding for finding in check_content(content) if finding.severity == "error"]
    if errors:
        raise InputError(
            f"With this name the copied texts would not be discreet any more: {errors[0].message}",
            field="name",
        )
    plans.save(session, clinic, content, now=now, actor=actor)
    return key


def _key_of(name: str) -> str:
    """Neck and shoulder → neck-and-shoulder."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    key = "-".join(re.findall(r"[a-z0-9]+", plain))[:_LONGEST].strip("-")
    if not key:
        raise InputError("Write the plan's name as staff will call it, such as Neck aftercare.", field="name")
    return key


def _content(session: Session, clinic: Clinic, key: str, source: str) -> dict[str, Any]:
    kind, _, name = source.partition(":")
    copied: Content | None = None
    if kind == "own":
        copied = plans.current_version(session, plans.find(session, clinic, name)).content
    elif kind == "shipped":
        copied = next((read_content(folder) for folder in shipped_plans() if folder.name == name), None)
    if copied is not None:
        return dict(copied) | {"key": key}
    step = str(_FIRST_STEP["key"])
    texts = {f"{step}.{language}": STARTER[language] for language in LANGUAGES}
    return {"key": key, "plan": {"treatment": key, "steps": [dict(_FIRST_STEP)]}, "texts": texts}


def archive(session: Session, row: PlanRow, *, now: datetime, actor: str) -> None:
    """It cannot be chosen for new treatments; those that were logged go on."""
    if row.archived_at is None:
        row.archived_at = now
        _note(session, row, "plan.archived", now, actor)


def restore(session: Session, row: PlanRow, *, now: datetime, actor: str) -> None:
    if row.archived_at is not None:
        row.archived_at = None
        _note(session, row, "plan.restored", now, actor)


def _note(session: Session, row: PlanRow, action: str, now: datetime, actor: str) -> None:
    audit.note(
        session,
        clinic_id=row.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="plan",
        subject_id=row.id,
        plan=row.key,
    )


def same_version(session: Session, row: PlanRow, number: int | None) -> PlanVersion:
    """The current version, if it is the one that somebody looked at."""
    version = plans.current_version(session, row)
    if version.number != number:
        raise ConflictError(
            f"Version {version.number} was saved in the meantime, by {version.created_by}. "
            "Nothing was done; look at it first."
        )
    return version

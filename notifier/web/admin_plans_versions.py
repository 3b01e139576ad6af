"""The history of a plan: who saved what when, what differs, and the way back to an earlier version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import plan_differences, plans
from notifier.errors import NotFoundError
from notifier.models import PlanRow, PlanVersion, Treatment
from notifier.plan_differences import Difference
from notifier.web.admin_plans_review import propose
from notifier.web.auth import Admin
from notifier.web.forms import Posted

router = APIRouter()

# So many are compared with the one before on one page.
_A_PAGE = 15


@dataclass(frozen=True, slots=True)
class Entry:
    """`differences` is None for the first one, which has none before it."""

    version: PlanVersion
    treatments: int
    differences: list[Difference] | None


@router.get("/plans/{key}/versions")
def versions(visit: Admin, key: str, before: int = 0) -> Response:
    """Newest first; `before`: those older than this number."""
    with visit.reading() as session:
        row = plans.find(session, visit.clinic(session), key)
        current = plans.current_version(session, row)
        found = _older(session, row, before or current.number + 1)
        treatments = _following(session, found)
    pairs = zip(found, [*found[1:], None], strict=True)
    entries = [Entry(v, treatments.get(v.id, 0), _compared(older, v)) for v, older in pairs]
    return visit.page(
        "plans_versions.html",
        plan=row,
        current=current,
        entries=entries[:_A_PAGE],
        older=found[_A_PAGE - 1].number if len(found) > _A_PAGE else None,
    )


def _older(session: Session, row: PlanRow, number: int) -> Sequence[PlanVersion]:
    """One more than a page shows, to compare the last one with."""
    query = select(PlanVersion).where(PlanVersion.plan_id == row.id, PlanVersion.number < number)
    found = session.scalars(query.order_by(PlanVersion.number.desc()).limit(_A_PAGE + 1)).all()
    for version in found:
        assert version.approvals is not None  # read now, for the template
    return found


def _following(session: Session, found: Sequence[PlanVersion]) -> dict[int, int]:
    """How many treatments follow each of them."""
    if not found:
        return {}
    rows = session.execute(
        select(Treatment.plan_version_id, func.count())
        .where(Treatment.plan_id == found[0].plan_id, Treatment.voided_at.is_(None))
        .group_by(Treatment.plan_version_id)
    )
    return {version_id: count for version_id, count in rows}  # noqa: C416 - rows are not pairs to mypy


def _compared(older: PlanVersion | None, version: PlanVersion) -> list[Difference] | None:
    return None if older is None else plan_differences.compare(older.content, version.content)


@router.post("/plans/{key}/versions/{number}/return")
def go_back(visit: Admin, key: str, number: int, posted: Posted) -> Response:
    """A new version with the old content, after the same look at what it would do."""
    with visit.reading() as session:
        row = plans.find(session, visit.clinic(session), key)
        old = session.scalar(
            select(PlanVersion).where(PlanVersion.plan_id == row.id, PlanVersion.number == number)
        )
    if old is None:
        raise NotFoundError(f"There is no version {number} of this plan.")
    return propose(visit, key, old.content, posted.whole("base") or 0, back=f"/plans/{key}/versions")

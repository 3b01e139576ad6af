"""The clinic's plans: a list with their pictures, a new one, and those that are put away."""

from __future__ import annotations

from fastapi import APIRouter, Response

from notifier import plan_shelf, plans
from notifier.errors import InputError
from notifier.plan_shelf import Shelved
from notifier.planfiles import shipped_plans
from notifier.web.admin_plans_axis import picture
from notifier.web.admin_plans_what_if import sample
from notifier.web.auth import Admin
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.get("/plans")
def all_plans(visit: Admin) -> Response:
    return _page(visit, Problems(), {})


def _page(visit: Visit, problems: Problems, typed: dict[str, str]) -> Response:
    with visit.reading() as session:
        shelved = plan_shelf.all_of(session, visit.clinic(session), now=visit.now())
    occasion = sample(visit.tz)
    pictures = {each.key: picture(each.definition, occasion, visit.tz) for each in shelved}
    return visit.page(
        "plans.html",
        status=422 if problems else 200,
        in_use=[each for each in shelved if each.archived_at is None],
        archived=[each for each in shelved if each.archived_at is not None],
        pictures=pictures,
        sources=_sources(shelved),
        problems=problems,
        typed=typed,
    )


def _sources(shelved: list[Shelved]) -> list[tuple[str, str]]:
    """What a new plan may be a copy of: value and words."""
    own = [(f"own:{each.key}", f"{each.name} (this clinic's)") for each in shelved]
    shipped = [(f"shipped:{folder.name}", f"{folder.name} (as it was shipped)") for folder in shipped_plans()]
    return [*own, *shipped, ("", "Nothing: one step to begin with")]


@router.post("/plans")
def new_plan(visit: Admin, posted: Posted) -> Response:
    problems = Problems()
    with problems.catching(), visit.transaction() as session:
        key = plan_shelf.create(
            session,
            visit.clinic(session),
            name=posted.text("name"),
            name_es=posted.text("name_es"),
            source=posted.text("source"),
            now=visit.now(),
            actor=visit.actor,
        )
    if problems:
        return _page(visit, problems, posted.values)
    return visit.go(
        f"/plans/{key}", toast="The plan is there. Its texts are drafts until a clinician approves."
    )


@router.post("/plans/{key}/archive")
def archive(visit: Admin, key: str, posted: Posted) -> Response:
    with visit.transaction() as session:
        row = plans.find(session, visit.clinic(session), key)
        plan_shelf.archive(session, row, now=visit.now(), actor=visit.actor)
    undo = Undo(f"/plans/{key}/restore")
    return visit.go("/plans", toast="Archived. What is pending of it still goes out.", undo=undo)


@router.post("/plans/{key}/restore")
def restore(visit: Admin, key: str, posted: Posted) -> Response:
    with visit.transaction() as session:
        row = plans.find(session, visit.clinic(session), key)
        plan_shelf.restore(session, row, now=visit.now(), actor=visit.actor)
    return visit.go("/plans", toast="The plan may be chosen again.")


@router.post("/plans/{key}/approve")
def approve(visit: Admin, key: str, posted: Posted) -> Response:
    """By a clinician's name and licence; for the version that the page showed, and no other."""
    name, licence = " ".join(posted.text("by").split()), " ".join(posted.text("licence").split())
    if not name or not licence:
        raise InputError(
            "Write the clinician's name and licence, such as Dr Ana Ruiz and PT 12345.", field="by"
        )
    with visit.transaction() as session:
        row = plans.find(session, visit.clinic(session), key)
        version = plan_shelf.same_version(session, row, posted.whole("number"))
        plans.approve(session, version, by=f"{name}, {licence}", now=visit.now(), actor=visit.actor)
    return visit.go(f"/plans/{key}", toast=f"Version {posted.text('number')} is approved by {name}.")

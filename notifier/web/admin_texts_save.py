"""The texts of a step on their way to a new version of the plan."""

from __future__ import annotations

from fastapi import APIRouter, Response

from notifier import plan_shelf, plans, text_editing
from notifier.errors import ConflictError
from notifier.planfiles import Content
from notifier.web.admin_texts import show
from notifier.web.admin_texts_conflict import conflict_with
from notifier.web.admin_texts_form import Base, Typed, base_of, editor
from notifier.web.auth import Admin
from notifier.web.forms import Posted
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.post("/plans/{key}/texts/{step}")
def save(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    """A new version, a draft until it is approved; what is pending keeps the words that it has."""
    number, typed = posted.whole("base") or 0, Typed.of(posted)
    with visit.reading() as session:
        base = base_of(session, visit, key, step)
        shown = editor(session, visit, base, typed)
        conflict = conflict_with(session, base, number) if base.version.number != number else None
    if conflict is not None:
        return show(visit, shown, status=409, conflict=conflict)
    if not shown.changed:
        return visit.go(base.path, toast="Nothing was different, so nothing was saved.")
    if shown.errors:
        return show(visit, shown, status=422)
    return _saved(visit, base, text_editing.content_with(base.content, step, typed.words))


def _saved(visit: Visit, base: Base, content: Content) -> Response:
    # Whoever approved the words of before has not seen these.
    plan = {name: value for name, value in content["plan"].items() if name != "review"}
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        row = plans.find(session, clinic, base.row.key)
        plan_shelf.same_version(session, row, base.version.number)
        version = plans.save(
            session, clinic, {**content, "plan": plan}, now=visit.now(), actor=visit.actor
        ).version
        words = (
            f"Version {version.number} is saved, as a draft until a clinician approves it. "
            "Treatments logged from now on follow it; messages already pending keep the words they have."
        )
        fields = {"from": str(version.number), "to": str(base.version.number)}
    return visit.go(base.path, toast=words, undo=Undo(f"{base.path}/undo", fields=fields))


@router.post("/plans/{key}/texts/{step}/undo")
def undo(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    """The version of before once more, as the next one; refused where somebody has saved another since."""
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        row = plans.find(session, clinic, key)
        plan_shelf.same_version(session, row, posted.whole("from"))
        old = next((v for v in row.versions if v.number == posted.whole("to")), None)
        if old is None:
            raise ConflictError("There is no such version to go back to.")
        version = plans.save(session, clinic, old.content, now=visit.now(), actor=visit.actor).version
        words = f"Version {version.number} has the words of version {old.number} again."
    return visit.go(f"/plans/{key}/texts/{step}", toast=words)

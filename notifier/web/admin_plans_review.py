"""Saving a plan: first what it would do, then the new version, and pending messages brought along if wished.

Every editor of plans comes here, with the whole content that it would save and the version it began from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import plan_differences, plan_shelf, plans, retiming, retiming_run
from notifier.errors import ConflictError, InputError
from notifier.plan_complaints import check_draft
from notifier.plan_editing import draft_of
from notifier.plan_merging import merge
from notifier.planfiles import Content, digest_of
from notifier.web.admin_plans_effect import reckonings
from notifier.web.admin_plans_form import Saved, carried, edited, editor, fresh, saved, show, typed
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted
from notifier.web.pages import plural
from notifier.web.visit import Undo, Visit

router = APIRouter()

_UNCHANGED = "Nothing was changed, so there is nothing to save."


@router.post("/plans/{key}/review")
def review(visit: Admin, key: str, posted: Posted) -> Response:
    """From the editor by its fields, or from another page with the whole content."""
    content = carried(posted)
    if content is not None:
        return propose(visit, key, content, posted.whole("base") or 0, back=posted.text("back"))
    with visit.reading() as session:
        base = edited(session, visit, key, posted)
    shown = editor(visit, base, *typed(posted))
    if shown.checked.errors:
        return show(visit, shown, status=422)
    return propose(visit, key, shown.checked.content, posted.whole("base") or 0)


def propose(visit: Visit, key: str, content: Content, number: int, *, back: str = "") -> Response:
    """The page that shows what saving would do. `number`: the version that the edit began from."""
    content = _require_same_plan(content, key)
    with visit.reading() as session:
        base, current = saved(session, visit, key, number), saved(session, visit, key)
    if current.version.number != number:
        return _overtaken(visit, base, current, content, back)
    if digest_of(content) == current.version.digest:
        return show(visit, fresh(visit, current, note=_UNCHANGED))
    if wrong := _errors(content):
        return _refused(visit, current, content, wrong)
    return visit.page(
        "plans_review.html",
        base=base,
        content=json.dumps(content),
        changes=plan_differences.compare(base.content, content),
        reckoning=reckonings(visit).ask(visit, key, content, number),
        back=_local(back),
    )


def _require_same_plan(content: Content, key: str) -> Content:
    if content["key"] != key:
        raise InputError(f'This is the plan "{content["key"]}", and it was to be saved as "{key}".')
    return content


def _errors(content: Content) -> int:
    return check_draft(draft_of(content), content).errors


def _refused(visit: Visit, base: Saved, content: Content, wrong: int) -> Response:
    words = f"Nothing was saved: {wrong} thing{'' if wrong == 1 else 's'} must be put right first."
    return show(visit, fresh(visit, base, content, note=words), status=422)


def _local(address: str) -> str:
    """Only back to a page of the plans."""
    return address if address.startswith("/plans/") and "//" not in address else ""


def _overtaken(visit: Visit, base: Saved, current: Saved, content: Content, back: str) -> Response:
    """Somebody saved in between: nothing is overwritten, and nothing that was typed is lost."""
    if digest_of(content) == current.version.digest:
        words = f"Version {current.version.number} is saved already."
        return visit.go(_local(back) or f"/plans/{current.key}", toast=words)
    return visit.page(
        "plans_conflict.html",
        status=409,
        base=base,
        current=current,
        theirs=plan_differences.compare(base.content, current.content),
        mine=plan_differences.compare(base.content, content),
        content=json.dumps(content),
    )


@router.post("/plans/{key}/merge")
def go_on_with_both(visit: Admin, key: str, posted: Posted) -> Response:
    """The editor again, over the current version, with what both changed."""
    content = _content(posted, key)
    with visit.reading() as session:
        base, current = saved(session, visit, key, posted.whole("base")), saved(session, visit, key)
    merged = merge(base.content, content, current.content)
    words = f"Version {current.version.number} with your changes on top. Look it through, then save."
    return show(visit, fresh(visit, current, merged, note=words))


def _content(posted: Fields, key: str) -> Content:
    content = carried(posted)
    if content is None:
        raise InputError(
            "This page carried no plan along, so nothing was changed. Start again from the plan."
        )
    return _require_same_plan(content, key)


@router.post("/plans/{key}/effect")
def effect(visit: Admin, key: str, posted: Posted) -> Response:
    """How far the reckoning is, or what it found."""
    content, number = _content(posted, key), posted.whole("base") or 0
    with visit.reading() as session:
        base = saved(session, visit, key, number)
    reckoning = reckonings(visit).ask(visit, key, content, number)
    return visit.fragment("_plan_effect.html", base=base, reckoning=reckoning)


@router.post("/plans/{key}/save")
def save(visit: Admin, key: str, posted: Posted) -> Response:
    content, number = _content(posted, key), posted.whole("base") or 0
    back, pending = _local(posted.text("back")), posted.text("apply") == "pending"
    with visit.reading() as session:
        base = saved(session, visit, key, number)
    if wrong := _errors(content):
        return _refused(visit, base, content, wrong)
    try:
        with visit.transaction() as session:
            done = _save(visit, session, content, number, pending=pending)
    except ConflictError:
        with visit.reading() as session:
            current = saved(session, visit, key)
        return _overtaken(visit, base, current, content, back)
    if done.retiming_id is not None:
        retiming_run.start(visit.site.engine, visit.site.clock, done.retiming_id)
    # The way back is a new version too, and one looks at what it does before it is taken.
    undo = Undo(f"/plans/{key}/versions/{number}/return", fields={"base": str(done.number)})
    return visit.go(back or f"/plans/{key}", toast=done.words, undo=undo)


@dataclass(frozen=True, slots=True)
class _Done:
    number: int
    words: str
    retiming_id: int | None = None


def _save(visit: Visit, session: Session, content: Content, number: int, *, pending: bool) -> _Done:
    """The new version, a draft until it is approved. Raises ConflictError where another was saved before."""
    clinic = visit.clinic(session)
    row = plans.find(session, clinic, content["key"])
    plan_shelf.same_version(session, row, number)
    # Whoever approved the words of before has not seen these.
    plain = {name: value for name, value in content["plan"].items() if name != "review"}
    version = plans.save(
        session, clinic, {**content, "plan": plain}, now=visit.now(), actor=visit.actor
    ).version
    said = f"Version {version.number} is saved."
    if not pending:
        return _Done(version.number, f"{said} Treatments logged from now on follow it.")
    begun = retiming.begin(session, clinic, row, version, now=visit.now(), actor=visit.actor)
    if begun.finished_at is not None:
        return _Done(version.number, f"{said} Nothing was pending.")
    return _Done(
        version.number,
        f"{said} Pending messages follow; the page of the plan shows how far they are.",
        begun.id,
    )


@router.get("/plans/{key}/retiming")
def progress(visit: Admin, key: str, of: int = 0) -> Response:
    """For the plan's page, which asks every second while pending messages follow; at the end it says so."""
    with visit.reading() as session:
        last = retiming.latest(session, plans.find(session, visit.clinic(session), key))
    if last is None or last.finished_at is None:
        return visit.fragment("_plan_retiming.html", key=key, retiming=last)
    changed = plural(last.changed, "pending message was", "pending messages were")
    words = f"Done: {changed} changed." if last.id == of else ""
    return visit.fragment("_plan_retiming.html", toast=words, key=key, retiming=last)

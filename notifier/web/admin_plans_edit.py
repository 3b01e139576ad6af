"""The editor of one plan: opened, checked as one types, its steps added, copied, moved and removed."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import APIRouter, Response

from notifier import plan_editing_steps as steps
from notifier import retiming
from notifier.errors import InputError
from notifier.plan_editing import Draft, StepDraft
from notifier.rules.zones import to_local
from notifier.status_words import step_name
from notifier.web import admin_plans_what_if as what_if
from notifier.web.admin_plans_form import Editor, Saved, edited, editor, fresh, saved, show, typed
from notifier.web.admin_plans_what_if import Question
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted
from notifier.web.visit import Visit

router = APIRouter()

_ORDER = re.compile(r"(copy|earlier|later|remove|keep)-(s[0-9]{1,6})")


@router.get("/plans/{key}")
def plan(visit: Admin, key: str) -> Response:
    with visit.reading() as session:
        base = saved(session, visit, key)
        running = retiming.latest(session, base.row)
    return show(visit, fresh(visit, base), retiming=running)


@router.post("/plans/{key}/check")
def check(visit: Admin, key: str, posted: Posted) -> Response:
    """While somebody types: all but the fields themselves."""
    return visit.fragment("_plan_live.html", e=_as_typed(visit, key, posted))


def _as_typed(visit: Visit, key: str, posted: Fields) -> Editor:
    with visit.reading() as session:
        base = edited(session, visit, key, posted)
    return editor(visit, base, *typed(posted))


@router.post("/plans/{key}/edit")
def edit(visit: Admin, key: str, posted: Posted) -> Response:
    """The form as it was typed, after one order; without an order, checked."""
    with visit.reading() as session:
        base = edited(session, visit, key, posted)
    if not posted.many("step"):
        return show(visit, fresh(visit, base, base.start))  # back from another page with a whole content
    draft, question = typed(posted)
    row, note = _ordered(posted.text("do"), draft, base)
    if preset := posted.text("preset"):
        question = _chosen(visit, preset, question)
    return show(visit, editor(visit, base, draft, question, open_row=row, note=note))


def _ordered(order: str, draft: Draft, base: Saved) -> tuple[str, str]:
    """Does it; the step that is to be looked at, and what to say."""
    if order == "add":
        made = steps.add(draft, base.used)
        return (
            made.row,
            f"{step_name(made.key)} is the last step now. Give it a name before you save: it stays for good.",
        )
    found = _ORDER.fullmatch(order)
    if found is None:
        return "", ""
    verb, row = found.groups()
    try:
        step = _VERBS[verb](draft, row, base)
    except InputError as error:
        return row, str(error)
    return step.row, _SAID[verb].format(step_name(step.key))


_VERBS: dict[str, Callable[[Draft, str, Saved], StepDraft]] = {
    "copy": lambda draft, row, base: steps.copy(draft, row, base.used),
    "earlier": lambda draft, row, base: steps.move(draft, row, -1),
    "later": lambda draft, row, base: steps.move(draft, row, +1),
    "remove": lambda draft, row, base: steps.remove(draft, row),
    "keep": lambda draft, row, base: steps.keep(draft, row),
}
_SAID = {
    "copy": "{} is a copy, with the same words. Give it a name before you save: it stays for good.",
    "earlier": "{} was moved.",
    "later": "{} was moved.",
    "remove": "{} is removed when you save.",
    "keep": "{} stays.",
}


def _chosen(visit: Visit, preset: str, asked: Question) -> Question:
    choices = what_if.presets(visit.tz, to_local(visit.now(), visit.tz).date())
    return next((Question.of(choice, asked) for choice in choices if choice.key == preset), asked)

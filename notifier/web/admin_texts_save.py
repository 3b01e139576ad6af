"""The texts of a step on their way to a new version of the plan."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response

from notifier import text_editing
from notifier.web.admin_plans_review import propose
from notifier.web.admin_texts import show
from notifier.web.admin_texts_conflict import conflict_with
from notifier.web.admin_texts_form import Typed, base_of, editor
from notifier.web.auth import Admin
from notifier.web.forms import Posted

router = APIRouter()


@router.post("/plans/{key}/texts/{step}")
def save(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    """To the page that shows what a new version would do, unless something has to be seen to first."""
    number, typed = posted.whole("base") or 0, Typed.of(posted)
    with visit.reading() as session:
        base = base_of(session, visit, key, step)
        conflict = None
        if base.version.number != number:
            conflict = conflict_with(session, base, number, typed.words)
            typed = replace(typed, words=conflict.words)
        shown = editor(session, visit, base, typed)
    if conflict is not None:
        return show(visit, shown, status=409, conflict=conflict)
    if not shown.changed:
        return visit.go(base.path, toast="Nothing was different, so nothing was saved.")
    if shown.errors:
        return show(visit, shown, status=422)
    content = text_editing.content_with(base.content, step, typed.words)
    return propose(visit, key, content, number, back=base.path)

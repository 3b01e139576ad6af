"""The texts of a plan: all of them by step and language, and the page on which those of one are written."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response

from notifier import audit, text_editing
from notifier.rules.plan import LANGUAGES
from notifier.web.admin_texts_form import Editor, Typed, base_of, editor, saved
from notifier.web.admin_texts_mail import frames
from notifier.web.admin_texts_overview import overview
from notifier.web.auth import Admin
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/plans/{key}/texts")
def all_texts(visit: Admin, key: str) -> Response:
    with visit.reading() as session:
        shown = overview(session, visit, key)
    return visit.page("texts.html", o=shown)


@router.get("/plans/{key}/texts/{step}")
def texts(visit: Admin, key: str, step: str) -> Response:
    with visit.reading() as session:
        base = base_of(session, visit, key, step)
        shown = editor(session, visit, base, saved(session, visit, base))
    return show(visit, shown)


def show(visit: Visit, shown: Editor, *, status: int = 200, **more: object) -> Response:
    """The whole page."""
    note_look(visit, shown)
    context = {"e": shown, "frames": frames(visit, shown), "conflict": None, "sent": None} | more
    return visit.page("texts_step.html", status=status, **context)


def note_look(visit: Visit, shown: Editor) -> None:
    """A text shown with a real patient's name is a look at that patient."""
    if shown.real is None:
        return
    patient_id, now = shown.real.patient_id, visit.now()
    with visit.reading() as session:
        noted = audit.is_viewing(session, patient_id, now=now, actor=visit.actor)
    if not noted:
        with visit.transaction() as session:
            audit.viewed(
                session, clinic_id=visit.clinic_id, patient_id=patient_id, now=now, actor=visit.actor
            )


@router.post("/plans/{key}/texts/{step}/show")
def show_typed(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    """While somebody types: all but the fields themselves. Without scripts, by a button, the whole page."""
    with visit.reading() as session:
        shown = editor(session, visit, base_of(session, visit, key, step), Typed.of(posted))
    if not visit.is_fragment:
        return show(visit, shown)
    note_look(visit, shown)
    kept = {language: posted.text(f"mail.{language}") for language in LANGUAGES}
    return visit.fragment("_texts_live.html", e=shown, frames=frames(visit, shown), kept=kept)


@router.post("/plans/{key}/texts/{step}/copy")
def copy(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    """English words into the fields of a language that are still empty; nothing is saved."""
    typed, problems = Typed.of(posted), Problems()
    with problems.catching():
        typed = replace(typed, words=text_editing.copied(typed.words, posted.text("copy")))
    with visit.reading() as session:
        shown = editor(session, visit, base_of(session, visit, key, step), typed, problems)
    return show(visit, shown, status=422 if problems else 200)

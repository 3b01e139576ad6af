"""All automatic answers at a glance, who approved them, and whether a first text says who writes."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import answer_editing, answer_texts, clinic_edits
from notifier.answer_complaints import complaints
from notifier.answer_names import ANSWERS, GROUPS, Answer
from notifier.errors import ConflictError, InputError
from notifier.models import Clinic
from notifier.web.admin_texts_sides import sms_of
from notifier.web.auth import Admin
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@dataclass(frozen=True)
class Cell:
    language: str
    text: str  # as it would read now; of words that cannot be read, those
    parts: int
    errors: int
    is_own: bool


@dataclass(frozen=True)
class Line:
    answer: Answer
    cells: tuple[Cell, ...]
    sent: int


@router.get("/answers")
def all_answers(visit: Admin) -> Response:
    return _page(visit)


def _page(visit: Visit, problems: Problems | None = None, status: int = 200, **typed: str) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        lines = _lines(session, visit, clinic)
        return visit.page(
            "answers.html",
            status=status,
            at=clinic,
            groups={group: [line for line in lines if line.answer.group == group] for group in GROUPS},
            digest=answer_texts.digest(clinic),
            is_approved=answer_texts.is_approved(clinic),
            errors=sum(cell.errors for line in lines for cell in line.cells),
            problems=problems or Problems(),
            typed=typed,
        )


def _lines(session: Session, visit: Visit, clinic: Clinic) -> list[Line]:
    sent = answer_editing.sent_lately(session, clinic, visit.now())
    return [
        Line(answer, tuple(_cells(visit, clinic, answer)), sent.get(answer.name, 0)) for answer in ANSWERS
    ]


def _cells(visit: Visit, clinic: Clinic, answer: Answer) -> list[Cell]:
    cells = []
    for language, words in answer_editing.words_in(clinic, answer.name).items():
        context = answer_editing.sample(clinic, answer.name, language, now=visit.now())
        found = complaints(answer.name, language, words)
        sms = sms_of(words, context, {})
        cells.append(
            Cell(
                language,
                sms.text if sms is not None else words.sms,
                sms.size.segments if sms is not None else 0,
                sum(each.severity == "error" for each in found),
                f"{answer.name}.{language}" in clinic.reply_texts,
            )
        )
    return cells


@router.post("/answers/approve")
def approve(visit: Admin, posted: Posted) -> Response:
    """By a clinician's name and licence; for the answers that the page showed, and no others."""
    name, licence = " ".join(posted.text("by").split()), " ".join(posted.text("licence").split())
    problems = Problems()
    if not name:
        problems.take(InputError("Write the clinician's name, such as Dr Ana Ruiz.", field="by"))
    if not licence:
        problems.take(InputError("Write the licence, such as PT 12345.", field="licence"))
    if problems:
        return _page(visit, problems, 422, by=name, licence=licence)
    try:
        with visit.transaction() as session:
            answer_editing.approve(
                session,
                visit.clinic(session),
                by=f"{name}, {licence}",
                digest=posted.text("digest"),
                now=visit.now(),
                actor=visit.actor,
            )
    except ConflictError as error:
        return _page(visit, Problems({"": str(error)}), 409, by=name, licence=licence)
    return visit.go("/answers", toast=f"The automatic answers are approved by {name}.")


@router.post("/answers/first-text")
def first_text(visit: Admin, posted: Posted) -> Response:
    """Whether a number's first planned SMS is preceded by one that says who writes, and how to stop it."""
    wanted = posted.flag("first_text")
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        changed = clinic_edits.change(
            session,
            clinic,
            {"first_text": wanted},
            version=clinic.version,
            now=visit.now(),
            actor=visit.actor,
        )
    if not changed:
        return visit.go("/answers#first-text", toast="Nothing was different, so nothing was saved.")
    undo = Undo("/answers/first-text", fields={"first_text": "" if wanted else "1"})
    said = "A first text says who writes from now on." if wanted else "No first text goes out any more."
    return visit.go("/answers#first-text", toast=said, undo=undo)

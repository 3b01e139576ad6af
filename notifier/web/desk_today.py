"""Today: what needs a person first, then who was treated, what was sent and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from notifier import board
from notifier.board import Board
from notifier.course import Course
from notifier.foreseeing import why_a_sheet
from notifier.models import Clinic
from notifier.task_kinds import Task
from notifier.task_marks import mark_done, undo_done
from notifier.tasks import open_tasks
from notifier.web.auth import Desk
from notifier.web.desk_lines import line_of
from notifier.web.desk_looks import note_list
from notifier.web.forms import Posted
from notifier.web.line import LineView
from notifier.web.visit import Undo, Visit

router = APIRouter()

Day = Annotated[str, Query()]
Page = Annotated[int, Query()]
Tasks = Annotated[str, Query(description="all: every task, else the first ones")]

# More than anybody reads at once; the most serious are among them.
TASKS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything on the page that may change while it is looked at."""

    board: Board
    tasks: list[Task]
    lines: dict[int, LineView]  # by treatment
    sheets: dict[int, str]  # by treatment: why it should be printed
    clinic: Clinic
    stamp: str
    more: int  # tasks beyond those shown
    wanted: str  # "all" of them, or empty


@router.get("/today")
def today(visit: Desk, day: Day = "", page: Page = 1, tasks: Tasks = "") -> Response:
    shown = _look(visit, day, page, tasks)
    chosen = shown.board.day
    return visit.page(
        "today.html",
        shown=shown,
        now=visit.now(),
        before=chosen - timedelta(days=1),
        after=chosen + timedelta(days=1),
    )


@router.get("/today/board")
def news(visit: Desk, day: Day = "", page: Page = 1, tasks: Tasks = "", seen: str = "") -> Response:
    """Asked every few seconds: nothing, unless something has changed."""
    with visit.reading() as session:
        if board.stamp(session, visit.clinic(session), visit.now()) == seen:
            return visit.unchanged()
    return visit.fragment("_today.html", shown=_look(visit, day, page, tasks), now=visit.now(), is_news=True)


def _look(visit: Visit, day: str, page: int, wanted: str) -> Shown:
    now = visit.now()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        mark = board.stamp(session, clinic, now)
        shown = board.board(session, clinic, _day(day), now=now, page=page)
        todo = open_tasks(session, clinic, now)
    note_list(visit, _seen(shown, todo))
    lines = {course.treatment.id: line_of(course, now) for course in shown.treated}
    sheets = {course.treatment.id: _sheet(course, shown, visit) for course in shown.treated}
    first = todo if wanted == "all" else todo[:TASKS_SHOWN]
    return Shown(
        shown, first, lines, sheets, clinic, mark, len(todo) - len(first), "all" if wanted == "all" else ""
    )


def _seen(shown: Board, todo: list[Task]) -> set[int]:
    """Everybody whose name is on the page."""
    moving = (*shown.just_sent, *shown.coming)
    return (
        {course.patient.id for course in shown.treated}
        | {item.patient.id for item in moving}
        | {task.patient.id for task in todo if task.patient is not None}
    )


def _sheet(course: Course, shown: Board, visit: Visit) -> str:
    return why_a_sheet(course, visit.now()) if shown.is_today else course.nothing_because


def _day(words: str) -> date | None:
    """What is no day is today: an old link or a mistyped one loses nobody anything."""
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None


@router.post("/tasks/done")
def done(visit: Desk, posted: Posted) -> Response:
    key = posted.text("key")
    with visit.transaction() as session:
        mark_done(session, visit.clinic(session), key, now=visit.now(), actor=visit.actor)
    return visit.go("/today", toast="Done.", undo=Undo("/tasks/reopen", fields={"key": key}))


@router.post("/tasks/reopen")
def reopen(visit: Desk, posted: Posted) -> Response:
    with visit.transaction() as session:
        undo_done(session, visit.clinic(session), posted.text("key"), now=visit.now(), actor=visit.actor)
    return visit.go("/today", toast="It is on the list again.")

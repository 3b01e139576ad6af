"""What the patient would get, beside the form while it is filled in: the real messages, by the real rules."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from notifier import foreseeing
from notifier.errors import NotifierError
from notifier.foreseeing import Foreseen
from notifier.web import line
from notifier.web.auth import Desk
from notifier.web.desk_log_form import LogForm, names_nobody
from notifier.web.forms import Fields, Posted
from notifier.web.line import LineView, Moment
from notifier.web.pages import when
from notifier.web.visit import Visit

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Preview:
    """`waits_for`: what is missing or wrong, so that there is nothing to show yet; "" with nobody named."""

    foreseen: Foreseen | None = None
    line: LineView | None = None
    why_a_sheet: str = ""
    waits_for: str = ""


@router.post("/log/preview")
def preview(visit: Desk, posted: Posted) -> Response:
    return visit.fragment("_log_preview.html", preview=look_ahead(visit, posted), plan=posted.text("plan"))


def look_ahead(visit: Visit, posted: Fields) -> Preview:
    if names_nobody(posted):
        return Preview()
    try:
        found = _foresee(visit, posted)
    except NotifierError as error:
        return Preview(waits_for=str(error))
    return Preview(waits_for=found) if isinstance(found, str) else _shown(visit, found)


def _foresee(visit: Visit, posted: Fields) -> Foreseen | str:
    """Logged and taken back at once. On SQLite nobody else can write meanwhile, so it does nothing more."""
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        form = LogForm(posted, clinic, visit.now())
        entry = form.entry(session)
        if entry is None:
            return next(iter(form.problems.values()))
        try:
            return foreseeing.foresee(session, clinic, entry, now=visit.now(), actor=visit.actor)
        finally:
            session.rollback()


def _shown(visit: Visit, foreseen: Foreseen) -> Preview:
    now, tz, course = visit.now(), foreseen.course.tz, foreseen.course
    moments = [
        Moment(
            item.at,
            item.message.status,
            f"{when(item.at, tz, now)}, {item.title}: {item.label}",
            item.message.step or "",
        )
        for item in course.placed
        if item.has_time
    ]
    drawn = line.view(foreseen.treatment.ended_at, moments, tz=tz, now=now)
    return Preview(foreseen, drawn, foreseeing.why_a_sheet(course, now))

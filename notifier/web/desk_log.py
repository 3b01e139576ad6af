"""The home page: a treatment is logged in a few seconds, and what was logged lately can be undone."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent_changes, foreseeing, log_choices, patients, treatments
from notifier.consent_changes import Said
from notifier.consent_words import READ_OUT
from notifier.course import Course, courses
from notifier.errors import ConflictError, InputError, NeedsConfirmation, NotFoundError
from notifier.models import Clinic, Patient, Treatment
from notifier.rules.zones import day_span, to_local
from notifier.treatments import Entry
from notifier.web.auth import Desk
from notifier.web.desk_log_form import LogForm
from notifier.web.desk_log_patient import Chosen, chosen, search, words_of_consent
from notifier.web.desk_log_preview import Preview, look_ahead
from notifier.web.forms import Posted, Problems
from notifier.web.pages import elsewhere, when, within
from notifier.web.visit import Undo, Visit

router = APIRouter()

_UNDO_FOR = timedelta(minutes=10)
_LAST_FEW = 6


@dataclass
class Form:
    """What the page shows: what was typed, what is wrong with it, and what it led to."""

    typed: dict[str, str] = field(default_factory=dict)
    areas: Sequence[str] = ()
    problems: Problems = field(default_factory=Problems)
    confirm: bool = False
    known: Course | None = None  # logged already
    logged: Course | None = None  # just now, and the patient needs the sheet
    preview: Preview = field(default_factory=Preview)


@router.get("/")
def home(
    visit: Desk,
    patient: int | None = None,
    who: str = Query("", max_length=120),
    logged: int | None = None,
) -> Response:
    """`patient` and `who` are for browsers without script, where choosing one is a page of its own."""
    form = Form({"who": who} | ({"patient": str(patient)} if patient is not None else {}))
    if logged is not None:
        with visit.reading() as session:
            form.logged = _course(session, visit.clinic(session), logged)
    return _page(visit, form)


@router.get("/log")
def again(visit: Desk) -> Response:
    """Where a page with mistakes stands, loaded anew."""
    return RedirectResponse("/", status_code=303)


@router.post("/log")
def save(visit: Desk, posted: Posted) -> Response:
    form = Form(posted.values, posted.many("areas"))
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            read = LogForm(posted, clinic, visit.now())
            entry = read.entry(session)
            form.problems = read.problems
            if entry is not None:
                course, is_new = _record(visit, session, clinic, entry)
    except InputError as error:
        form.problems.take(error)
        form.confirm = isinstance(error, NeedsConfirmation)
    except (ConflictError, NotFoundError) as error:
        form.problems["record_number" if isinstance(error, ConflictError) else "who"] = str(error)
    if form.problems:
        form.preview = look_ahead(visit, posted)
        return _page(visit, form, status=422)
    if not is_new:
        form.known = course
        return _page(visit, form, status=409)
    return _done(visit, course)


def _record(visit: Visit, session: Session, clinic: Clinic, entry: Entry) -> tuple[Course, bool]:
    recorded, _ = treatments.record(session, clinic, entry, now=visit.now(), actor=visit.actor)
    patient = recorded.treatment.patient
    for granted in (True, False):
        channels = tuple(given.channel for given in entry.consents if given.granted is granted)
        if channels:
            said = Said(channels, granted, READ_OUT)
            consent_changes.note(session, patient, said, now=visit.now(), actor=visit.actor)
    session.flush()
    (course,) = courses(session, clinic, [recorded.treatment], [patient])
    return course, recorded.is_new


def _done(visit: Visit, course: Course) -> Response:
    sheet = foreseeing.why_a_sheet(course, visit.now())
    return visit.go(
        f"/?logged={course.treatment.id}" if sheet else "/",
        toast=f"Logged: {name_of(course.patient)}, {course.plan_name}. {_first_message(visit, course)}",
        undo=Undo(f"/treatments/{course.treatment.id}/void", fields={"back": "/"}),
    )


def name_of(patient: Patient) -> str:
    return f"{patient.first_name} {patient.last_name}".strip()


def _first_message(visit: Visit, course: Course) -> str:
    if course.next is None:
        return "No message will go out."  # why, and what to do about it, stands on the page
    at = within(when(course.next.at, course.tz, visit.now()))
    return f"First message {at}{elsewhere(course.tz, visit.tz)}."


def _course(session: Session, clinic: Clinic, treatment_id: int) -> Course | None:
    treatment = session.get(Treatment, treatment_id)
    if treatment is None or treatment.clinic_id != clinic.id:
        return None
    (course,) = courses(session, clinic, [treatment], [treatment.patient])
    return course


def _page(visit: Visit, form: Form, *, status: int = 200) -> Response:
    who = form.typed.get("who", "")
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = search(session, clinic, who) if status == 200 else []
        context = _context(visit, session, clinic, form)
    return visit.page("log.html", status=status, form=form, clinic=clinic, found=found, **context)


def _context(visit: Visit, session: Session, clinic: Clinic, form: Form) -> dict[str, Any]:
    return {
        "typed": form.typed,
        "problems": form.problems,
        "key": secrets.token_urlsafe(12),
        "choices": log_choices.choices(session, clinic, actor=visit.actor),
        "chosen": _chosen(session, clinic, form.typed.get("patient", "")),
        "words": words_of_consent(clinic),
        "lately": _lately(visit, session, clinic),
        "undo_until": visit.now() - _UNDO_FOR,
        "now": visit.now(),
    }


def _chosen(session: Session, clinic: Clinic, wanted: str) -> Chosen | None:
    if not wanted.isdecimal():
        return None
    try:
        return chosen(session, clinic, patients.get(session, clinic, int(wanted)))
    except NotFoundError:
        return None


def _lately(visit: Visit, session: Session, clinic: Clinic) -> list[Course]:
    """The last few of today, newest first."""
    midnight, _ = day_span(to_local(visit.now(), visit.tz).date(), visit.tz)
    rows = session.scalars(
        select(Treatment)
        .where(Treatment.clinic_id == clinic.id, Treatment.logged_at >= midnight)
        .order_by(Treatment.logged_at.desc(), Treatment.id.desc())
        .limit(_LAST_FEW)
    ).all()
    return courses(session, clinic, rows, [row.patient for row in rows])

"""A treatment put right: it ended at another time, the next visit is another one. Each can be undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import patients, treatments
from notifier.effects import Effect, Watch
from notifier.errors import ConflictError, InputError, NeedsConfirmation
from notifier.models import Clinic, Treatment
from notifier.rules.timing import say
from notifier.typed_times import moment
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import Form, show
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


class StaleTreatment(ConflictError):
    """Somebody else changed it since the form was opened."""


@router.post("/treatments/{treatment_id:int}/correct")
def correct(visit: Desk, posted: Posted, treatment_id: int) -> Response:
    before: list[datetime] = []

    def act(session: Session, clinic: Clinic, treatment: Treatment) -> None:
        _require_same(treatment, posted, visit)
        before.append(treatment.ended_at)
        ended_at = moment(posted.text("ended_at"), clinic, visit.now())
        treatments.correct_end(
            session,
            treatment,
            ended_at,
            now=visit.now(),
            actor=visit.actor,
            confirmed=posted.flag("confirmed"),
        )

    try:
        patient_id, version, effect = _change(visit, treatment_id, act)
    except (InputError, StaleTreatment) as error:
        return _again(visit, treatment_id, "correct", posted, error)
    fields = {"ended_at": before[0].isoformat(), "confirmed": "1", "version": str(version)}
    undo = Undo(f"/treatments/{treatment_id}/correct", fields=fields)
    return _done(visit, patient_id, "The time is corrected.", effect, undo)


@router.post("/treatments/{treatment_id:int}/visit")
def book(visit: Desk, posted: Posted, treatment_id: int) -> Response:
    """The next visit, booked, moved or (empty) called off."""
    before: list[datetime | None] = []
    typed = posted.text("next_visit")

    def act(session: Session, clinic: Clinic, treatment: Treatment) -> None:
        _require_same(treatment, posted, visit)
        before.append(treatment.next_visit_at)
        next_visit = moment(typed, clinic, visit.now()) if typed else None
        treatments.book_visit(session, treatment, next_visit, now=visit.now(), actor=visit.actor)

    try:
        patient_id, version, effect = _change(visit, treatment_id, act)
    except (InputError, StaleTreatment) as error:
        return _again(visit, treatment_id, "visit", posted, error)
    earlier = before[0].isoformat() if before[0] is not None else ""
    undo = Undo(f"/treatments/{treatment_id}/visit", fields={"next_visit": earlier, "version": str(version)})
    return _done(visit, patient_id, "The next visit is noted." if typed else "No next visit.", effect, undo)


def _change(
    visit: Visit, treatment_id: int, act: Callable[[Session, Clinic, Treatment], None]
) -> tuple[int, int, Effect]:
    """The patient, the version there is now, and what became of messages."""
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        treatment = treatments.get(session, clinic, treatment_id)
        watch = Watch(session, patients.get(session, clinic, treatment.patient_id))
        act(session, clinic, treatment)
        session.flush()
        return treatment.patient_id, treatment.version, watch.effect()


def _require_same(treatment: Treatment, posted: Fields, visit: Visit) -> None:
    """A form says which version it was made from, an undo which one it made."""
    if posted.whole("version") != treatment.version:
        raise StaleTreatment(
            "Somebody changed this treatment in the meantime. It now ended "
            f"{say(treatment.ended_at, visit.tz)}, next visit: "
            f"{say(treatment.next_visit_at, visit.tz) if treatment.next_visit_at else 'none'}. "
            "Nothing of yours is saved yet."
        )


def _again(
    visit: Visit, treatment_id: int, name: str, posted: Fields, error: InputError | StaleTreatment
) -> Response:
    problems = Problems()
    if isinstance(error, InputError):
        field = "ended_at" if name == "correct" else "next_visit"
        problems[error.field if error.field == field else field] = str(error)
    else:
        problems[""] = str(error)
    typed = posted.values | {"confirms": "1" if isinstance(error, NeedsConfirmation) else ""}
    with visit.reading() as session:
        patient_id = treatments.get(session, visit.clinic(session), treatment_id).patient_id
    form = Form(name, typed, problems, treatment_id)
    return show(visit, patient_id, form=form, status=422 if isinstance(error, InputError) else 409)


def _done(visit: Visit, patient_id: int, words: str, effect: Effect, undo: Undo) -> Response:
    return visit.go(f"/patients/{patient_id}", toast=f"{words} {effect.in_words()}".strip(), undo=undo)

"""A treatment that was logged by mistake is taken back, and brought back where that was the mistake."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import known_plans, treatments
from notifier.effects import Watch
from notifier.models import Treatment
from notifier.web.auth import Desk
from notifier.web.forms import Posted
from notifier.web.visit import Undo

router = APIRouter()

_MISTAKE = "Logged by mistake."


@router.post("/treatments/{treatment_id:int}/void")
def void(visit: Desk, posted: Posted, treatment_id: int) -> Response:
    """What was not sent yet is cancelled. `back`: the page to show afterwards."""
    with visit.transaction() as session:
        treatment = treatments.get(session, visit.clinic(session), treatment_id)
        watch = Watch(session, treatment.patient)
        reason = posted.text("reason") or _MISTAKE
        treatments.void(session, treatment, reason=reason, now=visit.now(), actor=visit.actor)
        words = f"Taken back: {_named(session, treatment)}. {watch.effect().in_words()}"
    back = posted.path("back", _page_of(treatment))
    undo = Undo(f"/treatments/{treatment_id}/unvoid", "Bring back", {"back": back})
    return visit.go(back, toast=words.strip(), undo=undo)


@router.post("/treatments/{treatment_id:int}/unvoid")
def unvoid(visit: Desk, posted: Posted, treatment_id: int) -> Response:
    """What was never sent and is still useful comes back."""
    with visit.transaction() as session:
        treatment = treatments.get(session, visit.clinic(session), treatment_id)
        watch = Watch(session, treatment.patient)
        treatments.unvoid(session, treatment, now=visit.now(), actor=visit.actor)
        words = f"Brought back: {_named(session, treatment)}. {watch.effect().in_words()}"
    return visit.go(posted.path("back", _page_of(treatment)), toast=words.strip())


def _page_of(treatment: Treatment) -> str:
    return f"/patients/{treatment.patient_id}#treatment-{treatment.id}"


def _named(session: Session, treatment: Treatment) -> str:
    patient, version_id = treatment.patient, treatment.plan_version_id
    plan = known_plans.definitions(session, [version_id])[version_id].plan
    return f"{patient.first_name} {patient.last_name}".strip() + f", {plan.name_in('en')}"

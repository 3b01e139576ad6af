"""What a patient says about being written to, recorded with how it was said and the words that were read."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import consent_changes, patients
from notifier.consent_changes import Said
from notifier.errors import InputError
from notifier.models import Patient
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import Form, show
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.post("/patients/{patient_id:int}/consent")
def record(visit: Desk, posted: Posted, patient_id: int) -> Response:
    said, now = read(posted), visit.now()
    try:
        with visit.transaction() as session:
            found = patients.get(session, visit.clinic(session), patient_id)
            effect = consent_changes.record(session, found, said, now=now, actor=visit.actor)
            undo = _undo(session, found, said, now)
    except InputError as error:
        return _again(visit, patient_id, posted, error)
    what = f"{'Yes' if said.granted else 'No'} to {_named(said)} is recorded."
    follows = effect.in_words() or "No message changes with it."
    return visit.go(f"/patients/{patient_id}", toast=f"{what} {follows}", undo=undo)


@router.post("/patients/{patient_id:int}/consent/undo")
def take_back(visit: Desk, posted: Posted, patient_id: int) -> Response:
    """The undo of what the toast said was recorded at `at`."""
    channels, at = posted.text("channels").split(","), _instant(posted.text("at"))
    with visit.transaction() as session:
        found = patients.get(session, visit.clinic(session), patient_id)
        effect = consent_changes.take_back(session, found, channels, at, now=visit.now(), actor=visit.actor)
    return visit.go(f"/patients/{patient_id}", toast=f"Taken back. {effect.in_words()}".strip())


def _instant(words: str) -> datetime:
    try:
        at = datetime.fromisoformat(words)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InputError("It is not said what is to be taken back.", field="at")
    return at


def read(posted: Fields) -> Said:
    channels = [part for value in posted.many("channels") for part in value.split(",") if part]
    return Said(
        tuple(dict.fromkeys(channels)),
        posted.text("said") == "yes",
        posted.text("method"),
        posted.text("wording") if posted.text("said") == "yes" else "",
        posted.flag("stop_address") and posted.text("said") != "yes",
    )


def _again(visit: Visit, patient_id: int, posted: Fields, error: InputError) -> Response:
    problems = Problems()
    problems.take(error)
    typed = posted.values | {"channels": ",".join(posted.many("channels"))}
    return show(visit, patient_id, form=Form("consent", typed, problems), status=422)


def _named(said: Said) -> str:
    return " and ".join("SMS" if channel == "sms" else "e-mail" for channel in said.channels)


def _undo(session: Session, patient: Patient, said: Said, at: datetime) -> Undo | None:
    """One more line in the ledger that says so. A stop of a number is lifted by that phone alone, and no undo
    makes a yes of what never was one.
    """
    if said.stop_address:
        return None
    if not said.granted and not consent_changes.said_yes_before(session, patient, said.channels, at):
        return None
    fields = {"channels": ",".join(said.channels), "at": at.isoformat()}
    return Undo(f"/patients/{patient.id}/consent/undo", fields=fields)

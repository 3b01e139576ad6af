"""What a patient says about being written to, recorded with how it was said and the words that were read."""

from __future__ import annotations

from fastapi import APIRouter, Response

from notifier import consent_changes, patients
from notifier.consent_changes import Said
from notifier.errors import InputError
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import Form, show
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()

BY_MISTAKE = "Entered by mistake"


@router.post("/patients/{patient_id:int}/consent")
def record(visit: Desk, posted: Posted, patient_id: int) -> Response:
    said = read(posted)
    try:
        with visit.transaction() as session:
            found = patients.get(session, visit.clinic(session), patient_id)
            effect = consent_changes.record(session, found, said, now=visit.now(), actor=visit.actor)
    except InputError as error:
        return _again(visit, patient_id, posted, error)
    what = f"{'Yes' if said.granted else 'No'} to {_named(said)} is recorded."
    follows = effect.in_words() or "No message changes with it."
    return visit.go(
        f"/patients/{patient_id}", toast=f"{what} {follows}", undo=_undo(patient_id, said, posted)
    )


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


def _undo(patient_id: int, said: Said, posted: Fields) -> Undo | None:
    """One more line in the ledger that says so. A stop of a number is lifted by that phone alone."""
    if said.stop_address:
        return None
    return Undo(
        f"/patients/{patient_id}/consent",
        fields={
            "channels": ",".join(said.channels),
            "said": "no" if said.granted else "yes",
            "method": BY_MISTAKE,
            "wording": posted.text("wording") or "As agreed before; the no was entered by mistake.",
        },
    )

"""Editing a patient: the whole of it, so that an empty field means cleared; the second of two is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from notifier import patient_edits, patients
from notifier.errors import InputError
from notifier.models import Patient
from notifier.patient_edits import Details, StaleEdit
from notifier.rules.zones import zone_names
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import note_view
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.pages import phone
from notifier.web.visit import Undo, Visit

router = APIRouter()

LANGUAGES = (("en", "English"), ("es", "Spanish"))
CHANNELS = (("sms", "SMS first"), ("email", "E-mail first"))
_FLAGS = ("name_treatment", "essentials")


@router.get("/patients/{patient_id:int}/edit")
def form(visit: Desk, patient_id: int) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = patients.get(session, clinic, patient_id)
    note_view(visit, patient_id)
    return _page(visit, found, _shown(patient_edits.details_of(found), clinic.country), found.version)


def _shown(details: Details, country: str) -> dict[str, Any]:
    """As the form shows it: the number as people at home write it."""
    return asdict(details) | {"phone": phone(details.phone, country)}


@router.post("/patients/{patient_id:int}/edit")
def save(visit: Desk, posted: Posted, patient_id: int) -> Response:
    wanted, version = read(posted), posted.whole("version") or 0
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            found = patients.get(session, clinic, patient_id)
            before = patient_edits.details_of(found)
            effect = patient_edits.edit(
                session, clinic, found, wanted, version=version, now=visit.now(), actor=visit.actor
            )
            session.flush()
            undo = _undo(found, before)
    except StaleEdit as stale:
        return _stale(visit, patient_id, wanted, stale)
    except InputError as error:
        return _again(visit, patient_id, wanted, version, error)
    changed = found.version != version
    words = f"Saved. {effect.in_words()}".strip() if changed else "Nothing was changed."
    return visit.go(f"/patients/{patient_id}", toast=words, undo=undo if changed else None)


def read(posted: Fields) -> Details:
    texts: dict[str, Any] = {name: posted.text(name) for name in asdict(Details("")) if name not in _FLAGS}
    return Details(
        **texts, name_treatment=posted.flag("name_treatment"), essentials=posted.flag("essentials")
    )


def _undo(patient: Patient, before: Details) -> Undo:
    """The form as it was, on top of what has just been saved."""
    fields = {
        name: ("1" if value else "") if name in _FLAGS else value for name, value in asdict(before).items()
    }
    return Undo(f"/patients/{patient.id}/edit", fields=fields | {"version": str(patient.version)})


def _stale(visit: Visit, patient_id: int, wanted: Details, stale: StaleEdit) -> Response:
    """Both are shown; saving once more, knowing theirs, is then on purpose."""
    with visit.reading() as session:
        found = patients.get(session, visit.clinic(session), patient_id)
        country = visit.clinic(session).country
    mine, theirs = asdict(wanted), _shown(stale.theirs, country)
    differ = {name: theirs[name] for name in mine if mine[name] != theirs[name]}
    problems = Problems({"": str(stale)})
    return _page(visit, found, mine, stale.version, problems=problems, theirs=differ, status=409)


def _again(visit: Visit, patient_id: int, wanted: Details, version: int, error: InputError) -> Response:
    with visit.reading() as session:
        found = patients.get(session, visit.clinic(session), patient_id)
    problems = Problems()
    problems.take(error)
    return _page(visit, found, asdict(wanted), version, problems=problems, status=422)


def _page(
    visit: Visit,
    patient: Patient,
    values: Mapping[str, Any],
    version: int,
    *,
    problems: Problems | None = None,
    theirs: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    return visit.page(
        "patient_edit.html",
        status=status,
        patient=patient,
        values=values,
        version=version,
        problems=problems or Problems(),
        theirs=theirs or {},
        languages=LANGUAGES,
        channels=CHANNELS,
        zones=sorted(name for name in zone_names() if "/" in name and not name.startswith("Etc/")),
    )

"""Editing a patient: the whole of it, so that an empty field means cleared; the second of two is told."""

from __future__ import annotations

import json
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
from notifier.web.desk_looks import note_view
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
    values = _shown(patient_edits.details_of(found), clinic.country)
    return _page(visit, found, values, found.version, was=values)


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
        return _stale(visit, patient_id, wanted, _was(posted), stale)
    except InputError as error:
        return _again(visit, patient_id, wanted, version, _was(posted), error)
    changed = found.version != version
    words = f"Saved. {effect.in_words()}".strip() if changed else "Nothing was changed."
    return visit.go(f"/patients/{patient_id}", toast=words, undo=undo if changed else None)


def _was(posted: Fields) -> dict[str, Any]:
    """How it stood when the form was opened; empty from an undo, which follows at once."""
    try:
        was = json.loads(posted.raw("was"))
    except ValueError:
        return {}
    return was if isinstance(was, dict) else {}


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


def _stale(
    visit: Visit, patient_id: int, wanted: Details, was: Mapping[str, Any], stale: StaleEdit
) -> Response:
    """Both are shown, and what only the other one touched is taken over. Saving again is then on purpose."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = patients.get(session, clinic, patient_id)
    mine, theirs = asdict(wanted), _shown(stale.theirs, clinic.country)
    merged, notes = {}, {}
    for name, value in theirs.items():
        touched = mine[name] != was.get(name, object())
        merged[name] = mine[name] if touched else value
        if value != was.get(name) and merged[name] != mine[name]:
            notes[name] = f"Changed meanwhile, and taken over: {_said(value)}"
        elif touched and value not in (mine[name], was.get(name)):
            notes[name] = f"Changed meanwhile, to: {_said(value)}"
    problems = Problems({"": str(stale)})
    return _page(visit, found, merged, stale.version, was=theirs, problems=problems, notes=notes, status=409)


def _said(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else value or "empty"


def _again(
    visit: Visit, patient_id: int, wanted: Details, version: int, was: Mapping[str, Any], error: InputError
) -> Response:
    with visit.reading() as session:
        found = patients.get(session, visit.clinic(session), patient_id)
    problems = Problems()
    problems.take(error)
    return _page(visit, found, asdict(wanted), version, was=was, problems=problems, status=422)


def _page(
    visit: Visit,
    patient: Patient,
    values: Mapping[str, Any],
    version: int,
    *,
    was: Mapping[str, Any],
    problems: Problems | None = None,
    notes: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    return visit.page(
        "patient_edit.html",
        status=status,
        patient=patient,
        values=values,
        version=version,
        problems=problems or Problems(),
        was=json.dumps(dict(was)),
        notes=notes or {},
        is_stale=status == 409,
        languages=LANGUAGES,
        channels=CHANNELS,
        zones=sorted(name for name in zone_names() if "/" in name and not name.startswith("Etc/")),
    )

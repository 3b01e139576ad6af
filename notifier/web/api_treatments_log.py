"""Logging a treatment by the API, with its patient and what they said about being written to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import treatments
from notifier.consent import ConsentGiven
from notifier.errors import InputError
from notifier.idempotency import Answer
from notifier.models import Clinic, Patient
from notifier.patients import PatientEntry
from notifier.web.api_patient_shapes import ConsentTaken, PatientTaken
from notifier.web.api_patients import entry_of
from notifier.web.api_support import Writer, fields_at, maybe_moment, moment, shown
from notifier.web.api_treatment_shapes import TreatmentLogged, TreatmentTaken
from notifier.web.api_treatments import treatment_full

router = APIRouter(prefix="/api/v1/treatments", tags=["Treatments"])

# Clocks differ a little.
_AHEAD = timedelta(minutes=15)
_OF_PATIENT: Final = {name: f"patient.{name}" for name in PatientTaken.model_fields}
_KNOWN_AS = ("patient_id", "record_number", "patient")


@router.post(
    "",
    response_model=TreatmentLogged,
    status_code=201,
    summary="Log a treatment",
    responses={
        200: {"description": "It was logged before; none was added.", "model": TreatmentLogged},
    },
)
def log_treatment(caller: Writer, body: TreatmentTaken) -> Response:
    """The patient's messages are planned at once, and the answer holds them: each with its time, or with the
    reason why it will not be sent."""

    def work(session: Session) -> Answer:
        clinic, now = caller.clinic(session), caller.now()
        entry = _entry(session, clinic, body, now)
        with fields_at(_OF_PATIENT if body.patient is not None else {}):
            recorded, _ = treatments.record(session, clinic, entry, now=now, actor=caller.actor)
        session.flush()
        treatment, is_new = recorded.treatment, recorded.is_new
        shape = TreatmentLogged(**dict(treatment_full(session, clinic, treatment)), is_new=is_new)
        where = f"/api/v1/treatments/{treatment.id}"
        return shown(shape, status=201 if is_new else 200, version=treatment.version, Location=where)

    return caller.change(work)


def _entry(session: Session, clinic: Clinic, body: TreatmentTaken, now: datetime) -> treatments.Entry:
    return treatments.Entry(
        _patient(session, clinic, body),
        body.plan,
        maybe_moment(body.ended_at, clinic, "ended_at") or now,
        practitioner=body.practitioner,
        areas=tuple(body.areas),
        next_visit=maybe_moment(body.next_visit, clinic, "next_visit"),
        external_id=body.external_id.strip(),
        consents=tuple(
            _consent(each, clinic, now, f"consents.{place}") for place, each in enumerate(body.consents)
        ),
        source="api",
        confirmed=body.confirmed,
    )


def _patient(session: Session, clinic: Clinic, body: TreatmentTaken) -> PatientEntry:
    if sum(bool(getattr(body, name)) for name in _KNOWN_AS) != 1:
        raise InputError(
            "Say who was treated, in one way: patient_id, record_number or patient.", field="patient"
        )
    if body.patient is not None:
        return entry_of(body.patient)
    field = "patient_id" if body.patient_id else "record_number"
    same = (
        Patient.id == body.patient_id
        if body.patient_id
        else Patient.record_number == body.record_number.strip()
    )
    known = session.scalar(
        select(Patient).where(Patient.clinic_id == clinic.id, Patient.erased_at.is_(None), same)
    )
    if known is None:
        raise InputError(f"There is no such patient at {clinic.name}.", field=field)
    return PatientEntry(known.first_name, id=known.id, is_clean=True)


def _consent(said: ConsentTaken, clinic: Clinic, now: datetime, place: str) -> ConsentGiven:
    at = moment(said.at, clinic, f"{place}.at")
    if at > now + _AHEAD:
        raise InputError("Consent cannot have been given in the future.", field=f"{place}.at")
    if said.granted and not said.wording.strip():
        raise InputError("Send the words that the patient agreed to.", field=f"{place}.wording")
    return ConsentGiven(said.channel, said.granted, at, said.method, said.wording)

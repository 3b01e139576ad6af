"""Patients by the API: find, add, change, and what they said about being written to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes, patient_edits, patients, pausing, reach, registers
from notifier.consent_changes import Said
from notifier.effects import Effect
from notifier.errors import InputError
from notifier.idempotency import Answer
from notifier.models import Clinic, Patient
from notifier.patient_edits import Details, StaleEdit, details_of
from notifier.patients import PatientBook, PatientEntry
from notifier.planning import replan
from notifier.web.api_patient_shapes import (
    ConsentGivenOut,
    ConsentTaken,
    PatientChange,
    PatientChanged,
    PatientGiven,
    PatientRecorded,
    PatientTaken,
    PauseTaken,
    consent_given,
    patient_given,
)
from notifier.web.api_problems import Refusal
from notifier.web.api_shapes import Listing
from notifier.web.api_support import (
    MANY,
    Caller,
    Cursor,
    Limit,
    Number,
    Reader,
    Writer,
    listed,
    moment,
    respond,
    shown,
)

router = APIRouter(prefix="/api/v1/patients", tags=["Patients"])

_NO_REASON = PauseTaken()


@router.get("", response_model=Listing[PatientGiven], summary="List or find patients")
def list_patients(
    caller: Reader,
    q: Annotated[
        str,
        Query(max_length=120, description="A record number, a phone, an e-mail, or how any name begins."),
    ] = "",
    cursor: Cursor = "",
    limit: Limit = MANY,
) -> Response:
    """By name. Erased patients are not among them."""
    with caller.reading() as session:
        page = registers.of_patients(session, caller.clinic(session), q, cursor=cursor, limit=limit)
        known = reach.load(session, page.rows)
        data = [patient_given(patient, known) for patient in page.rows]
    caller.listed([patient.id for patient in data])
    return listed(caller, Listing[PatientGiven](data=data, next=page.next or None))


@router.post(
    "",
    response_model=PatientRecorded,
    status_code=201,
    summary="Add a patient",
    responses={200: {"description": "The patient was known already.", "model": PatientRecorded}},
)
def add_patient(caller: Writer, body: PatientTaken) -> Response:
    """Not needed before a treatment is logged: that may bring its patient along."""

    def work(session: Session) -> Answer:
        clinic, now = caller.clinic(session), caller.now()
        # One after the other, so that two who add the same patient add one.
        session.execute(select(Clinic.id).where(Clinic.id == clinic.id).with_for_update(key_share=True))
        entry = patients.clean(entry_of(body), clinic)
        patient = PatientBook(session, clinic, [entry]).find_or_add(entry, now=now, actor=caller.actor)
        is_new = patient.id is None
        session.flush()
        if is_new:
            patient_edits.note(session, patient, "patient.added", now, caller.actor)
        replan(session, [patient], now=now, actor=caller.actor)
        shape = PatientRecorded(patient=_given(session, patient), is_new=is_new)
        where = f"/api/v1/patients/{patient.id}"
        return shown(shape, status=201 if is_new else 200, version=patient.version, Location=where)

    return caller.change(work)


def entry_of(body: PatientTaken) -> PatientEntry:
    return PatientEntry(
        **body.model_dump(exclude={"language", "preferred_channel"}),
        language=body.language or "",
        preferred_channel=body.preferred_channel or "",
    )


def _given(session: Session, patient: Patient) -> PatientGiven:
    session.flush()
    return patient_given(patient, reach.load(session, [patient]))


@router.get("/{patient_id}", response_model=PatientGiven, summary="One patient", responses={404: {}})
def get_patient(caller: Reader, patient_id: Number) -> Response:
    """The answer's `ETag` is the version to send back as `If-Match` with a change."""
    with caller.reading() as session:
        shape = _given(session, _found(session, caller, patient_id))
    caller.viewed(patient_id)
    return respond(shown(shape, version=shape.version))


def _found(session: Session, caller: Caller, patient_id: int) -> Patient:
    return patients.get(session, caller.clinic(session), patient_id)


@router.patch(
    "/{patient_id}",
    response_model=PatientChanged,
    summary="Change a patient",
    responses={404: {}, 412: {}, 428: {}},
)
def change_patient(
    caller: Writer,
    patient_id: Number,
    body: PatientChange,
    if_match: Annotated[str | None, Header(description="The `ETag` of what is changed.")] = None,
) -> Response:
    """Unsent messages follow at once. Where somebody else was quicker nothing is changed, and the answer says
    how the patient is now."""
    version = _version(if_match, body.version)

    def work(session: Session) -> Answer:
        patient = _found(session, caller, patient_id)
        wanted = _wanted(details_of(patient), body)
        try:
            effect = patient_edits.edit(
                session,
                caller.clinic(session),
                patient,
                wanted,
                version=version,
                now=caller.now(),
                actor=caller.actor,
            )
        except StaleEdit as error:
            current = asdict(error.theirs) | {"version": error.version}
            status = 412 if if_match is not None else 409
            raise Refusal("stale", str(error), status=status, more={"current": current}) from None
        return _changed(session, patient, effect)

    return caller.change(work)


def _version(if_match: str | None, version: int | None) -> int:
    if if_match is None and version is None:
        raise Refusal(
            "version-needed",
            "Say which version you change, so that nothing is overwritten: send the ETag of what you read "
            "as If-Match, or its version in the body.",
        )
    if if_match is None:
        assert version is not None
        return version
    tag = if_match.strip().removeprefix("W/").strip('"')
    return int(tag) if tag.isascii() and tag.isdecimal() and len(tag) < 10 else 0


def _wanted(details: Details, body: PatientChange) -> Details:
    """As a JSON merge patch (RFC 7396): what is not named stays, null empties."""
    said = body.model_dump(exclude_unset=True, exclude={"version"})
    empty = Details("", language="", preferred_channel="")
    for name in ("name_treatment", "essentials"):
        if name in said and said[name] is None:
            raise InputError("Send true or false.", field=name)
    return replace(
        details, **{name: getattr(empty, name) if value is None else value for name, value in said.items()}
    )


def _changed(session: Session, patient: Patient, effect: Effect, *, status: int = 200) -> Answer:
    shape = PatientChanged(patient=_given(session, patient), effect=effect.in_words())
    return shown(shape, status=status, version=patient.version)


@router.get(
    "/{patient_id}/consents",
    response_model=Listing[ConsentGivenOut],
    summary="What a patient said about being written to",
    responses={404: {}},
)
def list_consents(caller: Reader, patient_id: Number) -> Response:
    """The whole ledger, the newest line first."""
    with caller.reading() as session:
        lines = consent.history(session, _found(session, caller, patient_id))
        data = [consent_given(line) for line in lines]
    caller.viewed(patient_id)
    return listed(caller, Listing[ConsentGivenOut](data=data, next=None))


@router.post(
    "/{patient_id}/consents",
    response_model=PatientChanged,
    status_code=201,
    summary="Record what a patient said",
    responses={404: {}},
)
def record_consent(caller: Writer, patient_id: Number, body: ConsentTaken) -> Response:
    """A no stops what was not sent yet. A yes brings back what is still useful, never over a later no; an SMS
    stop that came from the phone itself ends only by START from it."""

    def act(session: Session, patient: Patient, now: datetime) -> Effect:
        at = moment(body.at, patient.clinic, "at")
        said = Said((body.channel,), body.granted, body.method, body.wording, at=at)
        return consent_changes.record(session, patient, said, now=now, actor=caller.actor)

    return _act(caller, patient_id, act, status=201)


@router.post(
    "/{patient_id}/pause",
    response_model=PatientChanged,
    summary="Hold a patient's messages",
    responses={404: {}},
)
def pause(caller: Writer, patient_id: Number, body: Annotated[PauseTaken, Body()] = _NO_REASON) -> Response:
    """Planned messages are held as they come due, until they are resumed."""

    def act(session: Session, patient: Patient, now: datetime) -> Effect:
        pausing.pause(session, patient, body.reason, now=now, actor=caller.actor)
        return Effect()

    return _act(caller, patient_id, act)


@router.post(
    "/{patient_id}/resume",
    response_model=PatientChanged,
    summary="Let a patient's messages go on",
    responses={404: {}},
)
def resume(caller: Writer, patient_id: Number) -> Response:
    """What is still useful goes out, apart from each other."""

    def act(session: Session, patient: Patient, now: datetime) -> Effect:
        return pausing.resume(session, patient, now=now, actor=caller.actor)

    return _act(caller, patient_id, act)


def _act(
    caller: Caller, patient_id: int, act: Callable[[Session, Patient, datetime], Effect], *, status: int = 200
) -> Response:
    def work(session: Session) -> Answer:
        patient = _found(session, caller, patient_id)
        return _changed(session, patient, act(session, patient, caller.now()), status=status)

    return caller.change(work)

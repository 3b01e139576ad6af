"""Treatments that were logged, by the API: find, void, restore, correct; book or call off the next visit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import messages, reach, registers, treatments
from notifier.errors import InputError, NotFoundError
from notifier.idempotency import Answer
from notifier.models import Clinic, Treatment
from notifier.planning_rows import Changes
from notifier.registers import Period
from notifier.rules.plan import CHANNELS
from notifier.rules.zones import to_instant, zone
from notifier.web.api_message_shapes import messages_given
from notifier.web.api_shapes import TIME, Listing
from notifier.web.api_support import (
    MANY,
    Caller,
    Cursor,
    Limit,
    Reader,
    Writer,
    fields_at,
    listed,
    moment,
    period,
    respond,
    shown,
)
from notifier.web.api_treatment_shapes import (
    CorrectTaken,
    TreatmentFull,
    TreatmentGiven,
    VisitTaken,
    VoidTaken,
    treatment_values,
)

router = APIRouter(prefix="/api/v1/treatments", tags=["Treatments"])

_BY_MISTAKE = VoidTaken()
_THEIRS = "ext:"
Reference = Annotated[
    str,
    Path(
        pattern=r"^([0-9]{1,18}|ext:.+)$",
        description="Its number here, or `ext:` and its `external_id`: `58`, `ext:appt-7781`.",
        examples=["58"],
    ),
]


def treatment_full(session: Session, clinic: Clinic, treatment: Treatment) -> TreatmentFull:
    found = messages.listing(session, clinic, treatment_id=treatment.id)
    return TreatmentFull(
        **treatment_values(treatment),
        nothing_because=_nothing_because(session, treatment),
        messages=messages_given(found),
    )


def _nothing_because(session: Session, treatment: Treatment) -> str:
    known = reach.load(session, [treatment.patient])
    obstacles = [known.obstacle(treatment.patient, channel) for channel in CHANNELS]
    return " ".join(filter(None, obstacles)) if all(obstacles) and treatment.voided_at is None else ""


@router.get("", response_model=Listing[TreatmentGiven], summary="List treatments")
def list_treatments(
    caller: Reader,
    date: Annotated[date | None, Query(description="Ended on this day, in the clinic's time zone.")] = None,
    since: Annotated[str, Query(max_length=40, description=f"Ended at this time or later. {TIME}")] = "",
    until: Annotated[str, Query(max_length=40, description="Ended before this time.")] = "",
    patient_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    external_id: Annotated[str, Query(max_length=120)] = "",
    plan: Annotated[str, Query(max_length=60, description="The key of a plan.")] = "",
    cursor: Cursor = "",
    limit: Limit = MANY,
) -> Response:
    """The earliest first; voided ones are among them."""
    with caller.reading() as session:
        clinic = caller.clinic(session)
        page = registers.of_treatments(
            session,
            clinic,
            _period(clinic, date, since, until),
            patient_id=patient_id,
            external_id=external_id,
            plan=plan,
            cursor=cursor,
            limit=limit,
        )
        data = [TreatmentGiven(**treatment_values(treatment)) for treatment in page.rows]
    caller.listed(treatment.patient.id for treatment in data)
    return listed(caller, Listing[TreatmentGiven](data=data, next=page.next or None))


def _period(clinic: Clinic, day: date | None, since: str, until: str) -> Period:
    if day is None:
        return period(clinic, since, until)
    if since or until:
        raise InputError("Send either date, or since and until.", field="date")
    if not 2000 <= day.year < 2100:
        raise InputError("Send a date from 2000 to 2099.", field="date")
    first, tz = datetime.combine(day, time()), zone(clinic.timezone)
    return Period(to_instant(first, tz), to_instant(first + timedelta(days=1), tz))


@router.get("/{treatment}", response_model=TreatmentFull, summary="One treatment", responses={404: {}})
def get_treatment(caller: Reader, treatment: Reference) -> Response:
    """With its messages."""
    with caller.reading() as session:
        clinic = caller.clinic(session)
        shape = treatment_full(session, clinic, _found(session, clinic, treatment))
    caller.viewed(shape.patient.id)
    return respond(shown(shape, version=shape.version))


def _found(session: Session, clinic: Clinic, reference: str) -> Treatment:
    """Which number is meant is never guessed: a booking system's may look like one of ours."""
    mine = Treatment.clinic_id == clinic.id
    if reference.startswith(_THEIRS):
        same = Treatment.external_id == reference.removeprefix(_THEIRS)
    else:
        same = Treatment.id == int(reference)
    found = session.scalar(select(Treatment).where(mine, same))
    if found is None:
        raise NotFoundError(f'There is no treatment "{reference}" at {clinic.name}.')
    return found


Act = Callable[[Session, Clinic, Treatment, datetime], Changes]


def _act(caller: Caller, reference: str, act: Act) -> Response:
    """The answer is the treatment as it stands now, with its messages."""

    def work(session: Session) -> Answer:
        clinic = caller.clinic(session)
        treatment = _found(session, clinic, reference)
        act(session, clinic, treatment, caller.now())
        session.flush()
        return shown(treatment_full(session, clinic, treatment), version=treatment.version)

    return caller.change(work)


@router.post(
    "/{treatment}/void",
    response_model=TreatmentFull,
    summary="Void a treatment",
    responses={404: {}},
)
def void(caller: Writer, treatment: Reference, body: Annotated[VoidTaken, Body()] = _BY_MISTAKE) -> Response:
    """It was logged by mistake: what was not sent yet is cancelled, and what was sent stays as it is."""

    def act(session: Session, clinic: Clinic, found: Treatment, now: datetime) -> Changes:
        return treatments.void(session, found, reason=body.reason, now=now, actor=caller.actor)

    return _act(caller, treatment, act)


@router.post(
    "/{treatment}/unvoid",
    response_model=TreatmentFull,
    summary="Undo a void",
    responses={404: {}},
)
def unvoid(caller: Writer, treatment: Reference) -> Response:
    """What was never sent and is still useful comes back."""

    def act(session: Session, clinic: Clinic, found: Treatment, now: datetime) -> Changes:
        return treatments.unvoid(session, found, now=now, actor=caller.actor)

    return _act(caller, treatment, act)


@router.post(
    "/{treatment}/correct",
    response_model=TreatmentFull,
    summary="Correct when a treatment ended",
    responses={404: {}},
)
def correct(caller: Writer, treatment: Reference, body: CorrectTaken) -> Response:
    """What was not sent yet moves with it."""

    def act(session: Session, clinic: Clinic, found: Treatment, now: datetime) -> Changes:
        ended_at = moment(body.ended_at, clinic, "ended_at")
        return treatments.correct_end(
            session, found, ended_at, now=now, actor=caller.actor, confirmed=body.confirmed
        )

    return _act(caller, treatment, act)


@router.put(
    "/{treatment}/next-visit",
    response_model=TreatmentFull,
    summary="Book or move the next visit",
    responses={404: {}},
)
def book_visit(caller: Writer, treatment: Reference, body: VisitTaken) -> Response:
    """Steps that hang on the visit are planned by it."""

    def act(session: Session, clinic: Clinic, found: Treatment, now: datetime) -> Changes:
        with fields_at({"next_visit": "at"}):
            at = moment(body.at, clinic, "at")
            return treatments.book_visit(session, found, at, now=now, actor=caller.actor)

    return _act(caller, treatment, act)


@router.delete(
    "/{treatment}/next-visit",
    response_model=TreatmentFull,
    summary="Call the next visit off",
    responses={404: {}},
)
def call_visit_off(caller: Writer, treatment: Reference) -> Response:
    """Steps that hang on the visit are not sent."""

    def act(session: Session, clinic: Clinic, found: Treatment, now: datetime) -> Changes:
        return treatments.book_visit(session, found, None, now=now, actor=caller.actor)

    return _act(caller, treatment, act)

"""A soreness score told by phone, entered on the patient's page; one that is wrong, taken back."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import pausing, replies, scores, treatments
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import ScoreRow, Treatment
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import Form, show
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.post("/treatments/{treatment_id:int}/scores")
def tell(visit: Desk, posted: Posted, treatment_id: int) -> Response:
    """As a score by SMS would, a high or rising one pauses what is planned; nobody is alerted of a call."""
    try:
        value = _value(posted)
    except InputError as error:
        return _again(visit, posted, treatment_id, error)
    now = visit.now()
    with visit.transaction() as session:
        treatment = treatments.get(session, visit.clinic(session), treatment_id)
        if treatment.voided_at is not None or treatment.ended_at > now:
            raise ConflictError("This treatment was voided or is not over: there is no soreness after it.")
        patient, was_paused = treatment.patient, treatment.patient.paused_at is not None
        row = replies.told_at_desk(session, patient, treatment, value, now=now, actor=visit.actor)
        scores.note_told(session, row, now=now, actor=visit.actor)
        paused = patient.paused_reason if patient.paused_at is not None and not was_paused else ""
        page, undone = _page_of(treatment), _path(row, "withdraw")
    words = f"Soreness {value} is noted."
    if paused:
        words += f" The planned messages are paused: {paused}. Somebody has to look first."
    return visit.go(page, toast=words, undo=Undo(undone, fields={"resume": "1"} if paused else {}))


def _page_of(treatment: Treatment) -> str:
    return f"/patients/{treatment.patient_id}#treatment-{treatment.id}"


def _value(posted: Fields) -> int:
    text = posted.text("value")
    if not text.isdecimal() or int(text) > 10:
        raise InputError("Write a whole number from 0 (none) to 10 (worst).", field="value")
    return int(text)


def _again(visit: Visit, posted: Fields, treatment_id: int, error: InputError) -> Response:
    problems = Problems()
    problems.take(error)
    with visit.reading() as session:
        patient_id = treatments.get(session, visit.clinic(session), treatment_id).patient_id
    return show(visit, patient_id, form=Form("score", posted.values, problems, treatment_id), status=422)


@router.post("/treatments/{treatment_id:int}/scores/{score_id:int}/withdraw")
def withdraw(visit: Desk, posted: Posted, treatment_id: int, score_id: int) -> Response:
    """`resume`: the score had paused the messages, and with it they go on."""
    now = visit.now()
    with visit.transaction() as session:
        row, treatment = _found(visit, session, treatment_id, score_id)
        scores.withdraw(session, row, now=now, actor=visit.actor)
        words = f"The score {row.value} counts no more."
        if treatment.patient.paused_at is not None and posted.flag("resume"):
            effect = pausing.resume(session, treatment.patient, now=now, actor=visit.actor)
            words = f"{words} The messages go on. {effect.in_words()}".strip()
        elif treatment.patient.paused_at is not None:
            words += " The messages stay paused until somebody resumes them."
        page, undone = _page_of(treatment), _path(row, "restore")
    return visit.go(page, toast=words, undo=Undo(undone))


@router.post("/treatments/{treatment_id:int}/scores/{score_id:int}/restore")
def restore(visit: Desk, posted: Posted, treatment_id: int, score_id: int) -> Response:
    with visit.transaction() as session:
        row, treatment = _found(visit, session, treatment_id, score_id)
        scores.restore(session, row, now=visit.now(), actor=visit.actor)
        page, words = _page_of(treatment), f"The score {row.value} counts again."
    return visit.go(page, toast=words)


def _found(visit: Visit, session: Session, treatment_id: int, score_id: int) -> tuple[ScoreRow, Treatment]:
    clinic = visit.clinic(session)
    treatment, row = treatments.get(session, clinic, treatment_id), scores.get(session, clinic, score_id)
    if row.treatment_id != treatment.id:
        raise NotFoundError(f"Score {score_id} is about another treatment.")
    return row, treatment


def _path(row: ScoreRow, deed: str) -> str:
    return f"/treatments/{row.treatment_id}/scores/{row.id}/{deed}"

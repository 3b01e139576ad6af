"""Soreness scores: kept against the treatment they are about, asked for, told at the desk, taken back."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, known_plans
from notifier.errors import InputError, NotFoundError, NotifierError
from notifier.models import Clinic, Message, Patient, PlanVersion, Reply, ScoreRow, Treatment
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind
from notifier.rules.plan import Step
from notifier.rules.soreness import HIGHEST, LOWEST

log = logging.getLogger(__name__)

# A score that nobody asked for is about the latest treatment of these days.
ABOUT_WITHIN = timedelta(days=14)
# Where a plan does not say how long an answer counts.
_USUALLY = timedelta(hours=24)
# Two taps on one button are one score.
_ONE_TAP = timedelta(minutes=1)
_ARRIVED = [str(status) for status in MAY_HAVE_ARRIVED]

DESK = "desk"


@dataclass(frozen=True, slots=True)
class Point:
    """`source`: reply, page or desk."""

    hours: float
    value: int
    at: datetime
    id: int = 0
    source: str = "reply"


@dataclass(frozen=True, slots=True)
class Asked:
    message: Message
    treatment: Treatment


def hours_since(treatment: Treatment, at: datetime) -> float:
    return (at - treatment.ended_at) / timedelta(hours=1)


def record(
    session: Session,
    treatment: Treatment,
    value: int,
    *,
    at: datetime,
    reply: Reply | None = None,
    message: Message | None = None,
    source: str = "reply",
) -> ScoreRow:
    """The same reply again, or a second tap at the desk, is the same row. Raises InputError (`value`)."""
    if not LOWEST <= value <= HIGHEST:
        raise InputError(f"A soreness score is a whole number from {LOWEST} to {HIGHEST}.", field="value")
    known = _known(session, treatment, value, at, reply, source)
    if known is not None:
        return known
    row = ScoreRow(
        clinic_id=treatment.clinic_id,
        treatment_id=treatment.id,
        reply_id=reply.id if reply is not None else None,
        message_id=message.id if message is not None else None,
        value=value,
        at=at,
        source=source,
    )
    session.add(row)
    session.flush()
    return row


def _known(
    session: Session, treatment: Treatment, value: int, at: datetime, reply: Reply | None, source: str
) -> ScoreRow | None:
    query = select(ScoreRow).where(ScoreRow.treatment_id == treatment.id)
    if reply is not None:
        return session.scalar(query.where(ScoreRow.reply_id == reply.id))
    if source != DESK:
        return None
    return session.scalar(
        query.where(
            ScoreRow.source == DESK,
            ScoreRow.value == value,
            ScoreRow.at > at - _ONE_TAP,
            ScoreRow.at <= at,
            ScoreRow.withdrawn_at.is_(None),
        )
    )


def of_treatment(session: Session, treatment: Treatment) -> list[Point]:
    return of_treatments(session, [treatment]).get(treatment.id, [])


def of_treatments(session: Session, treatments: Collection[Treatment]) -> dict[int, list[Point]]:
    """By treatment, the earliest first; without those that were taken back."""
    by_id = {treatment.id: treatment for treatment in treatments}
    found: dict[int, list[Point]] = defaultdict(list)
    if not by_id:
        return found
    rows = session.scalars(
        select(ScoreRow)
        .where(ScoreRow.treatment_id.in_(by_id), ScoreRow.withdrawn_at.is_(None))
        .order_by(ScoreRow.at, ScoreRow.id)
    )
    for row in rows:
        hours = hours_since(by_id[row.treatment_id], row.at)
        found[row.treatment_id].append(Point(hours, row.value, row.at, row.id, row.source))
    return found


def asked(session: Session, patient: Patient, now: datetime) -> Asked | None:
    """The latest question for a score that may have reached the patient and whose time is not over."""
    recent = session.execute(
        select(Message, Treatment, PlanVersion.digest)
        .join(Treatment, Treatment.id == Message.treatment_id)
        .join(PlanVersion, PlanVersion.id == Message.plan_version_id)
        .where(
            Message.patient_id == patient.id,
            Message.kind == str(Kind.PLANNED),
            Message.claimed_at <= now,
            Message.claimed_at > now - ABOUT_WITHIN,
            Message.status.in_(_ARRIVED),
            Treatment.voided_at.is_(None),
        )
        .order_by(Message.claimed_at.desc(), Message.id.desc())
    )
    for message, treatment, digest in recent:
        step = _step(session, message, digest)
        assert message.claimed_at is not None
        if step and step.ask == "score" and now <= message.claimed_at + (step.answer_within or _USUALLY):
            return Asked(message, treatment)
    return None


def _step(session: Session, message: Message, digest: str) -> Step | None:
    """None also where the plan cannot be read: what a patient wrote is still taken in."""
    try:
        known = known_plans.definition(session, message.plan_version_id or 0, digest)
    except NotifierError:
        log.exception("plan version %s cannot be read", message.plan_version_id)
        return None
    return known.plan.step(message.step or "")


def latest_treatment(session: Session, patient: Patient, now: datetime) -> Treatment | None:
    """What a score is about that nobody asked for."""
    return session.scalar(
        select(Treatment)
        .where(
            Treatment.patient_id == patient.id,
            Treatment.voided_at.is_(None),
            Treatment.ended_at <= now,
            Treatment.ended_at > now - ABOUT_WITHIN,
        )
        .order_by(Treatment.ended_at.desc(), Treatment.id.desc())
        .limit(1)
    )


def get(session: Session, clinic: Clinic, score_id: int) -> ScoreRow:
    row = session.get(ScoreRow, score_id)
    if row is None or row.clinic_id != clinic.id:
        raise NotFoundError(f"There is no score {score_id}.")
    return row


def withdraw(session: Session, row: ScoreRow, *, now: datetime, actor: str) -> None:
    """It counts no more: not in the curve, not for what is sent, not among the clinic's figures."""
    if row.withdrawn_at is None:
        row.withdrawn_at = now
        _note(session, row, "score.withdrawn", now, actor)


def restore(session: Session, row: ScoreRow, *, now: datetime, actor: str) -> None:
    if row.withdrawn_at is not None:
        row.withdrawn_at = None
        _note(session, row, "score.restored", now, actor)


def note_told(session: Session, row: ScoreRow, *, now: datetime, actor: str) -> None:
    """Who entered what a patient said."""
    _note(session, row, "score.told", now, actor)


def _note(session: Session, row: ScoreRow, action: str, now: datetime, actor: str) -> None:
    session.flush()
    audit.note(
        session,
        clinic_id=row.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="treatment",
        subject_id=row.treatment_id,
        score=row.value,
    )

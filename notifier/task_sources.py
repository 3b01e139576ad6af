"""Where tasks come from: rows in a state that only a person can change. Each look is bounded by recent days
and served by an index, because the desk asks every few seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, literal_column, or_, select, text
from sqlalchemy.orm import Session

from notifier.alerts import TEST
from notifier.models import Alert, Clinic, Message, Patient, Sender, Treatment
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.timing import SkipCode

RECENT = timedelta(days=7)
TREATED_WITHIN = timedelta(days=30)
# A provider is asked by the program itself for this long; then a person is.
ASKED_FOR = timedelta(hours=1)
AT_MOST = 200

# Word for word what the partial index says: a database that cannot see that scans the table instead.
_FOR_A_PERSON = text("messages.status IN ('held', 'unknown', 'failed', 'undelivered')")
_TO_FIX = text("(patients.phone_problem != '' OR patients.email_problem != '')")
_LIVE = [str(status) for status in (*sorted(MAY_HAVE_ARRIVED), Status.SCHEDULED, Status.HELD)]
# Why a treatment goes without messages, where that is nobody's wish.
_UNWANTED = [
    str(code) for code in (SkipCode.UNREACHABLE, SkipCode.TOO_LATE, SkipCode.OVERTAKEN, SkipCode.PACE)
]


def alerts(session: Session, clinic: Clinic) -> Sequence[Alert]:
    return session.scalars(
        select(Alert)
        .where(Alert.clinic_id == clinic.id, Alert.acknowledged_at.is_(None), Alert.kind != TEST)
        .order_by(Alert.raised_at, Alert.id)
        .limit(AT_MOST)
    ).all()


@dataclass(frozen=True, slots=True)
class Stopped:
    sender: Sender
    waiting: int


def stopped_senders(session: Session, clinic: Clinic, now: datetime) -> list[Stopped]:
    """With how many messages wait for each; counted only as far as people care."""
    senders = session.scalars(
        select(Sender).where(
            Sender.clinic_id == clinic.id, Sender.active.is_(True), Sender.stopped_at.is_not(None)
        )
    ).all()
    return [Stopped(sender, _waiting(session, sender, now)) for sender in senders]


def _waiting(session: Session, sender: Sender, now: datetime) -> int:
    due = (
        select(Message.id)
        .where(
            Message.sender_id == sender.id,
            Message.status == literal_column("'scheduled'"),
            Message.priority.in_([0, 1, 2]),
            Message.due_at <= now,
        )
        .limit(1000)
    )
    return session.scalar(select(func.count()).select_from(due.subquery())) or 0


def messages_for_a_person(session: Session, clinic: Clinic, now: datetime) -> list[Message]:
    """Held, in doubt for too long, or failed with nothing else of the step on its way."""
    rows = session.scalars(
        select(Message)
        .where(
            Message.clinic_id == clinic.id,
            Message.due_at > now - RECENT,
            Message.patient_id.is_not(None),
            Message.to != "",  # of an erased patient nobody can do anything
            _FOR_A_PERSON,
        )
        .order_by(Message.due_at.desc())
        .limit(AT_MOST * 2)
    ).all()
    covered = _covered(session, [row for row in rows if row.status in (Status.FAILED, Status.UNDELIVERED)])
    return [row for row in rows if row.id not in covered and not _still_asked(row, now)]


def _still_asked(message: Message, now: datetime) -> bool:
    asked = message.status == Status.UNKNOWN and message.lookup_at is not None
    return asked and message.claimed_at is not None and message.claimed_at > now - ASKED_FOR


def _covered(session: Session, failed: Sequence[Message]) -> set[int]:
    """Failed rows whose step goes, or went, another way."""
    treatments = {row.treatment_id for row in failed if row.treatment_id is not None}
    if not treatments:
        return set()
    others = session.execute(
        select(Message.treatment_id, Message.step).where(
            Message.treatment_id.in_(treatments), Message.status.in_(_LIVE)
        )
    )
    served = {(treatment_id, step) for treatment_id, step in others}
    return {row.id for row in failed if (row.treatment_id, row.step) in served}


def patients_to_fix(session: Session, clinic: Clinic, now: datetime) -> Sequence[Patient]:
    """Lately treated, with an address that a provider complained about."""
    treated = exists().where(
        Treatment.patient_id == Patient.id,
        Treatment.ended_at > now - TREATED_WITHIN,
        Treatment.voided_at.is_(None),
    )
    return session.scalars(
        select(Patient)
        .where(Patient.clinic_id == clinic.id, _TO_FIX, Patient.erased_at.is_(None), treated)
        .limit(AT_MOST)
    ).all()


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A treatment for which nothing was sent or will be, and the reason of its first step."""

    treatment: Treatment
    reason: str


def uncovered(session: Session, clinic: Clinic, since: datetime) -> list[Uncovered]:
    of_treatment = Message.treatment_id == Treatment.id
    treatments = session.scalars(
        select(Treatment)
        .where(
            Treatment.clinic_id == clinic.id,
            Treatment.ended_at >= since,
            Treatment.voided_at.is_(None),
            ~exists().where(of_treatment, Message.status.in_(_LIVE)),
            exists().where(of_treatment, Message.reason_code.in_(_UNWANTED)),
            ~exists().where(Patient.id == Treatment.patient_id, Patient.erased_at.is_not(None)),
        )
        .order_by(Treatment.ended_at.desc(), Treatment.id)
        .limit(AT_MOST)
    ).all()
    reasons = first_reasons(session, [treatment.id for treatment in treatments])
    return [Uncovered(treatment, reasons.get(treatment.id, "")) for treatment in treatments]


def first_reasons(session: Session, treatment_ids: Iterable[int]) -> dict[int, str]:
    """By treatment: why its first message is not sent, of those that nobody wished so."""
    rows = session.execute(
        select(Message.treatment_id, Message.reason)
        .where(Message.treatment_id.in_(list(treatment_ids)), Message.reason_code.in_(_UNWANTED))
        .order_by(Message.id.desc())
    )
    return {treatment_id: reason for treatment_id, reason in rows if treatment_id is not None}


def none_today(session: Session, clinic: Clinic, day: tuple[datetime, datetime]) -> list[Treatment]:
    """Treatments of this local day whose messages all come later than today."""
    start, end = day
    of_treatment = Message.treatment_id == Treatment.id
    went_today = and_(Message.status.in_(_LIVE), or_(Message.due_at < end, Message.claimed_at < end))
    return list(
        session.scalars(
            select(Treatment)
            .where(
                Treatment.clinic_id == clinic.id,
                Treatment.ended_at >= start,
                Treatment.ended_at < end,
                Treatment.voided_at.is_(None),
                ~exists().where(of_treatment, went_today),
                exists().where(of_treatment, Message.status == str(Status.SCHEDULED)),
            )
            .order_by(Treatment.ended_at.desc(), Treatment.id)
            .limit(AT_MOST)
        )
    )


def next_due(session: Session, treatment_ids: Iterable[int]) -> dict[int, datetime]:
    rows = session.execute(
        select(Message.treatment_id, func.min(Message.due_at))
        .where(Message.treatment_id.in_(list(treatment_ids)), Message.status == str(Status.SCHEDULED))
        .group_by(Message.treatment_id)
    )
    return {treatment_id: due for treatment_id, due in rows if treatment_id is not None and due is not None}


def patients_of(session: Session, ids: Iterable[int]) -> dict[int, Patient]:
    wanted = set(ids)
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(Patient).where(Patient.id.in_(wanted)))}


def by_patient(messages: Iterable[Message]) -> dict[int, list[Message]]:
    found: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        if message.patient_id is not None:
            found[message.patient_id].append(message)
    return found

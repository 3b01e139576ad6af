"""One patient's past and coming messages over all treatments: each with its state, reason and words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import alerts_telling, conversation, message_actions, messages, resending, wording
from notifier.cases import gather
from notifier.course import Course, Placed, courses
from notifier.errors import NotifierError
from notifier.messages import Moment
from notifier.models import Attempt, Clinic, ConsentEntry, Message, Patient, Reply, ScoreRow, Treatment
from notifier.patient_blanking import BY_ERASING
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.zones import zone

TREATMENTS_SHOWN = 20
_OTHERS_SHOWN = 100
# How long a page may stand unchanged while only time goes by.
_TICK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply with its place in time."""

    reply: Reply
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """`coming` is soonest first, as is what would have come but was dropped; `past` is latest first.

    What waits but is overdue is coming still.
    """

    courses: Sequence[Course]  # newest treatment first
    coming: Sequence[Placed]
    dropped: Sequence[Placed]
    past: Sequence[Placed]
    replies: Sequence[Heard]  # latest first
    older: int  # treatments beyond those shown

    @property
    def story(self) -> list[Placed | Heard]:
        """What was said on both sides, latest first."""
        said: list[Placed | Heard] = [*self.past, *self.replies]
        return sorted(said, key=lambda item: item.at, reverse=True)


def of_patient(
    session: Session, clinic: Clinic, patient: Patient, now: datetime, *, shown: int = TREATMENTS_SHOWN
) -> Timeline:
    treatments = session.scalars(
        select(Treatment)
        .where(Treatment.patient_id == patient.id)
        .order_by(Treatment.ended_at.desc(), Treatment.id.desc())
    ).all()
    told = courses(session, clinic, treatments[:shown], [patient])
    placed = [item for course in told for item in course.placed] + _without_treatment(session, patient)
    by_place: dict[str, list[Placed]] = {"coming": [], "dropped": [], "past": []}
    for item in sorted(placed, key=lambda item: (not item.has_time, item.at, item.message.id)):
        by_place[_section(item, now)].append(item)
    by_place["past"].reverse()
    replies = [Heard(row, row.received_at) for row in _replies(session, patient)]
    return Timeline(told, **by_place, replies=replies, older=max(len(treatments) - shown, 0))


def _replies(session: Session, patient: Patient) -> Sequence[Reply]:
    query = select(Reply).where(conversation.from_patient(patient))
    return session.scalars(
        query.order_by(Reply.received_at.desc(), Reply.id.desc()).limit(_OTHERS_SHOWN)
    ).all()


def _section(item: Placed, now: datetime) -> str:
    if item.message.status in (Status.SCHEDULED, Status.HELD):
        return "coming"
    stopped = item.message.status in (Status.SKIPPED, Status.CANCELLED)
    return "dropped" if stopped and (item.at > now or not item.has_time) else "past"


def _without_treatment(session: Session, patient: Patient) -> list[Placed]:
    """Answers, and what staff wrote. Alerts about a patient go to staff, and are theirs."""
    rows = session.scalars(
        select(Message)
        .where(
            Message.patient_id == patient.id,
            Message.treatment_id.is_(None),
            Message.kind.in_(["answer", "staff"]),
        )
        .order_by(Message.id.desc())
        .limit(_OTHERS_SHOWN)
    )
    return [Placed(row, row.claimed_at or row.due_at or row.created_at) for row in rows]


def stamp(session: Session, patient: Patient, now: datetime) -> str:
    """Another one whenever the patient's page may have become another."""
    rows = session.execute(
        select(Message.id, Message.status, Message.due_at, Message.attempts, Message.reason)
        .where(Message.patient_id == patient.id)
        .order_by(Message.id)
    )
    versions = session.execute(
        select(Treatment.id, Treatment.version)
        .where(Treatment.patient_id == patient.id)
        .order_by(Treatment.id)
    )
    heard = session.execute(
        select(Reply.id, Reply.handled_at, Reply.patient_id)
        .where(conversation.from_patient(patient))
        .order_by(Reply.id)
    )
    consents = session.scalar(select(func.max(ConsentEntry.id)).where(ConsentEntry.patient_id == patient.id))
    scores = session.execute(
        select(ScoreRow.id, ScoreRow.withdrawn_at)
        .join(Treatment, Treatment.id == ScoreRow.treatment_id)
        .where(Treatment.patient_id == patient.id)
        .order_by(ScoreRow.id)
    )
    tick = now.timestamp() // _TICK.total_seconds()
    told = rows.all(), versions.all(), scores.all(), heard.all()
    said = repr((patient.id, patient.version, consents, tick, told))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Words:
    """What a message says. `is_preview`: as it would read if it left now; `problem`: why it says nothing.

    `is_gone`: it said something, which is no longer kept.
    """

    text: str = ""
    subject: str = ""
    encoding: str = ""
    segments: int = 0
    is_preview: bool = False
    problem: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one message."""

    placed: Placed
    tz: ZoneInfo
    words: Words
    attempts: Sequence[Attempt]
    story: Sequence[Moment]
    actions: frozenset[str]
    send_now: str  # what "send now" would do, in words; empty where it is not offered
    replaces: Message | None  # the one it was sent again for
    remark: str = ""  # where it says more than the state: it reached nobody


def detail(session: Session, clinic: Clinic, message_id: int, now: datetime) -> Detail:
    listed = messages.get(session, clinic, message_id)
    message = listed.message
    patient = session.get(Patient, message.patient_id) if message.patient_id is not None else None
    actions, send_now = _offered(session, message, now)
    replaced = resending.replaced_id(message)
    return Detail(
        _placed(session, clinic, message),
        zone((patient.timezone if patient is not None else None) or clinic.timezone),
        _words(session, message, listed.attempts, now),
        listed.attempts,
        messages.story(session, listed),
        actions,
        send_now,
        session.get(Message, replaced) if replaced is not None else None,
        messages.remark(listed).removeprefix(message.reason).strip(),
    )


def _placed(session: Session, clinic: Clinic, message: Message) -> Placed:
    if message.treatment_id is not None:
        treatment = session.get_one(Treatment, message.treatment_id)
        patient = session.get_one(Patient, treatment.patient_id)
        (course,) = courses(session, clinic, [treatment], [patient])
        for item in course.placed:
            if item.message.id == message.id:
                return item
    # One that another row of its step stands for is in no course, but has its place all the same.
    return Placed(message, message.claimed_at or message.due_at or message.created_at)


def _offered(session: Session, message: Message, now: datetime) -> tuple[frozenset[str], str]:
    """What may be done, without what dispatch would undo; said before it is done."""
    actions = message_actions.possible(message, now)
    if "send-now" not in actions:
        return actions, ""
    try:
        return actions, message_actions.foresee(session, message, now).words
    except NotifierError as error:
        return actions - {"send-now"}, str(error)


def _words(session: Session, message: Message, attempts: Sequence[Attempt], now: datetime) -> Words:
    if attempts:
        last = attempts[-1]
        return Words(last.words, last.subject, last.encoding, last.segments, is_gone=not last.words)
    if message.reason_code == BY_ERASING:
        return Words(is_gone=True)
    if message.patient_id is None or message.status in MAY_HAVE_ARRIVED:
        return Words(alerts_telling.with_link(message, None, "en"), message.subject)
    try:
        (case,) = gather(session, [message], now)
        ready = wording.ready(case, now)
    except NotifierError as error:
        return Words(is_preview=True, problem=str(error))
    return Words(ready.outbound.text, ready.outbound.subject, ready.encoding, ready.segments, is_preview=True)

"""The day's board: who was treated, what was sent, what comes next, in a fixed number of queries."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from notifier import status_words
from notifier.course import Course, courses
from notifier.models import (
    Alert,
    Attempt,
    AuditEntry,
    Clinic,
    DeliveryReportRow,
    Message,
    MessageEvent,
    Patient,
    Reply,
    Sender,
    TaskMark,
    Treatment,
)
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.zones import day_span, to_local, zone

SIZE = 30
_SHORT = 6
_ARRIVED = [str(status) for status in sorted(MAY_HAVE_ARRIVED)]
# Who looks changes nothing.
_LOOKS = ["patient.viewed", "patients.listed"]
# How long a board may stand unchanged while only time goes by.
_TICK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Moving:
    """A message in one of the short lists, and whose it is."""

    message: Message
    patient: Patient

    @property
    def at(self) -> datetime:
        return self.message.claimed_at or self.message.due_at or self.message.created_at

    @property
    def title(self) -> str:
        return status_words.title(self.message.kind, self.message.step)

    @property
    def channel(self) -> str:
        return status_words.channel_name(self.message.channel)


@dataclass(frozen=True, slots=True)
class Board:
    """`treated` are those of this page; the counts are of the whole day."""

    day: date
    is_today: bool
    treated: Sequence[Course]
    page: int
    pages: int
    count_treated: int
    count_sent: int
    count_coming: int
    just_sent: Sequence[Moving]
    coming: Sequence[Moving]
    replied: Mapping[int, Reply]  # by patient: the latest since they were treated


def board(
    session: Session, clinic: Clinic, day: date | None, *, now: datetime, page: int = 1, size: int = SIZE
) -> Board:
    """`day` is one of the clinic's calendar; None: today."""
    tz = zone(clinic.timezone)
    today = to_local(now, tz).date()
    day = day or today
    start, end = day_span(day, tz)
    of_day = [Treatment.clinic_id == clinic.id, Treatment.ended_at >= start, Treatment.ended_at < end]
    shown = session.scalar(select(func.count()).where(*of_day)) or 0
    pages = max(1, -(-shown // size))
    page = min(max(page, 1), pages)
    rows = session.execute(
        select(Treatment, Patient)
        .join(Patient, Patient.id == Treatment.patient_id)
        .where(*of_day)
        .order_by(Treatment.ended_at.desc(), Treatment.id.desc())
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    return Board(
        day,
        day == today,
        courses(session, clinic, [row.Treatment for row in rows], [row.Patient for row in rows]),
        page,
        pages,
        session.scalar(select(func.count()).where(*of_day, Treatment.voided_at.is_(None))) or 0,
        _count(session, clinic, start, end, _ARRIVED),
        _count(session, clinic, start, end, [str(Status.SCHEDULED)]),
        _moving(session, clinic, [Message.due_at >= start, Message.due_at < end], _ARRIVED, latest=True),
        # What waits is due from today on; from an old day on, it would be looked for among all that went.
        _moving(
            session,
            clinic,
            [Message.due_at >= max(start, day_span(today, tz)[0])],
            [str(Status.SCHEDULED)],
            latest=False,
        ),
        _replied(session, [row.Treatment for row in rows]),
    )


def _replied(session: Session, treated: Sequence[Treatment]) -> dict[int, Reply]:
    """What each of them wrote last, where it was after the treatment."""
    ended = {row.patient_id: row.ended_at for row in treated}
    if not ended:
        return {}
    found = session.scalars(
        select(Reply)
        .where(Reply.patient_id.in_(ended), Reply.received_at >= min(ended.values()))
        .order_by(Reply.received_at, Reply.id)
    )
    return {
        row.patient_id: row
        for row in found
        if row.patient_id is not None and row.received_at >= ended[row.patient_id]
    }


def _count(
    session: Session, clinic: Clinic, start: datetime, end: datetime, statuses: Collection[str]
) -> int:
    """Of what goes to patients on this day, by when it was due."""
    query = select(func.count()).where(
        Message.clinic_id == clinic.id,
        Message.due_at >= start,
        Message.due_at < end,
        Message.status.in_(statuses),
        Message.patient_id.is_not(None),
    )
    return session.scalar(query) or 0


def _moving(
    session: Session,
    clinic: Clinic,
    when: Sequence[ColumnElement[bool]],
    statuses: Collection[str],
    *,
    latest: bool,
) -> list[Moving]:
    order = Message.due_at.desc() if latest else Message.due_at
    rows = session.execute(
        select(Message, Patient)
        .join(Patient, Patient.id == Message.patient_id)
        .where(Message.clinic_id == clinic.id, *when, Message.status.in_(statuses))
        .order_by(order, Message.id)
        .limit(_SHORT)
    )
    return [Moving(row.Message, row.Patient) for row in rows]


def stamp(session: Session, clinic: Clinic, now: datetime) -> str:
    """Another one whenever the board, or a task on it, may have become another; a few looks into indexes.

    Everything that changes a row leaves an event, an attempt, a report or a line in the audit trail.
    """
    newest = [
        session.scalar(select(func.max(table.id)))
        for table in (MessageEvent, Attempt, DeliveryReportRow, Treatment, TaskMark, Alert, Reply)
    ]
    audited = session.scalar(
        select(AuditEntry.id)
        .where(AuditEntry.clinic_id == clinic.id, AuditEntry.action.not_in(_LOOKS))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(1)
    )
    unseen = session.scalar(
        select(func.count()).where(Alert.clinic_id == clinic.id, Alert.acknowledged_at.is_(None))
    )
    senders = session.execute(select(Sender.id, Sender.stopped_at).where(Sender.clinic_id == clinic.id)).all()
    tick = now.timestamp() // _TICK.total_seconds()
    said = repr((clinic.id, clinic.version, newest, audited, unseen, [tuple(row) for row in senders], tick))
    return hashlib.sha256(said.encode()).hexdigest()[:16]

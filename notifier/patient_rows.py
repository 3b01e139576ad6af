"""Which rows of every table are about one patient: for who takes them out and for who erases them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, literal_column, or_, select
from sqlalchemy.orm import Session

from notifier.models import (
    Address,
    Alert,
    Attempt,
    AuditEntry,
    Base,
    ConsentEntry,
    DeliveryReportRow,
    Message,
    MessageEvent,
    Patient,
    Reply,
    ScoreRow,
    Suppression,
    TaskMark,
    Treatment,
)
from notifier.reach import address_of
from notifier.rules.plan import CHANNELS
from notifier.sealing import Place

# The dates of tests begin with a year of four figures.
_AFTER_ALL_YEARS = "9999"


@dataclass(frozen=True, slots=True)
class Rows:
    """`own` are the addresses that nobody else at the clinic is reached at, `shared` the others.

    `messages` went or go to the patient; `told` are those to staff about an alert that the patient raised.
    """

    patient: Patient
    own: tuple[Place, ...]
    shared: tuple[Place, ...]
    treatments: tuple[int, ...]
    replies: tuple[int, ...]
    alerts: tuple[int, ...]
    messages: tuple[int, ...]
    told: tuple[int, ...]
    marks: tuple[int, ...]  # of tasks about them

    @property
    def written(self) -> tuple[int, ...]:
        return (*self.messages, *self.told)


def rows_of(session: Session, patient: Patient) -> Rows:
    session.flush()
    places = _places(session, patient)
    shared = {place for place in places if _is_shared(session, patient, place)}
    own = places - shared
    treatments = _ids(session, Treatment, Treatment.patient_id == patient.id)
    replies = tuple(sorted(number for test in _wrote(patient, own) for number in _ids(session, Reply, test)))
    alerts = _ids(session, Alert, or_(Alert.patient_id == patient.id, Alert.reply_id.in_(replies)))
    told = _ids(session, Message, Message.alert_id.in_(alerts))
    reached = _reached(session, patient, own)
    messages = {
        *_ids(session, Message, Message.patient_id == patient.id),
        *_ids(session, Message, Message.reply_id.in_(replies)),
        *(number for test in reached for number in _ids(session, Message, test)),
    }
    return Rows(
        patient,
        tuple(sorted(own)),
        tuple(sorted(shared)),
        treatments,
        replies,
        alerts,
        tuple(sorted(messages.difference(told))),
        told,
        _marks(session, patient, treatments, replies, alerts, messages),
    )


def _ids(session: Session, table: Any, test: ColumnElement[bool]) -> tuple[int, ...]:
    return tuple(session.scalars(select(table.id).where(test).order_by(table.id)))


def _places(session: Session, patient: Patient) -> set[Place]:
    """Every address that the patient was ever written to at, or wrote from."""
    mine = Message.patient_id == patient.id
    queries: Iterable[Any] = (
        select(Message.channel, Message.to).where(mine),
        select(Attempt.channel, Attempt.address).join(Message, Message.id == Attempt.message_id).where(mine),
        select(Reply.channel, Reply.from_address).where(Reply.patient_id == patient.id),
    )
    found = {
        (channel, address) for query in queries for channel, address in session.execute(query.distinct())
    }
    now = {(channel, address_of(patient, channel)) for channel in CHANNELS}
    return {(channel, address) for channel, address in found | now if address and channel in CHANNELS}


def _is_shared(session: Session, patient: Patient, place: Place) -> bool:
    channel, address = place
    column = Patient.phone if channel == "sms" else Patient.email
    others = select(Patient.id).where(
        Patient.clinic_id == patient.clinic_id,
        column == address,
        Patient.id != patient.id,
        Patient.erased_at.is_(None),
    )
    return session.scalar(others.limit(1)) is not None


def _wrote(patient: Patient, own: Collection[Place]) -> Iterable[ColumnElement[bool]]:
    """What nobody could tell whose it was is theirs where only they are reached at the address."""
    yield Reply.patient_id == patient.id
    for channel, address in own:
        yield and_(
            Reply.clinic_id == patient.clinic_id,
            Reply.from_address == address,
            Reply.channel == channel,
            Reply.patient_id.is_(None),
        )


def _reached(session: Session, patient: Patient, own: Collection[Place]) -> Iterable[ColumnElement[bool]]:
    """What went there for nobody in particular: answers to a stranger's words, and tests."""
    for channel, address in own:
        address_id = session.scalar(
            select(Address.id).where(
                Address.clinic_id == patient.clinic_id,
                Address.channel == channel,
                Address.address == address,
            )
        )
        nobodys = and_(Message.clinic_id == patient.clinic_id, Message.patient_id.is_(None))
        if address_id is not None:
            yield and_(nobodys, Message.address_id == address_id, Message.claimed_at.is_not(None))
        tests = f"test:{channel}:{address}:"
        yield and_(nobodys, Message.dedup_key.between(tests, tests + _AFTER_ALL_YEARS))


def _marks(
    session: Session,
    patient: Patient,
    treatments: Collection[int],
    replies: Collection[int],
    alerts: Collection[int],
    messages: Collection[int],
) -> tuple[int, ...]:
    """A task's key begins with what it is about and its number."""
    about = {
        **{key: {patient.id} for key in ("paused", "address")},
        **{key: set(messages) for key in ("message", "answer")},
        **{key: set(replies) for key in ("reply", "replies")},
        **{key: set(treatments) for key in ("none-today", "uncovered")},
        "alert": set(alerts),
    }
    marks = session.execute(select(TaskMark.id, TaskMark.key).where(TaskMark.clinic_id == patient.clinic_id))
    return tuple(mark_id for mark_id, key in marks if _number(key) in about.get(key.partition(":")[0], ()))


def _number(task_key: str) -> int:
    number = task_key.split(":")[1] if ":" in task_key else ""
    return int(number) if number.isdecimal() else 0


def belonging(rows: Rows) -> Mapping[type[Base], ColumnElement[bool]]:
    """By table: which of its rows are the patient's own."""
    patient_id = rows.patient.id
    return {
        Patient: Patient.id == patient_id,
        ConsentEntry: ConsentEntry.patient_id == patient_id,
        Treatment: Treatment.id.in_(rows.treatments),
        Message: Message.id.in_(rows.written),
        Attempt: Attempt.message_id.in_(rows.written),
        MessageEvent: MessageEvent.message_id.in_(rows.written),
        DeliveryReportRow: DeliveryReportRow.message_id.in_(rows.written),
        Reply: Reply.id.in_(rows.replies),
        ScoreRow: ScoreRow.treatment_id.in_(rows.treatments),
        Alert: Alert.id.in_(rows.alerts),
        TaskMark: TaskMark.id.in_(rows.marks),
        AuditEntry: or_(*_audited(rows)),
        Suppression: _at(Suppression, rows),
        Address: _at(Address, rows),
    }


def _at(table: type[Suppression] | type[Address], rows: Rows) -> ColumnElement[bool]:
    places = (*rows.own, *rows.shared)
    return and_(
        table.clinic_id == rows.patient.clinic_id,
        or_(
            literal_column("1=0"),
            *(and_(table.channel == channel, table.address == address) for channel, address in places),
        ),
    )


def _audited(rows: Rows) -> Iterable[ColumnElement[bool]]:
    """But for lists, which name everybody on them by number only."""
    about: Mapping[str, Collection[int]] = {
        "patient": (rows.patient.id,),
        "treatment": rows.treatments,
        "message": rows.written,
        "reply": rows.replies,
        "alert": rows.alerts,
    }
    for subject, ids in about.items():
        yield and_(AuditEntry.subject == subject, AuditEntry.subject_id.in_(ids))

"""What the audit trail is about, by a name that people know and no more of a patient than a number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, select
from sqlalchemy.orm import Session

from notifier import plans
from notifier.models import (
    Alert,
    AuditEntry,
    Clinic,
    Message,
    Patient,
    PlanRow,
    Reply,
    Sender,
    Staff,
    Treatment,
)
from notifier.rules.zones import to_local, zone
from notifier.status_words import channel_name, title


@dataclass(frozen=True, slots=True)
class Subject:
    words: str = ""
    patient_id: int | None = None  # whose page tells more


Found = dict[int, Subject]


def _at(clinic_id: SQLColumnExpression[Any], clinic: Clinic) -> ColumnElement[bool]:
    """The sum keeps SQLite from walking through all of a clinic's rows, where it has their ids."""
    return (clinic_id + 0) == clinic.id


def of(session: Session, clinic: Clinic, entries: Sequence[AuditEntry]) -> Found:
    """By entry; each kind of subject is looked up for all entries at once."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.subject_id is not None:
            wanted[entry.subject].add(entry.subject_id)
    known = {
        subject: _LOOK_UPS[subject](session, clinic, ids)
        for subject, ids in wanted.items()
        if subject in _LOOK_UPS
    }
    return {entry.id: _subject(entry, known) for entry in entries}


def _subject(entry: AuditEntry, known: Mapping[str, Found]) -> Subject:
    if entry.subject == "clinic":
        return Subject("the clinic")
    found = known.get(entry.subject, {}).get(entry.subject_id or 0)
    if found is not None:
        return found
    named = str(entry.detail.get("name", ""))
    if entry.subject == "token":
        return Subject(f'the program "{named}"')
    return Subject(named or " ".join(filter(None, [entry.subject, str(entry.subject_id or "")])))


def _patients(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    query = select(Patient.id, Patient.record_number, Patient.erased_at)
    rows = session.execute(query.where(Patient.id.in_(ids), _at(Patient.clinic_id, clinic)))
    return {
        number: Subject("an erased patient" if erased else _called(number, record), number)
        for number, record, erased in rows
    }


def _called(number: int, record: str | None) -> str:
    """By the clinic's own number; without one, by ours."""
    return f"patient {record}" if record else f"patient no. {number}"


def _treatments(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    tz = zone(clinic.timezone)
    rows = session.execute(
        select(Treatment.id, Treatment.ended_at, Patient.id.label("patient_id"), Patient.record_number)
        .join(Patient, Patient.id == Treatment.patient_id)
        .where(Treatment.id.in_(ids), _at(Treatment.clinic_id, clinic))
    )
    return {
        row.id: Subject(
            f"the treatment of {_called(row.patient_id, row.record_number)} "
            f"on {to_local(row.ended_at, tz):%Y-%m-%d}",
            row.patient_id,
        )
        for row in rows
    }


def _messages(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.execute(
        select(Message.id, Message.kind, Message.step, Patient.id.label("patient_id"), Patient.record_number)
        .outerjoin(Patient, Patient.id == Message.patient_id)
        .where(Message.id.in_(ids), _at(Message.clinic_id, clinic))
    )
    return {
        row.id: Subject(
            f"“{title(row.kind, row.step)}”"
            + (f" to {_called(row.patient_id, row.record_number)}" if row.patient_id else ""),
            row.patient_id,
        )
        for row in rows
    }


def _replies(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.execute(
        select(Reply.id, Patient.id.label("patient_id"), Patient.record_number)
        .outerjoin(Patient, Patient.id == Reply.patient_id)
        .where(Reply.id.in_(ids), _at(Reply.clinic_id, clinic))
    )
    return {
        row.id: Subject(
            f"a reply of {_called(row.patient_id, row.record_number)}" if row.patient_id else "a reply",
            row.patient_id,
        )
        for row in rows
    }


def _staff(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.execute(select(Staff.id, Staff.name, Staff.email).where(Staff.id.in_(ids)))
    return {number: Subject(name or email) for number, name, email in rows}


def _plans(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.scalars(select(PlanRow).where(PlanRow.id.in_(ids), _at(PlanRow.clinic_id, clinic)))
    return {row.id: Subject(_plan_name(session, row)) for row in rows}


def _plan_name(session: Session, row: PlanRow) -> str:
    return plans.definition(plans.current_version(session, row)).plan.name_in("en")


def _senders(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.execute(
        select(Sender.id, Sender.channel).where(Sender.id.in_(ids), _at(Sender.clinic_id, clinic))
    )
    return {number: Subject(f"the sender for {channel_name(channel)}") for number, channel in rows}


def _alerts(session: Session, clinic: Clinic, ids: Collection[int]) -> Found:
    rows = session.execute(
        select(Alert.id, Alert.code, Alert.patient_id).where(Alert.id.in_(ids), _at(Alert.clinic_id, clinic))
    )
    return {number: Subject(f"the alert {code}", patient_id) for number, code, patient_id in rows}


_LOOK_UPS: Mapping[str, Callable[[Session, Clinic, Collection[int]], Found]] = {
    "patient": _patients,
    "treatment": _treatments,
    "message": _messages,
    "reply": _replies,
    "staff": _staff,
    "plan": _plans,
    "sender": _senders,
    "alert": _alerts,
}

"""Patients in a list: who was found or was here lately, and when each was treated last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import patients
from notifier.models import Clinic, Patient, Treatment

SHOWN = 25


@dataclass(frozen=True, slots=True)
class Found:
    patient: Patient
    treated_at: datetime | None

    @property
    def name(self) -> str:
        return f"{self.patient.first_name} {self.patient.last_name}".strip()


def find(session: Session, clinic: Clinic, words: str) -> list[Found]:
    """By any of what the desk knows; nothing asked is nothing found."""
    if not words.strip():
        return []
    return _with_treatments(session, patients.search(session, clinic, words, limit=SHOWN))


def lately(session: Session, clinic: Clinic) -> list[Found]:
    """Who was treated last."""
    rows = session.execute(
        select(Treatment.patient_id, Treatment.ended_at)
        .where(Treatment.clinic_id == clinic.id, Treatment.voided_at.is_(None))
        .order_by(Treatment.ended_at.desc())
        .limit(SHOWN * 2)
    )
    latest: dict[int, datetime] = {}
    for patient_id, ended_at in rows:
        latest.setdefault(patient_id, ended_at)
    ids = list(latest)[:SHOWN]
    known = {row.id: row for row in session.scalars(select(Patient).where(Patient.id.in_(ids)))}
    return [Found(known[key], latest[key]) for key in ids if known[key].erased_at is None]


def _with_treatments(session: Session, found: list[Patient]) -> list[Found]:
    rows = session.execute(
        select(Treatment.patient_id, func.max(Treatment.ended_at).label("last"))
        .where(Treatment.patient_id.in_([patient.id for patient in found]), Treatment.voided_at.is_(None))
        .group_by(Treatment.patient_id)
    )
    latest: dict[int, datetime] = {row.patient_id: row.last for row in rows}
    return [Found(patient, latest.get(patient.id)) for patient in found]

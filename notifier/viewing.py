"""Who looked at a patient: in the audit trail once for each visit, not once for each click."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit
from notifier.models import AuditEntry, Patient

VIEWED = "patient.viewed"
ONE_LOOK = timedelta(minutes=15)


def is_noted(session: Session, patient_id: int, *, now: datetime, actor: str) -> bool:
    """Whether this person looking at this patient now is the look that was noted already."""
    recent = select(AuditEntry.id).where(
        AuditEntry.subject == "patient",
        AuditEntry.subject_id == patient_id,
        AuditEntry.action == VIEWED,
        AuditEntry.actor == actor,
        AuditEntry.at > now - ONE_LOOK,
    )
    return session.scalar(recent.limit(1)) is not None


def note(session: Session, patient: Patient, *, now: datetime, actor: str) -> None:
    audit.note(
        session,
        clinic_id=patient.clinic_id,
        at=now,
        actor=actor,
        action=VIEWED,
        subject="patient",
        subject_id=patient.id,
    )

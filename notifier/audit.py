"""Who saw or changed what, and when. Rows are added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, literal_column, select
from sqlalchemy.orm import Session

from notifier.models import AuditEntry

# Somebody who looks at the same patient again within this time is still looking.
_STILL_LOOKING = timedelta(minutes=15)


def note(
    session: Session, *, clinic_id: int | None, at: datetime, actor: str, action: str, **what: Any
) -> None:
    """One entry: see `entry`."""
    note_all(session, [entry(clinic_id=clinic_id, at=at, actor=actor, action=action, **what)])


def entry(
    *,
    clinic_id: int | None,
    at: datetime,
    actor: str,
    action: str,
    subject: str = "",
    subject_id: int | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """`detail` holds what changed, never the words of a message or an address in full."""
    return {
        "clinic_id": clinic_id,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "subject_id": subject_id,
        "detail": detail,
    }


def note_all(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    """In one statement: an import writes as many as it has rows."""
    if entries:
        session.execute(insert(AuditEntry).execution_options(render_nulls=True), entries)


def is_viewing(session: Session, patient_id: int, *, now: datetime, actor: str) -> bool:
    """Whether it is noted already that this person or program looks at the patient."""
    query = select(AuditEntry.id).where(
        AuditEntry.subject == "patient",
        AuditEntry.subject_id == patient_id,
        AuditEntry.action == "patient.viewed",
        AuditEntry.actor == actor,
        AuditEntry.at > now - _STILL_LOOKING,
        AuditEntry.at <= now,
    )
    return session.scalar(query.limit(1)) is not None


def viewed(session: Session, *, clinic_id: int, patient_id: int, now: datetime, actor: str) -> None:
    note(
        session,
        clinic_id=clinic_id,
        at=now,
        actor=actor,
        action="patient.viewed",
        subject="patient",
        subject_id=patient_id,
    )


def listed(
    session: Session, *, clinic_id: int, patient_ids: Sequence[int], now: datetime, actor: str
) -> None:
    """Several at once, as a list shows them: one entry that names them all."""
    ids = sorted(set(patient_ids))
    note(session, clinic_id=clinic_id, at=now, actor=actor, action="patients.listed", patients=ids)


def is_listed(
    session: Session, *, clinic_id: int, patient_ids: Sequence[int], now: datetime, actor: str
) -> bool:
    """Whether it is noted already that this person or program looks at the very same list."""
    details = session.scalars(
        select(AuditEntry.detail).where(
            AuditEntry.clinic_id == clinic_id,
            # As a partial index says it, word for word.
            AuditEntry.action == literal_column("'patients.listed'"),
            AuditEntry.at > now - _STILL_LOOKING,
            AuditEntry.at <= now,
            AuditEntry.actor == actor,
        )
    )
    ids = sorted(set(patient_ids))
    return any(detail.get("patients") == ids for detail in details)

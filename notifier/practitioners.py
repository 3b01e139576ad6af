"""Who treats at a clinic, as the desk chooses from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Clinic, Practitioner


def of_clinic(session: Session, clinic: Clinic, *, archived: bool = False) -> list[Practitioner]:
    """Those who still treat, or those who do no longer, by name."""
    there = Practitioner.archived_at.is_not(None) if archived else Practitioner.archived_at.is_(None)
    return list(
        session.scalars(
            select(Practitioner).where(Practitioner.clinic_id == clinic.id, there).order_by(Practitioner.name)
        )
    )


def add(session: Session, clinic: Clinic, name: str, *, now: datetime, actor: str) -> Practitioner:
    """A new one, or one who comes back."""
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise InputError(
            "Write the practitioner's name as patients know it, such as Dr Ana Ruiz.", field="practitioner"
        )
    known = session.scalar(
        select(Practitioner).where(Practitioner.clinic_id == clinic.id, Practitioner.name == name)
    )
    if known is not None and known.archived_at is None:
        raise ConflictError(f"{name} is on the list already.")
    if known is None:
        known = Practitioner(clinic_id=clinic.id, name=name)
        session.add(known)
    known.archived_at = None
    session.flush()
    _note(session, known, now, actor, "practitioner.added")
    return known


def archive(
    session: Session, clinic: Clinic, practitioner_id: int, *, now: datetime, actor: str
) -> Practitioner:
    """No longer to be chosen; treatments keep the name."""
    found = session.get(Practitioner, practitioner_id)
    if found is None or found.clinic_id != clinic.id:
        raise NotFoundError("There is no such practitioner here.")
    if found.archived_at is None:
        found.archived_at = now
        _note(session, found, now, actor, "practitioner.removed")
    return found


def _note(session: Session, practitioner: Practitioner, now: datetime, actor: str, action: str) -> None:
    audit.note(
        session,
        clinic_id=practitioner.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="practitioner",
        subject_id=practitioner.id,
        name=practitioner.name,
    )

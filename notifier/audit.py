"""Who saw or changed what, and when. Rows are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from notifier.models import AuditEntry


def note(
    session: Session,
    *,
    clinic_id: int | None,
    at: datetime,
    actor: str,
    action: str,
    subject: str = "",
    subject_id: int | None = None,
    **detail: Any,
) -> None:
    """`detail` holds what changed, never the words of a message or an address in full."""
    session.add(
        AuditEntry(
            clinic_id=clinic_id,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            subject_id=subject_id,
            detail=detail,
        )
    )

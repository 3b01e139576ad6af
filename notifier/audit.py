"""Who saw or changed what, and when. Rows are added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from notifier.models import AuditEntry


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

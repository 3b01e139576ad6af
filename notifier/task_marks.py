"""Tasks of the desk that somebody has dealt with; a mark can be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from notifier import audit
from notifier.db import insert_missing
from notifier.models import Alert, Clinic, TaskMark


def done(session: Session, clinic: Clinic, keys: Iterable[str]) -> set[str]:
    """Which of these somebody has marked."""
    wanted = list(keys)
    if not wanted:
        return set()
    rows = session.scalars(
        select(TaskMark.key).where(TaskMark.clinic_id == clinic.id, TaskMark.key.in_(wanted))
    )
    return set(rows)


def mark_done(
    session: Session, clinic: Clinic, key: str, *, now: datetime, actor: str, note: str = ""
) -> None:
    """Somebody has dealt with it; twice is once. An alert is thereby acknowledged and goes no further."""
    values = {"clinic_id": clinic.id, "key": key[:120], "done_at": now, "done_by": actor, "note": note}
    session.execute(insert_missing(session, TaskMark), [values])
    _acknowledge(session, clinic, key, now, actor)
    audit.note(session, clinic_id=clinic.id, at=now, actor=actor, action="task.done", key=key[:120])


def undo_done(session: Session, clinic: Clinic, key: str, *, now: datetime, actor: str) -> None:
    session.execute(delete(TaskMark).where(TaskMark.clinic_id == clinic.id, TaskMark.key == key))
    _acknowledge(session, clinic, key, None, "")
    audit.note(session, clinic_id=clinic.id, at=now, actor=actor, action="task.reopened", key=key[:120])


def _acknowledge(session: Session, clinic: Clinic, key: str, at: datetime | None, by: str) -> None:
    kind, _, number = key.partition(":")
    if kind == "alert" and number.isdecimal():
        session.execute(
            update(Alert)
            .where(Alert.id == int(number), Alert.clinic_id == clinic.id)
            .values(acknowledged_at=at, acknowledged_by=by)
        )

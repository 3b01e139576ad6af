"""Tasks of the desk that somebody has dealt with; a mark can be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifier import alerts, audit
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
    alert = _alert(session, clinic, key)
    if alert is not None:
        alerts.acknowledge(session, alert, by=actor, how="inbox", now=now)
    audit.note(session, clinic_id=clinic.id, at=now, actor=actor, action="task.done", key=key[:120])


def undo_done(session: Session, clinic: Clinic, key: str, *, now: datetime, actor: str) -> None:
    session.execute(delete(TaskMark).where(TaskMark.clinic_id == clinic.id, TaskMark.key == key))
    alert = _alert(session, clinic, key)
    if alert is not None:
        alerts.reopen(session, alert, now=now, actor=actor)
    audit.note(session, clinic_id=clinic.id, at=now, actor=actor, action="task.reopened", key=key[:120])


def _alert(session: Session, clinic: Clinic, key: str) -> Alert | None:
    kind, _, number = key.partition(":")
    if kind != "alert" or not number.isdecimal():
        return None
    return session.scalars(
        select(Alert).where(Alert.id == int(number), Alert.clinic_id == clinic.id)
    ).one_or_none()

"""What is only of use for a while is forgotten after it: sign-ins, links, kept answers, imported files."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from notifier import signin
from notifier.config import Settings
from notifier.db import RealTime
from notifier.models import IdempotencyRecord, ImportRun, StaffLink

# A program that repeats a request after two days has lost more than the answer.
_ANSWERS = timedelta(days=2)
# A file that nobody went on with is full of patients all the same.
_FILES = timedelta(days=1)
_EVERY = timedelta(days=1)


def purge(session: Session, settings: Settings, now: datetime) -> datetime:
    """The chore, once a day."""
    signin.purge(session)
    session.execute(delete(StaffLink).where(StaffLink.expires_at < RealTime()))
    session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < now - _ANSWERS))
    session.execute(
        update(ImportRun)
        .where(
            ImportRun.content.is_not(None),
            ImportRun.created_at < now - _FILES,
            ImportRun.state != "running",
        )
        .values(content=None)
        .execution_options(synchronize_session=False)
    )
    return now + _EVERY

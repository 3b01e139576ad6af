"""When a chore is due: whoever changes what it goes by calls it earlier."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from notifier.db import insert_missing, wake_workers
from notifier.models import Chore


def hurry(session: Session, name: str, *, now: datetime) -> None:
    """What the chore goes by has changed, such as opening hours: it is due now and finds its next time."""
    session.execute(insert_missing(session, Chore), [{"name": name, "due_at": now}])
    session.execute(update(Chore).where(Chore.name == name, Chore.due_at > now).values(due_at=now))
    wake_workers(session)

"""Waits until nothing is being sent to an address any more: a stop is only true when no call is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine, literal_column, select, tuple_
from sqlalchemy.orm import Session

from notifier.db import reading
from notifier.models import Message
from notifier.rules.delivery import Kind

Place = tuple[str, str]  # channel, address

# Quick at first, because most calls take a tenth of a second.
_FIRST_LOOK, _LONGEST_PAUSE = 0.01, 0.1
_TO_PATIENTS = [str(Kind.PLANNED), str(Kind.ANSWER), str(Kind.STAFF)]


def is_any(session: Session, places: Sequence[Place]) -> bool:
    """Whether a call that had begun is still under way to one of these."""
    query = select(Message.id).where(
        Message.status == literal_column("'sending'"),
        Message.kind.in_(_TO_PATIENTS),
        tuple_(Message.channel, Message.to).in_(list(places)),
    )
    return session.scalar(query.limit(1)) is not None


def wait(engine: Engine, places: Sequence[Place], *, seconds: float) -> bool:
    """After the commit that stopped them, so that no call begins meanwhile. False: it took too long."""
    ends, pause = time.monotonic() + seconds, _FIRST_LOOK
    while places:
        with reading(engine) as session:
            if not is_any(session, places):
                break
        if time.monotonic() > ends:
            return False
        threading.Event().wait(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True

"""Plan time: what "now" is for due times, windows and usefulness. Made by the entry points and passed on.

Real time (leases, time-outs, sign-in) is never taken from here: it is the database's own, see `db.RealTime`.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine

from notifier.db import database_now, reading
from notifier.errors import DatabaseUnavailable


class Clock(Protocol):
    def now(self) -> datetime: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class DatabaseClock:
    """The database's clock, read now and then and carried on by this host's monotonic one in between.

    Hosts whose own clocks differ agree by it on what is due.
    """

    def __init__(self, engine: Engine, *, refresh: float = 15.0) -> None:
        self._engine, self._refresh = engine, refresh
        self._lock = threading.Lock()
        self._base: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        with self._lock:
            if self._base is None or time.monotonic() - self._base[1] > self._refresh:
                self._read()
            assert self._base is not None
            then, mark = self._base
            return then + timedelta(seconds=time.monotonic() - mark)

    def _read(self) -> None:
        try:
            with reading(self._engine) as session:
                # Marked after the answer: rather a moment behind than ahead by the time it took to connect.
                self._base = (database_now(session), time.monotonic())
        except DatabaseUnavailable:
            # Without the database nothing can be sent anyway; the last reading is good enough to wait by.
            if self._base is None:
                raise


class JumpingClock:
    """Stands still until it is told to go on: a week of aftercare in seconds."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def jump(self, to: datetime) -> None:
        self._now = max(self._now, to.astimezone(UTC))


def clock_for(engine: Engine) -> Clock:
    return DatabaseClock(engine) if engine.dialect.name == "postgresql" else SystemClock()

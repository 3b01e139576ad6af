"""Plan time: what "now" is for due times, windows and usefulness. Made by the entry points and passed on.

Real time (leases, time-outs, sign-in) is never taken from here: it is the database's own, see `db.RealTime`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


class RunningClock:
    """Runs `speed` times as fast as real time, 0 for not at all: the demo's, which people watch.

    Any thread may change it; who sleeps by it hears of that from `on_change`. It never goes back.
    """

    def __init__(
        self, start: datetime, speed: float = 1.0, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._then, self._mark = start.astimezone(UTC), monotonic()
        self._speed = _sound(speed)
        self._holds = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> datetime:
        with self._lock:
            return self._now()

    def set_speed(self, speed: float) -> None:
        with self._lock:
            self._settle()
            self._speed = _sound(speed)
        self._tell()

    def jump(self, to: datetime) -> None:
        with self._lock:
            self._settle()
            self._then = max(self._then, to.astimezone(UTC))
        self._tell()

    @contextmanager
    def held(self) -> Iterator[None]:
        """It stands still meanwhile: work that takes a moment would take an hour of plan time."""
        with self._lock:
            self._settle()
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._settle()
                self._holds -= 1

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def _now(self) -> datetime:
        passed = 0.0 if self._holds else self._monotonic() - self._mark
        return self._then + timedelta(seconds=passed * self._speed)

    def _settle(self) -> None:
        """From here on it may run differently."""
        self._then, self._mark = self._now(), self._monotonic()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _sound(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        raise ValueError(f"a clock cannot run {speed} times as fast as real time")
    return speed


def pace_of(clock: Clock) -> float:
    """How many seconds of plan time pass in one of real time."""
    return clock.speed if isinstance(clock, RunningClock) else 1.0


def held(clock: Clock) -> AbstractContextManager[None]:
    """For the time of some work, where the clock can be held; see `RunningClock.held`."""
    return clock.held() if isinstance(clock, RunningClock) else nullcontext()


_MOMENT = timedelta(milliseconds=1)


def real_wait(wait: timedelta, pace: float) -> timedelta | None:
    """How long a wait in plan time takes in real time. None: for ever, because the clock stands still."""
    if pace == 1.0 or wait <= timedelta(0):
        return wait
    # Rounded up: who wakes a moment too early finds nothing to do.
    return max(wait / pace, _MOMENT) if pace else None


def clock_for(engine: Engine) -> Clock:
    return DatabaseClock(engine) if engine.dialect.name == "postgresql" else SystemClock()

"""The worker's part in chores: each that is due is done in a transaction of its own."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import Engine

from notifier import chores
from notifier.clock import Clock, pace_of
from notifier.config import Settings
from notifier.db import reading, transaction
from notifier.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

_NOW = timedelta(0)


class ChoreRunner:
    """Reads a few rows when it is asked, and writes only when something is due."""

    def __init__(self, engine: Engine, clock: Clock, settings: Settings, *, worker: str) -> None:
        self._engine, self._clock, self._settings, self._worker = engine, clock, settings, worker
        self._known = False

    def run_due(self) -> int:
        """How many were done; they may have written messages that are due now. Raises DatabaseUnavailable."""
        self._make_known()
        done = 0
        while self.next_wait() == _NOW and self._run_one():
            done += 1
        return done

    def next_wait(self) -> timedelta | None:
        """How long until one is due; zero: now. None: none is."""
        with reading(self._engine) as session:
            return chores.wait_for_chore(session, now=self._clock.now(), pace=pace_of(self._clock))

    def _make_known(self) -> None:
        if self._known:
            return
        with reading(self._engine) as session:
            absent = chores.absent(session)
        if absent:
            with transaction(self._engine) as session:
                chores.add(session, absent, now=self._clock.now())
        self._known = True

    def _run_one(self) -> bool:
        """False where another worker has it in hand."""
        name = None
        try:
            with transaction(self._engine) as session:
                now = self._clock.now()
                name = chores.take(session, now=now)
                if name is not None:
                    chores.do(session, name, self._settings, now=now, worker=self._worker)
        except DatabaseUnavailable:
            raise
        except Exception:
            # One that fails stops neither the others nor the messages.
            log.exception("chore %s failed; it is tried again in some minutes", name)
            with transaction(self._engine) as session:
                chores.put_off(session, name or "")
        return name is not None

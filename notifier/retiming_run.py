"""Carries retimings out, a short transaction for each batch, so that desks and workers get their turn.

An entry point. Whoever runs it holds a lease by the database's clock: two programs never do the same, and
when one dies, the next one goes on after the last batch that was committed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable

from sqlalchemy import ColumnElement, Engine, or_, update
from sqlalchemy.orm import Session

from notifier import retiming
from notifier.clock import Clock
from notifier.db import RealTime, reading, transaction
from notifier.errors import DatabaseUnavailable
from notifier.models import Retiming
from notifier.retiming import Batch

log = logging.getLogger(__name__)

# Treatments in one transaction: a desk that meets it waits about as long as for another desk.
BATCH = 100
_LEASE = 30.0  # seconds
_EVERY = 30.0
_TRIES = 5
_BETWEEN_TRIES = 0.5
# Longer than the batch itself took: who waits for SQLite's lock asks again every 25 ms or more.
_PAUSE = 0.03

Progress = Callable[[int], None]


def start(engine: Engine, clock: Clock, retiming_id: int) -> threading.Thread:
    """Carry it out in the background; it is there to be followed in its row."""
    thread = threading.Thread(
        target=_quietly, args=(engine, clock, retiming_id), name=f"retiming-{retiming_id}", daemon=True
    )
    thread.start()
    return thread


def _quietly(engine: Engine, clock: Clock, retiming_id: int) -> None:
    try:
        run(engine, clock, retiming_id)
    except DatabaseUnavailable as error:
        log.warning("%s The retiming goes on when the database answers; nothing is lost.", error)
    except Exception:
        log.exception("retiming %s stopped; it is tried again later", retiming_id)


def resume_all(engine: Engine, clock: Clock, *, stopping: threading.Event | None = None) -> int:
    """Finish what somebody began and nobody is at. Returns how many were finished."""
    with reading(engine) as session:
        waiting = retiming.unfinished(session)
    return sum(run(engine, clock, retiming_id, stopping=stopping) for retiming_id in waiting)


def run(
    engine: Engine,
    clock: Clock,
    retiming_id: int,
    *,
    stopping: threading.Event | None = None,
    batch_size: int = BATCH,
    progress: Progress | None = None,
) -> bool:
    """Carry it out to its end. False: somebody else is at it, or `stopping` was set meanwhile.

    `progress` is told the number of treatments of each batch that was committed.
    """
    return _Run(engine, clock, retiming_id, stopping or threading.Event(), batch_size, progress).run()


class Retimer:
    """Finishes in the background what was left unfinished: when a program starts, and now and then."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="retimer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is one now: for callers in this process who have just committed it."""
        self._wake.set()

    def stop(self) -> None:
        """Returns when the batch under way is committed."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                resume_all(self._engine, self._clock, stopping=self._stopping)
            except DatabaseUnavailable as error:
                log.warning("%s Retiming goes on when the database answers; nothing is lost.", error)
            except Exception:
                log.exception("retiming stopped; it is tried again in %d s", _EVERY)
            self._wake.wait(_EVERY)


class _Run:
    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        retiming_id: int,
        stopping: threading.Event,
        batch_size: int,
        progress: Progress | None,
    ) -> None:
        self.engine, self.clock, self.retiming_id = engine, clock, retiming_id
        self.stopping, self.batch_size, self.progress = stopping, batch_size, progress
        self.size = batch_size
        self.left: set[int] = set()  # treatments that cannot be brought over
        self.worker = f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    def run(self) -> bool:
        with transaction(self.engine) as session:
            if not self._lease(session, takes=True):
                return False
            self.aim = retiming.target(session, self.retiming_id)
            cursor = session.get_one(Retiming, self.retiming_id).cursor
        try:
            return self._walk(cursor)
        finally:
            self._let_go()

    def _walk(self, cursor: int) -> bool:
        # At the end from the start again: meanwhile somebody may have logged a treatment on the version that
        # was current when they began.
        while found := self._look(cursor) or self._look(0):
            reached = self._take(found, cursor)
            if reached is None:
                return False
            cursor = reached
        with transaction(self.engine) as session:
            if not self._lease(session):
                return False
            retiming.finish(session, self.retiming_id, now=self.clock.now(), left=len(self.left))
        return True

    def _look(self, cursor: int) -> list[Batch]:
        aim = self.aim
        with reading(self.engine) as session:
            found = retiming.batches(
                session,
                aim.plan_id,
                aim.version_id,
                now=self.clock.now(),
                after=cursor,
                size=self.size,
                seen=self.left,
            )
        return [batch for batch in found if batch.treatments]

    def _take(self, found: list[Batch], cursor: int) -> int | None:
        """How far it came; None: it is not ours to go on with."""
        for batch in found:
            try:
                if self.stopping.is_set() or not self._bring(batch):
                    return None
            except DatabaseUnavailable:
                raise
            except Exception:
                log.exception("retiming %s: a batch could not be brought over", self.retiming_id)
                if self.size > 1:
                    # One by one: what cannot be planned stays on its version, and stops no other.
                    self.size = 1
                    return cursor
                self.left |= batch.treatments
            cursor = batch.cursor
            if self.progress is not None:
                self.progress(len(batch.treatments))
            self.stopping.wait(_PAUSE)
        self.size = self.batch_size
        return cursor

    def _bring(self, batch: Batch) -> bool:
        """Whether it was done and is still ours to go on with."""
        tries = 0
        while True:
            try:
                with transaction(self.engine) as session:
                    if not self._lease(session):
                        return False
                    retiming.advance(session, self.aim, batch, now=self.clock.now())
                return True
            except DatabaseUnavailable:
                # A deadlock, or another writer that took too long: the batch is as it was.
                tries += 1
                if tries >= _TRIES:
                    raise
                self.stopping.wait(_BETWEEN_TRIES)

    def _lease(self, session: Session, *, takes: bool = False) -> bool:
        """Hold it for a while longer; `takes`: also where nobody holds it."""
        mine: ColumnElement[bool] = Retiming.worker == self.worker
        if takes:
            mine = or_(mine, Retiming.lease_until.is_(None), Retiming.lease_until < RealTime())
        held = session.execute(
            update(Retiming)
            .where(Retiming.id == self.retiming_id, Retiming.finished_at.is_(None), mine)
            .values(worker=self.worker, lease_until=RealTime(_LEASE))
            .returning(Retiming.id)
            .execution_options(synchronize_session=False)
        )
        return held.first() is not None

    def _let_go(self) -> None:
        with contextlib.suppress(DatabaseUnavailable), transaction(self.engine) as session:
            session.execute(
                update(Retiming)
                .where(Retiming.id == self.retiming_id, Retiming.worker == self.worker)
                .values(lease_until=None)
            )

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
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

from sqlalchemy import ColumnElement, Engine, or_, update
from sqlalchemy.orm import Session

from notifier import retiming
from notifier.clock import Clock
from notifier.db import RealTime, reading, transaction
from notifier.errors import DatabaseUnavailable
from notifier.models import Retiming
from notifier.retiming_batches import Batch, batches
from notifier.retiming_deed import advance, target

log = logging.getLogger(__name__)

# Treatments in the first transactions; later ones are as large as fits into so many seconds. On SQLite
# everybody who writes waits as long, on PostgreSQL only who writes about the same patients.
_FIRST = 250
_SECONDS = {"sqlite": 0.13, "postgresql": 0.3}
_SMALLEST, _LARGEST = 50, 1_000
_LEASE = 30.0  # seconds
_EVERY = 30.0
_BETWEEN_TRIES = (0.2, 0.5, 1.0, 2.0)
_GIVE_UP = 100  # treatments that cannot be brought over; with so many, it is not they who are wrong
# Seconds between them: who waits for SQLite's one lock in another process has to find it free.
_PAUSE = {"sqlite": 0.005}
# PostgreSQL writes the rows of one batch while the next one is planned.
_HANDS = {"postgresql": 2}

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
    batch_size: int | None = None,
    progress: Progress | None = None,
    hands: int | None = None,
) -> bool:
    """Carry it out to its end. False: somebody else is at it, or `stopping` was set meanwhile.

    `progress` is told the number of treatments of each batch that was committed.
    """
    return _Run(engine, clock, retiming_id, stopping or threading.Event(), batch_size, progress, hands).run()


class _Done(Enum):
    WELL, FAILED, NOT_OURS = range(3)


class _LostError(Exception):
    """Another program holds the lease now, so that what was just done must not be committed."""


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
        batch_size: int | None,
        progress: Progress | None,
        hands: int | None,
    ) -> None:
        self.engine, self.clock, self.retiming_id = engine, clock, retiming_id
        self.stopping, self.batch_size, self.progress = stopping, batch_size, progress
        self.size = batch_size or _FIRST
        self.speed = 0.0  # treatments a second, lately
        self.pause = _PAUSE.get(engine.dialect.name, 0.0)
        self.hands = hands or _HANDS.get(engine.dialect.name, 1)
        self.left: set[int] = set()  # treatments that cannot be brought over
        self.worker = f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    def run(self) -> bool:
        with transaction(self.engine) as session:
            if not self._lease(session, takes=True):
                return False
            self.aim = target(session, self.retiming_id)
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
            found = batches(
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
        for batch, done in zip(found, self._bring_all(found), strict=True):
            if done is _Done.NOT_OURS:
                return None
            if done is _Done.FAILED:
                if self.size > 1:
                    # One by one: what cannot be planned stays on its version, and stops no other.
                    self.size = 1
                    return cursor
                self._leave(batch)
            cursor = batch.cursor
            if self.progress is not None:
                self.progress(len(batch.treatments))
        self.size = self.batch_size or self._fitting()
        return cursor

    def _fitting(self) -> int:
        seconds = _SECONDS[self.engine.dialect.name]
        return min(max(int(self.speed * seconds), _SMALLEST), _LARGEST)

    def _bring_all(self, found: Iterable[Batch]) -> Iterator[_Done]:
        if self.hands == 1:
            yield from map(self._bring, found)
            return
        with ThreadPoolExecutor(self.hands, thread_name_prefix="retiming") as pool:
            yield from pool.map(self._bring, found)

    def _leave(self, batch: Batch) -> None:
        self.left |= batch.treatments
        if len(self.left) > _GIVE_UP:
            raise RuntimeError(f"retiming {self.retiming_id}: {len(self.left)} treatments cannot be planned")

    def _bring(self, batch: Batch) -> _Done:
        for wait in (*_BETWEEN_TRIES, None):
            if self.stopping.is_set():
                return _Done.NOT_OURS
            try:
                self._write(batch)
            except _LostError:
                return _Done.NOT_OURS
            except DatabaseUnavailable:
                # A deadlock, or another writer that took too long: the batch is as it was.
                if wait is None:
                    raise
                self.stopping.wait(wait)
            except Exception:
                log.exception("retiming %s: a batch could not be brought over", self.retiming_id)
                return _Done.FAILED
            else:
                self.stopping.wait(self.pause)
                return _Done.WELL
        raise AssertionError

    def _write(self, batch: Batch) -> None:
        with transaction(self.engine) as session:
            begun = time.monotonic()
            advance(session, self.aim, batch, now=self.clock.now())
            self._still_ours(session)
        self.speed = len(batch.treatments) / max(time.monotonic() - begun, 0.001)

    def _still_ours(self, session: Session) -> None:
        if not self._lease(session):
            raise _LostError

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

"""The worker: APScheduler is its clock, a dispatch thread does the work, and new rows wake it.

The scheduler's one job only sets an event: it drops a run while one is active, so the work is not in it. It
is armed to the next due time, and never more than 15 seconds ahead.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from notifier.channels import Channel
from notifier.clock import Clock, RunningClock, held
from notifier.config import Settings
from notifier.dispatcher import Dispatcher
from notifier.errors import DatabaseUnavailable
from notifier.links import links_of
from notifier.outcomes import policy_of
from notifier.pulse import Pulse
from notifier.senders import Terms
from notifier.worker_chores import ChoreRunner

log = logging.getLogger(__name__)

_AT_MOST = timedelta(seconds=15)
_WHEN_STUCK = timedelta(milliseconds=50)
_AFTER_TROUBLE = (1.0, 2.0, 5.0, 15.0)  # seconds between tries to reach the database


def open_dispatcher(
    engine: Engine,
    clock: Clock,
    channels: Mapping[str, Channel],
    settings: Settings,
    *,
    kinds: frozenset[str] | None = None,
) -> Dispatcher:
    """A dispatcher as the settings want it. `kinds`: nothing but these is sent."""
    delivery = settings.delivery
    # What stays in the outbox burdens no carrier, so it has no rate.
    rates = {"sms": settings.sms.max_per_second} if delivery.mode != "outbox" else {}
    terms = Terms(
        worker=_new_name(),
        lease=delivery.lease,
        channels=frozenset(channels),
        rates=rates,
        links=links_of(settings),
        kinds=kinds,
        reply_address=settings.reply_address,
        nothing_leaves=delivery.mode == "outbox",
    )
    return Dispatcher(
        engine,
        clock,
        channels,
        terms=terms,
        policy=policy_of(settings),
        lookup_gap=delivery.lookup_gap,
        timeouts={
            "sms": settings.sms.timeout.total_seconds(),
            "email": settings.email.timeout.total_seconds(),
        },
        threads=delivery.threads,
    )


def _new_name() -> str:
    return f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"


class Worker:
    """Sends what is due, as long as it runs. `start` returns at once; `stop` finishes what is in flight."""

    def __init__(
        self, engine: Engine, clock: Clock, channels: Mapping[str, Channel], settings: Settings
    ) -> None:
        self._clock = clock
        self._dispatcher = open_dispatcher(engine, clock, channels, settings)
        self._chores = ChoreRunner(engine, clock, settings, worker=_new_name())
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pulse = Pulse(engine, self.wake)
        self._thread = threading.Thread(target=self._work, name="dispatch", daemon=True)
        if isinstance(clock, RunningClock):
            clock.on_change(self.wake)

    def start(self) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        # Quiet but for trouble: this scheduler's runs are as frequent as messages.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.start()
        self._pulse.start()
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Something may be due: for callers in this process who have just committed it."""
        self._wake.set()
        self._dispatcher.nudge()

    def stop(self) -> None:
        self._stopping.set()
        self._dispatcher.stop()
        self.wake()
        self._thread.join()
        self._pulse.stop()
        # A job that rings while the scheduler shuts down would end its thread with a traceback.
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=False)
        self._dispatcher.close()

    def _work(self) -> None:
        troubles = 0
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                with held(self._clock):
                    sent = self._dispatcher.drain()
                    done = self._chores.run_due()
                self._arm(stuck=not sent and not done)
            except DatabaseUnavailable as error:
                wait = _AFTER_TROUBLE[min(troubles, len(_AFTER_TROUBLE) - 1)]
                log.warning("%s Trying again in %d s; nothing is lost.", error, wait)
                troubles += 1
                self._stopping.wait(wait)
                self._wake.set()
                continue
            except Exception:
                # One message that breaks the loop must not stop the others for ever.
                log.exception("dispatch failed; trying again in %d s", _AFTER_TROUBLE[-1])
                self._stopping.wait(_AFTER_TROUBLE[-1])
                self._wake.set()
                continue
            if troubles:
                log.warning("The database answers again.")
                troubles = 0
        self._record_the_rest()

    def _arm(self, *, stuck: bool) -> None:
        """Ring at the next due time; sooner than that, only news wakes the worker.

        `stuck`: nothing could be sent just now. What is due then waits for its sender's rate or for another
        worker's transaction, and asking without a pause would not make it sooner.
        """
        waits = (self._dispatcher.next_wait(), self._chores.next_wait(), _AT_MOST)
        wait = min(wait for wait in waits if wait is not None)
        if stuck:
            wait = max(wait, _WHEN_STUCK)
        self._scheduler.add_job(
            self._wake.set,
            "date",
            run_date=datetime.now(UTC) + wait,
            id="dispatch",
            replace_existing=True,
            misfire_grace_time=None,
        )

    def _record_the_rest(self) -> None:
        """What came back while stopping is written down; without a database it is left to the look-up."""
        try:
            self._dispatcher.drain()
        except DatabaseUnavailable as error:
            log.error("%s What was in flight will be looked up at the provider.", error)

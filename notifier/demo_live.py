"""The demo with its pages open: the worker on a clock that runs fast, until somebody presses Ctrl-C."""

from __future__ import annotations

import queue
import signal
import socket
import threading
from abc import ABC, abstractmethod
from datetime import datetime

from sqlalchemy import Engine

from notifier.channels import open_channels
from notifier.channels.outbox import Entry, Outbox
from notifier.clock import RunningClock
from notifier.config import Settings
from notifier.demo_screen import Screen
from notifier.demo_week import MOMENTS
from notifier.retiming_run import Retimer
from notifier.web.app import create_app
from notifier.web.server import address_of, serve
from notifier.worker import Worker

# A minute of the week in a second: quick to watch, and slow enough to log a treatment meanwhile.
SPEED = 60.0
_LOOK_EVERY = 0.2  # seconds


def keep_open(
    settings: Settings,
    engine: Engine,
    screen: Screen,
    listening: socket.socket,
    links: dict[str, str],
    start: datetime,
) -> None:
    clock = RunningClock(start, SPEED)
    address = address_of(listening)
    kept: queue.Queue[Entry | None] = queue.Queue()
    outbox = Outbox(settings.delivery.outbox_file, on_keep=kept.put, clock=clock.now)
    # So that an e-mail to staff has a link that works as long as the demo runs.
    at_home = settings.model_copy(update={"web": settings.web.model_copy(update={"base_url": address})})
    worker = Worker(engine, clock, open_channels(settings, outbox=outbox), at_home)
    moments = _Meanwhile(engine, screen, clock, at_home, start)
    beside = (_Printer(engine, screen, kept), worker, Retimer(engine, clock), moments)
    pages = create_app(at_home, engine, clock, beside=beside)
    # Raised once more when the pages have ended by it; what is left is to sum up.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: None)
    serve(pages, listening, lambda: screen.door(address, links, stays=True))


class _Beside(ABC):
    """A thread for as long as the pages are open."""

    def __init__(self, engine: Engine, screen: Screen) -> None:
        self.engine, self.screen = engine, screen
        self._thread = threading.Thread(target=self.work, name=type(self).__name__, daemon=True)

    @abstractmethod
    def work(self) -> None: ...

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.join(timeout=5)


class _Printer(_Beside):
    """Shows each message as it leaves."""

    def __init__(self, engine: Engine, screen: Screen, kept: queue.Queue[Entry | None]) -> None:
        super().__init__(engine, screen)
        self._kept = kept

    def work(self) -> None:
        while (entry := self._kept.get()) is not None:
            self.screen.message(self.engine, entry)

    def stop(self) -> None:
        self._kept.put(None)
        super().stop()


class _Meanwhile(_Beside):
    """What happens at the desk in the middle of the week, and what patients write."""

    def __init__(
        self, engine: Engine, screen: Screen, clock: RunningClock, settings: Settings, start: datetime
    ) -> None:
        super().__init__(engine, screen)
        self._clock, self._settings, self._start = clock, settings, start
        self._stopping = threading.Event()

    def work(self) -> None:
        for moment in MOMENTS:
            while self._clock.now() < self._start + moment.after:
                if self._stopping.wait(_LOOK_EVERY):
                    return
            moment.happen(self.engine, self._settings, self.screen, self._clock.now())

    def stop(self) -> None:
        self._stopping.set()
        super().stop()

"""Workers in processes of their own, that may be killed at any moment or kill themselves at a chosen one.

python -m tests.chaos.runner imports everything once, and forks a worker for each line that it reads:
DATABASE FOLDER [before|after CALL]. It answers with the worker's process id, and later with how it ended.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from notifier import db
from notifier.channels.outbox import Outbox
from notifier.clock import clock_for
from notifier.config import Settings
from notifier.envelope import Accepted, OutboundMessage
from notifier.worker import Worker

THREADS = 4


class Mortal(Outbox):
    """Takes a little time for each message; dies before or after keeping the one it was told to."""

    def __init__(self, path: Path, when: str = "", call: int = 0) -> None:
        super().__init__(path)
        self._when, self._call, self._calls = when, call, itertools.count(1)

    def send(self, message: OutboundMessage) -> Accepted:
        last = next(self._calls) == self._call
        time.sleep(random.uniform(0.0, 0.01))
        if last and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        accepted = super().send(message)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return accepted


def settings(folder: Path) -> Settings:
    """Everything that takes a minute takes a moment here."""
    return Settings.model_validate(
        {
            "delivery": {
                "outbox_file": folder / "outbox.jsonl",
                "threads": THREADS,
                "lease": timedelta(seconds=1.25),
                "lookup_after": timedelta(seconds=0.05),
                "lookup_gap": timedelta(seconds=0.05),
            },
            "sms": {"timeout": timedelta(seconds=0.1)},
            "email": {"timeout": timedelta(seconds=0.1)},
        }
    )


def work(url: str, folder: str, when: str = "", call: str = "0") -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    engine = db.open_engine(url)
    chosen = settings(Path(folder))
    outbox = Mortal(chosen.delivery.outbox_file, when, int(call))
    worker = Worker(engine, clock_for(engine), {"sms": outbox, "email": outbox}, chosen)
    worker.start()
    stopping.wait()
    worker.stop()
    engine.dispose()


def main() -> None:
    for line in sys.stdin:
        worker = os.fork()
        if not worker:
            work(*line.split())
            os._exit(0)
        say(worker)
        say(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

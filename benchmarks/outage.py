"""A day without a worker, and then all that is overdue: nothing stale, nothing in the night, at most one
message a patient in a gap, and no more texts in a second than the sender may. Anything else is an error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select

from benchmarks.import_rows import NOW, imported
from notifier import db
from notifier.clock import RunningClock
from notifier.config import Settings
from notifier.envelope import Accepted, OutboundMessage
from notifier.models import Message
from notifier.rules.delivery import Status
from notifier.worker import Worker
from tests.servers.postgres import PostgresServer

OUTAGE = timedelta(days=1)
# The rest of the evening, the night, and the next day until its window closes.
LASTS = timedelta(hours=27)
SPEED = 900.0
RATE = 100.0  # messages in a real second
# As the shipped plans have them.
GAP = timedelta(hours=12)
OPENS, CLOSES = timedelta(hours=9), timedelta(hours=20, minutes=15)
# Between the claim, which decides, and the call, plan time goes on: here fifteen minutes in a second.
_ON_THE_WAY = timedelta(seconds=SPEED * 0.3)
ZONE = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Call:
    message_id: int
    real: float
    planned: datetime


class Provider:
    provider = "bench"

    def __init__(self, clock: RunningClock) -> None:
        self.clock, self.calls, self._lock = clock, list[Call](), threading.Lock()

    def send(self, message: OutboundMessage) -> Accepted:
        with self._lock:
            self.calls.append(Call(message.message_id, time.monotonic(), self.clock.now()))
        return Accepted(f"B-{message.message_id}-{message.attempt}", Status.ACCEPTED, self.provider)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def at_work(engine: Engine, clock: RunningClock) -> Iterator[Provider]:
    provider = Provider(clock)
    # The outbox takes as many as come; only what is live keeps a rate.
    live = {"mode": "live", "unready": "warn"}
    chosen = Settings.model_validate({"delivery": live, "sms": {"max_per_second": RATE}})
    worker = Worker(engine, clock, {"sms": provider, "email": provider}, chosen)
    worker.start()
    try:
        yield provider
    finally:
        worker.stop()


def measure(name: str, engine: Engine) -> bool:
    begins = NOW + OUTAGE
    with db.reading(engine) as session:
        due = (Message.status == "scheduled") & (Message.due_at <= begins)
        overdue = session.scalar(select(func.count()).select_from(Message).where(due))
    clock = RunningClock(begins, SPEED)
    with at_work(engine, clock) as provider:
        while clock.now() < begins + LASTS:
            time.sleep(0.5)
    with db.reading(engine) as session:
        rows = {row.id: row for row in session.scalars(select(Message))}
        late = [row for row in rows.values() if row.due_at is not None and row.due_at <= begins]
        left = sum(row.status == "scheduled" for row in late)
        skipped = sum(row.status == "skipped" and bool(row.reason) for row in rows.values())
        wrong = {
            "stale": _stale(provider.calls, rows),
            "in the night": [call for call in provider.calls if _is_night(call.planned)],
            "within a gap": _close(provider.calls, rows),
        }
        texts = [call for call in provider.calls if rows[call.message_id].channel == "sms"]
    most = _in_a_second(texts)
    told = ", ".join(f"{len(calls)} {what}" for what, calls in wrong.items())
    print(f"{name}: {overdue} overdue; {len(provider.calls)} sent, {told};")
    print(f"  {skipped} skipped with a reason, {left} overdue ones left;")
    print(f"  at most {most} texts in a second, {RATE:.0f} allowed", flush=True)
    return not any(wrong.values()) and most <= RATE * 1.1


def _stale(calls: Sequence[Call], rows: dict[int, Message]) -> list[Call]:
    ends = {number: row.useful_until for number, row in rows.items()}
    return [c for c in calls if (end := ends[c.message_id]) is not None and c.planned > end + _ON_THE_WAY]


def _is_night(moment: datetime) -> bool:
    local = moment.astimezone(ZONE)
    today = timedelta(hours=local.hour, minutes=local.minute)
    return not OPENS <= today <= CLOSES + _ON_THE_WAY


def _close(calls: Sequence[Call], rows: dict[int, Message]) -> list[Call]:
    """A safety message may come at any time, and others keep away from it."""
    by_patient: dict[int | None, list[Call]] = {}
    for call in sorted(calls, key=lambda each: each.planned):
        by_patient.setdefault(rows[call.message_id].patient_id, []).append(call)
    return [
        later
        for mine in by_patient.values()
        for earlier, later in pairwise(mine)
        if later.planned - earlier.planned < GAP - _ON_THE_WAY and not rows[later.message_id].safety
    ]


def _in_a_second(calls: Sequence[Call]) -> int:
    times = sorted(call.real for call in calls)
    return max((n - bisect_left(times, at - 1.0) + 1 for n, at in enumerate(times)), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("treatments", nargs="?", type=int, default=4_500)
    count = parser.parse_args().treatments
    server = PostgresServer(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            server.run("CREATE DATABASE bench")
            urls = {"SQLite": f"sqlite:///{folder}/bench.db", "PostgreSQL": str(server.url("bench"))}
            well = [measure(name, imported(url, Path(folder), count)) for name, url in urls.items()]
    finally:
        server.close()
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()

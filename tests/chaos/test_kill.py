"""kill -9 in the middle of the work, again and again: nothing is lost, and nothing goes out twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, insert, select

from notifier import db
from notifier.channels.outbox import Outbox
from notifier.models import Attempt, Clinic, Message
from tests.chaos.runner import THREADS
from tests.worker_cast import is_honest, sender_of, until

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 200
# How many messages have left when the worker is killed, and the deaths that it chooses itself.
KILLED_AT = (15, 60, 110)
OWN_DEATHS = ("before 5", "after 9")


def test_every_message_leaves_exactly_once_however_often_the_worker_is_killed(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    fill(engine, clinic)
    file = tmp_path / "outbox.jsonl"
    with workers(engine, tmp_path) as start:
        for count in KILLED_AT:
            worker = start()
            wanted = count + random.randrange(10)
            until(partial(has_kept, file, wanted))
            assert worker.end(signal.SIGKILL) == -signal.SIGKILL
        for death in OWN_DEATHS:
            assert start(death).end() == -signal.SIGKILL
        worker = start()
        until(lambda: all_settled(engine), pause=0.05)
        assert worker.end(signal.SIGTERM) == 0
    kept = Counter(entry["message_id"] for entry in Outbox(file).entries())
    assert len(kept) == MESSAGES
    assert set(kept.values()) == {1}
    is_honest(engine)
    check_attempts(engine)


def has_kept(outbox: Path, count: int) -> bool:
    return outbox.is_file() and outbox.read_bytes().count(b"\n") >= count


def fill(engine: Engine, clinic: Clinic) -> None:
    now = datetime.now(UTC)
    with db.transaction(engine) as session:
        sender = sender_of(session, clinic).id
        rows = [
            {
                "clinic_id": clinic.id,
                "kind": "answer",
                "dedup_key": f"answer:{number}",
                "sender_id": sender,
                "priority": 1,
                "status": "scheduled",
                "channel": "sms",
                "to": f"+1212555{number:04}",
                "due_at": now - timedelta(minutes=1),
                "words": "Thank you.",
                "attempts": 0,
                "created_at": now,
            }
            for number in range(MESSAGES)
        ]
        session.execute(insert(Message), rows)


@dataclass(frozen=True)
class Worker:
    process: int
    ended: Callable[[], bytes]

    def end(self, by: signal.Signals | None = None) -> int:
        """How it ended, as Popen tells it."""
        if by is not None:
            os.kill(self.process, by)
        return int(self.ended())


@contextmanager
def workers(engine: Engine, folder: Path) -> Iterator[Callable[..., Worker]]:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.chaos.runner"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=nothing, start_new_session=True
    ) as runner:
        assert runner.stdin is not None
        assert runner.stdout is not None
        lines, answers = runner.stdin, runner.stdout

        def start(death: str = "") -> Worker:
            lines.write(f"{url} {folder} {death}\n".encode())
            lines.flush()
            return Worker(int(answers.readline()), answers.readline)

        try:
            yield start
        finally:
            os.killpg(runner.pid, signal.SIGKILL)


def all_settled(engine: Engine) -> bool:
    with db.reading(engine) as session:
        return set(session.scalars(select(Message.status).distinct())) == {"sent"}


def check_attempts(engine: Engine) -> None:
    """Each ended somehow, one of each message went out, and no more were in doubt than a kill may leave."""
    with db.reading(engine) as session:
        attempts = session.execute(select(Attempt.message_id, Attempt.outcome, Attempt.provider_id)).all()
    assert {attempt.outcome for attempt in attempts} <= {"sent", "unknown", "released"}
    assert Counter(a.message_id for a in attempts if a.outcome == "sent").total() == MESSAGES
    assert all(a.provider_id for a in attempts if a.outcome == "sent")
    lost = [attempt for attempt in attempts if attempt.outcome == "unknown"]
    assert 1 <= len(lost) <= (len(KILLED_AT) + len(OWN_DEATHS)) * THREADS

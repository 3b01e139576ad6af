"""The worker: awake when something is due, asleep when nothing is, and patient with its database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from notifier import claiming, db
from notifier.channels import Channel
from notifier.clock import clock_for
from notifier.models import Clinic
from notifier.rules.delivery import Kind
from notifier.worker import Worker
from tests import cast
from tests.cast import on_sqlite
from tests.servers.postgres import PostgresServer
from tests.worker_cast import Gate, Shift, is_honest, settings, until


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path, now=datetime.now(UTC))


@contextmanager
def at_work(shift: Shift, **channels: Channel) -> Iterator[Worker]:
    worker = Worker(shift.engine, clock_for(shift.engine), {**shift.channels, **channels}, shift.settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def is_sent(shift: Shift, message_id: int) -> bool:
    return shift.message(message_id).status == "sent"


def from_elsewhere(engine: Engine, shift: Shift, to: str = "+12125550170") -> int:
    """Another program commits something that is due at once, as every program does it."""
    elsewhere = Shift(engine, shift.clinic, shift.folder, now=datetime.now(UTC))
    return elsewhere.write(to=to, aloud=True)


def quiet(shift: Shift) -> None:
    """Waits until the worker has done all there was, and sleeps."""
    seen: list[float] = []
    note = lambda *_: seen.append(time.monotonic())  # noqa: E731
    event.listen(shift.engine, "before_cursor_execute", note)
    try:
        seen.append(time.monotonic())
        until(lambda: time.monotonic() - seen[-1] > 0.2)
    finally:
        event.remove(shift.engine, "before_cursor_execute", note)


# Waking


def test_it_wakes_when_a_message_is_due(shift: Shift) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.6)
    message_id = shift.write(due=due)
    with at_work(shift):
        until(lambda: is_sent(shift, message_id), seconds=5)
    (kept,) = shift.outbox.entries()
    late = datetime.fromisoformat(kept["kept_at"]) - due
    assert timedelta(0) <= late < timedelta(seconds=2), "it would otherwise look every 15 seconds"


def test_it_hears_at_once_what_another_program_commits(shift: Shift, second_engine: Engine) -> None:
    with at_work(shift):
        quiet(shift)
        begun = time.monotonic()
        message_id = from_elsewhere(second_engine, shift)
        until(lambda: is_sent(shift, message_id), seconds=10)
        assert time.monotonic() - begun < 5


def test_it_hears_more_than_once(shift: Shift, second_engine: Engine) -> None:
    with at_work(shift):
        for number in range(2):
            quiet(shift)
            message_id = from_elsewhere(second_engine, shift, to=f"+1212555{number:04}")
            until(partial(is_sent, shift, message_id), seconds=5)


def test_an_alert_from_elsewhere_is_heard_while_calls_are_under_way(
    shift: Shift, second_engine: Engine
) -> None:
    shift.settings = settings(shift.folder, threads=1)
    gate = Gate(shift.outbox, only=lambda message: message.to == "+12125550151")
    shift.write(Kind.ANSWER, to="+12125550151")
    with at_work(shift, sms=gate):
        until(lambda: gate.calls)
        elsewhere = Shift(second_engine, shift.clinic, shift.folder, now=datetime.now(UTC))
        alert = elsewhere.write(Kind.ALERT, to="+12125550152", aloud=True)
        until(lambda: is_sent(shift, alert), seconds=8)
        gate.open.set()


def test_callers_in_the_same_process_may_simply_wake_it(shift: Shift) -> None:
    with at_work(shift) as worker:
        quiet(shift)
        message_id = shift.write(due=datetime.now(UTC))  # without a word to PostgreSQL's listeners
        worker.wake()
        until(lambda: is_sent(shift, message_id), seconds=5)


def test_what_is_in_doubt_wakes_it_too(shift: Shift) -> None:
    """A lease that runs out in half a second, with nothing else to do."""
    message_id = shift.write()
    with shift.change() as session:
        terms = shift.terms("dead:1", lease=timedelta(seconds=0.5))
        assert claiming.claim_due(session, terms, now=shift.clock.now(), limit=1).messages
    with at_work(shift):
        until(lambda: is_sent(shift, message_id), seconds=8)
    assert len(shift.outbox.entries()) == 1


# Sleeping


def test_asleep_it_writes_nothing_and_hardly_reads(shift: Shift) -> None:
    shift.log(ended_at=datetime.now(UTC) - timedelta(hours=1))
    statements: list[str] = []
    note = lambda _, __, statement, *___: statements.append(statement)  # noqa: E731
    with at_work(shift):
        quiet(shift)
        before = written(shift.engine)
        event.listen(shift.engine, "before_cursor_execute", note)
        try:
            threading.Event().wait(0.7)
        finally:
            event.remove(shift.engine, "before_cursor_execute", note)
        assert written(shift.engine) == before
    assert statements == []


def written(engine: Engine) -> Any:
    """Changes with every commit: the file's version, or the next transaction's number."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            return connection.execute(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")).scalar()
    log = Path(f"{engine.url.database}-wal")
    return (log.stat().st_mtime_ns, log.stat().st_size)


@on_sqlite
def test_asleep_it_does_not_keep_the_log_of_the_database_from_being_cut_short(
    shift: Shift, second_engine: Engine
) -> None:
    with at_work(shift):
        quiet(shift)
        from_elsewhere(second_engine, shift)
        until(lambda: len(shift.outbox.entries()) == 1)
        quiet(shift)
        with second_engine.execution_options(reading=True).connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            connection.rollback()
            busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0


# Stopping


def test_stopping_finishes_what_is_under_way_and_leaves_the_rest_for_another(shift: Shift) -> None:
    shift.settings = settings(shift.folder, threads=2)
    ids = [shift.write(to=f"+1212555{number:04}") for number in range(5)]
    gate = Gate(shift.outbox)
    with at_work(shift, sms=gate) as worker:
        until(lambda: len(gate.calls) == 2)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        gate.open.set()
        stopping.join(10)
        assert not stopping.is_alive()
        worker.stop = lambda: None  # type: ignore[method-assign]  # done
    assert sorted(shift.message(i).status for i in ids) == ["scheduled"] * 3 + ["sent"] * 2
    shift.drain()
    assert [len(shift.attempts(i)) for i in ids] == [1] * 5
    assert len(shift.outbox.entries()) == 5
    is_honest(shift.engine)


# A database that is not there


@on_sqlite
def test_while_another_program_has_the_file_locked_it_waits_and_says_so(
    shift: Shift, second_engine: Engine, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    message_id = shift.write()
    hasty = Shift(second_engine, shift.clinic, shift.folder, now=datetime.now(UTC))
    with engine.connect() as connection:
        connection.execute(text("UPDATE clinics SET phone = phone"))
        with at_work(hasty):
            until(lambda: "is locked by another program" in caplog.text, seconds=5)
            connection.rollback()
            until(lambda: is_sent(shift, message_id), seconds=10)
            until(lambda: "The database answers again." in caplog.text, seconds=5)
    assert "nothing is lost" in caplog.text
    assert len(shift.outbox.entries()) == 1


def test_a_postgresql_that_goes_and_comes_back_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes while one message is being handed over and another one is due."""
    server = PostgresServer()
    engine = db.open_engine(server.url())
    try:
        db.upgrade(engine)
        with db.transaction(engine) as session:
            clinic = cast.open_clinic(session)
        shift = Shift(engine, clinic, tmp_path, now=datetime.now(UTC), threads=1)
        under_way, due = shift.write(), shift.write(to="+12125550178")
        gate = Gate(shift.outbox)
        with at_work(shift, sms=gate):
            until(lambda: gate.calls)
            server.stop()
            gate.open.set()
            until(lambda: "Trying again in 1 s; nothing is lost." in caplog.text)
            server.start()
            until(lambda: is_sent(shift, under_way) and is_sent(shift, due))
        assert [len(shift.attempts(i)) for i in (under_way, due)] == [1, 1]
        assert len(shift.outbox.entries()) == 2
        is_honest(engine)
    finally:
        engine.dispose()
        server.close()

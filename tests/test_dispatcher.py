"""The dispatch loop: the fence before each call, stopping in order, and a database that is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from notifier import db
from notifier.clock import SystemClock
from notifier.dispatcher import Dispatcher
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import DatabaseUnavailable
from notifier.models import Clinic
from notifier.rules.delivery import Status
from notifier.worker import open_dispatcher
from tests.cast import on_sqlite
from tests.worker_cast import Answering, Gate, Shift, is_honest, running, until


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def taken(message: OutboundMessage) -> Accepted:
    return Accepted(f"id-{message.message_id}-{message.attempt}", Status.SENT, "answering")


# The fence


@contextmanager
def pause_in_commit(engine: Engine, seconds: float) -> Iterator[None]:
    """As when the machine has something else to do for a while, just then; once."""
    paused = threading.Event()

    def pause(connection: Connection) -> None:
        if not paused.is_set():
            paused.set()
            threading.Event().wait(seconds)

    event.listen(engine, "commit", pause)
    try:
        yield
    finally:
        event.remove(engine, "commit", pause)
    assert paused.is_set()


def test_a_worker_that_was_paused_between_claim_and_call_does_not_call(shift: Shift) -> None:
    """Of 1.5 s of lease more than 1.1 s have to be left: the time-out and a second."""
    message_id = shift.write()
    sms = Answering(taken)
    given = {"lease": timedelta(seconds=1.5), "sms": {"timeout": timedelta(seconds=0.1)}}
    dispatcher = shift.dispatcher({"sms": sms}, **given)
    with pause_in_commit(shift.engine, 0.5):
        assert dispatcher.drain() == 2
    dispatcher.close()
    assert [call.attempt for call in sms.calls] == [2]
    first, second = shift.attempts(message_id)
    assert (first.outcome, first.error) == ("released", "The worker was too slow and let it go.")
    assert (second.outcome, shift.message(message_id).status) == ("sent", "sent")
    assert shift.moves(message_id) == ["sending → scheduled", "sending → sent"]


# Stopping


def test_stopping_finishes_what_is_under_way_and_begins_nothing_new(shift: Shift) -> None:
    ids = [shift.write(to=f"+1212555{number:04}") for number in range(4)]
    gate = Gate(shift.outbox)
    dispatcher = shift.dispatcher({"sms": gate}, threads=2)
    with running(dispatcher):
        until(lambda: len(gate.calls) == 2)
        dispatcher.stop()
        gate.open.set()
    assert [shift.message(message_id).status for message_id in ids] == ["sent"] * 2 + ["scheduled"] * 2
    assert [shift.message(message_id).attempts for message_id in ids] == [1, 1, 0, 0]


def test_what_waits_for_its_turn_is_let_go_when_the_worker_stops(shift: Shift) -> None:
    """One message a second: the first goes, the second is claimed too and waits."""
    shift.write()
    waiting = shift.write(to="+12125550178")
    gate = Gate(shift.outbox)
    dispatcher = shift.dispatcher({"sms": gate}, mode="live", sms={"max_per_second": 1.0})
    with running(dispatcher):
        until(lambda: shift.message(waiting).status == "sending" and gate.calls)
        dispatcher.stop()
        gate.open.set()
    row, (attempt,) = shift.message(waiting), shift.attempts(waiting)
    assert (row.status, row.reason) == ("scheduled", "The worker was stopped.")
    assert attempt.outcome == "released"
    assert len(gate.calls) == 1
    is_honest(shift.engine)


# The database


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Another program writes, and takes its time."""
    with engine.connect() as connection:
        connection.execute(text("UPDATE clinics SET phone = phone"))
        yield
        connection.rollback()


@pytest.fixture
def hasty(second_engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    """A worker whose engine does not wait long for a lock."""
    return Shift(second_engine, clinic, tmp_path)


@on_sqlite
def test_an_outcome_that_cannot_be_recorded_now_is_recorded_later(
    shift: Shift, hasty: Shift, engine: Engine
) -> None:
    message_id = shift.write()
    gate = Gate(hasty.outbox)
    dispatcher = hasty.dispatcher({"sms": gate})
    refused = []

    def work() -> None:
        try:
            dispatcher.drain()
        except DatabaseUnavailable as error:
            refused.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: gate.calls)
    with locked(engine):
        gate.open.set()
        thread.join(10)
    assert "is locked by another program" in str(refused[0])
    assert shift.message(message_id).status == "sending"
    assert dispatcher.drain() == 0
    dispatcher.close()
    assert (shift.message(message_id).status, len(gate.calls)) == ("sent", 1)


@on_sqlite
def test_a_dispatcher_with_nothing_to_do_needs_no_write_lock(
    shift: Shift, hasty: Shift, engine: Engine
) -> None:
    shift.log()
    with locked(engine):
        dispatcher = hasty.dispatcher()
        assert dispatcher.drain() == 0
        wait = dispatcher.next_wait()
        dispatcher.close()
    assert wait == timedelta(hours=1, minutes=50)  # from 15:40 to 17:30


def test_what_becomes_due_while_a_call_is_under_way_leaves_in_time(shift: Shift) -> None:
    """Nobody has to tell: the loop knows when the next message is due."""
    gate = Gate(shift.outbox, only=lambda message: message.to == "+12125550151")
    shift.write(to="+12125550151")
    later = shift.write(to="+12125550152", due=datetime.now(UTC) + timedelta(seconds=0.3))
    dispatcher = open_dispatcher(
        shift.engine, SystemClock(), {"sms": gate, "email": shift.outbox}, shift.settings
    )
    with running(dispatcher):
        until(lambda: shift.message(later).status == "sent", seconds=5)
        gate.open.set()


def test_drain_tells_how_many_attempts_it_made(shift: Shift) -> None:
    for number in range(5):
        shift.write(to=f"+1212555{number:04}")
    dispatcher: Dispatcher = shift.dispatcher()
    assert dispatcher.drain() == 5
    assert dispatcher.drain() == 0
    dispatcher.close()
    with db.reading(shift.engine) as session:
        assert session.execute(text("SELECT count(*) FROM attempts")).scalar() == 5

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from notifier import db
from notifier.db_turns import Turns, turns_of
from notifier.errors import DatabaseUnavailable
from tests.cast import on_sqlite

LONG = 10.0


def write(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.execute(text("UPDATE clinics SET phone = phone"))


def waiting(turns: Turns, count: int) -> None:
    while len(turns._waiting) < count:
        time.sleep(0.001)


def test_whoever_has_waited_longest_is_next() -> None:
    turns, order = Turns(), list[int]()

    def queue(number: int) -> None:
        assert turns.take(LONG)
        order.append(number)
        turns.give()

    assert turns.take(0)
    threads = [threading.Thread(target=queue, args=(number,)) for number in range(5)]
    for started, thread in enumerate(threads, start=1):
        thread.start()
        waiting(turns, started)
    turns.give()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_turn_is_handed_on_and_not_left_for_whoever_comes_along() -> None:
    turns, got = Turns(), threading.Event()
    assert turns.take(0)

    def wait() -> None:
        if turns.take(LONG):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting(turns, 1)
    turns.give()
    assert not turns.take(0)  # the busy one who writes again at once has to queue
    assert got.wait(LONG)
    thread.join()


def test_whoever_gives_up_is_passed_over() -> None:
    turns = Turns()
    assert turns.take(0)
    assert not turns.take(0.01)
    turns.give()
    assert turns.take(0)


@on_sqlite
@pytest.mark.parametrize("how", ["commit", "rollback", "error", "lost"])
def test_a_turn_ends_with_its_transaction_however_that_ends(engine: Engine, how: str) -> None:
    for _ in range(2):
        connection = engine.connect()
        connection.execute(text("UPDATE clinics SET phone = phone"))
        if how == "error":
            with pytest.raises(Exception, match="no such table"):
                connection.execute(text("UPDATE nowhere SET x = 1"))
        if how == "lost":
            connection.invalidate()
        elif how != "error":
            getattr(connection, how)()
        connection.close()
    write(engine)


@on_sqlite
def test_readers_wait_for_nobody(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.execute(text("UPDATE clinics SET phone = 'new'"))
        with db.reading(engine) as other:
            assert other.execute(text("SELECT count(*) FROM clinics")).scalar() == 0


@on_sqlite
def test_a_second_write_within_a_first_says_that_it_is_locked(engine: Engine, second_engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.execute(text("UPDATE clinics SET phone = phone"))
        with pytest.raises(DatabaseUnavailable, match="is locked by another program"):
            write(second_engine)
    write(second_engine)


def test_what_waiting_cannot_mend_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database, and will not become one by waiting" * 20)
    engine = db.open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        write(engine)
    assert time.monotonic() - begun < 5  # and not after the ten seconds that a lock is waited for
    engine.dispose()


@on_sqlite
def test_a_desk_gets_its_turn_beside_a_worker_that_never_pauses(engine: Engine) -> None:
    """The worker writes again and again without a pause; the desk is next each time, and not some time."""
    turns, stopping, written = turns_of(engine.url.database or ""), threading.Event(), list[str]()

    def work() -> None:
        while not stopping.is_set():
            with db.transaction(engine) as session:
                session.execute(text("UPDATE clinics SET phone = phone"))
                written.append("worker")
                while not turns._waiting and not stopping.is_set():  # until the desk has come
                    time.sleep(0.001)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(20):
            before = len(written)
            with db.transaction(engine) as session:
                session.execute(text("UPDATE clinics SET phone = phone"))
                between = len(written) - before
            assert between <= 1  # what was under way when the desk came, and no more
    finally:
        stopping.set()
        worker.join()
    assert written

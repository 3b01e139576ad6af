"""Who writes next on SQLite, which has one writer at a time: first come, first served.

SQLite itself lets those who wait ask again at ever longer intervals, so that a worker which writes without a
pause leaves a desk waiting for seconds. Within a process writers queue, and the turn is handed on; between
processes they ask again every millisecond or two, which finds the pause between two transactions.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, event

_AGAIN = 0.0015  # seconds


class Turns:
    """A lock that is handed to whoever has waited longest."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def take(self, timeout: float) -> bool:
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout):
            return True
        with self._guard:
            if mine.is_set():  # it came at the last moment
                return True
            self._waiting.remove(mine)
            return False

    def give(self) -> None:
        """Straight to the next one, so that nobody who comes along takes it first."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


@cache
def turns_of(path: str) -> Turns:
    """One queue for each file in this process, however many engines open it."""
    return Turns()


def queue_writers(engine: Engine, path: str, busy: float) -> None:
    """Begin the engine's transactions: those that read at once, those that write by turns.

    `busy`: seconds that a writer waits before SQLite's own "database is locked" is raised.
    """
    turns = turns_of(path)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reading", False):
            connection.exec_driver_sql("BEGIN")
            return
        deadline = time.monotonic() + busy
        if not connection.info.get("turn"):
            connection.info["turn"] = turns.take(busy)
        _begin(connection, deadline, busy)

    # However a connection ends its use; without its turn nobody could write any more.
    for ending in ("checkin", "invalidate", "soft_invalidate", "close"):
        event.listen(engine, ending, lambda _, record, *__: _end(turns, record))


def _end(turns: Turns, record: Any) -> None:
    if record.info.pop("turn", False):
        turns.give()


def _begin(connection: Connection, deadline: float, busy: float) -> None:
    """A write lock taken late can only fail; taken at once, it waits for other processes here."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    pause = threading.Event()
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while _is_locked(driver) and time.monotonic() < deadline:
            pause.wait(_AGAIN)
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for the error that everybody knows
    finally:
        driver.execute(f"PRAGMA busy_timeout={int(busy * 1000)}")


def _is_locked(driver: sqlite3.Connection) -> bool:
    """Try it: False where the transaction has begun, or where waiting would not help."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    return False

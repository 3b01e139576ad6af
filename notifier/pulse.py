"""How a worker hears of new rows without asking for them: a callback, from a thread of its own.

SQLite: `PRAGMA data_version` changes when another connection commits. PostgreSQL: LISTEN; where a pooler
hides that, the worker still looks every 15 seconds.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

from sqlalchemy import Engine, exc

from notifier.db import WAKE_CHANNEL

log = logging.getLogger(__name__)

_SQLITE_EVERY = 0.1  # seconds; one PRAGMA costs some microseconds
_LISTEN_FOR = 0.25  # seconds until it looks whether it is to stop
_AFTER_TROUBLE = 5.0


class Pulse:
    """Calls `wake` after somebody committed; `stop` ends the thread."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine, self._wake = engine, wake
        self._stopping = threading.Event()
        watch = self._listen if engine.dialect.name == "postgresql" else self._watch_file
        self._thread = threading.Thread(target=self._keep, args=(watch,), name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def _keep(self, watch: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                watch()
            except (exc.SQLAlchemyError, sqlite3.Error) as error:
                # The worker itself says so when it cannot reach the database; this thread only tries again.
                log.debug("pulse lost: %s", error)
            self._stopping.wait(_AFTER_TROUBLE)

    def _watch_file(self) -> None:
        # The bare connection, outside any transaction: inside one, the database would stand still for us,
        # and its log could not be cut short.
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            seen = None
            while not self._stopping.is_set():
                version = cursor.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    self._wake()
                self._stopping.wait(_SQLITE_EVERY)
        finally:
            connection.close()

    def _listen(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            connection.exec_driver_sql(f"LISTEN {WAKE_CHANNEL}")
            self._wake()  # for what was committed before anybody listened
            try:
                while not self._stopping.is_set():
                    for _ in driver.notifies(timeout=_LISTEN_FOR, stop_after=1):
                        self._wake()
            except driver.Error as error:
                log.debug("pulse lost: %s", error)
            finally:
                connection.invalidate()

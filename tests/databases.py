"""Databases for tests, made once and brought back to their first state before each test.

A new database for each would cost PostgreSQL a thousand files, and a new engine would compile every statement
again; so both are kept, and only what a test left behind is taken away.
"""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from notifier import db
from notifier.models import Base
from tests import cast
from tests.servers.postgres import PostgresServer


class SqliteFiles:
    """One file that is a copy of a template, with a clinic in it or without."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "notifier.db"
        self._engine = db.open_engine(f"sqlite:///{self._path}")
        db.upgrade(self._engine)
        self._keep("empty.db")
        with db.transaction(self._engine) as session:
            cast.open_clinic(session)
        self._keep("clinic.db")

    def _keep(self, name: str) -> None:
        self._engine.dispose()
        shutil.copyfile(self._path, self._folder / name)

    @contextmanager
    def database(self, *, with_clinic: bool) -> Iterator[Engine]:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(f"notifier.db{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._folder / ("clinic.db" if with_clinic else "empty.db"), self._path)
        with alone():
            yield self._engine
        self._engine.dispose()


# Begun by pages, and by tests that give their threads no name.
_THEIRS = ("retiming-", "import-", "effect-", "Thread-")


@contextmanager
def alone() -> Iterator[None]:
    """What a page began goes on after its answer, and so may a thread of a test that failed. In the next
    test's database it would be a stranger: it would find none of what that test writes, and write into it.
    """
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith(_THEIRS):
            thread.join(30)
            assert not thread.is_alive(), f"{thread.name} does not end"


class PostgresDatabases:
    """One database with the schema, emptied for each test; and new ones for tests that make a schema."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._leftover: list[str] = []
        self._engine = self._build()

    def _new(self) -> str:
        name = f"test_{next(self._numbers)}"
        drops = [f"DROP DATABASE {old} WITH (FORCE)" for old in self._leftover]
        self._leftover.clear()
        self._server.run(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy", *drops)
        return name

    @contextmanager
    def without_schema(self) -> Iterator[Engine]:
        name = self._new()
        engine = db.open_engine(self._server.url(name))
        yield engine
        engine.dispose()
        # Dropped later: PostgreSQL waits a tenth of a second for connections that have only just been closed.
        self._leftover.append(name)

    def _build(self) -> Engine:
        """A database whose schema `saved` remembers the rows of a clinic."""
        engine = db.open_engine(self._server.url(self._new()))
        db.upgrade(engine)
        with db.transaction(engine) as session:
            cast.open_clinic(session)
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA saved"))
            for table in Base.metadata.tables:
                connection.execute(text(f"CREATE TABLE saved.{table} AS TABLE public.{table}"))
            self._first_schema = self._schema(connection)
            filled = [name for name in Base.metadata.tables if _has_rows(connection, name)]
        with_id = [name for name, table in Base.metadata.tables.items() if "id" in table.columns]
        self._empty = ";".join(
            [
                # Foreign keys are not looked at, so the order does not matter.
                "SET LOCAL session_replication_role = replica",
                *(f"DELETE FROM {name}" for name in Base.metadata.tables),
                *(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in with_id),
            ]
        )
        self._fill = ";".join(
            f"INSERT INTO {name} SELECT * FROM saved.{name};"
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"
            for name in filled
        )
        engine.dispose()
        return engine

    @contextmanager
    def database(self, *, with_clinic: bool) -> Iterator[Engine]:
        if not self._bring_back(with_clinic):
            self._engine.dispose()
            self._engine = self._build()
            self._bring_back(with_clinic)
        with alone():
            yield self._engine
        self._engine.dispose()

    def _bring_back(self, with_clinic: bool) -> bool:
        """Take away what the last test did to rows; False where it did something to the schema."""
        with self._engine.begin() as connection:
            # Whoever it left behind would keep us waiting.
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if self._schema(connection) != self._first_schema:
                return False
            connection.exec_driver_sql(f"{self._empty};{self._fill}" if with_clinic else self._empty)
        return True

    def _schema(self, connection: Connection) -> object:
        """Changes whenever a column, an index or the revision does."""
        query = (
            "SELECT version_num, (SELECT count(*) FROM pg_attribute JOIN pg_class c ON attrelid = c.oid "
            "WHERE c.relnamespace = 'public'::regnamespace AND NOT attisdropped) FROM alembic_version"
        )
        return connection.exec_driver_sql(query).all()


def _has_rows(connection: Connection, table: str) -> bool:
    return connection.execute(text(f"SELECT EXISTS (SELECT FROM {table})")).scalar_one() is True

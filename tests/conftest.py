"""What every test may ask for: a database of either kind, empty or with the schema, and a clinic in it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from notifier import clinics, db
from notifier.models import Clinic
from tests import cast
from tests.servers.postgres import PostgresServer

# The same examples on every run and host, so that a red test is red for everybody; no deadline, because the
# first example pays for what is cached afterwards.
settings.register_profile("aftercare", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("aftercare")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process. Who stops it uses one of their own."""
    server = PostgresServer()
    yield server
    server.close()


class _PostgresDatabases:
    """Makes databases on one server, one for each test."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._leftover: list[str] = []

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        drops = [f"DROP DATABASE {old} WITH (FORCE)" for old in self._leftover]
        self._leftover.clear()
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", *drops)
        yield self._server.url(name)
        # Dropped by the next test: PostgreSQL waits a tenth of a second for connections that have only just
        # been closed.
        self._leftover.append(name)

    def make_template(self, name: str) -> None:
        self._server.run(f"CREATE DATABASE {name}")
        _migrate(self._server.url(name))


def _migrate(url: str) -> None:
    engine = db.open_engine(url)
    db.upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def _postgres_databases(postgres: PostgresServer) -> _PostgresDatabases:
    databases = _PostgresDatabases(postgres)
    databases.make_template("with_schema")
    return databases


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "notifier.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; `cast.on_sqlite` and `cast.on_postgresql` choose one."""
    return str(request.param)


@pytest.fixture
def empty_engine(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a schema."""
    if backend == "sqlite":
        yield from _opened(f"sqlite:///{tmp_path / 'empty.db'}")
        return
    with request.getfixturevalue("_postgres_databases").database() as url:
        yield from _opened(url)


@pytest.fixture
def engine(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with the current schema and no rows."""
    if backend == "sqlite":
        path = tmp_path / "notifier.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
        yield from _opened(f"sqlite:///{path}")
        return
    with request.getfixturevalue("_postgres_databases").database("with_schema") as url:
        yield from _opened(url)


def _opened(url: str | URL, busy: float = 10.0) -> Iterator[Engine]:
    engine = db.open_engine(url, busy=busy)
    yield engine
    engine.dispose()


@pytest.fixture
def second_engine(engine: Engine) -> Iterator[Engine]:
    """Another program's way into the same database, which does not wait long for a lock."""
    yield from _opened(engine.url, busy=0.05)


@pytest.fixture
def clinic(engine: Engine) -> Clinic:
    """Riverside Physio in New York, with its senders and the four shipped plans, committed."""
    with db.transaction(engine) as session:
        return cast.open_clinic(session)


@pytest.fixture
def session(engine: Engine, clinic: Clinic) -> Iterator[Session]:
    """One transaction around the whole test, with the clinic in it; never committed."""
    with Session(engine, expire_on_commit=False) as session:
        session.add(clinic)
        yield session
        session.rollback()


@pytest.fixture
def other_clinic(session: Session) -> Clinic:
    """Harbour Osteopathy in London, which must never be seen by Riverside."""
    clinic = clinics.create(
        session,
        name="Harbour Osteopathy",
        phone="+44 20 7946 0000",
        timezone="Europe/London",
        country="GB",
        language="en",
        now=cast.OPENED,
    )
    clinics.ensure_senders(session, clinic)
    return clinic

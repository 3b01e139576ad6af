"""What every test may ask for: a database of either kind, empty or with the schema, and a clinic in it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import clinics, db
from notifier.models import Clinic
from tests import cast
from tests.databases import PostgresDatabases, SqliteFiles
from tests.servers.postgres import PostgresServer

# A process of the suite holds millions of objects that stay; looking through them all as often as a small
# program does took a twelfth of the time.
gc.set_threshold(100_000, 50, 100)

# The same examples on every run and host, so that a red test is red for everybody; no deadline, because the
# first example pays for what is cached afterwards.
settings.register_profile("aftercare", deadline=None, derandomize=True, print_blob=True, max_examples=60)
settings.load_profile("aftercare")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a process. Who stops it uses one of their own."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def _postgresql(postgres: PostgresServer) -> PostgresDatabases:
    return PostgresDatabases(postgres)


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; `cast.on_sqlite` and `cast.on_postgresql` choose one."""
    return str(request.param)


@pytest.fixture
def engine(backend: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database with the current schema and no rows but those of `clinic`, if the test asks for it."""
    databases: PostgresDatabases | SqliteFiles = request.getfixturevalue(f"_{backend}")
    with databases.database(with_clinic="clinic" in request.fixturenames) as engine:
        yield engine


@pytest.fixture
def empty_engine(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a schema."""
    if backend == "postgresql":
        with request.getfixturevalue("_postgresql").without_schema() as engine:
            yield engine
    else:
        yield from _opened(db.open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))


@pytest.fixture
def second_engine(engine: Engine) -> Iterator[Engine]:
    """Another program's way into the same database, which does not wait long for a lock."""
    yield from _opened(db.open_engine(engine.url, busy=0.05))


def _opened(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.dispose()


@pytest.fixture
def clinic(engine: Engine) -> Clinic:
    """Riverside Physio in New York, with its senders and the four shipped plans, committed."""
    with db.reading(engine) as session:
        clinic = clinics.only(session, "riverside-physio")
        session.expunge(clinic)
    return clinic


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
    return cast.open_harbour(session)

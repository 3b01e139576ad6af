from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from notifier import db
from notifier.clock import DatabaseClock, JumpingClock, SystemClock, clock_for
from notifier.errors import DatabaseUnavailable
from tests.cast import at, on_postgresql
from tests.servers.postgres import PostgresServer


def test_the_system_clock_says_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_the_database_clock_is_the_databases_and_goes_on_by_itself(engine: Engine) -> None:
    clock = DatabaseClock(engine)
    first = clock.now()
    with db.reading(engine) as session:
        assert abs(db.database_now(session) - first) < timedelta(seconds=2)
    assert first.utcoffset() == timedelta(0)
    assert clock.now() > first


def test_the_database_clock_is_never_ahead_of_the_database(engine: Engine) -> None:
    """Connecting may take seconds; a clock that counted them would send early."""
    clock = DatabaseClock(engine, refresh=0)
    for _ in range(3):
        engine.dispose()
        now = clock.now()
        with db.reading(engine) as session:
            # SQLite's clock has milliseconds.
            assert now <= db.database_now(session) + timedelta(milliseconds=2)


def test_the_clock_goes_on_while_the_database_is_away_but_does_not_begin_without_it() -> None:
    server = PostgresServer()
    try:
        engine = db.open_engine(server.url())
        clock = DatabaseClock(engine, refresh=0)
        before = clock.now()
        server.stop(crash=True)
        assert clock.now() > before
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            DatabaseClock(engine).now()
        server.start()
        assert DatabaseClock(engine).now() > before
        engine.dispose()
    finally:
        server.close()


def test_the_jumping_clock_stands_still_and_never_goes_back() -> None:
    clock = JumpingClock(at("2026-03-03 17:30"))
    assert clock.now() == clock.now() == at("2026-03-03 17:30")
    clock.jump(at("2026-03-05 09:00"))
    clock.jump(at("2026-03-04 09:00"))
    assert clock.now() == at("2026-03-05 09:00")


@on_postgresql
def test_hosts_on_postgresql_agree_by_its_clock(engine: Engine) -> None:
    assert isinstance(clock_for(engine), DatabaseClock)


def test_one_machine_with_sqlite_has_its_own_clock() -> None:
    assert isinstance(clock_for(db.open_engine("sqlite://")), SystemClock)

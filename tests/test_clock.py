from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from notifier import db
from notifier.clock import (
    DatabaseClock,
    JumpingClock,
    RunningClock,
    SystemClock,
    clock_for,
    held,
    pace_of,
    real_wait,
)
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


class Watch:
    """Real time, as a test wants it to pass."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def passes(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


def running(watch: Watch, speed: float) -> RunningClock:
    return RunningClock(at("2026-03-03 17:00"), speed, monotonic=watch)


def test_the_running_clock_runs_as_fast_as_it_is_told(watch: Watch) -> None:
    clock = running(watch, 3600)
    watch.passes(2)
    assert clock.now() == at("2026-03-03 19:00")
    clock.set_speed(60)
    watch.passes(30)
    assert clock.now() == at("2026-03-03 19:30")


def test_it_can_be_paused_and_goes_on_from_there(watch: Watch) -> None:
    clock = running(watch, 3600)
    clock.set_speed(0)
    watch.passes(1000)
    assert clock.now() == at("2026-03-03 17:00")
    clock.set_speed(1)
    watch.passes(60)
    assert clock.now() == at("2026-03-03 17:01")


def test_it_can_be_jumped_ahead_but_never_back(watch: Watch) -> None:
    clock = running(watch, 60)
    clock.jump(at("2026-03-05 09:00"))
    clock.jump(at("2026-03-04 09:00"))
    assert clock.now() == at("2026-03-05 09:00")
    watch.passes(60)
    assert clock.now() == at("2026-03-05 10:00")


def test_held_it_stands_still_and_loses_nothing_that_was_changed_meanwhile(watch: Watch) -> None:
    clock = running(watch, 3600)
    watch.passes(1)
    with held(clock), held(clock):
        watch.passes(10)
        assert clock.now() == at("2026-03-03 18:00")
        clock.set_speed(60)
        clock.jump(at("2026-03-03 20:00"))
        watch.passes(10)
    assert clock.now() == at("2026-03-03 20:00")
    watch.passes(60)
    assert clock.now() == at("2026-03-03 21:00")


def test_who_waits_by_it_hears_that_it_was_changed(watch: Watch) -> None:
    clock, heard = running(watch, 60), []
    clock.on_change(lambda: heard.append(clock.now()))
    clock.set_speed(0)
    clock.jump(at("2026-03-03 18:00"))
    assert heard == [at("2026-03-03 17:00"), at("2026-03-03 18:00")]


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_a_speed_that_cannot_be_is_refused_and_changes_nothing(watch: Watch, speed: float) -> None:
    clock = running(watch, 60)
    with pytest.raises(ValueError, match="cannot run"):
        clock.set_speed(speed)
    assert clock.speed == 60


def test_waits_by_a_fast_clock_are_shorter_and_by_one_that_stands_still_endless(watch: Watch) -> None:
    hour, moment = timedelta(hours=1), timedelta(microseconds=1)
    assert real_wait(hour, pace_of(running(watch, 3600))) == timedelta(seconds=1)
    assert real_wait(hour, pace_of(running(watch, 0))) is None
    assert real_wait(hour, pace_of(SystemClock())) == hour
    assert real_wait(-hour, pace_of(running(watch, 0))) == -hour, "what is due is due"
    assert real_wait(moment, 3600) == timedelta(milliseconds=1), "never rounded to nothing"


@on_postgresql
def test_hosts_on_postgresql_agree_by_its_clock(engine: Engine) -> None:
    assert isinstance(clock_for(engine), DatabaseClock)


def test_one_machine_with_sqlite_has_its_own_clock() -> None:
    assert isinstance(clock_for(db.open_engine("sqlite://")), SystemClock)

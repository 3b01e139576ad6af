"""Retiming in the background: crashes, two programs at it, desks that write meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update

from notifier import db, retiming_run
from notifier.clock import JumpingClock
from notifier.models import Clinic, Message, MessageEvent, Retiming, Treatment
from notifier.patients import PatientEntry
from notifier.planning import replan
from tests.cast import DAY1, LOGGED, log, on_sqlite
from tests.retiming_cast import begun, later, save

HOUR = timedelta(hours=1)
NOW = LOGGED + HOUR
CLOCK = JumpingClock(NOW)
PATIENTS = 6


@pytest.fixture
def begun_id(engine: Engine, clinic: Clinic) -> int:
    """Six patients whose day-one message is to come two hours later."""
    with db.transaction(engine) as session:
        here = session.merge(clinic)
        for number in range(PATIENTS):
            log(session, here, PatientEntry("Grace", f"Sample{number}", phone=f"(212) 555-014{number}"))
        return begun(session, here, save(session, here, later(DAY1, "24h"), now=NOW), NOW).id


def moved(engine: Engine) -> int:
    with db.reading(engine) as session:
        due = LOGGED.replace(day=4, hour=20, minute=30)
        rows = select(func.count(Message.id)).where(Message.step == DAY1, Message.due_at == due)
        return session.scalar(rows) or 0


def events_of_day1(engine: Engine) -> list[int]:
    """How many each message has."""
    with db.reading(engine) as session:
        counts = (
            select(func.count(MessageEvent.id))
            .join(Message, Message.id == MessageEvent.message_id)
            .where(Message.step == DAY1)
            .group_by(Message.id)
        )
        return list(session.scalars(counts))


def row_of(engine: Engine, retiming_id: int) -> Retiming:
    with db.reading(engine) as session:
        row = session.get_one(Retiming, retiming_id)
        session.expunge(row)
    return row


def test_it_is_carried_out_in_batches(engine: Engine, begun_id: int) -> None:
    told: list[int] = []
    assert retiming_run.run(engine, CLOCK, begun_id, batch_size=2, progress=told.append)
    assert told == [2, 2, 2]
    row = row_of(engine, begun_id)
    assert (row.done, row.total, row.changed, row.finished_at) == (PATIENTS, PATIENTS, PATIENTS, NOW)
    assert moved(engine) == PATIENTS
    assert not retiming_run.run(engine, CLOCK, begun_id)


class Killed(BaseException):
    """As if the process had ended."""


def die_after(batches: int) -> Callable[[int], None]:
    seen: list[int] = []

    def told(treatments: int) -> None:
        seen.append(treatments)
        if len(seen) == batches:
            raise Killed

    return told


def test_after_a_crash_between_batches_the_next_one_finishes(engine: Engine, begun_id: int) -> None:
    with pytest.raises(Killed):
        retiming_run.run(engine, CLOCK, begun_id, batch_size=2, progress=die_after(2), hands=1)
    assert (moved(engine), row_of(engine, begun_id).done) == (4, 4)
    assert retiming_run.resume_all(engine, CLOCK) == 1
    assert moved(engine) == PATIENTS
    assert events_of_day1(engine) == [2] * PATIENTS
    assert row_of(engine, begun_id).done == PATIENTS
    assert retiming_run.resume_all(engine, CLOCK) == 0


def lease(engine: Engine, seconds: float) -> None:
    """Another program has it, which may have died."""
    with db.transaction(engine) as session:
        session.execute(update(Retiming).values(worker="other:1", lease_until=db.RealTime(seconds)))


def test_what_another_program_is_at_is_left_to_it_until_its_lease_runs_out(
    engine: Engine, begun_id: int
) -> None:
    lease(engine, 60)
    assert not retiming_run.run(engine, CLOCK, begun_id)
    assert moved(engine) == 0
    lease(engine, -1)
    assert retiming_run.run(engine, CLOCK, begun_id)


def test_who_lost_the_lease_writes_nothing_more(engine: Engine, begun_id: int) -> None:
    assert not retiming_run.run(
        engine, CLOCK, begun_id, batch_size=2, progress=lambda _: lease(engine, 60), hands=1
    )
    assert moved(engine) == 2
    assert row_of(engine, begun_id).worker == "other:1"


def test_two_at_once_do_it_once(engine: Engine, begun_id: int) -> None:
    threads = [
        threading.Thread(target=retiming_run.run, args=(engine, CLOCK, begun_id), kwargs={"batch_size": 1})
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events_of_day1(engine) == [2] * PATIENTS


def test_it_stops_after_the_batch_under_way(engine: Engine, begun_id: int) -> None:
    stopping = threading.Event()
    assert not retiming_run.run(
        engine, CLOCK, begun_id, batch_size=2, stopping=stopping, progress=lambda _: stopping.set(), hands=1
    )
    assert (moved(engine), row_of(engine, begun_id).lease_until) == (2, None)


def test_a_treatment_logged_meanwhile_on_the_old_version_is_brought_over_too(
    engine: Engine, clinic: Clinic, begun_id: int
) -> None:
    with db.transaction(engine) as session:
        old = session.scalars(select(Treatment.plan_version_id)).first()
    logged: list[int] = []

    def log_on_the_old(_: int) -> None:
        if not logged:
            with db.transaction(engine) as session:
                here = session.merge(clinic)
                late = log(session, here, PatientEntry("Late", "Comer", phone="(212) 555-0150"))
                late.plan_version_id = old or 0
                session.flush()
                replan(session, [late.patient], now=NOW, actor="desk")
                logged.append(late.id)

    assert retiming_run.run(engine, CLOCK, begun_id, batch_size=3, progress=log_on_the_old, hands=1)
    assert moved(engine) == PATIENTS + 1
    assert row_of(engine, begun_id).total == PATIENTS + 1


@on_sqlite
def test_what_cannot_be_planned_stops_no_other(
    engine: Engine, begun_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    with db.transaction(engine) as session:
        # As no program of today would write it.
        session.execute(text("UPDATE patients SET timezone = 'Mars/Olympus' WHERE last_name = 'Sample3'"))
    assert retiming_run.run(engine, CLOCK, begun_id, batch_size=4)
    assert moved(engine) == PATIENTS - 1
    assert row_of(engine, begun_id).done == PATIENTS - 1
    assert "could not be brought over" in caplog.text


def test_in_the_background_it_is_followed_in_its_row(engine: Engine, begun_id: int) -> None:
    retiming_run.start(engine, CLOCK, begun_id).join()
    assert row_of(engine, begun_id).finished_at == NOW


def test_a_program_that_starts_finishes_what_was_left(engine: Engine, begun_id: int) -> None:
    retimer = retiming_run.Retimer(engine, CLOCK)
    retimer.start()
    finished = threading.Event()
    while not finished.wait(0.02):
        if row_of(engine, begun_id).finished_at is not None:
            finished.set()
    retimer.stop()
    assert moved(engine) == PATIENTS

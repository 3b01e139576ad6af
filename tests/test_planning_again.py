"""What a replan leaves alone, and what follows a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from notifier import db, plans, treatments
from notifier.models import Clinic, Message, Patient, Treatment
from notifier.planning import replan
from tests.cast import (
    BOB,
    DAY0,
    DAY1,
    DESK,
    ENDED,
    LOGGED,
    MIA,
    SCORE,
    WEEK,
    at,
    attempted,
    events,
    log,
    messages,
    on_postgresql,
    plan_of,
    replanned,
    save_cupping,
    says,
    stop,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# Rows that are out of reach


def test_a_row_that_was_attempted_is_never_touched(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    columns = Message.__table__.columns
    row = messages(session, treatment)[DAY1]
    row.attempts, row.claimed_at = 1, row.due_at
    session.flush()
    before = session.execute(select(*columns).where(Message.id == row.id)).one()
    now = LOGGED + MINUTE
    treatment.patient.phone = "+12125550199"
    stop(session, treatment.patient, now)
    treatments.correct_end(session, treatment, ENDED - HOUR, now=now, actor=DESK)
    treatments.void(session, treatment, reason="", now=now, actor=DESK)
    session.flush()
    assert session.execute(select(*columns).where(Message.id == row.id)).one() == before
    assert len(events(session, row)) == 1


def test_what_a_person_stopped_stays_stopped(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    row.status, row.reason, row.reason_code = "cancelled", "The desk stopped it.", "person"
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    treatments.unvoid(session, treatment, now=LOGGED, actor=DESK)
    assert plan_of(session, treatment) == WEEK | {SCORE: "cancelled person"}


def test_what_waits_for_a_person_waits_on_but_not_after_a_void(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    row.status, row.reason, row.reason_code = "held", "A score of 8.", "paused"
    replanned(session, treatment.patient, LOGGED)
    assert messages(session, treatment)[SCORE].status == "held"
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    assert messages(session, treatment)[SCORE].status == "cancelled"


def test_a_row_that_is_due_already_keeps_its_time(session: Session, clinic: Clinic) -> None:
    """Its claim is a moment away; moving it to now at each change would keep it from ever being oldest."""
    treatment = log(session, clinic)
    replanned(session, treatment.patient, at("2026-02-03 17:45"))
    assert plan_of(session, treatment) == WEEK


def test_a_stop_reaches_a_row_that_is_due_already(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, MIA)
    stop(session, treatment.patient, at("2026-02-03 17:45"))
    assert messages(session, treatment)[DAY0].status == "skipped"


def test_what_was_not_sent_keeps_its_reason_when_its_time_is_over(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    before = {step: row.reason for step, row in messages(session, treatment).items()}
    later = at("2026-02-20 10:00")
    log(session, clinic, BOB, ended_at=later)
    changes = replanned(session, treatment.patient, later + HOUR)
    rows = messages(session, treatment)
    assert rows[SCORE].reason == before[SCORE]
    assert rows[SCORE].status == "skipped"
    assert changes.changed == 0


# Each channel


@pytest.fixture
def each(session: Session, clinic: Clinic) -> None:
    """A cupping plan whose first message goes by SMS and by e-mail."""
    step = {"key": "day0-marks", "after": "2h", "deliver": "each", "channels": ["sms", "email"]}
    save_cupping(session, clinic, step)


SMS, EMAIL = "day0-marks/sms", "day0-marks/email"


@pytest.mark.usefixtures("each")
def test_a_step_for_each_channel_has_a_row_on_each(session: Session, clinic: Clinic) -> None:
    rows = messages(session, log(session, clinic, plan="cupping"))
    assert (rows[SMS].to, rows[EMAIL].to) == ("+12125550101", "alice@example.com")
    assert rows[SMS].due_at == rows[EMAIL].due_at == at("2026-02-03 17:30")


@pytest.mark.usefixtures("each")
def test_of_each_channel_the_one_that_is_refused_says_why(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    says(session, treatment.patient, "email", False, LOGGED, now=LOGGED)
    rows = messages(session, treatment)
    assert rows[SMS].status == "scheduled"
    assert (rows[EMAIL].status, rows[EMAIL].reason) == (
        "skipped",
        "Consent to e-mail was withdrawn on 2026-02-03.",
    )
    says(session, treatment.patient, "email", True, LOGGED + MINUTE, now=LOGGED + MINUTE)
    assert messages(session, treatment)[EMAIL].status == "scheduled"


@pytest.mark.usefixtures("each")
def test_when_one_of_them_waits_for_a_person_the_other_does_not(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    row = messages(session, treatment)[SMS]
    row.status, row.reason = "held", "The text could not be made."
    replanned(session, treatment.patient, LOGGED)
    rows = messages(session, treatment)
    assert (rows[SMS].status, rows[EMAIL].status) == ("held", "scheduled")


@pytest.mark.usefixtures("each")
def test_when_one_of_them_has_left_the_other_still_heeds_a_stop(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    now = at("2026-02-03 17:31")
    attempted(messages(session, treatment)[SMS])
    treatment.patient.email = "new@example.com"
    replanned(session, treatment.patient, now)
    rows = messages(session, treatment)
    assert (rows[EMAIL].status, rows[EMAIL].to) == ("scheduled", "new@example.com")
    assert rows[EMAIL].due_at == at("2026-02-03 17:30")
    says(session, treatment.patient, "email", False, now, now=now)
    assert messages(session, treatment)[EMAIL].reason == "Consent to e-mail was withdrawn on 2026-02-03."
    says(session, treatment.patient, "email", True, now + MINUTE, now=now + MINUTE)
    treatments.void(session, treatment, reason="", now=now + MINUTE, actor=DESK)
    assert messages(session, treatment)[EMAIL].status in ("cancelled", "skipped")
    assert messages(session, treatment)[SMS].status == "sent"


# Plans that change


def test_a_step_that_is_gone_from_the_version_is_cancelled(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    save_cupping(session, clinic, {"key": "day0-marks", "after": "2h"}, {"key": "day3-hello", "after": "3d"})
    treatment.plan_version_id = plans.current_versions(session, clinic)["cupping"].id
    changes = replanned(session, treatment.patient, LOGGED)
    assert plan_of(session, treatment) == {
        "day0-marks": "2026-02-03 17:30",
        "day1-skin-check": "cancelled replanned",
        "day7-marks-fading": "cancelled replanned",
        "day3-hello": "2026-02-06 15:30",
    }
    gone = messages(session, treatment)["day7-marks-fading"]
    assert gone.reason == "The step is no longer part of the plan."
    assert changes.added == 1
    assert {row.plan_version_id for row in messages(session, treatment).values()} >= {
        treatment.plan_version_id
    }


def follow(session: Session, treatment: Treatment, clinic: Clinic, *steps: dict[str, Any]) -> None:
    """The plan is changed, and this treatment is brought over to the new version."""
    treatment.plan_version_id = save_cupping(session, clinic, *steps).id
    replanned(session, treatment.patient, LOGGED)


def test_a_step_that_is_switched_off_is_cancelled_and_comes_back_when_it_is_on_again(
    session: Session, clinic: Clinic
) -> None:
    first, hello = {"key": "day0-marks", "after": "2h"}, {"key": "day3-hello", "after": "3d"}
    save_cupping(session, clinic, first, hello)
    treatment = log(session, clinic, plan="cupping")
    follow(session, treatment, clinic, first, hello | {"on": False})
    row = messages(session, treatment)["day3-hello"]
    assert (row.status, row.reason) == ("cancelled", "The step is switched off in the plan.")
    follow(session, treatment, clinic, first, hello | {"on": True})
    again = messages(session, treatment)["day3-hello"]
    assert (again.id, again.status, again.due_at) == (row.id, "scheduled", at("2026-02-06 15:30"))
    assert [event.to_status for event in events(session, again)] == ["scheduled", "cancelled", "scheduled"]


def test_a_treatment_logged_while_a_step_is_off_knows_nothing_of_it(session: Session, clinic: Clinic) -> None:
    save_cupping(
        session, clinic, {"key": "day0-marks", "after": "2h"}, {"key": "off", "after": "3d", "on": False}
    )
    assert list(plan_of(session, log(session, clinic, plan="cupping"))) == ["day0-marks"]


# At the same moment


def in_two_threads(*works: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def wait_until_somebody_waits(engine: Engine) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with engine.connect() as connection:
        end = time.monotonic() + 5
        while not connection.execute(waiting).scalar_one() and time.monotonic() < end:
            time.sleep(0.005)


@on_postgresql
def test_what_a_worker_is_just_claiming_is_not_cancelled_under_its_hands(
    engine: Engine, clinic: Clinic, second_engine: Engine
) -> None:
    with db.transaction(engine) as session:
        treatment = log(session, clinic)

    def void() -> None:
        with db.transaction(engine) as session:
            mine = session.get_one(Treatment, treatment.id)
            treatments.void(session, mine, reason="", now=LOGGED, actor=DESK)

    with db.transaction(second_engine) as worker:
        row = messages(worker, worker.get_one(Treatment, treatment.id))[DAY0]
        attempted(row, "sending")
        worker.flush()
        thread = threading.Thread(target=void)
        thread.start()
        wait_until_somebody_waits(second_engine)
    thread.join()
    with db.reading(engine) as session:
        rows = messages(session, session.get_one(Treatment, treatment.id))
        assert rows.pop(DAY0).status == "sending"
        assert {row.status for row in rows.values()} == {"cancelled"}


@on_postgresql
def test_two_replans_of_one_patient_add_each_row_once(engine: Engine, clinic: Clinic) -> None:
    """All that was planned has been attempted, so no row is there that they could wait for."""
    with db.transaction(engine) as session:
        treatment = log(session, clinic, plan="cupping")
        for row in messages(session, treatment).values():
            attempted(row)
        steps = [{"key": "day0-marks", "after": "2h"}, {"key": "day3-hello", "after": "3d"}]
        treatment.plan_version_id = save_cupping(session, clinic, *steps).id
    together = threading.Barrier(2)
    added: list[int] = []

    def replan_it() -> None:
        with db.transaction(engine) as session:
            patient = session.get_one(Patient, treatment.patient_id)
            together.wait()
            added.append(replan(session, [patient], now=LOGGED, actor=DESK).added)

    in_two_threads(replan_it, replan_it)
    assert sorted(added) == [0, 1]

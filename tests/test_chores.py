"""Work that is done once per installation; first of all, telling the admins that nothing was logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from notifier import chores, clinic_edits, clinics, db, missing_log, purging, signin, staff, treatments
from notifier.clock import RunningClock
from notifier.config import Settings
from notifier.models import (
    ApiToken,
    Attempt,
    Chore,
    Clinic,
    IdempotencyRecord,
    ImportRun,
    Message,
    SignIn,
    StaffLink,
    Treatment,
)
from notifier.worker import Worker
from notifier.worker_chores import ChoreRunner
from tests import cast
from tests.cast import on_sqlite
from tests.worker_cast import Shift, until

HOURS = {day: [["09:00", "13:00"], ["14:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
CLOSED = "2026-02-03 18:00"  # Tuesday


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    """Riverside has hours, an admin, one who left, and somebody at the front desk."""
    at_work = Shift(engine, clinic, tmp_path, now=cast.at("2026-02-03 12:00"))
    with at_work.change() as session:
        riverside = clinics.only(session)
        riverside.opening_hours = HOURS
        for name, role in (("Ada", "admin"), ("Gone", "admin"), ("Finn", "front_desk")):
            staff.add(
                session,
                riverside,
                email=f"{name}@riverside.example",
                name=name,
                role=role,
                password=None,
                now=cast.OPENED,
                actor="test",
            )
        staff.disable(session, riverside, "gone@riverside.example", now=cast.OPENED, actor="test")
    return at_work


def run(shift: Shift, when: str, **given: Any) -> int:
    shift.clock.jump(cast.at(when))
    settings = Settings.model_validate(shift.settings.model_dump() | given)
    return ChoreRunner(shift.engine, shift.clock, settings, worker="w1").run_due()


def mails(shift: Shift) -> list[Message]:
    return [message for message in shift.all() if message.kind == "alert"]


def due(shift: Shift, name: str = "nothing-logged") -> str:
    with shift.look() as session:
        return cast.wall(session.get_one(Chore, name).due_at)


def missing(shift: Shift, when: str) -> str | None:
    with shift.look() as session:
        found = missing_log.missing_log(session, clinics.only(session), cast.at(when))
        return str(found.day) if found else None


# Nothing logged


def test_at_closing_time_the_admin_is_told_that_nothing_was_logged(shift: Shift) -> None:
    run(shift, "2026-02-03 12:00")
    assert (mails(shift), due(shift)) == ([], CLOSED)
    run(shift, CLOSED, web={"base_url": "https://aftercare.example.com"})
    (mail,) = mails(shift)
    assert (mail.channel, mail.to, mail.priority, mail.status) == (
        "email",
        "ada@riverside.example",
        1,
        "scheduled",
    )
    assert mail.dedup_key.startswith("alert:nothing-logged:2026-02-03:")
    (kept,) = shift.drain()
    assert kept["subject"] == "No treatment was logged on Tuesday 3 Feb"
    assert "Riverside Physio closed at 6:00 PM on Tuesday 3 Feb" in kept["text"]
    assert "https://aftercare.example.com/import" in kept["text"]
    assert "sent automatically to the staff of Riverside Physio" in kept["text"]
    assert "STOP" not in kept["text"]
    assert due(shift) == "2026-02-04 18:00"


def test_without_an_address_of_our_own_there_is_no_link(shift: Shift) -> None:
    run(shift, CLOSED)
    (kept,) = shift.drain()
    assert "import the day's list" in kept["text"]
    assert "http" not in kept["text"]


def test_it_speaks_the_clinics_language(shift: Shift) -> None:
    with shift.change() as session:
        clinics.only(session).language = "es"
    run(shift, CLOSED)
    (kept,) = shift.drain()
    assert kept["subject"] == "No se registró ningún tratamiento el martes 3 feb"
    assert "cerró a las 18:00 el martes 3 feb" in kept["text"]


def test_once_is_enough_whoever_looks_again(shift: Shift) -> None:
    run(shift, CLOSED)
    with shift.change() as session:
        chores.hurry(session, "nothing-logged", now=shift.clock.now())
    assert run(shift, "2026-02-03 18:30") == 1
    assert len(mails(shift)) == 1


def test_a_treatment_of_that_day_is_enough_and_a_voided_one_is_none(shift: Shift) -> None:
    treatment_id = shift.log(now=cast.at("2026-02-03 15:40"))
    run(shift, CLOSED)
    assert mails(shift) == []
    with shift.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        treatments.void(session, treatment, reason="Twice.", now=shift.clock.now(), actor=cast.DESK)
    assert missing(shift, "2026-02-03 18:10") == "2026-02-03"


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ("2026-02-03 00:00", False),  # the day is the clinic's own
        ("2026-02-02 23:59", True),
        ("2026-02-04 00:00", True),
    ],
)
def test_it_counts_treatments_that_ended_on_that_day_at_the_clinic(
    shift: Shift, ended: str, told: bool
) -> None:
    shift.log(ended_at=cast.at(ended), now=cast.at("2026-02-04 00:10"))
    assert (missing(shift, "2026-02-03 18:10") is not None) is told


def test_it_waits_for_the_last_hours_of_the_day_and_knows_closed_dates(shift: Shift) -> None:
    assert missing(shift, "2026-02-03 13:30") is None
    with shift.change() as session:
        clinics.only(session).closed_dates = ["2026-02-03"]
    assert missing(shift, "2026-02-03 18:10") is None


def test_a_worker_that_was_down_in_the_evening_tells_in_the_morning_but_not_later(shift: Shift) -> None:
    run(shift, "2026-02-03 12:00")
    run(shift, "2026-02-04 09:00")
    assert len(mails(shift)) == 1
    assert missing(shift, "2026-02-04 10:01") is None


def test_without_hours_nobody_is_told_anything(shift: Shift) -> None:
    with shift.change() as session:
        clinics.only(session).opening_hours = {}
    run(shift, CLOSED)
    assert (mails(shift), due(shift)) == ([], "2026-02-04 18:00")  # it looks again in a day


def test_a_clinic_that_was_set_up_after_closing_time_hears_nothing_of_that_day(shift: Shift) -> None:
    with shift.change() as session:
        clinics.only(session).created_at = cast.at("2026-02-03 18:01")
    assert missing(shift, "2026-02-03 18:10") is None


def test_hours_that_cannot_be_read_stop_no_other_clinic(
    shift: Shift, caplog: pytest.LogCaptureFixture
) -> None:
    with shift.change() as session:
        clinics.only(session).opening_hours = {"mon": "all day"}
        clinics.create(
            session,
            name="Harbour Osteopathy",
            phone="",
            timezone="America/New_York",
            country="US",
            language="en",
            now=cast.OPENED,
        ).opening_hours = HOURS
    run(shift, "2026-02-03 12:00")
    assert due(shift) == CLOSED
    assert "clinic riverside-physio: its opening hours cannot be read" in caplog.text


@pytest.mark.parametrize("why", ["no sender", "no mail server"])
def test_where_no_email_goes_out_it_only_shows_on_the_page(shift: Shift, why: str) -> None:
    given: dict[str, Any] = {}
    if why == "no sender":
        with shift.change() as session:
            for sender in clinics.active_senders(session, clinics.only(session)):
                sender.active = False
    else:
        given = {"delivery": {"mode": "live"}}
    run(shift, CLOSED, **given)
    assert mails(shift) == []
    assert missing(shift, CLOSED) == "2026-02-03"


# Once per installation


def test_two_workers_do_a_chore_once(shift: Shift, second_engine: Engine) -> None:
    """The second finds it in the first one's hands, or done."""
    run(shift, "2026-02-03 17:30")
    shift.clock.jump(cast.at(CLOSED))
    with shift.change() as session:
        assert chores.take(session, now=shift.clock.now()) == "nothing-logged"
        if shift.engine.dialect.name == "postgresql":
            with db.transaction(second_engine) as other:
                assert chores.take(other, now=shift.clock.now()) is None
        chores.do(session, "nothing-logged", shift.settings, now=shift.clock.now(), worker="w1")
    with db.transaction(second_engine) as other:
        assert chores.take(other, now=shift.clock.now()) is None
    assert len(mails(shift)) == 1


def test_with_nothing_due_nothing_is_written(shift: Shift) -> None:
    assert run(shift, "2026-02-03 12:00") == len(chores.CHORES)
    statements: list[str] = []
    note = lambda _, __, statement, *___: statements.append(statement)  # noqa: E731
    event.listen(shift.engine, "before_cursor_execute", note)
    runner = ChoreRunner(shift.engine, shift.clock, shift.settings, worker="w1")
    assert runner.run_due() == 0
    event.remove(shift.engine, "before_cursor_execute", note)
    assert [words for words in statements if not words.startswith(("SELECT", "BEGIN"))] == []


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A chore that fails, whose name comes first; how often it was tried."""
    tries: list[datetime] = []

    def fail(session: object, settings: object, now: datetime) -> None:
        tries.append(now)
        raise RuntimeError("the roof leaks")

    monkeypatch.setattr(chores, "CHORES", {"a-roof": fail, **chores.CHORES})
    return lambda: len(tries)


def test_one_that_fails_is_put_off_and_the_others_are_done(
    shift: Shift, broken: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    run(shift, CLOSED)
    run(shift, CLOSED)
    assert broken() == 1
    assert len(mails(shift)) == 1
    assert "chore a-roof failed" in caplog.text
    assert "the roof leaks" in caplog.text
    with shift.look() as session:
        assert session.get_one(Chore, "a-roof").lease_until is not None


def test_a_chore_that_this_version_does_not_know_is_left_alone(shift: Shift) -> None:
    with shift.change() as session:
        session.add(Chore(name="of-a-later-version", due_at=cast.OPENED))
    run(shift, CLOSED)
    with shift.look() as session:
        assert session.get_one(Chore, "of-a-later-version").due_at == cast.OPENED


def test_changed_hours_count_at_once(shift: Shift) -> None:
    run(shift, "2026-02-03 12:00")
    with shift.change() as session:
        riverside = clinics.only(session)
        clinic_edits.change(
            session,
            riverside,
            {"opening_hours": {"tue": [["09:00", "13:00"]]}},
            version=riverside.version,
            now=shift.clock.now(),
            actor="Ada",
        )
    run(shift, "2026-02-03 12:01")
    assert due(shift) == "2026-02-03 13:00"


def test_a_running_worker_does_chores_when_they_are_due_and_sends_what_they_write(shift: Shift) -> None:
    clock = RunningClock(cast.at("2026-02-03 17:59:58"), 1.0)
    worker = Worker(shift.engine, clock, shift.channels, shift.settings)
    worker.start()
    try:
        until(lambda: [message.status for message in mails(shift)] == ["sent"], seconds=8)
    finally:
        worker.stop()
    with shift.look() as session:
        attempt = session.scalars(select(Attempt)).one()
        assert attempt.claimed_at >= cast.at(CLOSED)


@on_sqlite
def test_a_worker_keeps_up_with_a_clock_that_runs_fast_stops_and_jumps(shift: Shift) -> None:
    clock = RunningClock(cast.at("2026-02-03 15:40"), 0.0)
    treatment_id = shift.log()

    def sent() -> list[str | None]:
        return [row.step for row in shift.rows(treatment_id).values() if row.status == "sent"]

    worker = Worker(shift.engine, clock, shift.channels, shift.settings)
    worker.start()
    try:
        clock.set_speed(3600.0)
        until(lambda: sent() == [cast.DAY0], seconds=8)
        clock.set_speed(0.0)
        clock.jump(cast.at("2026-02-04 13:30"))
        until(lambda: sent() == [cast.DAY0, cast.DAY1], seconds=8)
    finally:
        worker.stop()
    late = shift.rows(treatment_id)[cast.DAY0].claimed_at
    assert late is not None
    assert late - cast.at("2026-02-03 17:30") < timedelta(minutes=15)


# What is forgotten


def test_what_is_only_of_use_for_a_while_is_forgotten(shift: Shift) -> None:
    with shift.change() as session:
        ada = staff.of_clinic(session, clinics.only(session))[0][0]
        real = db.database_now(session)
        token = ApiToken(
            clinic_id=shift.clinic.id, name="EHR", token_hash="1", hint="1", scope="read", created_at=real
        )
        session.add(token)
        session.flush()
        for number, age in enumerate((timedelta(hours=1), timedelta(days=60))):
            signed_in = SignIn(
                token_hash=f"{number}",
                staff_id=ada.id,
                clinic_id=shift.clinic.id,
                created_at=real - age,
                seen_at=real - age,
                expires_at=real - age + signin.LONGEST,
            )
            link = StaffLink(
                token_hash=f"{number}",
                staff_id=ada.id,
                clinic_id=shift.clinic.id,
                purpose="invitation",
                created_at=real - age,
                expires_at=real - age + timedelta(days=7),
            )
            kept = IdempotencyRecord(
                token_id=token.id,
                key=f"{number}",
                fingerprint="",
                status=200,
                body={},
                created_at=shift.clock.now() - age,
            )
            file = ImportRun(
                clinic_id=shift.clinic.id,
                file="day.csv",
                content=b"Ana",
                state="uploaded",
                created_at=shift.clock.now() - age,
            )
            session.add_all([signed_in, link, kept, file])
    with shift.change() as session:
        now = shift.clock.now()
        assert purging.purge(session, shift.settings, now) == now + timedelta(days=1)
    with shift.look() as session:
        for table in (SignIn, StaffLink):
            assert session.scalars(select(table.token_hash)).all() == ["0"]
        assert session.scalars(select(IdempotencyRecord.key)).all() == ["0"]
        files = session.scalars(select(ImportRun.content).order_by(ImportRun.id)).all()
        assert files == [b"Ana", None]


def test_a_file_that_is_being_imported_is_kept_for_it(shift: Shift) -> None:
    with shift.change() as session:
        session.add(
            ImportRun(
                clinic_id=shift.clinic.id,
                file="day.csv",
                content=b"Ana",
                state="running",
                created_at=shift.clock.now() - timedelta(days=60),
            )
        )
    with shift.change() as session:
        purging.purge(session, shift.settings, shift.clock.now())
    with shift.look() as session:
        assert session.scalars(select(ImportRun.content)).one() == b"Ana"

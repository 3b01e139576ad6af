"""What goes wrong around a reply, on both databases: the warning and the no come through all the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from notifier import answer_texts
from notifier.models import AlertContact, Clinic, Patient, Suppression
from tests import cast
from tests.cast import on_sqlite
from tests.test_replies import ALICE, World

ALIAS = "eddie@elsewhere.example"


@pytest.fixture
def world(engine: Engine, clinic: Clinic, tmp_path: Path) -> World:
    world = World(engine, clinic, tmp_path)
    with world.change() as session:
        session.add(AlertContact(clinic_id=clinic.id, position=1, name="Dr Ruiz", phone="+12125550190"))
    return world


def _stopped(world: World) -> set[str]:
    with world.look() as session:
        return set(session.scalars(select(Suppression.address).where(Suppression.lifted_at.is_(None))))


def _answered_mail(world: World) -> dict[str, Any]:
    """Edward got a mail, and answers it from another address of his."""
    treatment = world.log(cast.EDWARD)
    world.drain("2026-02-03 17:30")
    (attempt,) = world.attempts(world.rows(treatment)[cast.DAY0].id)
    return {"by": ALIAS, "channel": "email", "in_reply_to": (attempt.provider_id,)}


def test_an_answer_that_cannot_be_written_takes_back_no_stop_and_no_warning(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError

    world.log()
    monkeypatch.setattr(answer_texts, "render", broken)
    reply = world.one("can't breathe", when="2026-02-04 03:00")
    (alert,) = world.alerts()
    assert (alert.kind, alert.severity) == ("red_flag", "emergency")
    assert alert.summary.endswith("The automatic answer did not reach the patient. Call.")
    assert reply.answer == ""
    assert world.hear("STOP").stopped == (("sms", ALICE),)
    assert _stopped(world) == {ALICE}


@on_sqlite
def test_a_first_text_that_cannot_be_written_holds_up_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(answer_texts, "render", broken)
    world.set(first_text=True)
    alice, edward = world.log(), world.log(cast.EDWARD)
    world.drain("2026-02-03 17:30")
    assert world.rows(alice)[cast.DAY0].status == "held"
    assert world.rows(edward)[cast.DAY0].status == "sent"


@on_sqlite
def test_a_stop_from_another_mail_address_stops_where_we_write_to(world: World) -> None:
    received = world.hear("unsubscribe", **_answered_mail(world))
    assert _stopped(world) == {ALIAS, "edward@example.com"}
    assert set(received.stopped) == {("email", ALIAS), ("email", "edward@example.com")}


@on_sqlite
def test_a_warning_from_another_mail_address_pauses_the_patient(world: World) -> None:
    world.hear("I can't breathe", **_answered_mail(world))
    with world.look() as session:
        assert session.scalars(select(Patient)).one().paused_at is not None


@on_sqlite
def test_a_start_that_comes_late_does_not_undo_the_stop_after_it(world: World) -> None:
    world.log()
    world.hear("STOP", when="2026-02-03 17:05")
    sent = cast.at("2026-02-03 17:10")
    world.hear("STOP", when="2026-02-03 17:12")
    world.hear("START", when="2026-02-03 17:13", received_at=sent)
    assert _stopped(world) == {ALICE}
    world.hear("START", when="2026-02-03 17:14", received_at=sent + timedelta(minutes=4))
    assert _stopped(world) == set()


@on_sqlite
def test_what_is_fetched_after_a_day_is_answered_as_sparingly_as_at_once(world: World) -> None:
    world.log()
    sent = cast.at("2026-02-04 09:00")
    given = {"when": "2026-02-05 11:00"}
    said = [
        world.one(
            f"Nice weather, part {number}", received_at=sent + timedelta(minutes=number), **given
        ).answer
        for number in range(3)
    ]
    assert said == ["fallback", "", ""]

"""What a number hears first: who writes, how often, how to stop; once, and before everything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifier import suppressions
from notifier.models import Clinic
from tests import cast
from tests.cast import on_sqlite
from tests.worker_cast import Shift, sender_of

FIRST = "Riverside Physio: You agreed to texts after visits, up to 5 a week."


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    shift = Shift(engine, clinic, tmp_path)
    with shift.change() as session:
        session.get_one(Clinic, clinic.id).first_text = True
    return shift


def texts(shift: Shift, when: str) -> list[str]:
    return [entry["text"] for entry in shift.drain(when)]


def test_the_first_message_to_a_number_follows_the_text_that_says_who_writes(shift: Shift) -> None:
    shift.log()
    (first,) = texts(shift, "2026-02-03 17:30")
    assert first.startswith(FIRST)
    assert first.endswith("HELP for help, STOP to end. Wrong person? Reply WRONG.")
    shift.clock.jump(shift.clock.now() + timedelta(seconds=20))
    (planned,) = [entry["text"] for entry in shift.drain()]
    assert "Alice" in planned
    # Later messages find a number that knows us, another treatment too.
    assert len(texts(shift, "2026-02-04 13:30")) == 1
    kinds = [message.kind for message in shift.all() if message.status == "sent"]
    assert kinds.count("answer") == 1


@on_sqlite
def test_it_is_in_the_readers_language_and_once_for_a_family(shift: Shift) -> None:
    shift.log(replace(cast.MIA, language="es"))
    shift.log(cast.LEO)
    found = texts(shift, "2026-02-03 17:30")
    assert [text[:44] for text in found] == ["Riverside Physio: Usted acepta mensajes tras"]
    shift.clock.jump(shift.clock.now() + timedelta(seconds=20))
    assert ["Paola" in entry["text"] for entry in shift.drain()] == [True, True]


@on_sqlite
def test_nobody_who_said_no_meanwhile_gets_it(shift: Shift) -> None:
    shift.log()
    shift.clock.jump(cast.at("2026-02-03 17:30"))
    with shift.change() as session:
        suppressions.suppress(
            session,
            sender_of(session, shift.clinic),
            "+12125550101",
            reason="STOP",
            now=shift.clock.now(),
            actor="test",
        )
    assert [text for text in texts(shift, "2026-02-03 17:31") if text.startswith(FIRST)] == []


@on_sqlite
def test_a_clinic_that_confirms_consent_itself_turns_it_off(shift: Shift) -> None:
    with shift.change() as session:
        session.get_one(Clinic, shift.clinic.id).first_text = False
    shift.log()
    (planned,) = texts(shift, "2026-02-03 17:30")
    assert not planned.startswith(FIRST)

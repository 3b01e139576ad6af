"""A patient's messages paused, and let go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import pausing
from notifier.errors import ConflictError
from notifier.models import Clinic, Patient
from tests.cast import DAY0, DAY1, DESK, LOGGED, SCORE, WEEK, at, log, messages, plan_of
from tests.worker_cast import Shift


def test_what_comes_due_is_held_and_goes_on_afterwards(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    shift = Shift(engine, clinic, tmp_path)
    treatment_id = shift.log()
    with shift.change() as session:
        patient = session.get_one(Patient, shift.patient().id)
        pausing.pause(session, patient, "She has a fever.", now=LOGGED, actor=DESK)
    assert shift.drain("2026-02-03 17:30") == []
    held = shift.rows(treatment_id)[DAY0]
    assert (held.status, held.reason) == (
        "held",
        "This patient's planned messages are paused: She has a fever.",
    )
    now = at("2026-02-03 18:30")
    with shift.change() as session:
        patient = session.get_one(Patient, shift.patient().id)
        effect = pausing.resume(session, patient, now=now, actor=DESK)
        assert effect.stopped == []
    assert list(shift.moves(held.id))[:2] == ["scheduled → held", "held → scheduled"]
    assert len(shift.drain("2026-02-03 18:30")) == 1


def test_what_is_stale_when_the_pause_ends_is_not_sent(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    pausing.pause(session, treatment.patient, "", now=LOGGED, actor=DESK)
    for step in (DAY0, DAY1):
        row = messages(session, treatment)[step]
        row.status, row.reason, row.reason_code = "held", "Paused.", "paused"
    effect = pausing.resume(session, treatment.patient, now=at("2026-02-05 10:00"), actor=DESK)
    assert [message.step for message in effect.stopped] == [DAY0, DAY1]
    rows = messages(session, treatment)
    assert rows[DAY0].reason_code == "too_late"
    assert plan_of(session, treatment)[SCORE] == WEEK[SCORE]


def test_nobody_is_paused_or_resumed_twice(session: Session, clinic: Clinic) -> None:
    patient = log(session, clinic).patient
    with pytest.raises(ConflictError, match="not paused"):
        pausing.resume(session, patient, now=LOGGED, actor=DESK)
    pausing.pause(session, patient, "", now=LOGGED, actor=DESK)
    with pytest.raises(ConflictError, match="paused already"):
        pausing.pause(session, patient, "", now=LOGGED, actor=DESK)

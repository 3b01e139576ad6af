"""Soreness scores, on both databases: what they are about, what was asked, and what they let out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import scores
from notifier.errors import InputError, NotFoundError
from notifier.models import AuditEntry, Clinic, Message, ScoreRow, Treatment
from tests import cast
from tests.cast import DESK, ENDED, SCORE, on_sqlite
from tests.replies_cast import wrote
from tests.worker_cast import Shift

ASKED = "2026-02-05 13:30"
HOUR = timedelta(hours=1)


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def tell(shift: Shift, treatment_id: int, *values: int, source: str = "reply") -> list[int]:
    """One score an hour, from an hour after the question on."""
    with shift.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        at = cast.at(ASKED)
        return [
            scores.record(session, treatment, value, at=at + place * HOUR, source=source).id
            for place, value in enumerate(values, start=1)
        ]


def left(shift: Shift, when: str) -> list[str]:
    return [str(shift.message(entry["message_id"]).step) for entry in shift.drain(when)]


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([4], "day3-still-sore"),
        ([3], "day3-check-in"),
        ([], "day3-check-in"),
        ([8, 2], "day3-check-in"),  # the latest counts
    ],
)
def test_a_score_of_four_and_more_brings_the_step_for_it(shift: Shift, values: list[int], step: str) -> None:
    treatment_id = shift.log()
    shift.drain("2026-02-03 17:30")
    assert left(shift, ASKED) == [SCORE]
    tell(shift, treatment_id, *values)
    assert left(shift, "2026-02-06 15:30") == [step]


def test_a_score_that_was_taken_back_counts_for_nothing_until_it_is_brought_back(shift: Shift) -> None:
    treatment_id = shift.log()
    first, last = tell(shift, treatment_id, 2, 8)
    for deed, values in ((scores.withdraw, [2]), (scores.withdraw, [2]), (scores.restore, [2, 8])):
        with shift.change() as session:
            deed(session, session.get_one(ScoreRow, last), now=cast.at("2026-02-06 09:00"), actor=DESK)
        with shift.look() as session:
            points = scores.of_treatment(session, session.get_one(Treatment, treatment_id))
        assert [point.value for point in points] == values
    assert (points[0].id, points[0].hours) == (first, 47.0)
    with shift.change() as session:
        scores.withdraw(session, session.get_one(ScoreRow, last), now=cast.at("2026-02-06 09:00"), actor=DESK)
    with shift.look() as session:
        noted = session.execute(
            select(AuditEntry.action, AuditEntry.detail).where(AuditEntry.action.like("score.%"))
        ).all()
    # Taking back what is taken back already is nothing that anybody did.
    assert [(action, detail["score"]) for action, detail in noted] == [
        ("score.withdrawn", 8), ("score.restored", 8), ("score.withdrawn", 8),
    ]  # fmt: skip
    shift.drain(ASKED)
    assert left(shift, "2026-02-06 15:30") == ["day3-check-in"]


@on_sqlite
def test_two_taps_at_the_desk_are_one_score_and_two_calls_are_two(shift: Shift) -> None:
    treatment_id = shift.log()
    with shift.change() as session:
        treatment = session.get_one(Treatment, treatment_id)

        def told(value: int, *, seconds: float) -> int:
            at = ENDED + 30 * HOUR + timedelta(seconds=seconds)
            return scores.record(session, treatment, value, at=at, source="desk").id

        first = told(5, seconds=0)
        assert told(5, seconds=1) == first
        assert len({first, told(6, seconds=2), told(5, seconds=3600)}) == 3
        with pytest.raises(InputError, match="from 0 to 10"):
            told(11, seconds=0)


@on_sqlite
def test_the_same_reply_again_is_the_same_score(shift: Shift) -> None:
    treatment_id = shift.log()
    with shift.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        clinic = session.get_one(Clinic, shift.clinic.id)
        first, second = (wrote(session, clinic, treatment.patient, "4") for _ in range(2))
        rows = [
            scores.record(session, treatment, 4, at=cast.at(ASKED), reply=reply)
            for reply in (first, first, second)
        ]
        assert rows[0].id == rows[1].id != rows[2].id


@on_sqlite
@pytest.mark.parametrize(
    ("when", "is_asked"),
    [
        ("2026-02-05 13:29", False),  # not sent yet
        ("2026-02-05 13:31", True),
        ("2026-02-06 13:30", True),  # 24 h, as the plan says
        ("2026-02-06 13:31", False),
    ],
)
def test_a_question_is_open_for_as_long_as_the_plan_says(shift: Shift, when: str, is_asked: bool) -> None:
    treatment_id = shift.log()
    shift.drain("2026-02-03 17:30")
    shift.drain(ASKED)
    now = cast.at(when)
    with shift.look() as session:
        treatment = session.get_one(Treatment, treatment_id)
        found = scores.asked(session, treatment.patient, now)
        assert (found is not None) is is_asked
        if found is not None:
            assert (found.message.step, found.treatment.id) == (SCORE, treatment_id)


@on_sqlite
@pytest.mark.parametrize("status", ["failed", "undelivered", "scheduled", "voided"])
def test_what_never_arrived_asked_nothing(shift: Shift, status: str) -> None:
    treatment_id = shift.log()
    shift.drain("2026-02-03 17:30")
    shift.drain(ASKED)
    with shift.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        assert scores.asked(session, treatment.patient, cast.at(ASKED) + HOUR)
        if status == "voided":
            treatment.voided_at = cast.at(ASKED)
        else:
            question = session.scalars(select(Message).where(Message.step == SCORE)).one()
            question.status = status
        session.flush()
        assert scores.asked(session, treatment.patient, cast.at(ASKED) + HOUR) is None


@on_sqlite
def test_a_score_that_nobody_asked_for_is_about_the_latest_treatment(shift: Shift) -> None:
    days = ("2026-02-03 15:30", "2026-02-05 15:30", "2026-02-07 15:30")
    first, second, third = (shift.log(plan=plan, ended_at=cast.at(day)) for day, plan in zip(
        days, ("dry-needling", "cupping", "dry-needling"), strict=True
    ))  # fmt: skip
    with shift.change() as session:
        patient = session.get_one(Treatment, first).patient

        def about(now: datetime) -> int | None:
            found = scores.latest_treatment(session, patient, now)
            return found.id if found is not None else None

        assert about(cast.at("2026-02-03 12:00")) is None
        assert about(cast.at("2026-02-06 12:00")) == second
        assert about(cast.at("2026-02-08 12:00")) == third
        session.get_one(Treatment, third).voided_at = cast.at("2026-02-08 09:00")
        session.flush()
        assert about(cast.at("2026-02-08 12:00")) == second
        assert about(cast.at("2026-02-19 15:30")) is None  # fourteen days


@on_sqlite
def test_another_clinics_score_is_not_there(shift: Shift) -> None:
    (score_id,) = tell(shift, shift.log(), 5)
    with shift.change() as session:
        assert scores.get(session, session.get_one(Clinic, shift.clinic.id), score_id).value == 5
        with pytest.raises(NotFoundError):
            scores.get(session, cast.open_harbour(session), score_id)

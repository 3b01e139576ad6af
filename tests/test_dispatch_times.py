"""The moment of sending, by the clock: usefulness, windows, gap and caps against what really was sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifier import plans
from notifier.channels.outbox import Entry
from notifier.models import Clinic, Message, Treatment
from notifier.planfiles import find_folder, read_content
from tests import cast
from tests.worker_cast import Shift

DAY0 = "day0-what-you-may-feel"  # Tuesday 17:30, a safety step, useful until Wednesday 09:30
DAY1 = "day1-soreness-is-normal"  # Wednesday 13:30, after a first treatment
DAY2 = "day2-soreness-score"  # Thursday 13:30
DAY5 = "day5-how-it-works"  # Sunday 15:30, useful until Tuesday 15:30
DUE0, DUE1, DUE5 = "2026-02-03 17:30", "2026-02-04 13:30", "2026-02-08 15:30"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def steps(kept: list[Entry], shift: Shift) -> list[tuple[str, str]]:
    """What left, as step and channel."""
    return [(str(shift.message(e["message_id"]).step), e["channel"]) for e in kept]


def said(shift: Shift, treatment: int, step: str) -> tuple[str, str]:
    row = shift.rows(treatment)[step]
    return row.status, row.reason


# Time


def test_it_is_useful_to_the_last_moment_and_no_longer(shift: Shift) -> None:
    mia, leo = shift.log(cast.ALICE), shift.log(cast.CAROL, ended_at=cast.ENDED - timedelta(minutes=1))
    kept = shift.drain("2026-02-04 09:30")
    assert steps(kept, shift) == [(DAY0, "sms")]
    assert said(shift, mia, DAY0)[0] == "sent"
    status, reason = said(shift, leo, DAY0)
    assert status == "skipped"
    assert reason == "It was useful until Wed 4 Feb 09:29 and could not leave before."


def test_fifteen_minutes_after_the_window_closed_it_may_still_leave(shift: Shift) -> None:
    treatment = shift.log(ended_at=cast.at("2026-02-03 18:00"))
    assert shift.rows(treatment)[DAY0].due_at == cast.at("2026-02-03 20:00")
    assert steps(shift.drain("2026-02-03 20:15"), shift) == [(DAY0, "sms")]


def test_later_than_that_it_moves_to_the_next_opening(shift: Shift) -> None:
    treatment = shift.log(ended_at=cast.at("2026-02-03 18:00"))
    assert shift.drain("2026-02-03 20:16") == []
    row = shift.rows(treatment)[DAY0]
    assert (row.status, cast.wall(row.due_at)) == ("scheduled", "2026-02-04 09:00")
    assert row.reason == "Outside the sending window 09:00-20:00. Moved to Wed 4 Feb 09:00."
    assert shift.moves(row.id) == ["scheduled → scheduled"]
    assert steps(shift.drain("2026-02-04 09:00"), shift) == [(DAY0, "sms")]


def test_after_a_night_without_a_worker_nothing_stale_leaves_and_no_burst(shift: Shift) -> None:
    """Back on Friday: of four steps that were due, the one for today goes."""
    treatment = shift.log()
    assert steps(shift.drain("2026-02-06 15:45"), shift) == [("day3-check-in", "sms")]
    states = {step: row.status for step, row in shift.rows(treatment).items()}
    assert states[DAY0] == states[DAY1] == states[DAY2] == "skipped"


# Gap and caps, by what really was sent


def siblings(shift: Shift) -> tuple[int, int]:
    """Mia and Leo share a phone; everything of theirs is due at the same moments, whatever was planned."""
    both = shift.log(cast.MIA), shift.log(cast.LEO)
    with shift.change() as session:
        for step, when in ((DAY0, DUE0), (DAY5, DUE5)):
            values = {"due_at": cast.at(when), "status": "scheduled", "reason": "", "reason_code": ""}
            session.execute(update(Message).where(Message.step == step).values(**values))
    return both


def test_one_phone_gets_one_planned_message_and_the_next_one_a_day_later(shift: Shift) -> None:
    siblings(shift)
    shift.clock.jump(cast.at("2026-02-08 09:00"))
    assert len(shift.drain(DUE5)) == 1
    waiting = [row for row in shift.all() if row.step == DAY5 and row.status == "scheduled"]
    assert [cast.wall(row.due_at) for row in waiting] == ["2026-02-09 09:00"]
    assert waiting[0].reason == "To keep messages apart. Moved to Mon 9 Feb 09:00."
    assert steps(shift.drain("2026-02-09 09:00"), shift) == [(DAY5, "sms")]


def test_safety_steps_wait_for_nobody(shift: Shift) -> None:
    siblings(shift)
    assert steps(shift.drain(DUE0), shift) == [(DAY0, "sms"), (DAY0, "sms")]


def test_what_left_late_pushes_the_next_one_or_drops_it_with_the_reason(shift: Shift) -> None:
    treatment = shift.log()
    assert len(shift.drain("2026-02-04 09:10")) == 1  # day 0, at last
    assert shift.drain(DUE1) == []
    status, reason = said(shift, treatment, DAY1)
    assert status == "skipped"
    assert reason == (
        "To keep messages apart. It could leave Thu 5 Feb 09:00, and was useful until Thu 5 Feb 03:30."
    )


def test_a_week_holds_five_and_the_sixth_waits_for_the_first_to_be_a_week_old(shift: Shift) -> None:
    treatment = shift.log(next_visit=cast.at("2026-02-12 10:00"))
    with shift.change() as session:
        rows = cast.messages(session, session.get_one(Treatment, treatment))
        for day, step in enumerate((DAY0, DAY1, DAY2, "day3-check-in", DAY5)):
            cast.attempted(rows[step], on=cast.at("2026-02-05 12:00") + timedelta(days=day))
    row = shift.rows(treatment)["before-next-visit"]
    assert cast.wall(row.due_at) == "2026-02-11 10:00"
    assert shift.drain("2026-02-11 10:00") == []
    # Thursday the 5th at 12:00 and a week, which is after the visit.
    status, reason = said(shift, treatment, "before-next-visit")
    assert (status, "Thu 12 Feb 12:00" in reason) == ("skipped", True)


def test_what_finds_no_place_within_two_months_is_not_put_off_for_ever(shift: Shift) -> None:
    """Three months between messages, and no end to how long this one is useful."""
    content = read_content(find_folder("dry-needling"))
    content["plan"]["min_gap"] = "2200h"
    del content["plan"]["steps"][1]["useful_for"]
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.OPENED, actor=cast.DESK)
    treatment = shift.log()
    with shift.change() as session:
        row = cast.messages(session, session.get_one(Treatment, treatment))[DAY1]
        row.status, row.due_at, row.reason_code = "scheduled", cast.at(DUE1), ""
        cast.attempted(cast.messages(session, session.get_one(Treatment, treatment))[DAY0], on=cast.at(DUE0))
    assert shift.drain(DUE1) == []
    assert said(shift, treatment, DAY1) == (
        "skipped",
        "To keep messages apart. There is no place for it in the next 60 days.",
    )


def test_another_try_is_not_kept_back_by_the_first_one(shift: Shift) -> None:
    treatment = shift.log()
    with shift.change() as session:
        row = cast.messages(session, session.get_one(Treatment, treatment))[DAY1]
        row.attempts, row.claimed_at = 1, cast.at("2026-02-04 13:20")  # refused; to be tried again at 13:30
        session.add(attempt_of(row))
    assert steps(shift.drain(DUE1), shift) == [(DAY1, "sms")]


def attempt_of(row: Message) -> Any:
    from notifier.models import Attempt

    return Attempt(
        message_id=row.id,
        number=1,
        channel="sms",
        address=row.to,
        words="…",
        claimed_at=row.claimed_at,
        outcome="failed",
    )

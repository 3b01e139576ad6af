"""When a step is due by itself: what two other libraries say, and what holds for every step and zone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifier.rules.durations import Duration, parse_duration
from notifier.rules.plan import Step, Window
from notifier.rules.timing import (
    Due,
    Occasion,
    Skip,
    SkipCode,
    due,
    earliest,
    is_open,
    last_close,
    next_opening,
    shift,
)
from notifier.rules.zones import to_local, zone
from tests.rules import oracles
from tests.rules.strategies import PROPERTY, fixed_zone, instants, occasions, steps, windows, zones

CASES_PER_ZONE = 24


def answer(case: oracles.Case) -> oracles.Answer:
    timed = Step(
        "step",
        parse_duration(case.after),
        anchor=case.anchor,
        at=case.at,
        not_before=timedelta(minutes=case.not_before),
        outside_window=case.outside_window,
        useful_for=None if case.useful_for is None else parse_duration(case.useful_for),
    )
    occasion = Occasion(case.ended_at, case.logged_at, case.next_visit)
    outcome = due(timed, occasion, window=Window(*case.window), tz=zone(case.zone))
    if isinstance(outcome, Due):
        return "due", outcome.at, outcome.useful_until
    words = {SkipCode.NO_VISIT: "no visit", SkipCode.TOO_LATE: "too late"}
    return words[outcome.code], None, outcome.useful_until


@pytest.mark.parametrize("name", oracles.STEADY_ZONES)
def test_dateutil_and_pytz_come_to_the_same_second(name: str) -> None:
    by_dateutil, by_pytz = oracles.DateutilClock(name), oracles.PytzClock(name)
    for case in oracles.cases(name, CASES_PER_ZONE, seed=2026):
        ours = answer(case)
        assert ours == oracles.expected(case, by_dateutil), f"dateutil on {case}"
        assert ours == oracles.expected(case, by_pytz), f"pytz on {case}"


def test_the_cases_for_the_other_libraries_are_many_and_of_every_kind() -> None:
    drawn = [case for name in oracles.STEADY_ZONES for case in oracles.cases(name, CASES_PER_ZONE, 2026)]
    outcomes = Counter(answer(case)[0] for case in drawn)
    assert outcomes["due"] >= 400
    assert min(outcomes["too late"], outcomes["no visit"]) >= 40
    for kind in (
        Counter(case.after[-1] for case in drawn),
        Counter(case.outside_window for case in drawn),
        Counter(case.anchor for case in drawn),
        Counter(case.at is None for case in drawn),
    ):
        assert min(kind.values()) >= 50
    assert len({case.window for case in drawn}) == len(oracles.WINDOWS)
    assert sum(map(_clocks_change_before_it_is_due, drawn)) >= 60


def _clocks_change_before_it_is_due(case: oracles.Case) -> bool:
    _, at, _ = answer(case)
    tz = zone(case.zone)
    return at is not None and at.astimezone(tz).utcoffset() != case.ended_at.astimezone(tz).utcoffset()


@PROPERTY
@given(steps(), occasions(), windows(), zones)
def test_a_due_time_is_in_the_window_late_enough_and_useful_or_skipped_with_a_reason(
    timed: Step, occasion: Occasion, hours: Window, tz: ZoneInfo
) -> None:
    outcome = due(timed, occasion, window=hours, tz=tz)
    if isinstance(outcome, Due):
        assert is_open(outcome.at, hours, tz)
        assert outcome.at >= earliest(timed, occasion)
        assert outcome.useful_until is None or outcome.at <= outcome.useful_until
    else:
        assert outcome.reason.endswith(".")
        no_visit = timed.anchor == "next_visit" and occasion.next_visit is None
        assert outcome.code == (SkipCode.NO_VISIT if no_visit else SkipCode.TOO_LATE)


@PROPERTY
@given(steps(), occasions(), windows(), zones, instants())
def test_nothing_is_due_before_now_when_now_is_given(
    timed: Step, occasion: Occasion, hours: Window, tz: ZoneInfo, now: datetime
) -> None:
    outcome = due(timed, occasion, window=hours, tz=tz, not_before=now)
    if isinstance(outcome, Due):
        assert outcome.at >= now
        assert is_open(outcome.at, hours, tz)


@PROPERTY
@given(steps(), occasions(), windows(), zones)
def test_asked_again_at_the_due_time_the_answer_is_the_same(
    timed: Step, occasion: Occasion, hours: Window, tz: ZoneInfo
) -> None:
    outcome = due(timed, occasion, window=hours, tz=tz)
    assume(isinstance(outcome, Due))
    assert isinstance(outcome, Due)
    again = due(timed, occasion, window=hours, tz=tz, not_before=outcome.at)
    assert isinstance(again, Due)
    assert again.at == outcome.at


@PROPERTY
@given(steps(), occasions(), windows(), zones)
def test_an_unmoved_step_is_due_exactly_when_it_says(
    timed: Step, occasion: Occasion, hours: Window, tz: ZoneInfo
) -> None:
    outcome = due(timed, occasion, window=hours, tz=tz)
    anchor = occasion.ended_at if timed.anchor == "treatment_end" else occasion.next_visit
    assume(isinstance(outcome, Due) and anchor is not None)
    assert isinstance(outcome, Due)
    assert anchor is not None
    assert (outcome.note == "") is (outcome.at == shift(anchor, timed.after, tz, timed.at))


@PROPERTY
@given(steps(), occasions(), windows(), st.integers(-12, 14), st.integers(-12, 14))
def test_shifting_the_zone_shifts_the_answer(
    timed: Step, occasion: Occasion, hours: Window, here: int, there: int
) -> None:
    by = timedelta(hours=here - there)  # the same wall clock is this much later there
    visit = occasion.next_visit
    moved = Occasion(occasion.ended_at + by, occasion.logged_at + by, None if visit is None else visit + by)
    first = due(timed, occasion, window=hours, tz=fixed_zone(here))
    second = due(timed, moved, window=hours, tz=fixed_zone(there))
    assert type(first) is type(second)
    if isinstance(first, Due) and isinstance(second, Due):
        assert (second.at - by, second.note) == (first.at, first.note)
    if isinstance(first, Skip) and isinstance(second, Skip):
        assert (second.code, second.reason) == (first.code, first.reason)


@PROPERTY
@given(instants(), windows(), zones)
def test_an_opening_and_a_close_are_inside_the_window_on_their_own_side(
    instant: datetime, hours: Window, tz: ZoneInfo
) -> None:
    opening, close = next_opening(instant, hours, tz), last_close(instant, hours, tz)
    assert close < instant <= opening
    assert is_open(opening, hours, tz)
    assert is_open(close, hours, tz)
    # However the clocks change, a window that opens every day is not shut for more than two.
    assert opening - close <= timedelta(days=4)


@PROPERTY
@given(instants(), zones, st.integers(-30, 30))
def test_days_end_at_the_same_wall_clock_time_unless_it_is_missing(
    instant: datetime, tz: ZoneInfo, days: int
) -> None:
    shown = to_local(instant, tz) + timedelta(days=days)
    moved = to_local(shift(instant, Duration(days, "d"), tz), tz)
    existed = to_local(shown.replace(tzinfo=tz).astimezone(UTC), tz) == shown
    assert (moved == shown) if existed else (moved > shown)

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules import soreness
from notifier.rules.soreness import FEW, Answer, Spread, by_hours

SCORES = st.integers(0, 10)
HOURS = st.floats(0, 336, allow_nan=False)


def test_the_bands_are_those_of_the_replies_file() -> None:
    assert [soreness.band(value) for value in range(11)] == [*["low"] * 4, *["medium"] * 3, *["high"] * 4]
    assert soreness.high_from() == 7


@pytest.mark.parametrize(
    ("earlier", "hours", "value", "rising"),
    [
        ([], 30, 9, False),  # the first says nothing of a direction
        ([(24, 2)], 46, 3, False),  # + 1, early
        ([(24, 2)], 46, 4, True),  # + 2
        ([(24, 0)], 46, 2, True),  # + 2, though low
        ([(24, 5)], 46, 3, False),
        ([(24, 3)], 47.9, 4, False),  # + 1 before 48 h
        ([(24, 3)], 48, 4, True),  # + 1 to above 3, from 48 h on
        ([(24, 2)], 60, 3, False),  # + 1 to 3, which is not above 3
        ([(24, 5)], 60, 5, False),  # as before
        ([(24, 2), (46, 6)], 72, 6, False),  # against the last, not the first
        ([(46, 6), (24, 2)], 72, 6, False),  # in whatever order
        ([(46, 2), (46, 6)], 46, 6, False),  # of two at one moment the one given last
        ([(24, 4), (90, 1)], 72, 5, True),  # what came afterwards is not earlier
    ],
)
def test_a_rise_is_a_warning(
    earlier: list[tuple[float, int]], hours: float, value: int, rising: bool
) -> None:
    assert soreness.is_rising(earlier, hours, value) is rising


@given(st.lists(st.tuples(HOURS, SCORES)), HOURS, SCORES)
def test_a_higher_score_is_never_less_of_a_warning(
    earlier: list[tuple[float, int]], hours: float, value: int
) -> None:
    verdicts = [soreness.is_rising(earlier, hours, score) for score in range(value, 11)]
    assert verdicts == sorted(verdicts)
    assert not soreness.is_rising([*earlier, (hours, value)], hours, value)


def test_the_middle_half_is_shown_from_five_answers_on() -> None:
    told = [Answer(number, 25 + number, value) for number, value in enumerate([2, 3, 4, 5, 9])]
    assert by_hours([*told, Answer(9, 50, 1)]) == [
        Spread(24, 36, 5, 4.0, 3.0, 5.0),
        Spread(48, 60, 1, 1.0),
    ]
    assert by_hours(told[:-1]) == [Spread(24, 36, FEW - 1, 3.5)]


def test_who_answers_often_weighs_no_more() -> None:
    often = [Answer(1, 24 + minute / 60, 9) for minute in range(100)] + [Answer(1, 35.9, 3)]
    assert by_hours([*often, Answer(2, 30, 5)]) == [Spread(24, 36, 2, 4.0)]


@given(st.lists(st.builds(Answer, st.integers(1, 4000), HOURS, SCORES)))
def test_the_quartiles_keep_their_order_and_nobody_is_lost(answers: list[Answer]) -> None:
    spreads = by_hours(answers)
    assert sum(spread.count for spread in spreads) == len({(a.treatment, a.hours // 12) for a in answers})
    assert [spread.first for spread in spreads] == sorted({12 * int(a.hours // 12) for a in answers})
    for spread in spreads:
        assert (spread.lower is None) == (spread.upper is None) == (spread.count < FEW)
        if spread.lower is not None and spread.upper is not None:
            assert 0 <= spread.lower <= spread.median <= spread.upper <= 10
    if len({a.treatment for a in answers}) == len(answers):
        for spread in spreads:
            inside = [a.value for a in answers if spread.first <= a.hours < spread.last]
            assert spread.median == median(inside)

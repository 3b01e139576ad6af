"""The duration grammar: an optional minus, an integer, one of m h d w."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.durations import Duration, parse_duration
from tests.rules.strategies import PROPERTY

#  text  amount  unit  calendar  days, where they are counted  elapsed
READ = [
    ("15m", 15, "m", False, None, timedelta(minutes=15)),
    ("0m", 0, "m", False, None, timedelta()),
    ("22h", 22, "h", False, None, timedelta(hours=22)),
    ("96h", 96, "h", False, None, timedelta(days=4)),  # 96 / 24 = 4
    ("-2h", -2, "h", False, None, timedelta(hours=-2)),
    ("5d", 5, "d", True, 5, timedelta(days=5)),
    ("-1d", -1, "d", True, -1, timedelta(days=-1)),
    ("-0d", 0, "d", True, 0, timedelta()),
    ("1w", 1, "w", True, 7, timedelta(days=7)),
    ("-2w", -2, "w", True, -14, timedelta(days=-14)),  # -2 × 7 = -14
    ("007d", 7, "d", True, 7, timedelta(days=7)),
    (" 2d ", 2, "d", True, 2, timedelta(days=2)),
]


@pytest.mark.parametrize(("text", "amount", "unit", "calendar", "days", "elapsed"), READ)
def test_a_duration_is_an_amount_of_one_unit(
    text: str, amount: int, unit: str, calendar: bool, days: int | None, elapsed: timedelta
) -> None:
    duration = parse_duration(text)
    assert (duration.amount, duration.unit, duration.is_calendar) == (amount, unit, calendar)
    assert duration.elapsed == elapsed
    assert days is None or duration.days == days


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "d",
        "5D",
        "5 d",
        "- 1d",
        "+1d",
        "--1d",
        "1.5h",
        "1,5h",
        "1h30m",
        "5days",
        "90s",
        "1y",
        "P1D",
        "٣d",
        "½h",
        "5d\n5d",
        "100000m",
        "1e3m",
        "d5",
        "h",
    ],
)
def test_anything_else_is_refused_with_a_sentence_that_quotes_it(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_duration(text)
    sentence = str(refused.value)
    assert sentence == f'"{text}" is not a duration; write it like "15m", "22h", "5d", "1w" or "-1d".'


@PROPERTY
@given(st.integers(-99_999, 99_999), st.sampled_from("mhdw"))
def test_what_a_duration_says_is_read_back_as_the_same(amount: int, unit: str) -> None:
    duration = Duration(amount, unit)
    assert parse_duration(str(duration)) == duration


@PROPERTY
@given(st.integers(-999, 999))
def test_a_week_is_seven_days_and_a_day_measures_24_hours(amount: int) -> None:
    weeks, days, hours = Duration(amount, "w"), Duration(amount * 7, "d"), Duration(amount * 168, "h")
    assert weeks.days == days.days == amount * 7
    assert weeks.elapsed == days.elapsed == hours.elapsed == amount * timedelta(hours=7 * 24)
    assert not hours.is_calendar

"""Opening hours: what may be entered, when a clinic is open by them, and how the next opening is said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from notifier.errors import InputError
from notifier.rules.hours import Hours, parse_hours
from notifier.rules.zones import to_instant, zone

NEW_YORK = zone("America/New_York")
# A week in New York: two spans on most days, a long Wednesday, a short Saturday, Sunday closed.
WEEK = {
    "mon": [["09:00", "13:00"], ["14:00", "18:00"]],
    "tue": [["09:00", "13:00"], ["14:00", "18:00"]],
    "wed": [["07:30", "24:00"]],
    "thu": [["09:00", "18:00"]],
    "fri": [["09:00", "13:00"]],
    "sat": [["10:00", "12:00"]],
}
HOURS = parse_hours(WEEK, ["2026-03-05", "2026-12-25"], NEW_YORK)


def at(words: str) -> datetime:
    """A wall-clock time in New York; 2 March 2026 is a Monday."""
    return to_instant(datetime.fromisoformat(words), NEW_YORK)


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-03-02 08:59", False),
        ("2026-03-02 09:00", True),
        ("2026-03-02 12:59", True),
        ("2026-03-02 13:00", False),  # the end does not belong to it
        ("2026-03-02 14:00", True),
        ("2026-03-02 18:00", False),
        ("2026-03-04 23:59", True),  # until midnight
        ("2026-03-05 00:00", False),
        ("2026-03-05 10:00", False),  # a Thursday that is a closed date
        ("2026-03-12 10:00", True),  # the Thursday after it is not
        ("2026-03-08 10:00", False),  # Sunday
    ],
)
def test_it_is_open_inside_its_hours_and_not_on_closed_dates(when: str, is_open: bool) -> None:
    assert HOURS.is_open(at(when)) is is_open


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        ("2026-03-02", "2026-03-02 18:00"),  # the last of two spans
        ("2026-03-04", "2026-03-05 00:00"),  # midnight is on the next date
        ("2026-03-05", None),  # a closed date
        ("2026-03-07", "2026-03-07 12:00"),
        ("2026-03-08", None),  # Sunday
    ],
)
def test_a_day_closes_with_its_last_hours(day: str, closes: str | None) -> None:
    assert HOURS.closes_at(date.fromisoformat(day)) == (at(closes) if closes else None)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2026-03-02 07:00", "today 9:00 AM"),
        ("2026-03-02 13:30", "today 2:00 PM"),  # the lunch break
        ("2026-03-02 15:00", "tomorrow 9:00 AM"),
        ("2026-03-03 18:00", "tomorrow 7:30 AM"),
        ("2026-03-04 23:59", "Friday 9:00 AM"),  # Thursday is a closed date
        ("2026-03-07 12:00", "Monday 9:00 AM"),
        ("2026-03-08 23:59", "tomorrow 9:00 AM"),
        ("2026-03-09 00:00", "today 9:00 AM"),
    ],
)
def test_when_it_opens_next_is_said_in_words(now: str, said: str) -> None:
    assert HOURS.opens_next(at(now)) == said


def test_a_long_holiday_is_said_with_its_date() -> None:
    august = [str(date(2026, 8, 1) + timedelta(days=day)) for day in range(31)]
    away = parse_hours(WEEK, august, NEW_YORK)
    assert away.opens_next(at("2026-07-31 18:00")) == "Tuesday 1 Sep 9:00 AM"
    assert away.opens_next(at("2026-07-31 18:00"), "es") == "martes 1 sep 9:00"
    assert away.opens_next(at("2026-08-31 18:00"), "es-MX") == "mañana 9:00"


def test_where_nobody_has_entered_any_nothing_is_known() -> None:
    none = parse_hours({}, [], NEW_YORK)
    now = at("2026-03-02 10:00")
    assert not none
    assert (none.is_open(now), none.next_opening(now), none.next_closing(now)) == (False, None, None)
    assert (none.opens_next(now), none.last_closed(now, timedelta(days=3))) == ("", None)
    assert HOURS


@pytest.mark.parametrize(
    ("now", "closes"),
    [
        ("2026-03-02 12:00", "2026-03-02 18:00"),  # not the lunch break: a day closes once
        ("2026-03-02 18:00", "2026-03-03 18:00"),  # after now, not at it
        ("2026-03-04 12:00", "2026-03-05 00:00"),
        ("2026-03-05 00:00", "2026-03-06 13:00"),
        ("2026-03-07 12:00", "2026-03-09 18:00"),
    ],
)
def test_the_next_closing(now: str, closes: str) -> None:
    assert HOURS.next_closing(at(now)) == at(closes)


@pytest.mark.parametrize(
    ("now", "within", "day"),
    [
        ("2026-03-02 17:59", 12, None),  # Saturday is longer ago
        ("2026-03-02 18:00", 12, "2026-03-02"),
        ("2026-03-03 05:59", 12, "2026-03-02"),
        ("2026-03-03 06:01", 12, None),
        ("2026-03-05 00:00", 12, "2026-03-04"),  # Wednesday, which closed at midnight
        ("2026-03-08 11:00", 24, "2026-03-07"),
        ("2026-03-09 08:00", 48, "2026-03-07"),
    ],
)
def test_the_latest_day_that_has_ended(now: str, within: int, day: str | None) -> None:
    found = HOURS.last_closed(at(now), timedelta(hours=within))
    assert (str(found[0]) if found else None) == day


# When clocks change: in New York on 8 March 2026 from 02:00 to 03:00, and on 1 November back from 02:00


def test_hours_are_those_of_the_wall_clock_on_both_sides_of_a_change() -> None:
    every = parse_hours({day: [["09:00", "17:00"]] for day in ("sat", "sun", "mon")}, [], NEW_YORK)
    assert every.closes_at(date(2026, 3, 7)) == datetime(2026, 3, 7, 22, tzinfo=UTC)
    assert every.closes_at(date(2026, 3, 8)) == datetime(2026, 3, 8, 21, tzinfo=UTC)
    assert every.next_opening(at("2026-03-07 18:00")) == datetime(2026, 3, 8, 13, tzinfo=UTC)
    assert every.next_opening(at("2026-10-31 18:00")) == datetime(2026, 11, 1, 14, tzinfo=UTC)


def test_hours_that_end_in_the_missing_hour_end_after_it_and_those_in_the_doubled_one_with_its_first() -> (
    None
):
    nightly = parse_hours({"sun": [["00:00", "02:30"]]}, [], NEW_YORK)
    assert nightly.closes_at(date(2026, 3, 8)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 03:30 EDT
    early = parse_hours({"sun": [["00:00", "01:30"]]}, [], NEW_YORK)
    assert early.closes_at(date(2026, 11, 1)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


# What may be entered


def test_what_was_entered_is_kept_in_one_spelling() -> None:
    entered = parse_hours({"Monday": [("14:00", "18:00"), ("9:00", "13:00")], "tue": []})
    assert entered.as_json() == {"mon": [["09:00", "13:00"], ["14:00", "18:00"]]}
    assert parse_hours(HOURS.as_json(), HOURS.closed, NEW_YORK) == HOURS


def test_a_break_may_be_no_break_at_all() -> None:
    assert parse_hours({"mon": [["09:00", "13:00"], ["13:00", "18:00"]]})


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        ({"mon": [["9h", "13:00"]]}, "mon", 'Monday: "9h" is not a time; write it like 09:00.'),
        ({"mon": [["", "13:00"]]}, "mon", "Monday: a time is missing; write it like 09:00."),
        ({"fri": [["24:30", "25:00"]]}, "fri", 'Friday: "24:30" is not a time; write it like 09:00.'),
        (
            {"sat": [["22:00", "02:00"]]},
            "sat",
            (
                "Saturday: 22:00 to 02:00 ends before it begins. "
                "Past midnight, write 24:00 and go on the next day."
            ),
        ),
        (
            {"tue": [["14:00", "18:00"], ["09:00", "14:30"]]},
            "tue",
            "Tuesday: 09:00–14:30 and 14:00–18:00 overlap. Make them one, or leave a pause between them.",
        ),
        ({"sun": [["09:00"]]}, "sun", "Sunday: write when it opens and when it closes."),
        ({"sun": "09:00-13:00"}, "sun", "Sunday: write when it opens and when it closes."),
        ({"mno": []}, "", '"mno" is not a day of the week. Did you mean mon?'),
        ({"xyz": []}, "", '"xyz" is not a day of the week. The days are mon, tue, wed, thu, fri, sat, sun.'),
        ([], "", "Opening hours are given by day."),
    ],
)
def test_what_cannot_be_is_refused_in_words(raw: Any, field: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_hours(raw)
    assert str(refused.value) == said
    assert refused.value.field == (f"opening_hours.{field}" if field else "opening_hours")


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        (["25.12.2026"], '"25.12.2026" is not a date; write it like 2026-12-25.'),
        (["2026-02-30"], '"2026-02-30" is not a date; write it like 2026-12-25.'),
        ("2026-12-25", "Closed dates are a list of days."),
    ],
)
def test_closed_dates_are_dates(closed: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_hours({}, closed)
    assert (str(refused.value), refused.value.field) == (said, "closed_dates")


def test_hours_of_nobody_are_none() -> None:
    assert not Hours()

"""When a step is due by itself: tables of cases, with the arithmetic beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifier.rules.durations import parse_duration
from notifier.rules.plan import Step, Window
from notifier.rules.timing import (
    Due,
    Occasion,
    Skip,
    SkipCode,
    due,
    is_open,
    last_close,
    may_still_leave,
    next_opening,
    say,
    shift,
)
from notifier.rules.zones import to_instant, to_local, zone

NY, APIA = zone("America/New_York"), zone("Pacific/Apia")
DAY = Window(time(9), time(20))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str, tz: ZoneInfo = NY) -> datetime:
    return to_instant(datetime.fromisoformat(text), tz)


def window(text: str) -> Window:
    opens, closes = text.split("-")
    return Window(time.fromisoformat(opens), time.fromisoformat(closes))


def step(after: str, **fields: Any) -> Step:
    if "useful_for" in fields:
        fields["useful_for"] = parse_duration(fields["useful_for"])
    if "at" in fields:
        fields["at"] = time.fromisoformat(fields["at"])
    return Step("step", parse_duration(after), **fields)


def when(step: Step, ended: str, tz: ZoneInfo = NY, *, logged: str = "", visit: str = "") -> Due | Skip:
    """Ended, logged and visit are wall-clock times in the zone; logged at once where nothing is said."""
    occasion = Occasion(wall(ended, tz), wall(logged or ended, tz), wall(visit, tz) if visit else None)
    return due(step, occasion, window=DAY, tz=tz)


def due_at(outcome: Due | Skip, tz: ZoneInfo = NY) -> str:
    """The wall clock at the due time, to the minute."""
    assert isinstance(outcome, Due), outcome
    return to_local(outcome.at, tz).isoformat(" ", "minutes")


# Days keep the wall clock, hours do not.
#   zone                  from (UTC)          after  at       to (UTC)             arithmetic
SHIFTED = [
    # New York springs forward on 8 March 2026 at 2: 17:30 EST (-5) is 22:30.
    ("America/New_York", "2026-03-07T22:30", "24h", None, "2026-03-08T22:30"),  # 18:30 EDT, an hour later
    ("America/New_York", "2026-03-07T22:30", "1d", None, "2026-03-08T21:30"),  # 17:30 EDT: + 4 h
    ("America/New_York", "2026-03-07T22:30", "1d", "10:00", "2026-03-08T14:00"),  # 10:00 + 4 h
    ("America/New_York", "2026-03-07T07:30", "1d", None, "2026-03-08T07:30"),  # 02:30 is missing: 03:30 EDT
    ("America/New_York", "2026-03-01T22:30", "1w", None, "2026-03-08T21:30"),  # 7 × 24 h - 1 h
    # It falls back on 1 November at 2: 17:30 EDT (-4) is 21:30.
    ("America/New_York", "2026-10-31T21:30", "24h", None, "2026-11-01T21:30"),  # 16:30 EST
    ("America/New_York", "2026-10-31T21:30", "1d", None, "2026-11-01T22:30"),  # 17:30 EST: + 5 h
    ("America/New_York", "2026-10-31T05:30", "1d", None, "2026-11-01T05:30"),  # 01:30, the first of two
    ("America/New_York", "2026-11-01T06:30", "1d", None, "2026-11-02T06:30"),  # the second 01:30, + 5 h
    ("America/New_York", "2026-11-02T06:30", "-1d", None, "2026-11-01T05:30"),  # back to the first
    # Lord Howe moves by half an hour: 16:00 (+10:30) is 05:30; 4 October is on +11.
    ("Australia/Lord_Howe", "2026-10-03T05:30", "1d", None, "2026-10-04T05:00"),  # 24 h - 30 min
    ("Australia/Lord_Howe", "2026-10-02T15:45", "1d", None, "2026-10-03T15:45"),  # 02:15 → 02:45 (+11)
    ("Australia/Lord_Howe", "2026-04-04T05:00", "1d", None, "2026-04-05T05:30"),  # 24 h + 30 min
    # Half and quarter hours without a change.
    ("Asia/Kolkata", "2026-03-07T12:15", "2d", "10:00", "2026-03-09T04:30"),  # 10:00 - 5:30
    ("Asia/Kolkata", "2026-03-07T18:45", "1d", "09:00", "2026-03-09T03:30"),  # it is 8 March there: the 9th
    ("Asia/Kathmandu", "2026-03-07T18:15", "1d", None, "2026-03-08T18:15"),  # midnight to midnight
    ("Asia/Kathmandu", "2026-03-07T18:14", "1d", "09:00", "2026-03-08T03:15"),  # 23:59: still the 7th
    # Midnights that do not exist.
    ("Africa/Cairo", "2026-04-22T22:00", "1d", None, "2026-04-23T22:00"),  # 00:00 → 01:00 (+3)
    ("Asia/Beirut", "2026-03-27T22:15", "1d", None, "2026-03-28T22:15"),  # 00:15 → 01:15 (+3)
    ("America/Havana", "2025-03-08T12:00", "1d", "00:30", "2025-03-09T05:30"),  # 00:30 → 01:30 (-4)
    ("America/Sao_Paulo", "2018-11-03T18:00", "1d", "00:00", "2018-11-04T03:00"),  # 01:00 (-2)
    # A leap day, and the years without.
    ("America/New_York", "2028-02-28T15:00", "1d", None, "2028-02-29T15:00"),
    ("America/New_York", "2028-02-28T15:00", "2d", None, "2028-03-01T15:00"),
    ("America/New_York", "2027-02-28T15:00", "1d", None, "2027-03-01T15:00"),
    ("America/New_York", "2028-03-01T15:00", "-1d", "18:00", "2028-02-29T23:00"),  # 18:00 + 5 h
    # Samoa left out 30 December 2011: 10:00 there is 10:00 on the 31st (+14), as is a day later.
    ("Pacific/Apia", "2011-12-29T20:00", "1d", None, "2011-12-30T20:00"),  # 29th 10:00 (-10), + 24 h
    ("Pacific/Apia", "2011-12-29T20:00", "2d", None, "2011-12-30T20:00"),  # the 31st, 24 h of real time
    ("Pacific/Apia", "2011-12-29T20:00", "48h", None, "2011-12-31T20:00"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "start", "after", "at", "end"), SHIFTED)
def test_days_keep_the_wall_clock_and_hours_are_elapsed(
    name: str, start: str, after: str, at: str | None, end: str
) -> None:
    clock = None if at is None else time.fromisoformat(at)
    assert shift(utc(start), parse_duration(after), zone(name), clock) == utc(end)


@pytest.mark.parametrize(
    ("local", "hours", "open_", "leaves"),
    [
        ("2026-03-03T08:59:59", "09:00-20:00", False, False),
        ("2026-03-03T09:00:00", "09:00-20:00", True, True),
        ("2026-03-03T20:00:00", "09:00-20:00", True, True),  # the close belongs to it
        ("2026-03-03T20:00:00.000001", "09:00-20:00", False, True),
        ("2026-03-03T20:15:00", "09:00-20:00", False, True),  # 20:15 - 15 min = 20:00
        ("2026-03-03T20:15:00.000001", "09:00-20:00", False, False),
        ("2026-03-04T00:10:00", "09:00-23:59", False, True),  # 00:10 - 15 min = 23:55
        ("2026-03-04T00:15:00", "09:00-23:59", False, False),  # 00:00 is past 23:59
        ("2026-03-08T03:10:00", "01:00-02:30", False, True),  # 15 min before, it was 01:55
    ],
)
def test_both_ends_belong_to_the_window_and_what_was_due_may_leave_a_quarter_hour_after(
    local: str, hours: str, open_: bool, leaves: bool
) -> None:
    assert is_open(wall(local), window(hours), NY) is open_
    assert may_still_leave(wall(local), window(hours), NY) is leaves


#   zone                window         instant (UTC)       next opening (UTC)   last close (UTC)
EDGES = [
    # 03:00 EST on a plain day: opens 09:00 (+ 5 h), closed 20:00 the day before.
    ("America/New_York", "09:00-20:00", "2026-03-03T08:00", "2026-03-03T14:00", "2026-03-03T01:00"),
    ("America/New_York", "09:00-20:00", "2026-03-04T02:00", "2026-03-04T14:00", "2026-03-04T01:00"),
    # Saturday 21:00 EST before spring forward: opens 09:00 EDT (+ 4 h).
    ("America/New_York", "09:00-20:00", "2026-03-08T02:00", "2026-03-08T13:00", "2026-03-08T01:00"),
    # Saturday 21:00 EDT before falling back: opens 09:00 EST (+ 5 h).
    ("America/New_York", "09:00-20:00", "2026-11-01T01:00", "2026-11-01T14:00", "2026-11-01T00:00"),
    # The opening at 02:30 is missing: it moves to 03:30 EDT. 01:00 EST is before it.
    ("America/New_York", "02:30-20:00", "2026-03-08T06:00", "2026-03-08T07:30", "2026-03-08T01:00"),
    # The close at 02:30 is missing, and 03:30 would be outside: it is 01:30 EST (+ 5 h).
    ("America/New_York", "01:00-02:30", "2026-03-08T12:00", "2026-03-09T05:00", "2026-03-08T06:30"),
    # The whole window is missing on the 8th: the 9th, 02:15 EDT; the 7th, 02:45 EST.
    ("America/New_York", "02:15-02:45", "2026-03-08T06:30", "2026-03-09T06:15", "2026-03-07T07:45"),
    ("America/New_York", "02:15-02:45", "2026-03-08T12:00", "2026-03-09T06:15", "2026-03-07T07:45"),
    # 02:05-02:20 is missing at Lord Howe on 4 October: the 5th, 02:05 (+11); the 3rd, 02:20 (+10:30).
    ("Australia/Lord_Howe", "02:05-02:20", "2026-10-03T16:00", "2026-10-04T15:05", "2026-10-02T15:50"),
    # Midnight is missing in Cairo: a window from 00:00 opens at 01:00 (+3).
    ("Africa/Cairo", "00:00-12:00", "2026-04-23T12:00", "2026-04-23T22:00", "2026-04-23T10:00"),
    ("Africa/Cairo", "00:10-00:50", "2026-04-23T12:00", "2026-04-24T21:10", "2026-04-22T22:50"),
    # An opening that exists twice is the first; so is a close.
    ("America/New_York", "01:30-20:00", "2026-11-01T05:00", "2026-11-01T05:30", "2026-11-01T00:00"),
    ("America/New_York", "00:30-01:30", "2026-11-01T12:00", "2026-11-02T05:30", "2026-11-01T05:30"),
    # Samoa: after the close of the 29th (20:00 - 10) comes the opening of the 31st (09:00 + 14).
    ("Pacific/Apia", "09:00-20:00", "2011-12-30T07:00", "2011-12-30T19:00", "2011-12-30T06:00"),
    ("Pacific/Apia", "09:00-20:00", "2011-12-30T11:00", "2011-12-30T19:00", "2011-12-30T06:00"),
    # 31 December 21:00 (+14): opens on 1 January.
    ("Pacific/Apia", "09:00-20:00", "2011-12-31T07:00", "2011-12-31T19:00", "2011-12-31T06:00"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hours", "instant", "opening", "close"), EDGES)
def test_the_window_opens_next_and_closed_last(
    name: str, hours: str, instant: str, opening: str, close: str
) -> None:
    assert not is_open(utc(instant), window(hours), zone(name))
    assert next_opening(utc(instant), window(hours), zone(name)) == utc(opening)
    assert last_close(utc(instant), window(hours), zone(name)) == utc(close)


def test_the_next_opening_may_be_asked_for_another_calendar_day() -> None:
    assert next_opening(wall("2026-03-03T09:00"), DAY, NY) == wall("2026-03-03T09:00")  # at or after
    assert next_opening(wall("2026-03-03T08:00"), DAY, NY, days=0) == wall("2026-03-03T09:00")
    assert next_opening(wall("2026-03-03T08:00"), DAY, NY, days=1) == wall("2026-03-04T09:00")
    # 29 December 08:00: the day after is missing, so it is the 31st.
    assert next_opening(wall("2011-12-29T08:00", APIA), DAY, APIA, days=1) == wall("2011-12-31T09:00", APIA)


EARLIER = {"outside_window": "earlier"}
#   step                                      ended               logged              due (New York)
DUE = [
    (step("2h"), "2026-03-03T14:00", "", "2026-03-03 16:00"),
    (step("2h"), "2026-03-03T18:00", "", "2026-03-03 20:00"),  # at the close: inside
    (step("2h"), "2026-03-03T18:01", "", "2026-03-04 09:00"),  # 20:01: the next opening
    (step("2h", **EARLIER), "2026-03-03T18:01", "", "2026-03-03 20:00"),  # the last close
    (step("2h", **EARLIER), "2026-03-03T19:45", "", "2026-03-03 20:00"),  # earliest: 19:45 + 15 min
    (step("2h", **EARLIER), "2026-03-03T19:46", "", "2026-03-04 09:00"),  # earliest 20:01, so as `later`
    (step("2h", not_before=timedelta(), **EARLIER), "2026-03-03T20:00", "", "2026-03-03 20:00"),
    (step("12h", **EARLIER), "2026-03-03T18:00", "", "2026-03-03 20:00"),  # 06:00: the last close
    (step("0m"), "2026-03-03T14:00", "", "2026-03-03 14:15"),  # + 15 min
    (step("2h"), "2026-03-03T14:00", "2026-03-03T15:50", "2026-03-03 16:05"),  # 15:50 + 15 min
    (step("2h"), "2026-03-03T14:00", "2026-03-03T15:45", "2026-03-03 16:00"),  # 15:45 + 15 min: not moved
    (step("2h"), "2026-03-03T14:00", "2026-03-03T19:50", "2026-03-04 09:00"),  # 20:05: the next opening
    (step("2h"), "2026-03-03T14:00", "2026-03-03T12:00", "2026-03-03 16:00"),  # logged ahead of its end
    (step("5m"), "2026-03-03T14:00", "2026-03-03T12:00", "2026-03-03 14:15"),  # earliest counts from the end
    (step("2d", at="10:00"), "2026-03-06T23:30", "", "2026-03-08 10:00"),  # over the change
    (step("1d", at="07:00"), "2026-03-03T14:00", "", "2026-03-04 09:00"),  # before the window
    (step("1d", at="07:00", **EARLIER), "2026-03-03T14:00", "", "2026-03-03 20:00"),
    (step("1d", at="21:00", **EARLIER), "2026-03-03T14:00", "", "2026-03-04 20:00"),
    (step("22h"), "2026-03-07T17:30", "", "2026-03-08 16:30"),  # 17:30 + 22 h + the hour that is missing
    (step("22h"), "2026-10-31T17:30", "", "2026-11-01 14:30"),  # 17:30 + 22 h - the hour that comes twice
    (step("1d", at="10:00"), "2028-02-28T17:30", "", "2028-02-29 10:00"),
    (step("1w"), "2028-02-22T17:30", "", "2028-02-29 17:30"),
]  # fmt: skip


@pytest.mark.parametrize(("step_", "ended", "logged", "expected"), DUE)
def test_a_step_after_a_treatment_is_due(step_: Step, ended: str, logged: str, expected: str) -> None:
    assert due_at(when(step_, ended, logged=logged)) == expected


#   step, with the visit on Tuesday 10 March 2026 at 15:00; logged on the 3rd at 14:00 where nothing is said
BEFORE_VISIT = [
    (step("-1d", at="18:00"), "", "2026-03-09 18:00"),
    (step("-1d", at="21:00", **EARLIER), "", "2026-03-09 20:00"),
    (step("-2d"), "", "2026-03-08 15:00"),
    (step("-1w"), "", "2026-03-03 15:00"),
    (step("-168h"), "", "2026-03-03 14:15"),  # 7 × 24 h is 14:00 EST: the change took an hour; + 15 min
    (step("-2w"), "", "2026-03-03 14:15"),  # overdue from the start: the earliest moment
    (step("-2h"), "2026-03-10T14:30", "2026-03-10 14:45"),  # 13:00 is past: 14:30 + 15 min
    (step("0m"), "2026-03-10T14:45", "2026-03-10 15:00"),  # exactly at the visit is still useful
    (step("1d", useful_for="3d"), "", "2026-03-11 15:00"),
]


@pytest.mark.parametrize(("step_", "logged", "expected"), BEFORE_VISIT)
def test_a_step_before_the_next_visit_is_due(step_: Step, logged: str, expected: str) -> None:
    visiting = replace(step_, anchor="next_visit")
    outcome = when(visiting, "2026-03-03T14:00", logged=logged, visit="2026-03-10T15:00")
    assert due_at(outcome) == expected


NO_VISIT = "No next visit is booked."
#   step                                           ended               logged           visit
SKIPPED = [
    (step("-1d", anchor="next_visit"), "2026-03-03T14:00", "", "", SkipCode.NO_VISIT, NO_VISIT),
    (
        # Useful until 14:00 + 18 h = 08:00, an hour before the window opens.
        step("8h", useful_for="18h"), "2026-03-03T14:00", "", "", SkipCode.TOO_LATE,
        "It was useful until Wed 4 Mar 08:00, and the first moment it could leave is Wed 4 Mar 09:00.",
    ),
    (
        step("2h", useful_for="18h"), "2026-03-03T10:00", "2026-03-04T11:00", "", SkipCode.TOO_LATE,
        "It was useful until Wed 4 Mar 04:00, and the first moment it could leave is Wed 4 Mar 11:15.",
    ),
    (
        # Without useful_for the visit itself is the limit; 14:46 + 15 min = 15:01.
        step("-1d", anchor="next_visit"), "2026-03-03T14:00", "2026-03-10T14:46", "2026-03-10T15:00",
        SkipCode.TOO_LATE,
        "It was useful until Tue 10 Mar 15:00, and the first moment it could leave is Tue 10 Mar 15:01.",
    ),
    (
        step("-1d", anchor="next_visit", useful_for="-2h"), "2026-03-03T14:00", "2026-03-10T12:46",
        "2026-03-10T15:00", SkipCode.TOO_LATE,
        "It was useful until Tue 10 Mar 13:00, and the first moment it could leave is Tue 10 Mar 13:01.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("step_", "ended", "logged", "visit", "code", "reason"), SKIPPED)
def test_a_step_that_cannot_be_useful_is_skipped_with_the_reason(
    step_: Step, ended: str, logged: str, visit: str, code: SkipCode, reason: str
) -> None:
    outcome = when(step_, ended, logged=logged, visit=visit)
    assert isinstance(outcome, Skip)
    assert (outcome.code, outcome.reason) == (code, reason)


@pytest.mark.parametrize(
    ("useful_for", "ended", "until"),
    [
        ("18h", "2026-03-07T17:30", "2026-03-08T12:30"),  # 17:30 + 18 h + the missing hour
        ("1d", "2026-03-07T17:30", "2026-03-08T17:30"),  # days keep the wall clock
        ("2w", "2026-02-28T17:30", "2026-03-14T17:30"),
    ],
)
def test_usefulness_is_counted_like_after(useful_for: str, ended: str, until: str) -> None:
    outcome = when(step("1h", useful_for=useful_for), ended)
    assert isinstance(outcome, Due)
    assert outcome.useful_until == wall(until)


def test_due_at_the_last_useful_moment_is_still_useful() -> None:
    # From 20:30 to 09:00 the next morning it is 12 h 30 min = 750 min.
    assert due_at(when(step("1h", useful_for="750m"), "2026-03-03T20:30")) == "2026-03-04 09:00"
    assert isinstance(when(step("1h", useful_for="749m"), "2026-03-03T20:30"), Skip)


LATE = "Logged late: it would have been due Tue 3 Mar 16:00."


@pytest.mark.parametrize(
    ("step_", "logged", "note"),
    [
        (step("2h"), "", ""),
        (step("2h"), "2026-03-04T11:00", LATE),
        (step("7h"), "", "Moved from Tue 3 Mar 21:00 into the sending window 09:00-20:00."),
        # Nothing was logged late here; the step is simply due before anything may leave.
        (step("5m"), "", "Not before Tue 3 Mar 14:15: it would have been due Tue 3 Mar 14:05."),
        (
            step("2h"),
            "2026-03-03T22:00",
            f"{LATE} Moved from Tue 3 Mar 22:15 into the sending window 09:00-20:00.",
        ),
    ],
)
def test_the_note_says_what_moved_it(step_: Step, logged: str, note: str) -> None:
    outcome = when(step_, "2026-03-03T14:00", logged=logged)
    assert isinstance(outcome, Due)
    assert outcome.note == note


def test_a_moment_is_said_as_staff_read_it() -> None:
    assert say(utc("2026-03-08T13:05"), NY) == "Sun 8 Mar 09:05"


def test_a_row_that_an_undo_brings_back_is_not_due_before_now() -> None:
    occasion = Occasion(wall("2026-03-03T10:00"), wall("2026-03-03T10:00"))
    now = wall("2026-03-03T17:20")
    back = due(step("2h"), occasion, window=DAY, tz=NY, not_before=now)
    assert due_at(back) == "2026-03-03 17:20"
    # One before the step's own earliest moment changes nothing.
    assert due(step("2h"), occasion, window=DAY, tz=NY, not_before=utc("2026-01-01")) == when(
        step("2h"), "2026-03-03T10:00"
    )

"""Who is told of an alert, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules import escalation
from notifier.rules.escalation import Turn
from notifier.rules.hours import Hours, parse_hours
from notifier.rules.zones import zone
from tests import cast

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AFTER = 5 * MINUTE
WEEKDAYS = parse_hours(
    {day: [["09:00", "13:00"], ["14:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    (),
    zone(cast.NEW_YORK),
)
severities = st.sampled_from(["emergency", "urgent", "normal"])


@pytest.mark.parametrize(
    ("severity", "on_call", "at", "is_open", "turn"),
    [
        ("emergency", [False, False], Turn(0, 0), False, Turn(0, 0)),  # crosses the night, in order
        ("emergency", [False, True], Turn(0, 0), False, Turn(0, 0)),
        ("urgent", [False, False], Turn(1, 2), True, Turn(1, 2)),
        ("urgent", [False, False], Turn(0, 0), False, None),
        ("urgent", [False, True], Turn(0, 0), False, Turn(1, 0)),  # only who is on call
        ("normal", [True, False, False], Turn(1, 3), False, Turn(0, 4)),  # round the corner
        ("normal", [], Turn(0, 0), True, None),
    ],
)
def test_whose_turn_it_is(
    severity: str, on_call: list[bool], at: Turn, is_open: bool, turn: Turn | None
) -> None:
    assert escalation.turn(severity, on_call, at, is_open=is_open) == turn


@pytest.mark.parametrize(
    ("severity", "at", "calls", "waits"),
    [
        ("emergency", Turn(1, 0), 1, AFTER),
        ("emergency", Turn(0, 30), 11, AFTER),  # an hour as set
        ("emergency", Turn(0, 6), 12, 2 * AFTER),
        ("emergency", Turn(1, 9), 24, 4 * AFTER),
        ("emergency", Turn(0, 12), 99, 6 * AFTER),  # and never more rarely than half-hourly
        ("urgent", Turn(1, 0), 1, 15 * MINUTE),
        ("urgent", Turn(0, 9), 99, 15 * MINUTE),
        ("normal", Turn(1, 0), 1, HOUR),
        ("normal", Turn(0, 1), 3, DAY),  # everybody was told once
    ],
)
def test_how_long_the_next_one_is_left_in_peace(
    severity: str, at: Turn, calls: int, waits: timedelta
) -> None:
    assert escalation.waits(severity, at, AFTER, calls) == waits


@pytest.mark.parametrize(
    ("severity", "on_call", "due", "told"),
    [
        ("emergency", False, "2026-02-07 03:00", "2026-02-07 03:00"),
        ("urgent", False, "2026-02-06 17:59", "2026-02-06 17:59"),
        ("urgent", False, "2026-02-06 18:00", "2026-02-09 09:00"),  # over the weekend
        ("urgent", True, "2026-02-06 18:00", "2026-02-06 18:00"),
        ("normal", False, "2026-02-06 13:30", "2026-02-06 14:00"),  # over lunch
    ],
)
def test_what_can_wait_waits_until_it_opens(severity: str, on_call: bool, due: str, told: str) -> None:
    found = escalation.not_before(severity, [False, on_call], cast.at(due), WEEKDAYS)
    assert cast.wall(found) == told


def test_without_opening_hours_people_are_not_woken() -> None:
    hours = escalation.waking_hours(Hours(tz=zone(cast.NEW_YORK)))
    night = escalation.not_before("urgent", [False], cast.at("2026-02-07 03:00"), hours)
    assert cast.wall(night) == "2026-02-07 08:00"
    assert escalation.waking_hours(WEEKDAYS) is WEEKDAYS


@pytest.mark.parametrize(
    ("received", "read_by"),
    [
        ("2026-02-06 10:20", "2026-02-06 11:20"),
        ("2026-02-06 22:00", "2026-02-09 10:00"),
        ("2026-02-06 12:59", "2026-02-06 13:59"),
    ],
)
def test_a_reply_is_read_an_hour_after_it_came_or_after_opening(received: str, read_by: str) -> None:
    assert cast.wall(escalation.read_by(cast.at(received), WEEKDAYS)) == read_by


@given(severities, st.lists(st.booleans(), min_size=1, max_size=5), st.integers(0, 20), st.booleans())
def test_everybody_who_may_be_told_comes_next_before_anybody_twice(
    severity: str, on_call: list[bool], rounds: int, is_open: bool
) -> None:
    may = [True] * len(on_call) if is_open or severity == "emergency" else on_call
    at, seen = Turn(0, rounds), []
    for _ in range(sum(may)):
        found = escalation.turn(severity, on_call, at, is_open=is_open)
        assert found is not None
        seen.append(found.contact)
        at = escalation.next_turn(found, len(on_call))
    assert seen == [contact for contact, allowed in enumerate(may) if allowed]


@given(
    severities,
    st.integers(0, 60),
    st.integers(0, 4),
    st.integers(0, 365 * 24 * 60),
)
def test_there_is_always_a_next_time_and_for_an_emergency_within_half_an_hour(
    severity: str, rounds: int, contact: int, minute: int
) -> None:
    now = cast.at("2026-01-01 00:00") + minute * MINUTE
    due = now + escalation.waits(severity, Turn(contact, rounds), AFTER, calls=rounds * 5)
    found = escalation.not_before(severity, [False] * 5, due, WEEKDAYS)
    assert now < found <= now + 5 * DAY
    if severity == "emergency":
        assert found <= now + 30 * MINUTE


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("K7Q4", ("K7Q4",)),
        ("k7 q4", ("K7Q4",)),
        ("Code: K-7-Q-4.", ("K7Q4",)),
        ("ok k7q4 thanks, calling him now", ("K7Q4",)),
        ("K7Q4 M3V9", ("K7Q4", "M3V9")),
        ("my mother wrote K7Q4 on a piece of paper", ()),
        ("XK7Q45", ()),
        ("7", ()),
        ("STOP", ()),
        ("can I come at 5 instead of 7", ()),
        ("A1B2", ()),  # letters and digits that no code has
    ],
)
def test_a_code_is_read_however_it_is_typed(text: str, codes: tuple[str, ...]) -> None:
    assert escalation.codes_in(text) == codes

"""What planned messages to one patient do to each other: tables of cases, with the arithmetic beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from notifier.rules.audience import ALWAYS
from notifier.rules.durations import parse_duration
from notifier.rules.pacing import (
    Candidate,
    Neighbour,
    next_free,
    schedule,
)
from notifier.rules.plan import Pace, Step, Window
from notifier.rules.timing import Due, Occasion, Skip, SkipCode, due
from notifier.rules.zones import to_instant, to_local, zone

NY = zone("America/New_York")
DAY = Window(time(9), time(20))
HIGH = frozenset(range(4, 11))  # score>=4
LOW = ALWAYS - HIGH

FREE = Pace(timedelta(), 0, 0)
GAP = Pace(timedelta(hours=12), 0, 0)
ONE_A_DAY = Pace(timedelta(), 1, 0)
TWO_A_DAY = Pace(timedelta(), 2, 0)
TWO_A_WEEK = Pace(timedelta(), 0, 2)
USUAL = Pace()  # 12 h, 1 a day, 5 a week


def at(text: str) -> datetime:
    """Wall clock in New York, in March 2026: "3 09:00" is Tuesday 3 March."""
    day, clock = text.split()
    return to_instant(
        datetime.combine(datetime(2026, 3, int(day), tzinfo=UTC), time.fromisoformat(clock)), NY
    )


def shown(instant: datetime) -> str:
    local = to_local(instant, NY)
    return f"{local.day} {local:%H:%M}"


def candidate(key: str, when: str, pace: Pace = USUAL, *, until: str = "", **fields: Any) -> Candidate:
    timed = Due(at(when), at(until) if until else None)
    return Candidate(fields.pop("treatment", "visit"), key, timed, pace, DAY, **fields)


def neighbour(when: str, pace: Pace = USUAL, **fields: Any) -> Neighbour:
    return Neighbour(at(when), pace, **fields)


def places(candidates: list[Candidate], neighbours: list[Neighbour] | None = None) -> dict[str, str]:
    """For each step its place on the wall clock, or the code it is skipped with."""
    outcomes = schedule(candidates, neighbours or [], NY)
    return {
        key: shown(outcome.at) if isinstance(outcome, Due) else str(outcome.code)
        for (_, key), outcome in outcomes.items()
    }


#   pace, from, what else counts, the first free moment
FREE_MOMENTS = [
    (GAP, "3 10:00", [], "3 10:00"),
    (GAP, "3 10:00", [neighbour("2 22:00", FREE)], "3 10:00"),  # exactly 12 h apart is apart
    (GAP, "3 10:00", [neighbour("2 22:01", FREE)], "3 10:01"),  # 22:01 + 12 h
    (GAP, "3 10:00", [neighbour("3 10:00", FREE)], "4 09:00"),  # 22:00 is shut: the next opening
    (GAP, "3 10:00", [neighbour("3 21:59", FREE)], "4 09:59"),  # it gives way to what comes later too
    (GAP, "3 10:00", [neighbour("3 22:00", FREE)], "3 10:00"),
    (GAP, "3 10:00", [neighbour("3 08:00", FREE), neighbour("4 07:00", FREE)], "4 19:00"),  # 20:00; + 12 h
    # The stricter of the two governs, whoever has it.
    (FREE, "3 10:00", [neighbour("3 08:00", GAP)], "3 20:00"),
    (Pace(timedelta(hours=1), 0, 0), "3 10:00", [neighbour("3 08:00", GAP)], "3 20:00"),
    (GAP, "3 10:00", [neighbour("3 08:00", Pace(timedelta(hours=1), 0, 0))], "3 20:00"),
    (FREE, "3 10:00", [neighbour("3 10:00", FREE)], "3 10:00"),
    # A day is the patient's calendar day: over the cap, the next one.
    (ONE_A_DAY, "3 10:00", [neighbour("3 09:00", FREE)], "4 09:00"),
    (ONE_A_DAY, "3 10:00", [neighbour("3 19:00", FREE)], "4 09:00"),
    (ONE_A_DAY, "3 10:00", [neighbour("2 23:59", FREE), neighbour("4 00:00", FREE)], "3 10:00"),
    (ONE_A_DAY, "3 10:00", [neighbour("3 09:00", FREE), neighbour("4 19:00", FREE)], "5 09:00"),
    (FREE, "3 10:00", [neighbour("3 09:00", ONE_A_DAY)], "4 09:00"),
    (TWO_A_DAY, "3 10:00", [neighbour("3 09:00", FREE)], "3 10:00"),
    (TWO_A_DAY, "3 10:00", [neighbour("3 09:00", FREE), neighbour("3 09:30", FREE)], "4 09:00"),
    (TWO_A_DAY, "3 10:00", [neighbour("3 09:00", ONE_A_DAY)], "4 09:00"),
    # The change of 8 March is in between: 10:00 on the 7th, + 12 h is 22:00, then 09:00 by the new clock.
    (GAP, "7 10:00", [neighbour("7 10:00", FREE)], "8 09:00"),
    # A week is any 7 × 24 h: it is free again when the first of them is a week ago.
    (TWO_A_WEEK, "5 10:00", [neighbour("2 10:00", FREE), neighbour("4 10:00", FREE)], "9 11:00"),  # 168 h
    (TWO_A_WEEK, "9 11:00", [neighbour("2 10:00", FREE), neighbour("4 10:00", FREE)], "9 11:00"),
    (TWO_A_WEEK, "9 10:59", [neighbour("2 10:00", FREE), neighbour("4 10:00", FREE)], "9 11:00"),
    # The moment a week later is not in it: 2 10:00 + 168 h is 9 11:00.
    (TWO_A_WEEK, "5 10:00", [neighbour("2 10:00", FREE), neighbour("9 11:00", FREE)], "5 10:00"),
    # Ahead as well: two on the 12th and 13th fill each week they are in, until the 12th + 7 days.
    (TWO_A_WEEK, "10 10:00", [neighbour("12 10:00", FREE), neighbour("13 10:00", FREE)], "19 10:00"),
    # No week holds all three: from the 3rd it ends on the 10th, from the 9th on the 16th.
    (TWO_A_WEEK, "9 11:00", [neighbour("3 10:00", FREE), neighbour("16 10:00", FREE)], "9 11:00"),
    (FREE, "5 10:00", [neighbour("4 10:00", Pace(timedelta(), 0, 1))], "11 11:00"),  # 168 h, EDT
]  # fmt: skip


@pytest.mark.parametrize(("pace", "start", "neighbours", "free"), FREE_MOMENTS)
def test_the_first_moment_that_keeps_the_gap_and_the_caps(
    pace: Pace, start: str, neighbours: list[Neighbour], free: str
) -> None:
    assert shown(next_free(at(start), pace=pace, window=DAY, neighbours=neighbours, tz=NY)) == free


def test_where_there_is_no_place_for_sixty_days_the_answer_is_later_than_that() -> None:
    start = at("1 10:00")
    full = [Neighbour(start + timedelta(days=day), ONE_A_DAY) for day in range(80)]
    found = next_free(start, pace=ONE_A_DAY, window=DAY, neighbours=full, tz=NY)
    assert timedelta(days=60) < found - start < timedelta(days=62)
    outcome = schedule([candidate("day1", "1 10:00", ONE_A_DAY)], full, NY)["visit", "day1"]
    assert isinstance(outcome, Skip)
    assert outcome.code is SkipCode.PACE


#   candidates, neighbours, where each ends up
PLACED = [
    ([candidate("a", "3 10:00"), candidate("b", "5 10:00")], [], {"a": "3 10:00", "b": "5 10:00"}),
    # 10:00 + 12 h is shut; 09:00 the next day is free.
    ([candidate("a", "3 10:00"), candidate("b", "3 15:00")], [], {"a": "3 10:00", "b": "4 09:00"}),
    # b would get to 4 09:00, which is when c is due: overtaken. c stays.
    (
        [candidate("a", "3 10:00"), candidate("b", "3 15:00"), candidate("c", "4 09:00")],
        [],
        {"a": "3 10:00", "b": "overtaken", "c": "4 09:00"},
    ),
    (
        [candidate("a", "3 10:00"), candidate("b", "3 15:00"), candidate("c", "4 09:01")],
        [],
        {"a": "3 10:00", "b": "4 09:00", "c": "5 09:00"},  # c: 21:00 is shut
    ),
    # Only steps of the same treatment overtake: c waits for its turn instead.
    (
        [candidate("a", "3 10:00"), candidate("b", "3 15:00"), candidate("c", "4 09:00", treatment="other")],
        [],
        {"a": "3 10:00", "b": "4 09:00", "c": "5 09:00"},
    ),
    # A step that may never be sent overtakes nothing: it depends on the score.
    (
        [candidate("a", "3 10:00"), candidate("b", "3 15:00"), candidate("c", "4 09:00", scores=HIGH)],
        [],
        {"a": "3 10:00", "b": "4 09:00", "c": "5 09:00"},
    ),
    # Of two that exclude each other only one will go: they may share a moment.
    (
        [candidate("a", "3 10:00", scores=LOW), candidate("b", "3 10:00", scores=HIGH, order=1)],
        [],
        {"a": "3 10:00", "b": "3 10:00"},
    ),
    # Of different treatments they may both go.
    (
        [
            candidate("a", "3 10:00", scores=LOW),
            candidate("b", "3 10:00", scores=HIGH, treatment="other", order=1),
        ],
        [],
        {"a": "3 10:00", "b": "4 09:00"},
    ),
    # A safety step keeps its time, the other gives way, though it is older.
    (
        [candidate("a", "3 10:00", until="9 10:00"), candidate("b", "3 12:00", treatment="o", safety=True)],
        [],
        {"a": "4 09:00", "b": "3 12:00"},  # 12:00 + 12 h is midnight: 09:00
    ),
    # Within one treatment the safety step is the later one, so it overtakes.
    (
        [candidate("a", "3 10:00"), candidate("b", "3 12:00", safety=True)],
        [],
        {"a": "overtaken", "b": "3 12:00"},
    ),
    # Neither gap nor caps move a safety step, not even another safety step.
    (
        [candidate("a", "3 10:00", safety=True), candidate("b", "3 10:00", safety=True)],
        [neighbour("3 10:00"), neighbour("3 09:00")],
        {"a": "3 10:00", "b": "3 10:00"},
    ),
    # What left already counts: 3 16:00 + 12 h = 4 04:00, opens at 09:00.
    ([candidate("a", "3 19:00")], [neighbour("3 16:00")], {"a": "4 09:00"}),
    # Useful until exactly then is useful; a minute less is not.
    ([candidate("a", "3 19:00", until="4 09:00")], [neighbour("3 16:00")], {"a": "4 09:00"}),
    ([candidate("a", "3 19:00", until="4 08:59")], [neighbour("3 16:00")], {"a": "pace"}),
    # Without gap and caps steps do not affect each other.
    (
        [candidate(key, "3 10:00", FREE, order=n) for n, key in enumerate("abc")],
        [neighbour("3 10:00", FREE)],
        {"a": "3 10:00", "b": "3 10:00", "c": "3 10:00"},
    ),
]


@pytest.mark.parametrize(("candidates", "neighbours", "expected"), PLACED)
def test_each_step_finds_its_place(
    candidates: list[Candidate], neighbours: list[Neighbour], expected: dict[str, str]
) -> None:
    assert places(candidates, neighbours) == expected
    assert places(candidates[::-1], neighbours) == expected


#   the caps count what may go out together: pace, the candidate's scores, neighbours, its place
COUNTED = [
    # Of the two on the 3rd one will go, so there is room for a second.
    (TWO_A_DAY, ALWAYS, [("visit", HIGH), ("visit", LOW)], "3 15:00"),
    (TWO_A_DAY, ALWAYS, [("visit", HIGH), ("visit", HIGH)], "4 09:00"),
    (TWO_A_DAY, LOW, [("visit", HIGH), ("visit", HIGH)], "3 15:00"),
    # The score of another treatment says nothing about the score of this one: both may go.
    (ONE_A_DAY, HIGH, [("other", LOW)], "4 09:00"),
    (TWO_A_DAY, ALWAYS, [("other", HIGH), ("visit", LOW)], "4 09:00"),
]


@pytest.mark.parametrize(("pace", "scores", "beside", "place"), COUNTED)
def test_a_cap_counts_what_may_go_out_together(
    pace: Pace, scores: frozenset[int | None], beside: list[tuple[str, Any]], place: str
) -> None:
    neighbours = [
        neighbour("3 10:00", FREE, treatment=treatment, scores=theirs) for treatment, theirs in beside
    ]
    assert places([candidate("a", "3 15:00", pace, scores=scores)], neighbours) == {"a": place}


def test_the_reason_says_what_happened_in_words() -> None:
    steps = [candidate("a", "3 10:00"), candidate("b", "3 15:00"), candidate("c", "4 09:00")]
    overtaken = schedule(steps, [], NY)["visit", "b"]
    assert isinstance(overtaken, Skip)
    assert overtaken.reason == (
        "Overtaken: to keep messages apart it would have moved from Tue 3 Mar 15:00 to Wed 4 Mar 09:00, "
        "and c is due by then."
    )
    late = schedule([candidate("a", "3 19:00", until="3 21:00")], [neighbour("3 16:00")], NY)["visit", "a"]
    assert isinstance(late, Skip)
    assert late.reason == (
        "To keep messages apart it would have moved from Tue 3 Mar 19:00 to Wed 4 Mar 09:00, "
        "and it is useful only until Tue 3 Mar 21:00."
    )
    assert late.useful_until == at("3 21:00")


def test_a_moved_step_keeps_its_earlier_note_and_its_usefulness() -> None:
    noted = replace(candidate("a", "3 19:00"), due=Due(at("3 19:00"), at("5 10:00"), "Logged late."))
    moved = schedule([noted], [neighbour("3 16:00")], NY)["visit", "a"]
    words = "Logged late. Moved from Tue 3 Mar 19:00 to keep messages apart."
    assert moved == Due(at("4 09:00"), at("5 10:00"), words)


def test_three_texts_never_arrive_at_once_when_a_treatment_is_logged_late() -> None:
    # Ended on the 2nd at 14:00, logged on the 5th at 10:45: everything overdue is due at 11:00.
    occasion = Occasion(at("2 14:00"), at("5 10:45"))
    steps = [("day0", "2h", "18h"), ("day1", "1d", "8d"), ("day2", "2d", "8d"), ("day3", "3d", "8d")]
    steps += [("day5", "5d", "12d")]
    judged = {
        key: due(
            Step(key, parse_duration(after), useful_for=parse_duration(useful)), occasion, window=DAY, tz=NY
        )
        for key, after, useful in steps
    }
    stale = judged.pop("day0")
    assert isinstance(stale, Skip)  # useful until the 3rd, 08:00
    assert stale.code is SkipCode.TOO_LATE
    found = [
        Candidate("visit", key, outcome, USUAL, DAY, order=order)
        for order, (key, outcome) in enumerate(judged.items())
        if isinstance(outcome, Due)
    ]
    assert places(found) == {
        "day1": "5 11:00",  # overdue, the oldest
        "day2": "overtaken",  # it would have got 6 09:00, and day3 is due on the 5th at 14:00
        "day3": "6 09:00",  # 11:00 + 12 h = 23:00 is shut
        "day5": "7 14:00",
    }

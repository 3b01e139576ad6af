"""What holds however many steps, treatments, paces and neighbours meet."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.audience import ALWAYS, Score
from notifier.rules.pacing import Candidate, Neighbour, next_free, schedule
from notifier.rules.plan import Pace, Window
from notifier.rules.timing import Due, Skip, SkipCode, is_open, next_opening
from notifier.rules.zones import to_local, zone
from tests.rules.strategies import PROPERTY, windows

Outcomes = dict[tuple[Hashable, str], Due | Skip]

QUARTER = timedelta(minutes=15)
WEEK = timedelta(days=7)
FREE = Pace(timedelta(), 0, 0)
HIGH: frozenset[Score] = frozenset(range(4, 11))
SCORES = (ALWAYS, ALWAYS, HIGH, ALWAYS - HIGH)

# Around the days below the clocks change: by an hour, at midnight, by half an hour, or not at all.
zones = st.sampled_from(
    ["America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kolkata"]
).map(zone)
starts = st.sampled_from(
    [datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 10, 28, tzinfo=UTC)]
)
waking_hours = windows(opens=360, grid=15)
paces = st.builds(
    Pace,
    st.integers(0, 96).map(lambda n: n * QUARTER),
    st.integers(0, 3),
    st.sampled_from((0, 0, 1, 2, 3, 5)),
)


def moments(start: datetime) -> st.SearchStrategy[datetime]:
    return st.integers(0, 12 * 96).map(lambda n: start + n * QUARTER)


@st.composite
def meetings(
    draw: st.DrawFn,
    *,
    pace: st.SearchStrategy[Pace] = paces,
    scores: Sequence[frozenset[Score]] = SCORES,
) -> tuple[list[Candidate], list[Neighbour], ZoneInfo]:
    """Steps that are each due inside the window by themselves, and what else counts."""
    tz, start, hours = draw(zones), draw(starts), draw(waking_hours)
    neighbours = [
        Neighbour(
            draw(moments(start)), draw(pace), draw(st.sampled_from(scores)), draw(st.sampled_from("abc"))
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    candidates = []
    for order in range(draw(st.integers(1, 7))):
        at = draw(moments(start))
        at = at if is_open(at, hours, tz) else next_opening(at, hours, tz)
        useful = draw(st.none() | st.integers(0, 300))
        candidates.append(
            Candidate(
                draw(st.sampled_from("ab")),
                f"step{order}",
                Due(at, None if useful is None else at + useful * QUARTER),
                draw(pace),
                hours,
                safety=draw(st.integers(0, 3)) == 0,
                scores=draw(st.sampled_from(scores)),
                order=order,
            )
        )
    return candidates, neighbours, tz


def going(candidates: list[Candidate], outcomes: Outcomes) -> list[tuple[Candidate, datetime]]:
    result = []
    for candidate in candidates:
        outcome = outcomes[candidate.place]
        if isinstance(outcome, Due):
            result.append((candidate, outcome.at))
    return result


@dataclass(frozen=True)
class Message:
    """Something that goes out if the score of its treatment is one of these."""

    at: datetime
    pace: Pace
    scores: frozenset[Score]
    treatment: Hashable
    movable: bool


def all_messages(
    candidates: list[Candidate], outcomes: Outcomes, neighbours: list[Neighbour]
) -> list[Message]:
    placed = [
        Message(at, c.pace, c.scores, c.treatment, not c.safety) for c, at in going(candidates, outcomes)
    ]
    return placed + [Message(n.at, n.pace, n.scores, n.treatment, False) for n in neighbours]


def however_patients_answer(messages: list[Message]) -> Iterator[list[Message]]:
    """What really goes out, for a low and a high score of each treatment."""
    for answers in itertools.product((1, 8), repeat=3):
        score = dict(zip("abc", answers, strict=True))
        yield [m for m in messages if score[str(m.treatment)] in m.scores]


def keep(messages: list[Message], caps: list[int]) -> bool:
    """Whether these may go out together: what the rules could not move may be too many by itself."""
    limits = [cap for cap in caps if cap]
    return not limits or not any(m.movable for m in messages) or len(messages) <= min(limits)


def exclude_each_other(one: Candidate, other: Candidate | Neighbour) -> bool:
    return one.treatment == other.treatment and not one.scores & other.scores


@PROPERTY
@given(meetings())
def test_no_two_messages_come_closer_than_the_stricter_gap(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    gone = going(candidates, schedule(candidates, neighbours, tz))
    for candidate, at in gone:
        if candidate.safety:
            continue
        others: list[tuple[Candidate | Neighbour, datetime]] = [(n, n.at) for n in neighbours]
        others += [(c, when) for c, when in gone if c is not candidate]
        for other, when in others:
            if not exclude_each_other(candidate, other):
                assert abs(at - when) >= max(candidate.pace.min_gap, other.pace.min_gap)


@PROPERTY
@given(meetings())
def test_no_local_day_holds_more_than_its_strictest_cap(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    everything = all_messages(candidates, schedule(candidates, neighbours, tz), neighbours)
    for messages in however_patients_answer(everything):
        days = defaultdict(list)
        for message in messages:
            days[to_local(message.at, tz).date()].append(message)
        assert all(keep(today, [m.pace.max_per_day for m in today]) for today in days.values())


@PROPERTY
@given(meetings())
def test_no_seven_days_hold_more_than_their_strictest_cap(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    everything = all_messages(candidates, schedule(candidates, neighbours, tz), neighbours)
    for messages in however_patients_answer(everything):
        for first in messages:
            week = [m for m in messages if first.at <= m.at < first.at + WEEK]
            assert keep(week, [m.pace.max_per_week for m in week])


@PROPERTY
@given(meetings())
def test_a_safety_step_is_never_moved_or_dropped(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    outcomes = schedule(candidates, neighbours, tz)
    assert all(outcomes[c.place] is c.due for c in candidates if c.safety)


@PROPERTY
@given(meetings(pace=st.just(FREE)))
def test_without_gap_and_caps_nothing_changes(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    assert schedule(candidates, neighbours, tz) == {c.place: c.due for c in candidates}


@PROPERTY
@given(meetings())
def test_every_step_gets_a_useful_place_in_its_window_or_a_reason_and_neighbours_stay(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    before = list(neighbours)
    outcomes = schedule(candidates, neighbours, tz)
    assert neighbours == before
    assert outcomes.keys() == {c.place for c in candidates}
    for candidate in candidates:
        outcome = outcomes[candidate.place]
        if isinstance(outcome, Skip):
            assert outcome.reason.endswith(".")
            assert outcome.code in (SkipCode.OVERTAKEN, SkipCode.PACE)
            continue
        assert outcome.at >= candidate.due.at
        assert is_open(outcome.at, candidate.window, tz)
        assert outcome.useful_until is None or outcome.at <= outcome.useful_until
        assert outcome.at == candidate.due.at or "to keep messages apart" in outcome.note


@PROPERTY
@given(meetings(), st.data())
def test_the_order_in_which_steps_are_given_does_not_matter(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo], data: st.DataObject
) -> None:
    candidates, neighbours, tz = meeting
    shuffled = data.draw(st.permutations(candidates))
    beside = data.draw(st.permutations(neighbours))
    assert schedule(shuffled, beside, tz) == schedule(candidates, neighbours, tz)


@PROPERTY
@given(meetings(scores=(ALWAYS, ALWAYS, HIGH)))
def test_a_step_is_overtaken_only_by_a_certain_later_step_of_its_treatment(
    meeting: tuple[list[Candidate], list[Neighbour], ZoneInfo],
) -> None:
    candidates, neighbours, tz = meeting
    outcomes = schedule(candidates, neighbours, tz)
    queue = sorted(candidates, key=lambda c: (c.due.at, c.order))
    for candidate in candidates:
        outcome = outcomes[candidate.place]
        if not isinstance(outcome, Skip) or outcome.code is not SkipCode.OVERTAKEN:
            continue
        overtaker = next(c for c in candidates if f"and {c.key} is due" in outcome.reason)
        assert queue.index(overtaker) > queue.index(candidate)
        assert overtaker.treatment == candidate.treatment
        assert overtaker.scores == ALWAYS
        # Steps after it in the queue were not there yet when it looked for its place, but safety steps were.
        there = [c for c in queue[: queue.index(candidate)] if not c.safety] + [c for c in queue if c.safety]
        taken = [Neighbour(at, c.pace, c.scores, c.treatment) for c, at in going(there, outcomes)]
        alone = schedule([candidate], neighbours + taken, tz)[candidate.place]
        assert not isinstance(alone, Due) or overtaker.due.at <= alone.at
        assert alone != candidate.due


def _watch(at: datetime, pace: Pace, hours: Window, neighbours: list[Neighbour], tz: ZoneInfo) -> datetime:
    """The same search by somebody who tries every quarter of an hour for 60 days."""
    limit = at + timedelta(days=60)
    first = at
    while at <= limit:
        if (at == first or is_open(at, hours, tz)) and _allowed(at, pace, neighbours, tz):
            return at
        at += QUARTER
    return at


def _allowed(at: datetime, pace: Pace, neighbours: list[Neighbour], tz: ZoneInfo) -> bool:
    times = [n.at for n in neighbours]
    if any(
        abs(at - time) < max(pace.min_gap, n.pace.min_gap) for time, n in zip(times, neighbours, strict=True)
    ):
        return False
    today = to_local(at, tz).date()
    if pace.max_per_day and sum(to_local(t, tz).date() == today for t in times) >= pace.max_per_day:
        return False
    weeks = [start for start in [*times, at] if start <= at < start + WEEK]
    counts = [sum(start <= t < start + WEEK for t in times) for start in weeks]
    return not pace.max_per_week or max(counts) < pace.max_per_week


@PROPERTY
@given(st.data(), zones, starts, waking_hours, paces)
def test_the_free_moment_is_the_first_one_there_is(
    data: st.DataObject, tz: ZoneInfo, start: datetime, hours: Window, pace: Pace
) -> None:
    # Everybody keeps the same caps here and their own gap; that the stricter cap governs is tested above.
    gaps = st.integers(0, 60).map(lambda n: Pace(n * QUARTER, pace.max_per_day, pace.max_per_week))
    neighbours = data.draw(st.lists(st.builds(Neighbour, moments(start), gaps), max_size=6))
    at = next_opening(data.draw(moments(start)), hours, tz)
    found = next_free(at, pace=pace, window=hours, neighbours=neighbours, tz=tz)
    watched = _watch(at, pace, hours, neighbours, tz)
    if watched - at > timedelta(days=60):
        assert found - at > timedelta(days=60)
    else:
        assert found == watched


@PROPERTY
@given(st.data(), zones, starts, windows(), paces)
def test_the_search_ends_however_full_the_days_are(
    data: st.DataObject, tz: ZoneInfo, start: datetime, hours: Window, pace: Pace
) -> None:
    every = data.draw(st.integers(4, 96))
    neighbours = [Neighbour(start + n * every * QUARTER, pace) for n in range(data.draw(st.integers(0, 400)))]
    at = next_opening(start, hours, tz)
    found = next_free(at, pace=pace, window=hours, neighbours=neighbours, tz=tz)
    assert found >= at
    assert found == at or is_open(found, hours, tz)

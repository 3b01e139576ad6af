"""What is wrong with the timing of a plan: its steps are tried out on treatments at every half hour.

The days are fixed, so that the same plan always gives the same findings: two plain ones, and some around
both changes of the clocks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from notifier.plan_check_words import Severity
from notifier.rules import pacing, timing
from notifier.rules.plan import Pace, Plan, Step, Window
from notifier.rules.timing import Due, Occasion, Skip
from notifier.rules.zones import to_instant, zone

_PLAIN = ("Etc/UTC", date(2026, 1, 13))
_CHANGING = "America/New_York"
_CHANGES = (date(2026, 3, 8), date(2026, 11, 1))
_HALF_HOURS = 48
_BEFORE_VISIT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TimeRemark:
    """`step` is the index of the step whose `key` in plan.toml is meant, or None for the plan's own."""

    severity: Severity
    step: int | None
    key: str
    message: str


def timing_remarks(plan: Plan) -> Iterator[TimeRemark]:
    for index, step in enumerate(plan.steps):
        if step.at is not None and not plan.window.opens <= step.at <= plan.window.closes:
            yield TimeRemark(
                "warning",
                index,
                "at",
                f"{step.key}: at {step.at:%H:%M} is outside the sending window {plan.window}, "
                "so it always moves.",
            )
        yield from _usefulness(plan, index, step)
    yield from _caps(plan)


def _usefulness(plan: Plan, index: int, step: Step) -> Iterator[TimeRemark]:
    plain = _missed(plan, step, *_PLAIN)
    changing = (_missed(plan, step, _CHANGING, day) for day in _days_near_a_change(step))
    around_change = frozenset[time]().union(*changing) - plain
    ends = "visits that begin" if step.anchor == "next_visit" else "treatments that end"
    limit = f'useful_for "{step.useful_for}"' if step.useful_for else "the visit"
    if len(plain) == _HALF_HOURS:
        yield TimeRemark(
            "error",
            index,
            "useful_for",
            f"{step.key}: it can never go out: its first moment inside the sending window {plan.window} "
            f"always comes after {limit} is over.",
        )
    elif plain:
        share = round(100 * len(plain) / _HALF_HOURS)
        yield TimeRemark(
            "warning",
            index,
            "useful_for",
            f"{step.key}: it is skipped for {ends} {_spans(plain)} ({share} % of the day): its first moment "
            f"inside the sending window {plan.window} then comes after {limit} is over.",
        )
    elif around_change:
        yield TimeRemark(
            "warning",
            index,
            "useful_for",
            f"{step.key}: around a change of the clocks it is skipped for {ends} {_spans(around_change)}: "
            f"its first moment inside the sending window {plan.window} then comes after {limit} is over.",
        )


def _days_near_a_change(step: Step) -> Iterator[date]:
    """The clocks change between the anchor and the step, or in the night before which the step is due."""
    days = math.ceil(step.after.elapsed / timedelta(days=1))
    for change in _CHANGES:
        yield from {change - timedelta(days=1), change - timedelta(days=1 + days)}


def _missed(plan: Plan, step: Step, zone_name: str, first_day: date) -> frozenset[time]:
    """The times of day after or before which this step would come too late on one of two days."""
    timed = tuple(getattr(step, name) for name in _TIMED)
    return _missed_when(timed, plan.window, zone_name, first_day)


# What decides when a step is due. An editor checks a plan at every key, and most steps are as they were.
_TIMED = ("after", "anchor", "at", "not_before", "outside_window", "useful_for")


@lru_cache(maxsize=4096)
def _missed_when(timed: tuple[Any, ...], window: Window, zone_name: str, first_day: date) -> frozenset[time]:
    tz, step = zone(zone_name), Step("", **dict(zip(_TIMED, timed, strict=True)))
    missed = set()
    for local in _half_hours(first_day):
        occasion = _occasion(step, to_instant(local, tz))
        if isinstance(timing.due(step, occasion, window=window, tz=tz), Skip):
            missed.add(local.time())
    return frozenset(missed)


@cache
def _half_hours(first_day: date) -> tuple[datetime, ...]:
    start = datetime.combine(first_day, time())
    return tuple(start + timedelta(minutes=30 * index) for index in range(2 * _HALF_HOURS))


def _occasion(step: Step, anchor: datetime) -> Occasion:
    if step.anchor == "treatment_end":
        return Occasion(anchor, anchor)
    ended = anchor - abs(step.after.elapsed) - _BEFORE_VISIT
    return Occasion(ended, ended, next_visit=anchor)


def _spans(times: Collection[time]) -> str:
    """From 20:30 to 23:30, from 05:00 to 05:30; round the clock, so that a night is one span."""
    slots = {time_.hour * 2 + time_.minute // 30 for time_ in times}
    starts = sorted(slot for slot in slots if (slot - 1) % _HALF_HOURS not in slots)
    return " and ".join(_span(start, slots) for start in starts) or "at any time"


def _span(start: int, slots: set[int]) -> str:
    end = start
    while (end + 1) % _HALF_HOURS in slots:
        end += 1
    return f"around {_clock(start)}" if end == start else f"from {_clock(start)} to {_clock(end)}"


def _clock(slot: int) -> str:
    return f"{slot % _HALF_HOURS // 2:02}:{slot % 2 * 30:02}"


def _caps(plan: Plan) -> Iterator[TimeRemark]:
    """Steps that every patient should get, but that gap and caps never let through together."""
    steps = [s for s in plan.steps if s.audience.text == "every" and s.anchor == "treatment_end"]
    tz = zone(_PLAIN[0])
    days = [dues for end in _half_hours(_PLAIN[1])[:_HALF_HOURS] if (dues := _dues(plan, steps, end, tz))]
    dropped = [_dropped(plan, steps, dues, plan.pace, tz) for dues in days]
    if not dropped or not all(dropped):
        return
    key = next(
        (k for k, pace in _relaxed(plan.pace) if _lets_through(plan, steps, days, pace, tz)), "min_gap"
    )
    fewest = min(dropped, key=len)
    yield TimeRemark(
        "warning",
        None,
        key,
        f"{key}: gap and limits never let all steps for every patient through; "
        f"at best {', '.join(fewest)} {'is' if len(fewest) == 1 else 'are'} skipped.",
    )


def _dues(plan: Plan, steps: list[Step], end: datetime, tz: ZoneInfo) -> list[Due]:
    """When each step is due by itself; empty when one of them comes too late anyway."""
    instant = to_instant(end, tz)
    dues = [timing.due(step, Occasion(instant, instant), window=plan.window, tz=tz) for step in steps]
    return [due for due in dues if isinstance(due, Due)] if all(isinstance(d, Due) for d in dues) else []


def _dropped(plan: Plan, steps: list[Step], dues: list[Due], pace: Pace, tz: ZoneInfo) -> list[str]:
    candidates = [
        pacing.Candidate(None, step.key, due, pace, plan.window, safety=step.safety, order=order)
        for order, (step, due) in enumerate(zip(steps, dues, strict=True))
    ]
    placed = pacing.schedule(candidates, [], tz)
    return [step.key for step in steps if isinstance(placed[None, step.key], Skip)]


def _relaxed(pace: Pace) -> Iterator[tuple[str, Pace]]:
    yield "min_gap", replace(pace, min_gap=timedelta(0))
    yield "max_per_day", replace(pace, max_per_day=0)
    yield "max_per_week", replace(pace, max_per_week=0)


def _lets_through(plan: Plan, steps: list[Step], days: list[list[Due]], pace: Pace, tz: ZoneInfo) -> bool:
    return any(not _dropped(plan, steps, dues, pace, tz) for dues in days)

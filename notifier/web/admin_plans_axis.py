"""The steps of a plan on a time axis, one lane each, as numbers for the picture whose dots can be dragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from notifier.plan_in_words import when_in_words
from notifier.planfiles import Definition
from notifier.rules import timing
from notifier.rules.plan import Plan, Step, Window
from notifier.rules.timing import Due, Occasion
from notifier.rules.zones import to_instant, to_local
from notifier.web import line
from notifier.web.line import LineView, Moment, Scale, Span

HOUR = timedelta(hours=1)
LANE = 46  # pixels of height
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Lane:
    """`x` is where the step is due by itself, before the window; from there to `until` it is useful.

    `drag` is what moving its dot changes: elapsed `hours`, `days` of the calendar, or day and `clock`.
    `origin` is the hour of its anchor.
    """

    row: str
    key: str
    y: int
    x: float
    until: float
    hours: float
    origin: float
    drag: str
    short: str
    words: str
    on: bool
    safety: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """`shift_at` and `shift`: the hour at which the clocks change, and by how many hours; 0: they do not."""

    frame: LineView
    closed: list[Span]
    lanes: list[Lane]
    visit: float | None
    height: int
    start: str
    shift_at: float
    shift: float

    @property
    def scale(self) -> Scale:
        return self.frame.scale


def axis(plan: Plan, rows: Sequence[tuple[str, str]], occasion: Occasion, tz: ZoneInfo) -> Axis:
    """`rows`: the steps' names in the form and their keys, in their order."""
    steps = {step.key: step for step in (*plan.steps, *plan.off)}
    start = occasion.ended_at
    visit = occasion.next_visit or start + _WEEK
    places = {key: _place(step, start, visit, tz) for key, step in steps.items()}
    last = max(places.values())
    # With room to drag the last one to.
    end = max(last * 1.2, last + timedelta(hours=18))
    frame = line.view(
        start, [Moment(start + end, "scheduled", "")], tz=tz, now=None, words="The steps in time"
    )
    shift_at, shift = _clock_change(start, frame.scale, tz)
    with_visit = any(step.anchor == "next_visit" for step in steps.values())
    return Axis(
        frame,
        _closed(frame.scale, start, plan.window, tz),
        [
            _lane(row, place, steps[key], plan, places[key], frame.scale, start, visit, tz)
            for place, (row, key) in enumerate(rows)
            if key in steps
        ],
        frame.scale.x((visit - start) / HOUR) if with_visit else None,
        LANE * len(rows) + 26,
        f"{to_local(start, tz):%Y-%m-%dT%H:%M}",
        shift_at,
        shift,
    )


def _place(step: Step, start: datetime, visit: datetime, tz: ZoneInfo) -> timedelta:
    anchor = visit if step.anchor == "next_visit" else start
    return max(timing.shift(anchor, step.after, tz, step.at) - start, timedelta())


def _lane(
    row: str,
    place: int,
    step: Step,
    plan: Plan,
    at: timedelta,
    scale: Scale,
    start: datetime,
    visit: datetime,
    tz: ZoneInfo,
) -> Lane:
    anchor = visit if step.anchor == "next_visit" else start
    if step.useful_for is not None:
        until = (timing.shift(anchor, step.useful_for, tz) - start) / HOUR
    else:
        until = (visit - start) / HOUR if step.anchor == "next_visit" else scale.hours
    short = str(step.after) if step.at is None else f"{step.after} at {step.at:%H:%M}"
    return Lane(
        row=row,
        key=step.key,
        y=place * LANE,
        x=scale.x(at / HOUR),
        until=max(scale.x(until), scale.x(at / HOUR)),
        hours=round(at / HOUR, 2),
        origin=round((anchor - start) / HOUR, 2),
        drag="hours" if not step.after.is_calendar else "days" if step.at is None else "clock",
        short=_from_visit(short) if step.anchor == "next_visit" else short,
        words=when_in_words(step),
        on=step.on,
        safety=step.safety,
    )


def _from_visit(short: str) -> str:
    return f"{short[1:]} before the visit" if short.startswith("-") else f"{short} after the visit"


def _closed(scale: Scale, start: datetime, window: Window, tz: ZoneInfo) -> list[Span]:
    """The hours in which nothing leaves, as far as they are wide enough to be seen."""
    end = start + timedelta(hours=scale.bend_hours or scale.hours)
    spans = []
    day = to_local(start, tz).date() - timedelta(days=1)
    while (closes := to_instant(datetime.combine(day, window.closes), tz)) < end:
        day += timedelta(days=1)
        opens = to_instant(datetime.combine(day, window.opens), tz)
        if opens > start:
            left = scale.x((max(closes, start) - start) / HOUR)
            right = scale.x((min(opens, end) - start) / HOUR)
            spans.append(Span(left, round(right - left, 2)))
    return spans


def _clock_change(start: datetime, scale: Scale, tz: ZoneInfo) -> tuple[float, float]:
    before = start.astimezone(tz).utcoffset() or timedelta()
    for hour in range(1, int(scale.hours) + 1):
        after = (start + hour * HOUR).astimezone(tz).utcoffset() or timedelta()
        if after != before:
            return float(hour), (after - before) / HOUR
    return 0.0, 0.0


def picture(definition: Definition, occasion: Occasion, tz: ZoneInfo) -> LineView:
    """A plan as the line that its patients' treatments are, for an ordinary one."""
    plan = definition.plan
    dues = [(step, timing.due(step, occasion, window=plan.window, tz=tz)) for step in plan.steps]
    drawn = [Moment(due.at, "scheduled", step.key, step.key) for step, due in dues if isinstance(due, Due)]
    words = " ".join(f"{step.key}: {when_in_words(step)}." for step in plan.steps)
    return line.view(occasion.ended_at, drawn, tz=tz, now=None, words=words)

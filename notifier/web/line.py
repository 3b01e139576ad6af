"""The aftercare line: a treatment from hour 0 to its last step, as numbers for one SVG that every page draws.

Nights are shaded, the usual 24 to 48 hours of soreness tinted, each message is a dot in the shape of its
state, and now is a cursor. Positions are percentages of the width, so that a phone and a wide screen draw
the same. The first week takes most of the width; what comes after it is drawn closer together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier.rules.delivery import Status
from notifier.rules.plan import Window
from notifier.rules.zones import to_instant, to_local
from notifier.web import curve
from notifier.web.curve import Curve

USUAL = (timedelta(hours=24), timedelta(hours=48))
_NIGHT = Window(time(7), time(22))
_SHORTEST = timedelta(days=3)
_KNEE = timedelta(days=8)
# Percent of the width: room for half a dot at either end, and where a long line bends.
_FIRST, _LAST, _BEND = 2.0, 98.0, 78.0
# Dots closer than this are drawn above each other.
_TOUCHING = 2.2

SHAPES = {
    Status.SCHEDULED: "coming",
    Status.HELD: "held",
    Status.SENDING: "sending",
    Status.ACCEPTED: "sent",
    Status.SENT: "sent",
    Status.DELIVERED: "delivered",
    Status.UNDELIVERED: "failed",
    Status.FAILED: "failed",
    Status.UNKNOWN: "unknown",
    Status.SKIPPED: "skipped",
    Status.CANCELLED: "skipped",
}


def shape_of(status: str) -> str:
    """The name of the shape that stands for a status everywhere."""
    return SHAPES[Status(status)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Hours since the start → percent of the width, and back; `bend` is where the drawing gets closer."""

    hours: float
    bend_hours: float | None = None

    def x(self, hours: float) -> float:
        hours = min(max(hours, 0.0), self.hours)
        if self.bend_hours is None:
            return round(_FIRST + hours / self.hours * (_LAST - _FIRST), 2)
        if hours <= self.bend_hours:
            return round(_FIRST + hours / self.bend_hours * (_BEND - _FIRST), 2)
        rest = (hours - self.bend_hours) / (self.hours - self.bend_hours)
        return round(_BEND + rest * (_LAST - _BEND), 2)


def scale_of(length: timedelta) -> Scale:
    hours = max(length, _SHORTEST) / timedelta(hours=1)
    knee = _KNEE / timedelta(hours=1)
    return Scale(hours, knee if hours > knee * 1.25 else None)


@dataclass(frozen=True, slots=True)
class Moment:
    """A message on the line: `at` is when it left, is due or would have been; `label` says all in words."""

    at: datetime
    status: str
    label: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    level: int  # 0 on the line, 1 above it, where dots would touch
    shape: str
    label: str
    key: str


@dataclass(frozen=True, slots=True)
class Span:
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class LineView:
    """`words` is the whole picture in a sentence, for whoever cannot see it."""

    scale: Scale
    nights: list[Span]
    usual: Span
    ticks: list[Tick]
    dots: list[Dot]
    now: float | None
    words: str
    curve: Curve | None = None


def view(
    start: datetime,
    moments: Sequence[Moment],
    *,
    tz: ZoneInfo,
    now: datetime | None,
    words: str = "",
    scores: Sequence[tuple[float, int]] = (),
) -> LineView:
    """`start` is when the treatment ended. `now` outside the line is not drawn.

    `scores`, as hours and soreness from the earliest on, are drawn over it as a curve.
    """
    last = max((moment.at for moment in moments), default=start)
    last = max(last, *(start + timedelta(hours=hours) for hours, _ in scores)) if scores else last
    length = last - start + timedelta(hours=6)
    if now is not None and start <= now <= start + _KNEE:
        length = max(length, now - start + timedelta(hours=6))
    scale = scale_of(length)
    end = start + timedelta(hours=scale.hours)
    cursor = _x(scale, start, now) if now is not None and start <= now <= end else None
    first, second = (scale.x(hours / timedelta(hours=1)) for hours in USUAL)
    drawn = curve.of(scores, scale.x, _hours(scale)) if scores else None
    said = words or _in_words(moments)
    return LineView(
        scale,
        _nights(scale, start, end, tz),
        Span(first, round(second - first, 2)),
        _ticks(scale),
        _dots(scale, start, moments),
        cursor,
        f"{drawn.words} {said}" if drawn else said,
        drawn,
    )


def _x(scale: Scale, start: datetime, at: datetime) -> float:
    return scale.x((at - start) / timedelta(hours=1))


def _nights(scale: Scale, start: datetime, end: datetime, tz: ZoneInfo) -> list[Span]:
    """Only as far as a night is wide enough to be seen."""
    until = end if scale.bend_hours is None else start + timedelta(hours=scale.bend_hours)
    spans = []
    day = to_local(start, tz).date() - timedelta(days=1)
    while (falls := to_instant(datetime.combine(day, _NIGHT.closes), tz)) < until:
        day += timedelta(days=1)
        rises = to_instant(datetime.combine(day, _NIGHT.opens), tz)
        if rises > start:
            left, right = _x(scale, start, max(falls, start)), _x(scale, start, min(rises, until))
            spans.append(Span(left, round(right - left, 2)))
    return spans


def _ticks(scale: Scale) -> list[Tick]:
    days = int(scale.hours // 24)
    near = range(1, min(days, 8 if scale.bend_hours else days) + 1)
    ticks = [Tick(scale.x(day * 24), f"Day {day}") for day in near]
    if scale.bend_hours and days > 9:
        ticks.append(Tick(scale.x(days * 24), f"Day {days}"))
    return ticks


def _hours(scale: Scale) -> list[int]:
    """The ends of the days, as the curve tells them: as far as they are wide enough apart."""
    return list(range(24, int(scale.bend_hours or scale.hours) + 1, 24))


def _dots(scale: Scale, start: datetime, moments: Sequence[Moment]) -> list[Dot]:
    dots: list[Dot] = []
    for moment in sorted(moments, key=lambda moment: moment.at):
        x = _x(scale, start, moment.at)
        touches = bool(dots) and x - dots[-1].x < _TOUCHING
        level = (dots[-1].level + 1) % 3 if touches else 0
        dots.append(Dot(x, level, shape_of(moment.status), moment.label, moment.key))
    return dots


def _in_words(moments: Sequence[Moment]) -> str:
    if not moments:
        return "No messages."
    return " ".join(f"{moment.label.rstrip('.')}." for moment in sorted(moments, key=lambda m: m.at))

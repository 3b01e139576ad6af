"""Soreness by the hours since the treatment as numbers for one SVG: medians and middle halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from notifier.rules.soreness import BIN_HOURS, HIGHEST, Spread, high_from
from notifier.web.curve import Join
from notifier.web.line import USUAL

HEIGHT = 160
_TOP, _LEFT, _RIGHT = 10.0, 6.0, 99.5  # room for the numbers at the lines
_SHORTEST = 96


@dataclass(frozen=True, slots=True)
class Box:
    """`y` and `height` are the middle half, where enough answered for one."""

    x: float
    width: float
    middle: float
    median: float
    words: str
    y: float | None
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    at: float
    label: str
    is_high: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    boxes: list[Box]
    joins: list[Join]
    lines: list[Mark]
    hours: list[Mark]
    usual: tuple[float, float]  # from where, how wide
    words: str
    height: int = HEIGHT
    left: float = _LEFT


def of_hours(spreads: Sequence[Spread]) -> Chart:
    end = max([_SHORTEST, *(spread.last for spread in spreads)])
    high = high_from()
    boxes = [_box(spread, end) for spread in spreads]
    start, until = (_x(limit.total_seconds() / 3600, end) for limit in USUAL)
    return Chart(
        boxes,
        [Join(a.middle, a.median, b.middle, b.median) for a, b in pairwise(boxes)],
        [Mark(_y(value), str(value), value == high) for value in (0, high, HIGHEST)],
        [Mark(_x(hour, end), f"{hour} h") for hour in range(0, end + 1, 24 if end <= 168 else 48)],
        (start, round(until - start, 3)),
        " ".join(f"{box.words}." for box in boxes),
    )


def _x(hours: float, end: int) -> float:
    return round(_LEFT + hours / end * (_RIGHT - _LEFT), 3)


def _y(value: float) -> float:
    return round(HEIGHT - value / HIGHEST * (HEIGHT - _TOP), 2)


def _box(spread: Spread, end: int) -> Box:
    x, width = _x(spread.first, end), BIN_HOURS / end * (_RIGHT - _LEFT)
    lower, upper = spread.lower, spread.upper
    return Box(
        x=round(x + width * 0.08, 3),
        width=round(width * 0.84, 3),
        middle=round(x + width / 2, 3),
        median=_y(spread.median),
        words=said(spread),
        y=_y(upper) if upper is not None else None,
        height=round(_y(lower) - _y(upper), 2) if lower is not None and upper is not None else 0,
    )


def said(spread: Spread) -> str:
    answers = "answer" if spread.count == 1 else "answers"
    words = f"Hours {spread.first} to {spread.last}: median {spread.median:g} of {spread.count} {answers}"
    if spread.lower is None:
        return words
    return f"{words}, the middle half from {spread.lower:g} to {spread.upper:g}"

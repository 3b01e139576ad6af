"""Columns of a chart as numbers for one SVG: what became of the messages of each day, piled up.

Across, positions are percentages of the width, so that a phone and a wide screen draw the same; upwards they
are pixels. Each kind has a pattern of its own beside its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from notifier.delivery_figures import Stretch

# From the bottom of a column to its top; what is told of each in a legend.
SERIES = {
    "delivered": "Delivered",
    "sent": "Sent",
    "failed": "Failed",
    "skipped": "Not sent",
    "waiting": "Waiting",
    "doubt": "Not known",
}
HEIGHT = 160
_TOP, _LEFT, _RIGHT = 8, 11.0, 99.5  # room for the numbers at the lines
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Piece:
    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    width: float
    words: str  # "Tue 3 Mar: 12 delivered, 1 failed"
    pieces: list[Piece]
    label: str  # below it; empty where its neighbour has one
    middle: float


@dataclass(frozen=True, slots=True)
class Line:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    columns: list[Column]
    lines: list[Line]
    series: list[str]  # those that occur
    words: str

    height: int = HEIGHT
    left: float = _LEFT


def of_days(stretches: Sequence[Stretch]) -> Chart:
    most = max((stretch.outcomes.total() for stretch in stretches), default=0)
    top = _round_up(most)
    step = (_RIGHT - _LEFT) / max(len(stretches), 1)
    every = -(-len(stretches) // _MOST_LABELS) or 1
    columns = [
        _column(stretch, _LEFT + place * step, step, top, labelled=place % every == 0)
        for place, stretch in enumerate(stretches)
    ]
    present = [name for name in SERIES if any(stretch.outcomes[name] for stretch in stretches)]
    lines = [Line(_y(value, top), f"{value:,}") for value in dict.fromkeys((0, top // 2, top))]
    return Chart(columns, lines, present, _described(stretches, present))


def _round_up(most: int) -> int:
    """The next even 1, 2 or 5 with noughts, so that the half of it is whole."""
    size = 1
    while True:
        for step in (2, 4, 10):
            if size * step >= most:
                return size * step
        size *= 10


def _y(value: float, top: int) -> float:
    return round(HEIGHT - value / top * (HEIGHT - _TOP), 2)


def _column(stretch: Stretch, x: float, step: float, top: int, *, labelled: bool) -> Column:
    pieces, below = [], 0
    for name in SERIES:
        count = stretch.outcomes[name]
        if count:
            upper, lower = _y(below + count, top), _y(below, top)
            pieces.append(Piece(name, upper, round(lower - upper, 2)))
            below += count
    return Column(
        x=round(x + step * 0.1, 3),
        width=round(step * 0.8, 3),
        words=f"{said(stretch)}: {_counts(stretch)}",
        pieces=pieces,
        label=_short(stretch.first) if labelled else "",
        middle=round(x + step / 2, 3),
    )


def said(stretch: Stretch) -> str:
    """The day, or the first and the last of several."""
    if stretch.first == stretch.last:
        return f"{stretch.first:%a} {_short(stretch.first)}"
    return f"{_short(stretch.first)} to {_short(stretch.last)}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _counts(stretch: Stretch) -> str:
    counts = [
        f"{stretch.outcomes[name]:,} {SERIES[name].lower()}" for name in SERIES if stretch.outcomes[name]
    ]
    return ", ".join(counts) or "nothing"


def _described(stretches: Sequence[Stretch], present: Sequence[str]) -> str:
    """What the picture shows, for who does not see it; the table beside it has every number."""
    if not present:
        return "No messages on these days."
    totals = [
        f"{sum(stretch.outcomes[name] for stretch in stretches):,} {SERIES[name].lower()}" for name in present
    ]
    most = max(stretches, key=lambda stretch: stretch.outcomes.total())
    return f"In all {', '.join(totals)}. The most in one column: {said(most)}, {_counts(most)}."

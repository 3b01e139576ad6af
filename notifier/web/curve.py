"""The soreness curve over an aftercare line: each score a dot with its number, joined in their order.

Across it has the line's own scale; upwards it is pixels, 0 at the bottom and 10 at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from notifier.rules import soreness
from notifier.rules.soreness import Band

HEIGHT = 100  # with the hours below it
_TOP, _FLOOR = 18.0, 80.0


@dataclass(frozen=True, slots=True)
class Score:
    x: float
    y: float
    value: int
    band: Band
    label: str  # "Hour 26: 4"


@dataclass(frozen=True, slots=True)
class Join:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Rule:
    y: float
    label: str
    is_high: bool


@dataclass(frozen=True, slots=True)
class Hour:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    scores: list[Score]
    joins: list[Join]
    rules: list[Rule]
    hours: list[Hour]
    words: str
    height: int = HEIGHT


def of(points: Sequence[tuple[float, int]], x: Callable[[float], float], hours: Sequence[int]) -> Curve:
    """`points`: hours since the treatment and score, the earliest first; `hours`: those that get a label."""
    high = soreness.high_from()
    scores = [
        Score(x(at), y(value), value, soreness.band(value), f"{hour(at)}: {value}") for at, value in points
    ]
    return Curve(
        scores,
        [Join(a.x, a.y, b.x, b.y) for a, b in pairwise(scores)],
        [Rule(y(value), str(value), value == high) for value in (soreness.LOWEST, high, soreness.HIGHEST)],
        [Hour(x(at), str(at) if place else f"{at} h") for place, at in enumerate(hours)],
        f"Soreness from 0 to 10. {'. '.join(score.label for score in scores)}.",
    )


def hour(at: float) -> str:
    return f"Hour {max(int(at), 0)}"


def y(value: float) -> float:
    share = (value - soreness.LOWEST) / (soreness.HIGHEST - soreness.LOWEST)
    return round(_FLOOR - share * (_FLOOR - _TOP), 2)

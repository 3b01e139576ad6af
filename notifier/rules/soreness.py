"""Soreness scores, 0 to 10: their bands, when a rise is a warning, and what many of them come to.

No files are opened here: the bands and the rising rule are read from the text of replies.toml.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median, quantiles
from typing import Any, Literal, cast

from notifier import resources
from notifier.rules.durations import parse_duration

Band = Literal["low", "medium", "high"]

LOWEST, HIGHEST = 0, 10
# Below so many answers the middle half is a matter of chance, and one patient might be read out of it.
FEW = 5
BIN_HOURS = 12


@dataclass(frozen=True, slots=True)
class SoreRules:
    """`bands` are (lowest score, name), from low to high. Design defaults, which a clinician owns."""

    bands: tuple[tuple[int, Band], ...]
    min_rise: int
    late_hours: float  # from here on any rise above `late_above` counts
    late_above: int


def read_rules(table: Mapping[str, Any]) -> SoreRules:
    """From the [score] of a replies.toml."""
    rising = table["rising"]
    return SoreRules(
        tuple(sorted((int(row["min"]), cast("Band", row["id"])) for row in table["bands"])),
        int(rising["min_rise"]),
        parse_duration(rising["after"]).elapsed.total_seconds() / 3600,
        int(rising["any_rise_above"]),
    )


@cache
def shipped() -> SoreRules:
    """Those that come with the program."""
    return read_rules(tomllib.loads(resources.reply_files()["replies.toml"])["score"])


def band(value: int, rules: SoreRules | None = None) -> Band:
    return [name for lowest, name in (rules or shipped()).bands if lowest <= value][-1]


def high_from(rules: SoreRules | None = None) -> int:
    """The lowest score of the highest band."""
    return (rules or shipped()).bands[-1][0]


def is_rising(
    earlier: Sequence[tuple[float, int]], hours: float, value: int, rules: SoreRules | None = None
) -> bool:
    """Whether a score so many `hours` after the treatment is a warning, given `earlier` (hours, score)."""
    rules = rules or shipped()
    before = [pair for pair in earlier if pair[0] <= hours]
    if not before:
        return False
    # Of several at one moment the one that was given last counts, and they come in their order.
    last = max(enumerate(before), key=lambda item: (item[1][0], item[0]))[1][1]
    late = hours >= rules.late_hours and value > max(last, rules.late_above)
    return value - last >= rules.min_rise or late


@dataclass(frozen=True, slots=True)
class Answer:
    treatment: int
    hours: float
    value: int


@dataclass(frozen=True, slots=True)
class Spread:
    """What the treatments that answered in these hours said. Without quartiles where they are few."""

    first: int  # hours since the treatment, included
    last: int  # not included
    count: int
    median: float
    lower: float | None = None
    upper: float | None = None

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


def by_hours(answers: Iterable[Answer], *, width: int = BIN_HOURS) -> list[Spread]:
    """In the order of the hours, without the stretches that nobody answered in.

    A treatment counts once in a stretch, with its last answer there, so that who writes often weighs no more.
    """
    last: dict[tuple[int, int], int] = {}
    for answer in sorted(answers, key=lambda answer: answer.hours):
        last[int(answer.hours // width), answer.treatment] = answer.value
    found: dict[int, list[int]] = defaultdict(list)
    for (place, _), value in last.items():
        found[place].append(value)
    return [_spread(place * width, width, found[place]) for place in sorted(found)]


def _spread(first: int, width: int, values: Sequence[int]) -> Spread:
    middle = float(median(values))
    if len(values) < FEW:
        return Spread(first, first + width, len(values), middle)
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return Spread(first, first + width, len(values), middle, lower, upper)

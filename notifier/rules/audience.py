"""Who a step is for: `first and not score>=4`.

    audience = any ("or" any)*        any = all ("and" all)*        all = ["not"] atom
    atom     = every | first | next_visit_booked | score>=N | areas:one,two

The latest score is only known when a step is due, so an audience is answered for every score there could be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

Score = int | None
SCORES: tuple[Score, ...] = (None, *range(11))  # None: the patient has not answered
ALWAYS = frozenset(SCORES)

_SCORE = re.compile(r"score>=([0-9]{1,2})")
_AREAS = re.compile(r"areas:([a-z_]+(?:,[a-z_]+)*)")
_WORDS = ("every", "first", "next_visit_booked")


@dataclass(frozen=True, slots=True)
class Facts:
    """`first`: the patient has not received this step in 90 days."""

    first: bool = True
    next_visit: bool = False
    areas: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Audience:
    """Alternatives of conditions, each a word and whether it is wanted."""

    text: str
    alternatives: tuple[tuple[tuple[str, bool], ...], ...]

    def scores(self, facts: Facts) -> frozenset[Score]:
        """The scores with which this audience matches: none (never), ALWAYS, or something between."""
        return _scores(self, facts)

    def matches(self, facts: Facts, score: Score) -> bool:
        return any(
            all(_holds(word, facts, score) is wanted for word, wanted in conditions)
            for conditions in self.alternatives
        )

    def asks_about(self, word: str) -> bool:
        """Whether the answer may depend on this word: `first`, `score`, `areas` or `next_visit_booked`."""
        return any(atom.startswith(word) for conditions in self.alternatives for atom, _ in conditions)


@lru_cache(maxsize=4096)
def _scores(audience: Audience, facts: Facts) -> frozenset[Score]:
    return frozenset(score for score in SCORES if audience.matches(facts, score))


def _holds(word: str, facts: Facts, score: Score) -> bool:
    if word == "every":
        return True
    if word == "first":
        return facts.first
    if word == "next_visit_booked":
        return facts.next_visit
    if match := _SCORE.fullmatch(word):
        return score is not None and score >= int(match[1])
    return not facts.areas.isdisjoint(word.removeprefix("areas:").split(","))


def parse_audience(text: str) -> Audience:
    """Raises ValueError with a sentence."""
    words = re.sub(r"\s*,\s*", ",", text.strip()).split()
    alternatives = [
        tuple(_condition(part, text) for part in _split(alternative, "and", text))
        for alternative in _split(words, "or", text)
    ]
    return Audience(" ".join(words), tuple(alternatives))


def _split(words: list[str], joint: str, text: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == joint:
            parts.append([])
        else:
            parts[-1].append(word)
    if not all(parts):
        raise ValueError(f'"{text}": something is missing beside "{joint}".' if text.strip() else _HELP)
    return parts


def _condition(words: list[str], text: str) -> tuple[str, bool]:
    wanted = True
    while words and words[0] == "not":
        wanted, words = not wanted, words[1:]
    if len(words) != 1 or not _is_atom(words[0]):
        found = " ".join(words) or "nothing"
        raise ValueError(f'"{text}": {found} is not an audience. {_HELP}')
    return words[0], wanted


def _is_atom(word: str) -> bool:
    match = _SCORE.fullmatch(word)
    return word in _WORDS or bool(_AREAS.fullmatch(word)) or (match is not None and int(match[1]) <= 10)


_HELP = (
    "Write every, first, score>=4, areas:neck,shoulder or next_visit_booked, joined by and, or, not; "
    'for example "first and not score>=4".'
)

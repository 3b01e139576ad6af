"""The little language of the word lists: what a line in triage.*.toml means, and where it fits.

chest pain          these words, next to each other
respir*             any word that begins so
lips/lip            either word
{pain}              any of the words or phrases in that list
cough .. blood      up to four other words between
chest & {pain}      both, in either order, up to six other words between
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from notifier.errors import InputError
from notifier.rules.triage_folding import Reading, fold, read

NEAR = 4
BESIDE = 6
# Of a message that says one thing a thousand times, this much is enough.
ENOUGH = 40

Span = tuple[int, int]  # of words: the first, and the one after the last
Hits = Mapping[str, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that must come next. `keys`: what it may be; `gap`: how many other words may stand before."""

    keys: tuple[str, ...]
    gap: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """`sides` stand in any order beside each other; the steps of a side come one after the other."""

    line: str
    sides: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What lines may name: lists, and abbreviations with what they are read as."""

    lists: Mapping[str, Sequence[str]]
    spelled: Mapping[str, tuple[str, ...]]


def parse(line: str, words: Words) -> Pattern:
    """A line is read as messages are, so that "I'm dying" finds "i am dying" too."""
    sides = tuple(_side(side, line, words) for side in line.split("&"))
    if not all(sides):
        raise InputError(f'"{line}" says nothing to look for.')
    return Pattern(line, sides)


def _side(side: str, line: str, words: Words) -> tuple[Step, ...]:
    return tuple(
        Step(keys, NEAR if number and not place else 0)
        for number, stretch in enumerate(side.split(".."))
        for place, keys in enumerate(_stretch(stretch.split(), line, words))
    )


def _stretch(parts: Sequence[str], line: str, words: Words) -> Iterator[tuple[str, ...]]:
    """What stands side by side."""
    for is_plain, run in groupby(parts, key=_is_plain):
        if is_plain:
            yield from ((word,) for word in read(" ".join(run), words.spelled).words)
        else:
            yield from (tuple(_key(choice, line, words) for choice in part.split("/")) for part in run)


def _is_plain(part: str) -> bool:
    return not set(part) & set("/{<*")


def _key(choice: str, line: str, words: Words) -> str:
    if choice.startswith("<"):
        return choice
    if choice.startswith("{"):
        name = choice.strip("{}")
        if name not in words.lists:
            raise InputError(f'"{line}" names the list "{name}", which there is not.')
        return f"{{{name}}}"
    if choice.endswith("*"):
        return f"{fold(choice.rstrip('*'))}*"
    read_as = read(choice, words.spelled).words
    if len(read_as) != 1:
        raise InputError(f'In "{line}" there is a choice that is not one word: "{choice}".')
    return read_as[0]


class Lines:
    """Lines that are looked for together. A message holds few of their many words, so only lines with one of
    those in their narrowest step are tried: a twentieth of the work.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._by_key: dict[str, list[int]] = {}
        for number, pattern in enumerate(self._patterns):
            narrowest = min((step.keys for side in pattern.sides for step in side), key=len)
            for key in narrowest:
                self._by_key.setdefault(key, []).append(number)

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self._patterns)

    def spans(self, hits: Hits, reading: Reading) -> Iterator[Span]:
        """Where any of them fits, line by line."""
        worth_trying = {number for key in hits for number in self._by_key.get(key, ())}
        for number in sorted(worth_trying):
            yield from matches(self._patterns[number], hits, reading)


def matches(pattern: Pattern, hits: Hits, reading: Reading) -> Iterator[Span]:
    """Where it fits, from the left, as the span from its first to its last word."""
    if not all(any(key in hits for key in step.keys) for side in pattern.sides for step in side):
        return
    found = [_fits(side, hits, reading) for side in pattern.sides]
    yield from (found[0] if len(found) == 1 else _beside(found, reading))


def _fits(side: tuple[Step, ...], hits: Hits, reading: Reading) -> list[Span]:
    spans = _spans(side[0], hits)
    for step in side[1:]:
        following = _spans(step, hits)
        spans = [
            (start, after) for start, end in spans for after in _next_ends(end, step.gap, following, reading)
        ][:ENOUGH]
    return spans


def _spans(step: Step, hits: Hits) -> list[Span]:
    if len(step.keys) == 1:
        return list(hits.get(step.keys[0], ()))
    return sorted({span for key in step.keys for span in hits.get(key, ())})


def _next_ends(end: int, gap: int, following: list[Span], reading: Reading) -> Iterator[int]:
    reach = reading.places[end - 1] + 1 + gap
    for start, after in following[bisect_left(following, (end, 0)) :]:
        if reading.places[start] > reach:
            return
        yield after


def _beside(found: list[list[Span]], reading: Reading) -> Iterator[Span]:
    spans = found[0]
    for others in found[1:]:
        spans = [
            (min(a[0], b[0]), max(a[1], b[1])) for a in spans for b in _within_reach(a, others, reading)
        ][:ENOUGH]
    yield from spans


def _within_reach(a: Span, others: list[Span], reading: Reading) -> Iterator[Span]:
    low = bisect_left(others, (max(0, a[0] - BESIDE - 8), 0))
    for b in others[low:]:
        if b[0] >= a[1] and reading.places[b[0]] - reading.places[a[1] - 1] > BESIDE + 1:
            return
        if b[0] >= a[1] or (b[1] <= a[0] and reading.places[a[0]] - reading.places[b[1] - 1] <= BESIDE + 1):
            yield b


@dataclass(frozen=True)
class Vocabulary:
    """Which keys a word answers to, and which rows of words together answer to a list's name."""

    exact: Mapping[str, tuple[str, ...]]
    beginnings: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]  # by the first word
    memo: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def keys(self, word: str) -> tuple[str, ...]:
        found = self.exact.get(word, ())
        begun = [self.beginnings[word[:n]] for n in range(2, len(word) + 1) if word[:n] in self.beginnings]
        return (*found, *(key for keys in begun for key in keys))


def vocabulary(patterns: Iterable[Pattern], words: Words) -> Vocabulary:
    exact: dict[str, list[str]] = {}
    beginnings: dict[str, list[str]] = {}
    rows: dict[str, list[tuple[tuple[str, ...], str]]] = {}

    def learn(word: str, key: str) -> None:
        place = beginnings if word.endswith("*") else exact
        keys = place.setdefault(word.rstrip("*"), [])
        if key not in keys:
            keys.append(key)

    for name, members in words.lists.items():
        for member in members:
            row = read(member, words.spelled).words if _is_plain(member) else tuple(member.split())
            if len(row) == 1:
                learn(row[0], f"{{{name}}}")
            elif row:
                for word in row:
                    learn(word, word)
                rows.setdefault(row[0], []).append((row, f"{{{name}}}"))
    for pattern in patterns:
        for side in pattern.sides:
            for step in side:
                for key in step.keys:
                    if not key.startswith("{"):
                        learn(key, key)
    return Vocabulary(
        {word: tuple(keys) for word, keys in exact.items()},
        {word: tuple(keys) for word, keys in beginnings.items()},
        {word: tuple(found) for word, found in rows.items()},
    )


def hits(keys: Sequence[tuple[str, ...]], words: Vocabulary, reading: Reading) -> dict[str, list[Span]]:
    """Everything that the words of a message answer to, and where."""
    found: dict[str, list[Span]] = {}
    for index, at in enumerate(keys):
        for key in at:
            found.setdefault(key, []).append((index, index + 1))
    for index, at in enumerate(keys):
        for key in at:
            for row, name in words.rows.get(key, ()):
                if _follows(row, index, keys, reading):
                    found.setdefault(name, []).append((index, index + len(row)))
    for name in found:
        found[name].sort()
    return found


def _follows(row: tuple[str, ...], index: int, keys: Sequence[tuple[str, ...]], reading: Reading) -> bool:
    last = index + len(row) - 1
    return (
        last < len(keys)
        and reading.places[last] - reading.places[index] == last - index
        and all(word in keys[index + n] for n, word in enumerate(row))
    )

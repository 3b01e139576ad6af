"""The word lists ready for use: read from templates/replies/*.toml, with a clinic's own added.

No files are opened here: whoever calls hands over what is written in them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, cast

from notifier import resources
from notifier.rules.triage_folding import Reading, fold, read
from notifier.rules.triage_patterns import (
    Hits,
    Lines,
    Span,
    Vocabulary,
    Words,
    hits,
    parse,
    vocabulary,
)
from notifier.rules.triage_typos import Typos, typos

RedFlag = Literal["emergency", "urgent", "crisis"]
RANK: tuple[RedFlag, ...] = ("emergency", "crisis", "urgent")

# Numbers that a thermometer, a pulse watch and an oximeter show when something is wrong.
MEASURED = (
    ("<fever>", 37.8, 42.0),
    ("<fever>", 100.2, 106.9),
    ("<fast>", 110.0, 220.0),
    ("<low>", 60.0, 92.0),
)


@dataclass(frozen=True)
class Group:
    """Lines that say one thing. `kinds` is empty for what is innocent; those of `unless` undo its lines."""

    name: str
    lines: Lines
    kinds: frozenset[RedFlag] = frozenset()
    unless: Lines = field(default_factory=lambda: Lines(()))


@dataclass(frozen=True)
class Extra:
    """A clinic's own phrases, in the form of those in the files; both languages together."""

    emergency: tuple[str, ...] = ()
    urgent: tuple[str, ...] = ()
    crisis: tuple[str, ...] = ()
    opt_out: tuple[str, ...] = ()
    wrong_number: tuple[str, ...] = ()
    innocent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All that `classify` goes by. Immutable."""

    flags: tuple[Group, ...]
    innocent: tuple[Group, ...]
    stop: Group
    not_stop: Group
    stop_words: frozenset[str]  # whole messages, folded
    polite: frozenset[str]
    maybe_the_visit: frozenset[str]
    wrong_number: Group
    not_wrong: Group
    wrong_words: frozenset[str]
    start_words: frozenset[str]
    help_words: frozenset[str]
    essentials: frozenset[str]
    essentials_undo: frozenset[str]
    keywords: Mapping[str, str]  # folded word → id
    spelled: Mapping[str, tuple[str, ...]]
    vocabulary: Vocabulary
    typos: Typos
    _memo: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def read(self, text: str) -> Message:
        reading = read(text, self.spelled)
        keys = [self._keys(word) for word in reading.words]
        return Message(reading, hits(keys, self.vocabulary, reading), self)

    def _keys(self, word: str) -> tuple[str, ...]:
        """What a word answers to; a word of no list may be a slip for one that is."""
        known = self._memo.get(word)
        if known is None:
            known = self._look_up(word)
            if len(self._memo) < 20_000:
                self._memo[word] = known
        return known

    def _look_up(self, word: str) -> tuple[str, ...]:
        if word[0].isdigit():
            value = float(word.replace(",", "."))
            measured = [name for name, low, high in MEASURED if low <= value <= high]
            return (*dict.fromkeys(measured), *self.vocabulary.keys(word))
        keys = self.vocabulary.keys(word)
        if not keys:
            keys = tuple(key for meant in self.typos.meant(word) for key in self.vocabulary.keys(meant))
        return keys


@dataclass(frozen=True)
class Message:
    """A patient's words with everything in them that some list knows."""

    reading: Reading
    hits: Hits
    rules: Rules

    @cached_property
    def suspicious(self) -> Hits:
        """What is left when the innocent uses of the words are set aside."""
        return self.without(
            span
            for group in self.rules.innocent
            for span in self.spans(group.lines, self.hits)
            if not any(True for _ in self.spans(group.unless, self.hits))
        )

    def without(self, spans: Iterable[Span]) -> Hits:
        aside = {index for start, end in spans for index in range(start, end)}
        if not aside:
            return self.hits
        left = {
            key: [span for span in found if not aside.issuperset(range(*span))]
            for key, found in self.hits.items()
        }
        return {key: found for key, found in left.items() if found}

    def spans(self, lines: Lines, hits: Hits) -> Iterator[Span]:
        return lines.spans(hits, self.reading)


@lru_cache(maxsize=64)
def shipped(extra: Extra = Extra()) -> Rules:
    """The rules that come with the program, and a clinic's own."""
    return build(resources.reply_files(), extra)


def build(files: Mapping[str, str], extra: Extra) -> Rules:
    replies, said, flags, innocent, stop, alike = (
        tomllib.loads(files[name])
        for name in (
            "replies.toml",
            "triage.words.toml",
            "triage.red-flags.toml",
            "triage.innocent.toml",
            "triage.opt-out.toml",
            "triage.look-alikes.toml",
        )
    )
    spelled = {fold(key): tuple(value.split()) for key, value in said["spelled"].items()}
    words = Words(_lists(said["lists"]), spelled)
    groups = (*_published(replies, words), *_own(extra, words), *_flags(flags["flags"], words))
    asides = (
        *(_group(row["name"], row["lines"], words, unless=row["unless"]) for row in innocent["innocent"]),
        _group("The clinic's own", extra.innocent, words),
    )
    wrong = stop["wrong_number"]
    stopping = _group("Stop", (*stop["stop"]["lines"], *extra.opt_out), words)
    not_stopping = _group("Not stop", stop["stop"]["innocent"], words)
    strange = _group("Wrong number", (*wrong["lines"], *_wrong_phrases(replies), *extra.wrong_number), words)
    not_strange = _group("Not a wrong number", wrong["innocent"], words)
    every = (*groups, *asides, stopping, not_stopping, strange, not_strange)
    known = vocabulary((line for group in every for line in (*group.lines, *group.unless)), words)
    return Rules(
        flags=groups,
        innocent=asides,
        stop=stopping,
        not_stop=not_stopping,
        stop_words=_folded((*replies["opt_out"]["keywords"], *stop["stop"]["words"])),
        polite=_folded(stop["stop"]["polite"]),
        maybe_the_visit=_folded(replies["opt_out"]["maybe_meant_the_visit"]),
        wrong_number=strange,
        not_wrong=not_strange,
        wrong_words=_folded(replies["wrong_number"]["keywords"]),
        start_words=_folded(replies["opt_in"]["keywords"]),
        help_words=_folded(replies["help"]["keywords"]),
        essentials=_folded(replies["essentials"]["keywords"]),
        essentials_undo=_folded(replies["essentials"]["undo_keywords"]),
        keywords={
            fold(word): keyword["id"]
            for keyword in replies["keywords"]
            for words in keyword["match"].values()
            for word in words
        },
        spelled=spelled,
        vocabulary=known,
        typos=typos([*known.exact, *known.beginnings], _folded(alike["words"])),
    )


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(fold(word).replace("-", " ").split()) for word in words)


def _lists(tables: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """A list may name another in braces, to hold its words too."""

    def members(name: str) -> list[str]:
        return [
            word
            for member in tables[name]
            for word in (members(member.strip("{}")) if member.startswith("{") else [member])
        ]

    return {name: members(name) for name in tables}


def _group(
    name: str,
    lines: Iterable[str],
    words: Words,
    kinds: Iterable[str] = (),
    unless: Iterable[str] = (),
) -> Group:
    return Group(
        name,
        Lines(parse(line, words) for line in lines),
        frozenset(cast("RedFlag", kind) for kind in kinds),
        Lines(parse(line, words) for line in unless),
    )


def _published(replies: Mapping[str, Any], words: Words) -> list[Group]:
    """The phrases of replies.toml, word for word: the floor."""
    return [
        _group(
            "Published list",
            dict.fromkeys((*row["phrases"]["en"], *row["phrases"]["es"])),
            words,
            [row["id"]],
        )
        for row in replies["red_flags"]
    ]


def _flags(rows: Iterable[Mapping[str, Any]], words: Words) -> list[Group]:
    return [_group(row["name"], row["lines"], words, row["kind"]) for row in rows]


def _own(extra: Extra, words: Words) -> list[Group]:
    phrases = {"emergency": extra.emergency, "urgent": extra.urgent, "crisis": extra.crisis}
    return [_group("The clinic's own", lines, words, [kind]) for kind, lines in phrases.items() if lines]


def _wrong_phrases(replies: Mapping[str, Any]) -> list[str]:
    """Those with a name in them are looked for with the names that are known at the number."""
    phrases = replies["wrong_number"]["phrases"]
    return [line for line in (*phrases["en"], *phrases["es"]) if "{" not in line]

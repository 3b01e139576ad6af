"""What became of every message, as its rows tell it and as the providers' own lists do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

# What a row says once the provider has it, and what it says while nobody knows.
_GONE = frozenset({"accepted", "sent", "delivered"})
_OPEN = frozenset({"scheduled", "sending", "unknown", "held"})


@dataclass(frozen=True, slots=True)
class Taken:
    """Once by a provider: to whom, which words, and under which name it is one thing for the reader."""

    to: str
    words: str
    name: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: not sent, though it could be. `doubled`: the reader has it twice. `lied`: the row does not say
    what the provider says. `stuck`: it still waits, or nobody knows. Each with the messages' numbers.
    """

    messages: int
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    lied: list[int] = field(default_factory=list)
    stuck: list[int] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.lied or self.stuck)

    def __str__(self) -> str:
        counts = [f"{len(getattr(self, name))} {name}" for name in ("lost", "doubled", "lied", "stuck")]
        return f"{self.messages} messages: {', '.join(counts)}"


def judge(rows: Sequence[dict[str, Any]], taken: Iterable[Taken]) -> Verdict:
    """`rows` as `notifier messages --json` prints them; every one of them could have been sent."""
    names: dict[tuple[str, str], Counter[str]] = {}
    for each in taken:
        names.setdefault((each.to, each.words), Counter())[each.name] += 1
    verdict = Verdict(len(rows))
    for row in rows:
        words = {attempt["words"] for attempt in row["attempts"]}
        there = sum((names.get((row["to"], said), Counter()) for said in words), Counter())
        _judge(row, there, verdict)
    return verdict


def _judge(row: dict[str, Any], there: Counter[str], verdict: Verdict) -> None:
    number, status = row["id"], row["status"]
    if len(there) > 1:
        verdict.doubled.append(number)
    if status in _OPEN:
        verdict.stuck.append(number)
    elif not there:
        (verdict.lied if status in _GONE else verdict.lost).append(number)
    elif status not in _GONE:
        verdict.lied.append(number)

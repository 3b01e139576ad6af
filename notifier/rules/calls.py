"""What an e-mail says, sorted by whom to call: an ambulance, the clinic, nobody. For paper.

A sentence is never shortened, and what belongs to a number by standing before or after it goes with it. What
asks for a reply is left out together with all that hangs on it, but for when to call an ambulance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from notifier.rules.groups import Group

Kind = Literal["emergency", "clinic", "plain"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W_a-z]|[¿¡(])")
# The commands of an SMS in capitals only: "stop using the limb" is advice.
_ASKS_FOR_A_REPLY = re.compile(
    r"(?i:\b(repl(?:y|ies)|text messages?|our texts?|(?:your|one) number|send a number"
    r"|responda|mensajes? de texto|su número|un solo número|un número de molestia|envíe un número)\b)"
    r"|\b(STOP|HELP|ALTO|AYUDA)\b"
)


@dataclass
class Sorted:
    emergency: list[Group] = field(default_factory=list)
    clinic: list[Group] = field(default_factory=list)
    plain: list[Group] = field(default_factory=list)

    def add(self, kind: Kind, group: Group) -> None:
        {"emergency": self.emergency, "clinic": self.clinic, "plain": self.plain}[kind].append(group)


def sort(groups: Iterable[Group], *, emergency_number: str, phone: str) -> Sorted:
    """Each number as the words print it; an empty one is in none of them."""
    sorter = _Sorter(_finder(emergency_number), _finder(phone))
    for group in groups:
        sorter.take(group)
    return sorter.found


def _finder(number: str) -> re.Pattern[str] | None:
    return re.compile(rf"(?<![\w+]){re.escape(number)}(?!\w)") if number else None


class _Sorter:
    def __init__(self, emergency: re.Pattern[str] | None, phone: re.Pattern[str] | None) -> None:
        self.emergency, self.phone, self.found = emergency, phone, Sorted()

    def kind(self, words: str) -> Kind:
        if self.emergency is not None and self.emergency.search(words):
            return "emergency"
        return "clinic" if self.phone is not None and self.phone.search(words) else "plain"

    def take(self, group: Group) -> None:
        if group.heading or group.items:
            self._take_whole(group)
            return
        for kind, run in self._runs(group.paragraph):
            words = run
            if kind == "plain":
                words = " ".join(part for part in _sentences(run) if not _asks(part))
            self._add(kind, Group(lines=(words,) if words else ()))

    def _take_whole(self, group: Group) -> None:
        """What stands below a heading, or above a list, is one piece."""
        heading = self.kind(group.heading)
        self._add(heading if heading != "plain" else self.kind(group.paragraph), group)

    def _add(self, kind: Kind, group: Group) -> None:
        if group.words.strip() and (kind == "emergency" or not _asks(group.words)):
            self.found.add(kind, group)

    def _runs(self, paragraph: str) -> list[tuple[Kind, str]]:
        """Its sentences in runs, each with the number that it is about."""
        runs: list[tuple[Kind, list[str]]] = []
        before: list[str] = []
        for sentence in _sentences(paragraph):
            kind = self.kind(sentence)
            if kind != "plain":
                runs.append((kind, [*before, sentence]))
                before = []
            elif runs and not sentence.endswith("?"):
                runs[-1][1].append(sentence)
            else:
                before.append(sentence)  # "Chest pain? Call 911."
        if before and runs:
            runs[-1][1].extend(before)
        elif before:
            runs.append(("plain", before))
        return [(kind, " ".join(sentences)) for kind, sentences in runs]


def _sentences(paragraph: str) -> list[str]:
    return _SENTENCE.split(paragraph)


def _asks(words: str) -> bool:
    return _ASKS_FOR_A_REPLY.search(words) is not None

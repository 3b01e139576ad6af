"""Whether a symptom is named to say that it is not there: "no chest pain", "the fever is gone"."""

from __future__ import annotations

from notifier.rules.triage_folding import Reading
from notifier.rules.triage_patterns import Span

# How many words before, or after, still belong to it.
_BEFORE = 4
_AFTER = 3

_NOT = frozenset(
    [
        "no",
        "not",
        "none",
        "never",
        "without",
        "dont",
        "doesnt",
        "didnt",
        "isnt",
        "wasnt",
        "arent",
        "werent",
        "havent",
        "hasnt",
        "aint",
        "nor",
        "zero",
        "any",
        "sin",
        "ni",
        "nunca",
        "tampoco",
        "ningun",
        "ninguna",
        "jamas",
        "negative",
        "denies",
        "free",
    ]
)
# "any" says that it is not there only behind another of them.
_WEAK = frozenset({"any", "free"})
_BUT = frozenset(
    [
        "but",
        "pero",
        "except",
        "although",
        "though",
        "aunque",
        "sino",
        "only",
        "solo",
        "just",
        "still",
        "sigue",
        "now",
        "ahora",
    ]
)
_LINKS = frozenset(["or", "and", "nor", "ni", "y", "o", "e", "u", "any", "no", "sin"])
_GONE = frozenset(
    [
        "none",
        "gone",
        "no",
        "fine",
        "normal",
        "ok",
        "okay",
        "resolved",
        "stopped",
        "disappeared",
        "cleared",
        "vanished",
        "away",
        "better",
        "improved",
        "bien",
        "mejor",
        "normales",
        "desaparecio",
        "quito",
        "fue",
        "paso",
        "ninguno",
        "ninguna",
        "nada",
    ]
)
_COPULAS = frozenset(
    [
        "is",
        "are",
        "was",
        "has",
        "have",
        "feels",
        "seems",
        "all",
        "my",
        "it",
        "its",
        "the",
        "have",
        "been",
        "completely",
        "totally",
        "now",
        "went",
        "down",
        "much",
        "back",
        "to",
        "esta",
        "estan",
        "se",
        "me",
        "ya",
        "ha",
        "han",
        "todo",
        "muy",
        "mas",
        "por",
        "completo",
    ]
)


def negated(span: Span, reading: Reading, others: set[Span]) -> bool:
    """`others`: spans already known to be negated, for lists such as "no fever, cough or chills"."""
    return _denied_before(span, reading) or _in_a_list(span, reading, others) or _over(span, reading)


def _denied_before(span: Span, reading: Reading) -> bool:
    for index in range(span[0] - 1, max(-1, span[0] - 1 - _BEFORE), -1):
        if reading.places[index + 1] - reading.places[index] > 1 or reading.words[index] in _BUT:
            return False
        if reading.words[index] in _NOT - _WEAK:
            # "No, my chest hurts" is an answer to something else.
            return index not in reading.commas
    return False


def _in_a_list(span: Span, reading: Reading, others: set[Span]) -> bool:
    for start, end in others:
        if start < span[0] <= end + 3 and reading.places[span[0]] - reading.places[end - 1] <= 4:
            between = reading.words[end : span[0]]
            if all(word in _LINKS for word in between) and (between or end - 1 in reading.commas):
                return True
    return False


def _over(span: Span, reading: Reading) -> bool:
    for index in range(span[1], min(len(reading.words), span[1] + _AFTER)):
        if reading.places[index] - reading.places[index - 1] > 1 + (index == span[1]) * 5:
            return False
        if reading.words[index] in _GONE:
            return not _turns(index, reading)
        if reading.words[index] not in _COPULAS:
            return False
    return False


def _turns(index: int, reading: Reading) -> bool:
    """ "No" and "better" that begin another thought: "chest hurts no idea why"."""
    return (
        reading.words[index] in {"no", "fue", "paso", "nada"}
        and index + 1 < len(reading.words)
        and (reading.places[index + 1] - reading.places[index] == 1)
    )

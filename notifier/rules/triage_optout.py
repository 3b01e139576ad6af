"""Whether a message asks that no more be sent, in whatever words a reasonable person reads so.

Stopping the exercises, the ibuprofen or the pain is something else, and so is cancelling a visit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from notifier.rules.triage_folding import fold
from notifier.rules.triage_lexicon import Message, Rules

# "STOP" shouted before or after a message in small letters.
_FIRST_SHOUT = re.compile(r"\s*STOP\b[\s.,!:;-]*(\w*)")
_LAST_SHOUT = re.compile(r"(?:^|[\s.,!;:-])(STOP|UNSUBSCRIBE|BAJA|ALTO|BASTA)\W*$")
_NOT_AFTER_STOP = frozenset(["by", "in", "at", "over", "on", "the", "my", "it", "hurting", "taking"])
_REFUSALS = frozenset(["dont", "not", "never", "no", "cant", "wont", "didnt", "should", "i", "when"])


@dataclass(frozen=True, slots=True)
class OptOut:
    asked: bool
    said: str = ""  # the words that say so
    maybe_the_visit: bool = False


def opt_out(text: str, message: Message) -> OptOut:
    rules = message.rules
    whole = plain(text, rules)
    if whole in rules.stop_words:
        return OptOut(True, whole, whole in rules.maybe_the_visit)
    if said := _sentence(message) or _shouted(text):
        return OptOut(True, said)
    return _worded(message)


def plain(text: str, rules: Rules) -> str:
    """The message without what is only polite, or said twice; but never nothing."""
    words = re.findall("[a-z0-9]+", fold(text))
    whole = " ".join(words)
    if whole in rules.stop_words:
        return whole
    kept = list(dict.fromkeys(word for word in words if word not in rules.polite))
    if len(kept) == 1 and not rules.vocabulary.keys(kept[0]):
        meant = [word for word in rules.typos.meant(kept[0]) if word in rules.stop_words]
        if meant:
            return meant[0]
    return " ".join(kept) or whole


def _sentence(message: Message) -> str:
    """A sentence that is nothing but the word: "Thanks, I feel fine. Stop."."""
    strict = message.rules.stop_words - message.rules.maybe_the_visit
    for sentence in message.reading.sentences:
        whole, said = " ".join(sentence), " ".join(w for w in sentence if w not in message.rules.polite)
        if whole in strict or (said in strict and not _REFUSALS.intersection(sentence)):
            return whole
    return ""


def _shouted(text: str) -> str:
    if text.isupper():
        return ""
    if (first := _FIRST_SHOUT.match(text)) and first[1]:
        after = first[1].casefold()
        return "" if after in _NOT_AFTER_STOP or after.endswith("ing") else "stop"
    last = _LAST_SHOUT.search(text)
    return last[1].casefold() if last else ""


def _worded(message: Message) -> OptOut:
    hits = message.without(message.spans(message.rules.not_stop.lines, message.hits))
    for start, end in message.spans(message.rules.stop.lines, hits):
        return OptOut(True, message.reading.said(start, end))
    return OptOut(False)

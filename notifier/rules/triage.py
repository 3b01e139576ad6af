"""What a patient's message asks for: to stop, help, a score, or a person, now.

Words, lists of words and where they stand; whatever is not understood goes to a person.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from notifier.rules.triage_folding import fold
from notifier.rules.triage_lexicon import RANK, Extra, Group, Message, RedFlag, Rules, shipped
from notifier.rules.triage_negation import negated
from notifier.rules.triage_optout import opt_out, plain
from notifier.rules.triage_patterns import Span
from notifier.rules.triage_scores import Score, read_score

__all__ = ["RANK", "Extra", "Intent", "RedFlag", "Rules", "Triage", "classify", "shipped"]

Intent = Literal[
    "opt_out",
    "opt_in",
    "help",
    "red_flag",
    "score",
    "keyword",
    "wrong_number",
    "essentials",
    "essentials_undo",
    "other",
]


@dataclass(frozen=True, slots=True)
class Triage:
    """`intent` is what is answered; `red_flags` and `score` are there whatever the intent.

    `negated`: every red flag is named only to say that it is not there ("no chest pain"): one step lower for
    staff, and no more than that. `matched`: why, as "Breathing: cant breathe", for the person who reads it.
    """

    intent: Intent
    red_flags: frozenset[RedFlag] = frozenset()
    opt_out: bool = False
    score: int | None = None
    keyword: str | None = None
    negated: bool = False
    matched: tuple[str, ...] = ()
    maybe_meant_the_visit: bool = False
    unclear_score: bool = False  # something like a score, asked for, that cannot be read


@dataclass(frozen=True, slots=True)
class _Flags:
    kinds: frozenset[RedFlag]
    negated: bool
    matched: tuple[str, ...]


def classify(
    text: str,
    *,
    language: str,
    score_asked: bool,
    rules: Rules | None = None,
    names: Collection[str] = (),
) -> Triage:
    """Read a message, in English or Spanish whatever `language` says: patients write in either.

    The intent is the first of these that holds: opt_out; red_flag; help, opt_in; score; wrong_number;
    essentials (only the safety messages), essentials_undo (all of them again), keyword, each only as the
    whole message; other. `names`: first names of the patients known at the number, for "I'm not Ana".
    """
    message = (rules or shipped()).read(text)
    flags = _flags(message)
    stop = opt_out(text, message)
    score = read_score(text, asked=score_asked)
    intent, keyword = _intent(text, message, flags, stop.asked, score, names)
    return Triage(
        intent=intent,
        red_flags=flags.kinds,
        opt_out=stop.asked,
        score=score.value,
        keyword=keyword,
        negated=flags.negated,
        matched=(*((f"Stop: {stop.said}",) if stop.asked else ()), *flags.matched),
        maybe_meant_the_visit=stop.maybe_the_visit,
        unclear_score=score.unclear and score.value is None,
    )


def _intent(
    text: str,
    message: Message,
    flags: _Flags,
    stop: bool,
    score: Score,
    names: Collection[str],
) -> tuple[Intent, str | None]:
    rules = message.rules
    bare = " ".join(re.findall("[a-z0-9]+", fold(text)))
    whole = plain(text, rules)
    if stop:
        return "opt_out", None
    if flags.kinds:
        return "red_flag", None
    if whole in rules.help_words:
        return "help", None
    if bare in rules.start_words:
        return "opt_in", None
    if score.value is not None:
        return "score", None
    if bare in rules.wrong_words or _wrong_number(text, message, names):
        return "wrong_number", None
    if bare in rules.essentials:
        return "essentials", None
    if bare in rules.essentials_undo:
        return "essentials_undo", None
    if bare in rules.keywords:
        return "keyword", rules.keywords[bare]
    return "other", None


def _flags(message: Message) -> _Flags:
    kinds: set[RedFlag] = set()
    matched: list[str] = []
    real = False
    for group in message.rules.flags:
        denied: set[Span] = set()
        for span in sorted(set(_spans(group, message))):
            if negated(span, message.reading, denied):
                denied.add(span)
            else:
                real = True
            kinds |= group.kinds
            matched.append(f"{group.name}: {message.reading.said(*span)}")
    return _Flags(frozenset(kinds), bool(kinds) and not real, tuple(dict.fromkeys(matched)))


def _spans(group: Group, message: Message) -> Iterator[Span]:
    yield from message.spans(group.lines, message.suspicious)


# "I'm not Ana", "no soy Ana": a name begins with a capital, or ends a short message.
_NOT_ME = re.compile(
    r"\b(?:no soy|no es|i['’]?m not|i am not|this is(?: not|n['’]?t)|not)\s+(?!I\b)([^\W\d_]{2,})\W*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO_NAMES = frozenset(
    [
        "sure",
        "yet",
        "now",
        "here",
        "today",
        "ok",
        "okay",
        "going",
        "feeling",
        "able",
        "yo",
        "bueno",
        "buena",
        "normal",
        "nada",
        "asi",
        "cierto",
        "alergico",
        "alergica",
        "coming",
        "available",
        "interested",
        "happy",
        "good",
        "great",
        "bad",
        "working",
        "really",
        "very",
        "so",
        "too",
        "in",
        "at",
        "the",
        "a",
        "an",
        "el",
        "la",
        "un",
        "una",
        "seguro",
        "segura",
        "tan",
        "muy",
        "capaz",
        "urgente",
        "grave",
        "necesario",
        "posible",
        "problem",
        "worried",
        "sore",
        "done",
        "ready",
        "certain",
        "funny",
        "tired",
        "free",
        "home",
        "much",
        "many",
        "more",
        "less",
        "worse",
        "better",
        "doing",
        "getting",
        "having",
        "hurting",
        "it",
        "me",
        "you",
        "true",
        "right",
        "fair",
    ]
)


def _wrong_number(text: str, message: Message, names: Collection[str]) -> bool:
    hits = message.without(message.spans(message.rules.not_wrong.lines, message.hits))
    if any(True for _ in message.spans(message.rules.wrong_number.lines, hits)):
        return True
    found = _NOT_ME.search(text[:400])
    if not found:
        return False
    name = fold(found[1])
    if name in {fold(known) for known in names}:
        return True
    ends = len(found[2].split()) <= 3
    is_me = fold(found[0]).startswith(("no soy", "im not", "i am not", "this is"))
    return is_me and name not in _NO_NAMES and (found[1].istitle() or (ends and "soy" in fold(found[0])))

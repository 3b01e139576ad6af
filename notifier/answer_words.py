"""What the automatic line listens for, as people can read it, and the phrases that a clinic adds to it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy.orm import Session

from notifier import clinic_edits, reply_rules
from notifier.errors import InputError, NotFoundError
from notifier.models import Clinic
from notifier.resources import reply_files
from notifier.rules.plan import LANGUAGES
from notifier.rules.triage import Triage, classify
from notifier.rules.triage_folding import fold

_MOST = 100
_LONGEST = 60
_SHORT = 4
_PHRASE = re.compile(r"[^\W_]+(?:[ '’-][^\W_]+)*")

TITLES: Final = {
    "emergency": "An emergency",
    "crisis": "A crisis",
    "urgent": "Urgent, the same day",
    "opt_out": "No more messages",
}
ABOUT: Final = {
    "emergency": "Found anywhere in a message, in either language. The patient is told to call the emergency "
    "number; your alert contacts are called out at any hour; planned messages pause.",
    "crisis": "Found anywhere. The patient gets the crisis line; your alert contacts are called out at any "
    "hour.",
    "urgent": "Found anywhere. The patient is told to call you today; your alert contacts are told; planned "
    "messages pause.",
    "opt_out": "A message that asks for it in any wording ends the messages to that number, at once.",
}


@dataclass(frozen=True, slots=True)
class Family:
    """Lines that say one thing, in the little language of the files."""

    name: str
    why: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One list: the published words by language, what goes beyond them, and the clinic's own."""

    key: str
    published: Mapping[str, Sequence[str]]
    families: Sequence[Family]
    own: Mapping[str, Sequence[str]]

    @property
    def title(self) -> str:
        return TITLES[self.key]

    @property
    def about(self) -> str:
        return ABOUT[self.key]


def lists(clinic: Clinic) -> list[Listed]:
    return [Listed(key, _published()[key], _families()[key], _own(clinic, key)) for key in TITLES]


def _own(clinic: Clinic, key: str) -> dict[str, list[str]]:
    kept = clinic.reply_words.get(key, {})
    return {language: list(kept.get(language, [])) for language in LANGUAGES}


@cache
def _published() -> Mapping[str, Mapping[str, Sequence[str]]]:
    replies = tomllib.loads(reply_files()["replies.toml"])
    flags = {row["id"]: row["phrases"] for row in replies["red_flags"]}
    return flags | {"opt_out": {"en": replies["opt_out"]["keywords"]}}


@cache
def _families() -> Mapping[str, Sequence[Family]]:
    rows = tomllib.loads(reply_files()["triage.red-flags.toml"])["flags"]
    stop = tomllib.loads(reply_files()["triage.opt-out.toml"])["stop"]
    found: dict[str, list[Family]] = {key: [] for key in TITLES}
    for row in rows:
        for kind in row["kind"]:
            found[kind].append(Family(row["name"], row.get("why", ""), tuple(row["lines"])))
    found["opt_out"] = [Family("Wordings", "Any reasonable wording counts.", tuple(stop["lines"]))]
    return found


@dataclass(frozen=True, slots=True)
class Single:
    """A word that does something when it is the whole message."""

    words: tuple[str, ...]
    does: str


@cache
def single_words() -> tuple[Single, ...]:
    replies = tomllib.loads(reply_files()["replies.toml"])
    told = (
        ("opt_in", "keywords", "Messages again."),
        ("help", "keywords", "Help, the emergency number first."),
        ("wrong_number", "keywords", "Stops the messages to that number; somebody checks it."),
        ("essentials", "keywords", "Only the safety messages from now on."),
        ("essentials", "undo_keywords", "All messages again."),
    )
    found = [Single(tuple(replies[section][key]), does) for section, key, does in told]
    for row in replies["keywords"]:
        words = tuple(word for listed in row["match"].values() for word in listed)
        does = "Somebody calls back." if row["id"] == "call" else f"The tip “{row['id']}”."
        found.append(Single(words, does))
    return tuple(found)


# Adding and removing


def add(
    session: Session,
    clinic: Clinic,
    key: str,
    language: str,
    typed: str,
    *,
    sure: bool,
    version: int,
    now: datetime,
    actor: str,
) -> str:
    """The phrase as it is kept. Raises InputError for what cannot be added, and, unless `sure`, for what had
    better not be.
    """
    phrase = _phrase(key, language, typed)
    own = _own(clinic, key)
    if _knows(clinic, key, phrase):
        raise InputError(f"The line knows “{phrase}” already.", field="phrase")
    if sum(map(len, own.values())) >= _MOST:
        raise InputError(f"There are {_MOST} phrases in this list already. Remove one first.", field="phrase")
    if not sure and (doubts := " ".join(_doubts(key, phrase))):
        raise Doubtful(doubts)
    wanted = {**own, language: [*own[language], phrase]}
    _keep(session, clinic, key, wanted, version=version, now=now, actor=actor)
    return phrase


class Doubtful(InputError):
    """It can be added, by somebody who has read why it had better not be."""

    def __init__(self, words: str) -> None:
        super().__init__(words, field="phrase")


def remove(
    session: Session,
    clinic: Clinic,
    key: str,
    language: str,
    phrase: str,
    *,
    version: int,
    now: datetime,
    actor: str,
) -> None:
    own = _own(clinic, key) if key in TITLES else {}
    if phrase not in own.get(language, []):
        raise NotFoundError("There is no such phrase of yours in this list.")
    wanted = {**own, language: [kept for kept in own[language] if kept != phrase]}
    _keep(session, clinic, key, wanted, version=version, now=now, actor=actor)


def _keep(
    session: Session,
    clinic: Clinic,
    key: str,
    own: dict[str, list[str]],
    *,
    version: int,
    now: datetime,
    actor: str,
) -> None:
    wanted: dict[str, Any] = {"reply_words": {**clinic.reply_words, key: own}}
    clinic_edits.change(
        session, clinic, wanted, version=version, now=now, actor=actor, listens_for=TITLES[key].lower()
    )


def _phrase(key: str, language: str, typed: str) -> str:
    if key not in TITLES or language not in LANGUAGES:
        raise InputError("Choose a list and a language.", field="phrase")
    phrase = " ".join(typed.lower().split())
    if not phrase:
        raise InputError("Write what patients write, such as “elephant on my chest”.", field="phrase")
    if len(phrase) > _LONGEST:
        raise InputError(f"Keep it below {_LONGEST} characters: the few words that matter.", field="phrase")
    if not _PHRASE.fullmatch(phrase) or not re.search(r"[^\W\d_]", phrase):
        raise InputError("Only words: letters, spaces, hyphens and apostrophes.", field="phrase")
    return phrase


def _knows(clinic: Clinic, key: str, phrase: str) -> bool:
    found = classify(phrase, language="en", score_asked=False, rules=reply_rules.for_clinic(clinic))
    return found.opt_out if key == "opt_out" else key in found.red_flags


def _doubts(key: str, phrase: str) -> Iterator[str]:
    if " " not in phrase and len(phrase) < _SHORT:
        yield f"“{phrase}” is very short; two or three words together are safer."
    caught = [said for said in _everyday() if _holds(said, phrase)]
    if caught:
        more = f" and {len(caught) - 1} more" if len(caught) > 1 else ""
        what = "stop the messages of who writes" if key == "opt_out" else "raise an alert at"
        yield f"It would {what} “{caught[0]}”{more} of {len(_everyday())} everyday answers."
    if key == "opt_out":
        yield "Wherever it stands in a message, that patient gets no more messages."


@cache
def _everyday() -> tuple[str, ...]:
    listed = tomllib.loads(reply_files()["everyday.toml"])
    return tuple(dict.fromkeys(said for language in LANGUAGES for said in listed[language]))


def _holds(said: str, phrase: str) -> bool:
    words, wanted = (" ".join(re.findall("[a-z0-9]+", fold(text))) for text in (said, phrase))
    return f" {wanted} " in f" {words} "


def found_by(clinic: Clinic, text: str, *, language: str, score_asked: bool) -> Triage:
    return classify(text, language=language, score_asked=score_asked, rules=reply_rules.for_clinic(clinic))

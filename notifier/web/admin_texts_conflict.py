"""Two people at the same texts: what the one who was quicker changed in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import text_editing
from notifier.models import PlanVersion
from notifier.plan_differences import LANGUAGE_NAMES, Segment, word_segments
from notifier.planfiles import Content
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import BLOCKS
from notifier.text_editing import Words
from notifier.web.admin_texts_form import Base

_BLOCKS = {"sms": "SMS", "subject": "subject", "email": "e-mail"}


@dataclass(frozen=True)
class Change:
    language: str
    block: str
    title: str  # English SMS
    segments: list[Segment]


@dataclass(frozen=True)
class Conflict:
    """`words`: what the slower one typed, and in every field that they had not touched what is saved now."""

    by: str
    number: int
    changes: list[Change]
    words: dict[str, Words]


def conflict_with(session: Session, base: Base, number: int, typed: Mapping[str, Words]) -> Conflict:
    """`number`: the version that the slower one began from; `base` is the current one."""
    begun = session.scalar(
        select(PlanVersion).where(PlanVersion.plan_id == base.row.id, PlanVersion.number == number)
    )
    before = _words(begun.content if begun is not None else base.content, base.step.key)
    now = _words(base.content, base.step.key)
    return Conflict(
        base.version.created_by or "Somebody",
        base.version.number,
        [change for language in LANGUAGES for change in _changes(language, before[language], now[language])],
        {name: text_editing.merged(said, before[name], now[name]) for name, said in typed.items()},
    )


def _words(content: Content, step: str) -> dict[str, Words]:
    found = text_editing.words_in(content, step)
    return {language: text_editing.tidied(words) for language, words in found.items()}


def _changes(language: str, before: Words, now: Words) -> Iterator[Change]:
    for block in BLOCKS:
        if before.part(block) != now.part(block):
            segments = list(word_segments(before.part(block), now.part(block)))
            yield Change(language, block, f"{LANGUAGE_NAMES[language]} {_BLOCKS[block]}", segments)

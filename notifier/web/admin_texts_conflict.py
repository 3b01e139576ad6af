"""Two people at the same texts: what the one who was quicker changed in them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import text_editing
from notifier.models import PlanVersion
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import BLOCKS
from notifier.text_changes import Piece, pieces
from notifier.text_complaints import LANGUAGE_NAMES
from notifier.web.admin_texts_form import Base

_BLOCKS = {"sms": "SMS", "subject": "subject", "email": "e-mail"}


@dataclass(frozen=True)
class Change:
    language: str
    title: str  # English SMS
    pieces: list[Piece]


@dataclass(frozen=True)
class Conflict:
    by: str
    number: int
    changes: list[Change]


def conflict_with(session: Session, base: Base, number: int) -> Conflict:
    """`number`: the version that the slower one began from; `base` is the current one."""
    begun = session.scalar(
        select(PlanVersion).where(PlanVersion.plan_id == base.row.id, PlanVersion.number == number)
    )
    old = begun.content if begun is not None else base.content
    before, now = (text_editing.words_in(content, base.step.key) for content in (old, base.content))
    found = [
        Change(
            language,
            f"{LANGUAGE_NAMES[language]} {_BLOCKS[block]}",
            pieces(before[language].part(block), now[language].part(block)),
        )
        for language in LANGUAGES
        for block in BLOCKS
    ]
    return Conflict(
        base.version.created_by or "Somebody", base.version.number, [each for each in found if each.pieces]
    )

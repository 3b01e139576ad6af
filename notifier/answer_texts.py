"""The words of automatic answers: as shipped in `templates/replies`, or as the clinic words them itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from notifier import rendering
from notifier.clinic_edits import hours_of
from notifier.errors import NotFoundError
from notifier.models import Clinic, Patient
from notifier.resources import templates_dir
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import TextTemplate, parse_text
from notifier.wording import clinic_values

WHEN_CLOSED = "when-closed"
# Answers that send people to the clinic's phone say so when nobody is there. What is an emergency never
# waits for opening hours, and what is about the messages themselves needs no call.
_CALL_US = (
    *("red-flag-urgent", "score-medium", "score-high", "score-rising", "score-unclear", "fallback"),
    *("keyword-sore", "keyword-heat", "keyword-exercise", "keyword-bruise", "keyword-how", "keyword-call"),
)


@cache
def names() -> tuple[str, ...]:
    """All answers there are, by the names of their files."""
    folder = templates_dir() / "replies"
    return tuple(sorted(path.name.removesuffix(".en.j2") for path in folder.glob("*.en.j2")))


@cache
def shipped(name: str, language: str) -> TextTemplate:
    path = templates_dir() / "replies" / f"{name}.{language}.j2"
    if not path.exists():
        raise NotFoundError(f'There is no automatic answer "{name}" in "{language}".')
    return parse_text(path.read_text("utf-8"), file=path.name)


def language_of(tag: str) -> str:
    """The language of the texts that serves a reader with this tag."""
    return tag[:2] if tag[:2] in LANGUAGES else LANGUAGES[0]


def text(clinic: Clinic, name: str, language: str) -> TextTemplate:
    """The clinic's own words where it has any. Raises NotFoundError for a name that is none."""
    language = language_of(language)
    own = clinic.reply_texts.get(f"{name}.{language}")
    if own and own.get("sms"):
        return TextTemplate(sms=own["sms"])
    return shipped(name, language)


def digest(clinic: Clinic) -> str:
    """Changes whenever any of the words does: an approval is of these words and no others."""
    seal = hashlib.sha256()
    for name in names():
        for language in LANGUAGES:
            seal.update(f"{name}.{language}\0{text(clinic, name, language).sms}\0".encode())
    return seal.hexdigest()[:32]


def calls_us(name: str) -> bool:
    """Whether this answer says when the clinic opens, while it is closed."""
    return name in _CALL_US


def is_approved(clinic: Clinic) -> bool:
    approval = clinic.reply_approval
    return bool(approval.get("by")) and approval.get("digest") == digest(clinic)


def render(clinic: Clinic, name: str, *, language: str, now: datetime, patient: Patient | None = None) -> str:
    """One answer as it goes out now, with the closed wording where nobody would take the call."""
    said = "\n".join(_parts(clinic, name, language_of(language), now, patient))
    return said.replace("\n", " ")


def _parts(clinic: Clinic, name: str, language: str, now: datetime, patient: Patient | None) -> Iterator[str]:
    context = rendering.context(
        language=language,
        clinic=clinic_values(clinic) | {"opens_next": hours_of(clinic).opens_next(now, language)},
        patient={"first_name": patient.first_name if patient is not None else None},
    )
    wanted = [name, WHEN_CLOSED] if name in _CALL_US and _is_closed(clinic, now) else [name]
    for each in wanted:
        yield rendering.render(text(clinic, each, language), context, channel="sms").text


def _is_closed(clinic: Clinic, now: datetime) -> bool:
    """False where nobody has entered opening hours, or none are known to come."""
    hours = hours_of(clinic)
    return bool(hours) and not hours.is_open(now) and hours.next_opening(now) is not None

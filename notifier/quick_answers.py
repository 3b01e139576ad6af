"""Answers that the desk sends with one click, in the patient's language; none reassures beside a warning."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from notifier import rendering
from notifier.clinic_edits import hours_of
from notifier.errors import ConflictError, NotFoundError
from notifier.models import Clinic
from notifier.resources import templates_dir
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import TextTemplate, parse_text
from notifier.wording import clinic_values

CALL = "call"


@dataclass(frozen=True, slots=True)
class Quick:
    """One that may be sent now: its name in the list, and its words as they would go out."""

    key: str
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class _Shipped:
    key: str
    label: str
    says: str
    when: str
    texts: dict[str, TextTemplate]


@cache
def _shipped() -> tuple[_Shipped, ...]:
    raw = tomllib.loads((templates_dir() / "staff" / "quick-answers.toml").read_text("utf-8"))
    return tuple(
        _Shipped(
            item["key"],
            item["label"],
            item["says"],
            item.get("when", ""),
            {
                language: parse_text(
                    f"{{% block sms %}}{item[language]}{{% endblock %}}",
                    file=f"quick-answers.toml: {item['key']}",
                )
                for language in LANGUAGES
            },
        )
        for item in raw["answers"]
    )


def offered(clinic: Clinic, language: str, *, worried: bool, now: datetime) -> list[Quick]:
    """`worried`: a warning of this patient is open, so that only a call may be spoken of."""
    hours = hours_of(clinic)
    # Where nobody has entered hours, nobody can say that it is closed.
    now_is = "open" if not hours or hours.is_open(now) else "closed"
    return [
        Quick(item.key, item.label, _words(item, clinic, language, now))
        for item in _shipped()
        if item.when in ("", now_is) and (item.says == CALL or not worried)
    ]


def find(clinic: Clinic, key: str, language: str, *, worried: bool, now: datetime) -> Quick:
    """Raises ConflictError where it may not be said at this moment, though it stood on the page."""
    if key not in {item.key for item in _shipped()}:
        raise NotFoundError("There is no such answer.")
    for quick in offered(clinic, language, worried=worried, now=now):
        if quick.key == key:
            return quick
    raise ConflictError(
        "This answer does not fit any more: a warning came in meanwhile, or the clinic opened or closed. "
        "Read the conversation again."
    )


def _words(item: _Shipped, clinic: Clinic, language: str, now: datetime) -> str:
    language = language[:2] if language[:2] in LANGUAGES else LANGUAGES[0]
    context = rendering.context(
        language=language,
        clinic=clinic_values(clinic) | {"opens_next": hours_of(clinic).opens_next(now, language)},
    )
    return rendering.render(item.texts[language], context, channel="sms").text

"""The automatic answers in the hands of a clinic's admins: its own words, or as shipped, and who approved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import answer_texts, clinic_edits, rendering
from notifier.answer_complaints import complaints
from notifier.answer_names import BY_NAME, Answer
from notifier.clinic_edits import hours_of
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Clinic, Reply
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import VARIABLES
from notifier.text_editing import Words, shown
from notifier.text_placeholders import Placeholder
from notifier.wording import clinic_values

_MONTH = timedelta(days=30)
_FIRST_NAMES = {"en": "Alex", "es": "Ana"}
_OPENS = {"en": "8:00 AM", "es": "8:00"}


def find(name: str) -> Answer:
    if name not in BY_NAME:
        raise NotFoundError(f'There is no automatic answer "{name}".')
    return BY_NAME[name]


def words_in(clinic: Clinic, name: str) -> dict[str, Words]:
    """As they go out now."""
    texts = {language: answer_texts.text(clinic, name, language) for language in LANGUAGES}
    return {language: Words(sms=shown("sms", text.sms or "")) for language, text in texts.items()}


def shipped_words(name: str) -> dict[str, Words]:
    return {
        language: Words(sms=shown("sms", answer_texts.shipped(name, language).sms or ""))
        for language in LANGUAGES
    }


def is_own(clinic: Clinic, name: str) -> bool:
    return any(f"{name}.{language}" in clinic.reply_texts for language in LANGUAGES)


def save(
    session: Session,
    clinic: Clinic,
    name: str,
    words: Mapping[str, Words],
    *,
    version: int,
    now: datetime,
    actor: str,
) -> list[str]:
    """The clinic's own words for one answer; where they are the shipped ones again, those. What changed.

    Raises InputError for words that cannot be sent, ConflictError where `version` is not the current one.
    """
    for language, said in words.items():
        wrong = next((each for each in complaints(name, language, said) if each.severity == "error"), None)
        if wrong is not None:
            raise InputError(wrong.message, field=wrong.field)
    texts = dict(clinic.reply_texts)
    before, shipped = words_in(clinic, name), shipped_words(name)
    for language, said in words.items():
        key = f"{name}.{language}"
        if said == shipped[language]:
            texts.pop(key, None)
        elif said != before[language]:
            texts[key] = {"sms": said.sms}
    wanted: dict[str, Any] = {"reply_texts": texts}
    return clinic_edits.change(
        session, clinic, wanted, version=version, now=now, actor=actor, answer=BY_NAME[name].title
    )


def approve(session: Session, clinic: Clinic, *, by: str, digest: str, now: datetime, actor: str) -> None:
    """A named clinician stands for all answers as the page showed them; any edit makes them drafts again."""
    if digest != answer_texts.digest(clinic):
        raise ConflictError("Somebody has changed an answer since this page was opened. Read it again first.")
    said = {"by": by, "on": now.isoformat(timespec="seconds"), "digest": digest}
    wanted: dict[str, Any] = {"reply_approval": said}
    clinic_edits.change(session, clinic, wanted, version=clinic.version, now=now, actor=actor)


def sample(
    clinic: Clinic, name: str, language: str, *, now: datetime, long: bool = False
) -> rendering.Context:
    """As it would read now, for somebody who is known."""
    first_name = VARIABLES["patient.first_name"].long if long else _FIRST_NAMES.get(language, "Alex")
    opens = hours_of(clinic).opens_next(now, language) or _OPENS.get(language, "")
    clinics_own: dict[str, Any] = {**clinic_values(clinic)}
    if name == "when-closed":
        clinics_own["opens_next"] = VARIABLES["clinic.opens_next"].long if long else opens
    return rendering.context(language=language, clinic=clinics_own, patient={"first_name": first_name})


def sent_lately(session: Session, clinic: Clinic, now: datetime) -> dict[str, int]:
    """How often each went out in the last 30 days."""
    query = (
        select(Reply.answer, func.count())
        .where(Reply.clinic_id == clinic.id, Reply.received_at > now - _MONTH, Reply.answer != "")
        .group_by(Reply.answer)
    )
    return {name: count for name, count in session.execute(query)}  # noqa: C416 - rows are no pairs to dict


_SNIPPETS = (
    ("clinic.name", "Clinic", "{{ clinic.name }}"),
    ("clinic.phone", "Clinic's phone", "{{ clinic.phone }}"),
    ("clinic.emergency_number", "Ambulance", "{{ clinic.emergency_number | default('911') }}"),
    ("clinic.crisis_line", "Crisis line", "{{ clinic.crisis_line | default('988') }}"),
    (
        "patient.first_name",
        "First name",
        "{% if patient.first_name %}{{ patient.first_name }}{% endif %}",
    ),
    ("clinic.opens_next", "When you open", "{{ clinic.opens_next }}"),
)


def placeholders(name: str) -> list[Placeholder]:
    answer, found = BY_NAME[name], []
    for variable, label, snippet in _SNIPPETS:
        if variable == "clinic.opens_next" and name != "when-closed":
            continue
        if variable == "patient.first_name" and answer.nameless:
            continue
        found.append(Placeholder(variable, label, VARIABLES[variable].meaning, snippet))
    return found

"""One automatic answer in the clinic's own words, as it would read on a phone while somebody types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import answer_editing, answer_texts, text_editing
from notifier.answer_complaints import complaints
from notifier.answer_names import ANSWERS, Answer
from notifier.errors import ConflictError
from notifier.models import Clinic
from notifier.plan_differences import LANGUAGE_NAMES
from notifier.rules.plan import LANGUAGES
from notifier.text_cost import Volume
from notifier.text_editing import Words
from notifier.text_placeholders import Placeholder
from notifier.web.admin_texts_sides import Money, Side, side
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted
from notifier.web.visit import Undo, Visit

router = APIRouter()


@dataclass(frozen=True)
class Editor:
    """`own`: the languages in which the clinic has words of its own."""

    answer: Answer
    clinic: Clinic
    sides: tuple[Side, ...]
    own: frozenset[str]
    is_approved: bool

    @property
    def path(self) -> str:
        return f"/answers/{self.answer.name}"

    @property
    def changed(self) -> list[Side]:
        return [each for each in self.sides if each.is_changed]

    @property
    def errors(self) -> int:
        return sum(each.errors for each in self.sides)

    @property
    def placeholders(self) -> list[Placeholder]:
        return answer_editing.placeholders(self.answer.name)

    @property
    def values(self) -> Mapping[str, str]:
        return self.sides[0].values

    @property
    def says_when_closed(self) -> bool:
        return answer_texts.calls_us(self.answer.name)

    @property
    def neighbours(self) -> tuple[Answer | None, Answer | None]:
        around = [None, *ANSWERS, None]
        at = around.index(self.answer)
        return around[at - 1], around[at + 1]


def editor(session: Session, visit: Visit, name: str, typed: Mapping[str, Words] | None = None) -> Editor:
    clinic, answer = visit.clinic(session), answer_editing.find(name)
    before = answer_editing.words_in(clinic, name)
    own = frozenset(language for language in LANGUAGES if f"{name}.{language}" in clinic.reply_texts)
    words = typed or before
    sides = tuple(
        _side(visit, clinic, name, language, words[language], before[language]) for language in LANGUAGES
    )
    return Editor(answer, clinic, sides, own, answer_texts.is_approved(clinic))


def _side(visit: Visit, clinic: Clinic, name: str, language: str, words: Words, before: Words) -> Side:
    short, long = (
        answer_editing.sample(clinic, name, language, now=visit.now(), long=long) for long in (False, True)
    )
    return side(
        language,
        LANGUAGE_NAMES[language],
        words,
        before,
        context=short,
        long=long,
        volume=Volume(),
        money=Money(clinic.sms_price, clinic.currency),
        complaints=complaints(name, language, words),
    )


def _typed(posted: Fields) -> dict[str, Words]:
    return {language: Words(sms=text_editing.typed(posted.values, language).sms) for language in LANGUAGES}


@router.get("/answers/{answer}")
def edit(visit: Admin, answer: str) -> Response:
    with visit.reading() as session:
        return _show(visit, editor(session, visit, answer))


def _show(visit: Visit, shown: Editor, *, status: int = 200, conflict: str = "") -> Response:
    return visit.page("answers_edit.html", status=status, e=shown, conflict=conflict)


@router.post("/answers/{answer}/show")
def show_typed(visit: Admin, answer: str, posted: Posted) -> Response:
    """While somebody types: all but the fields themselves. Without scripts, by a button, the whole page."""
    with visit.reading() as session:
        shown = editor(session, visit, answer, _typed(posted))
        if visit.is_fragment:
            return visit.fragment("_answers_live.html", e=shown)
        return _show(visit, shown)


@router.post("/answers/{answer}")
def save(visit: Admin, answer: str, posted: Posted) -> Response:
    with visit.reading() as session:
        shown = editor(session, visit, answer, _typed(posted))
        if shown.errors:
            return _show(visit, shown, status=422)
    try:
        changed = _save(visit, answer, _typed(posted), posted.whole("base") or 0)
    except ConflictError as error:
        with visit.reading() as session:
            shown = editor(session, visit, answer, _typed(posted))
            return _show(visit, shown, status=409, conflict=str(error))
    said = "Saved. The answers are drafts until a clinician approves them."
    return visit.go(shown.path, toast=said if changed else "Nothing was different, so nothing was saved.")


@router.post("/answers/{answer}/shipped")
def as_shipped(visit: Admin, answer: str, posted: Posted) -> Response:
    """Back to the words that came with the program, in both languages; what was there can be brought back."""
    with visit.reading() as session:
        before = answer_editing.words_in(visit.clinic(session), answer_editing.find(answer).name)
    try:
        _save(visit, answer, answer_editing.shipped_words(answer), posted.whole("base") or 0)
    except ConflictError as error:
        with visit.reading() as session:
            return _show(visit, editor(session, visit, answer), status=409, conflict=str(error))
    with visit.reading() as session:
        base = str(visit.clinic(session).version)
    fields = {f"sms.{language}": words.sms for language, words in before.items()} | {"base": base}
    undo = Undo(f"/answers/{answer}", fields=fields)
    return visit.go(f"/answers/{answer}", toast="It reads as it was shipped again.", undo=undo)


def _save(visit: Visit, answer: str, words: Mapping[str, Words], version: int) -> list[str]:
    with visit.transaction() as session:
        return answer_editing.save(
            session,
            visit.clinic(session),
            answer,
            words,
            version=version,
            now=visit.now(),
            actor=visit.actor,
        )

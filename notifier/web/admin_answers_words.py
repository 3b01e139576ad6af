"""What the automatic line listens for: the lists to read and to add to, and a sentence to try them out on."""

from __future__ import annotations

from fastapi import APIRouter, Response

from notifier import answer_trial, answer_words
from notifier.answer_trial import Tried
from notifier.answer_words import Doubtful
from notifier.errors import ConflictError, InputError
from notifier.rules.plan import LANGUAGES
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.get("/answers/words")
def words(visit: Admin) -> Response:
    return _page(visit)


def _page(
    visit: Visit,
    *,
    status: int = 200,
    problems: Problems | None = None,
    typed: Fields | None = None,
    doubt: bool = False,
    tried: Tried | None = None,
) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        return visit.page(
            "answers_words.html",
            status=status,
            at=clinic,
            lists=answer_words.lists(clinic),
            single=answer_words.single_words(),
            problems=problems or Problems(),
            typed=typed.values if typed else {},
            doubt=doubt,
            t=tried,
        )


@router.post("/answers/try")
def try_out(visit: Admin, posted: Posted) -> Response:
    """Nothing is kept of it, and nobody is told."""
    language = posted.text("language") if posted.text("language") in LANGUAGES else LANGUAGES[0]
    tried = None
    if posted.text("words"):
        with visit.reading() as session:
            tried = answer_trial.tried(
                session,
                visit.clinic(session),
                posted.text("words"),
                language=language,
                asked=posted.flag("asked"),
                settings=visit.settings,
                now=visit.now(),
            )
    if visit.is_fragment:
        return visit.fragment("_answers_tried.html", t=tried)
    return _page(visit, typed=posted, tried=tried)


@router.post("/answers/words")
def add(visit: Admin, posted: Posted) -> Response:
    key, language = posted.text("list"), posted.text("language")
    try:
        with visit.transaction() as session:
            phrase = answer_words.add(
                session,
                visit.clinic(session),
                key,
                language,
                posted.text("phrase"),
                sure=posted.flag("sure"),
                version=posted.whole("base") or 0,
                now=visit.now(),
                actor=visit.actor,
            )
    except InputError as error:
        doubt = isinstance(error, Doubtful)
        problems = Problems({error.field: str(error)})
        return _page(visit, status=422, problems=problems, typed=posted, doubt=doubt)
    except ConflictError as error:
        return _page(visit, status=409, problems=Problems({"": str(error)}), typed=posted)
    undo = Undo("/answers/words/remove", fields=_fields(visit, key, language, phrase))
    return visit.go("/answers/words#lists", toast=f"The line listens for “{phrase}” now.", undo=undo)


@router.post("/answers/words/remove")
def remove(visit: Admin, posted: Posted) -> Response:
    key, language, phrase = posted.text("list"), posted.text("language"), posted.text("phrase")
    with visit.transaction() as session:
        answer_words.remove(
            session,
            visit.clinic(session),
            key,
            language,
            phrase,
            version=posted.whole("base") or 0,
            now=visit.now(),
            actor=visit.actor,
        )
    undo = Undo("/answers/words", fields=_fields(visit, key, language, phrase) | {"sure": "1"})
    return visit.go("/answers/words#lists", toast=f"The line no longer listens for “{phrase}”.", undo=undo)


def _fields(visit: Visit, key: str, language: str, phrase: str) -> dict[str, str]:
    """For the way back, from the clinic as it is by then."""
    with visit.reading() as session:
        base = str(visit.clinic(session).version)
    return {"list": key, "language": language, "phrase": phrase, "base": base}

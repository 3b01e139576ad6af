"""The patient's own page, by a secret link: no sign-in, no cookie, no script needed, nothing of others."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from notifier import patient_edits, patient_page, replies, unsubscribing
from notifier.errors import InputError, NotFoundError
from notifier.in_flight import Place
from notifier.links import local_links
from notifier.models import Clinic, Patient
from notifier.patient_page import GoneError, Shown
from notifier.replies import Received
from notifier.rules.zones import zone
from notifier.unsubscribing import BY_PAGE
from notifier.web import line
from notifier.web.by_link import Sent, wait_for_calls
from notifier.web.forms import Fields
from notifier.web.line import LineView
from notifier.web.patient_page_words import WORDS, words_of
from notifier.web.site import site_of

router = APIRouter()

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_LINE_DAYS = 8
_LONGEST = 4000
_KEY = re.compile(r"[\w-]{8,64}")
_DONE = ("saved", "stopped", "trouble", "empty")

Act = Callable[[Session, Patient], object]


@router.get("/p/{token}")
def show(request: Request, token: str, reply: int = 0, about: int = 0, done: str = "") -> Response:
    site = site_of(request)
    now = site.clock.now()
    try:
        with site.reading() as session:
            patient = patient_page.find(session, local_links(site.settings), token, now)
            clinic = session.get_one(Clinic, patient.clinic_id)
            shown = patient_page.look(session, clinic, patient, now, reply_id=reply, about=bool(about))
    except (GoneError, NotFoundError) as error:
        return _closed(request, error)
    tag, words = words_of(patient.language)
    tz = zone(patient.timezone or clinic.timezone)
    return _html(
        request,
        "p.html",
        language=tag,
        words=_filled(words, shown),
        token=token,
        shown=shown,
        clinic=clinic,
        patient=patient,
        key=secrets.token_urlsafe(12),
        line=_line(shown, now, tz, words),
        done=done if done in _DONE else "",
        dialled=partial(_dialled, clinic),
        tz=tz,
    )


def _filled(words: dict[str, str], shown: Shown) -> dict[str, str]:
    known = {
        "clinic": shown.clinic.name,
        "emergency": shown.clinic.emergency_number or "911",
        "opens": shown.opens_next,
        "hours": str(shown.hours),
        "days": str(shown.hours // 24),
        "channel": "{channel}",
    }
    return {name: text.format(**known) for name, text in words.items()}


def _line(shown: Shown, now: datetime, tz: ZoneInfo, words: dict[str, str]) -> LineView | None:
    """You are here; once the way is long over it would only be small."""
    if shown.hours >= _LINE_DAYS * 24:
        return None
    usual = f" {words['usual'].capitalize()}." if shown.is_usual else ""
    said = f"{words['hour'].format(hours=shown.hours)}.{usual}"
    return line.view(shown.treatment.ended_at, [], tz=tz, now=now, words=said)


def _dialled(clinic: Clinic, text: str) -> Markup:
    """The numbers to call, where they stand in a text, as a phone dials them."""
    numbers = {clinic.phone, clinic.emergency_number or "911", clinic.crisis_line} - {""}
    said = str(escape(text))
    pattern = "|".join(re.escape(str(escape(number))) for number in sorted(numbers, key=len, reverse=True))
    return Markup(re.sub(rf"(?<![\w+])({pattern})(?!\w)", _link, said))


def _link(found: re.Match[str]) -> str:
    return f'<a href="tel:{_dial(found[1])}">{found[1]}</a>'


def _dial(number: str) -> str:
    return re.sub("[^0-9+]", "", number)


@router.post("/p/{token}/score")
def score(request: Request, token: str, sent: Sent) -> Response:
    """Tapped twice it is one: the form names itself."""
    value = sent.whole("value")
    if value is None or value > 10:
        return _back(token, "done=empty")
    return _received(request, token, str(value), sent, asked=True)


@router.post("/p/{token}/write")
def write(request: Request, token: str, sent: Sent) -> Response:
    words = sent.text("words")[:_LONGEST]
    if not words:
        return _back(token, "done=empty")
    return _received(request, token, words, sent, asked=False)


def _received(request: Request, token: str, words: str, sent: Fields, *, asked: bool) -> Response:
    site = site_of(request)
    now = site.clock.now()
    given = sent.text("key")
    key = given if _KEY.fullmatch(given) else secrets.token_urlsafe(12)
    kept = 0

    def take(session: Session, patient: Patient) -> Received:
        nonlocal kept
        treatment = patient_page.treatment_of(session, patient, now)
        own = f"{patient.id}.{key}"
        received = replies.on_page(
            session, patient, treatment, words, token=own, settings=site.settings, now=now, asked=asked
        )
        kept = patient_page.reply_by(session, patient, own)
        return received

    answer = _acted(request, token, take)
    return answer or _back(token, f"reply={kept}")


@router.post("/p/{token}/language")
def language(request: Request, token: str, sent: Sent) -> Response:
    now, wanted = site_of(request).clock.now(), sent.text("language")
    return _changed(request, token, lambda s, patient: patient_page.set_language(s, patient, wanted, now=now))


@router.post("/p/{token}/channel")
def channel(request: Request, token: str, sent: Sent) -> Response:
    now, wanted = site_of(request).clock.now(), sent.text("channel")
    return _changed(request, token, lambda s, patient: patient_page.prefer(s, patient, wanted, now=now))


@router.post("/p/{token}/essentials")
def essentials(request: Request, token: str, sent: Sent) -> Response:
    """LESS and MORE."""
    now, wanted = site_of(request).clock.now(), sent.flag("wanted")

    def change(session: Session, patient: Patient) -> object:
        actor = patient_page.actor_of(patient)
        return patient_edits.set_essentials(session, patient, wanted, now=now, actor=actor)

    return _changed(request, token, change)


@router.post("/p/{token}/stop")
def stop(request: Request, token: str, sent: Sent) -> Response:
    """Answers when it is true: nothing is on its way there any more."""
    now, wanted = site_of(request).clock.now(), sent.text("channel")
    channels = ("sms", "email") if wanted == "all" else (wanted,)

    def silence(session: Session, patient: Patient) -> list[Place]:
        at = session.get_one(Clinic, patient.clinic_id)
        return unsubscribing.stop_all(session, at, patient, channels, now=now, method=BY_PAGE)

    return _acted(request, token, silence) or _back(token, "done=stopped")


def _changed(request: Request, token: str, act: Act) -> Response:
    return _acted(request, token, act) or _back(token, "done=saved")


def _acted(request: Request, token: str, act: Act) -> Response | None:
    """Do it for whoever's page it is, in one transaction. None: it was done."""
    site = site_of(request)
    try:
        with site.transaction() as session:
            patient = patient_page.find(session, local_links(site.settings), token, site.clock.now())
            came = act(session, patient)
            stopped = came.stopped if isinstance(came, Received) else came if isinstance(came, list) else ()
    except (GoneError, NotFoundError) as error:
        return _closed(request, error)
    except InputError:
        return _back(token, "done=trouble")
    wait_for_calls(site, stopped)
    return None


def _back(token: str, query: str) -> Response:
    return RedirectResponse(f"/p/{token}?{query}", 303, headers=_HEADERS)


def _closed(request: Request, error: GoneError | NotFoundError) -> Response:
    """Kind, and with whom to call where that is known; in both languages where the reader's is not."""
    if not isinstance(error, GoneError):
        return _html(
            request, "p_gone.html", 404, language="en", words=WORDS["en"], also=WORDS["es"], gone=None
        )
    tag, words = words_of(error.language)
    known = {"clinic": error.clinic, "emergency": error.emergency}
    said = words | {name: words[name].format(**known) for name in ("call", "emergency")}
    return _html(request, "p_gone.html", 410, language=tag, words=said, also=None, gone=error)


def _html(request: Request, template: str, status: int = 200, **context: object) -> Response:
    html = site_of(request).templates.get_template(template).render(dial=_dial, **context)
    return HTMLResponse(html, status, headers=_HEADERS)

"""A text sent to oneself from its page, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import messages, status_words, text_samples, text_trials
from notifier.errors import InputError, NotFoundError
from notifier.messages import Listed
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.text_editing import template_of
from notifier.web.admin_texts import show
from notifier.web.admin_texts_form import Base, Typed, base_of, editor
from notifier.web.auth import Admin
from notifier.web.forms import Posted
from notifier.web.pages import phone
from notifier.web.visit import Visit

router = APIRouter()


@dataclass(frozen=True)
class Sent:
    """`place`: beside which button it is shown, such as sms.en; `problem`: why nothing was sent."""

    place: str = ""
    problem: str = ""
    href: str = ""
    status: str = ""
    title: str = ""
    to: str = ""
    words: str = ""
    settled: bool = True
    in_outbox: bool = False


@router.post("/plans/{key}/texts/{step}/test")
def test(visit: Admin, key: str, step: str, posted: Posted) -> Response:
    place = posted.text("send")
    typed = Typed.of(posted)
    try:
        with visit.transaction() as session:
            base = base_of(session, visit, key, step)
            sent = _send(session, visit, base, typed, place)
    except InputError as error:
        sent = Sent(place, problem=str(error))
    status = 422 if sent.problem else 200
    if visit.is_fragment:
        return visit.fragment("_texts_sent.html", status=status, sent=sent)
    with visit.reading() as session:
        shown = editor(session, visit, base_of(session, visit, key, step), typed)
    return show(visit, shown, status=status, sent=sent)


def _send(session: Session, visit: Visit, base: Base, typed: Typed, place: str) -> Sent:
    channel, _, language = place.partition(".")
    if channel not in CHANNELS or language not in LANGUAGES:
        raise InputError("Choose what to send: the SMS or the e-mail, in one language.")
    message = text_trials.send(
        session,
        base.clinic,
        base.row,
        base.step.key,
        template_of(typed.words[language]),
        text_samples.made_up(
            session,
            base.clinic,
            base.plan,
            language,
            now=visit.now(),
            reply_address=visit.settings.reply_address,
        ),
        channel,
        typed.to.get(language, "") if channel == "sms" else visit.actor,
        now=visit.now(),
        actor=visit.actor,
    )
    return _told(visit, base, messages.get(session, base.clinic, message.id), place)


@router.get("/plans/{key}/texts/{step}/tests/{message_id:int}")
def became(visit: Admin, key: str, step: str, message_id: int) -> Response:
    with visit.reading() as session:
        base = base_of(session, visit, key, step)
        listed = text_trials.find(session, base.clinic, message_id)
        if listed is None:
            raise NotFoundError(f"Message {message_id} is no test.")
        sent = _told(visit, base, listed)
        if visit.is_fragment:
            return visit.fragment("_texts_sent.html", sent=sent)
    return visit.page("texts_sent.html", sent=sent, back=base.path)


def _told(visit: Visit, base: Base, listed: Listed, place: str = "") -> Sent:
    message, now = listed.message, visit.now()
    return Sent(
        place,
        href=f"{base.path}/tests/{message.id}",
        status=message.status,
        title=status_words.of_message(message),
        to=phone(message.to, base.clinic.country) if message.channel == "sms" else message.to,
        words=text_trials.became(listed, now),
        settled=text_trials.is_settled(listed, now),
        in_outbox=text_trials.was_kept(listed),
    )

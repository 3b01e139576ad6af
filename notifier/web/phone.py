"""The outbox as a phone and an inbox: what would have been sent, as the people it is for would see it.

Only where messages are kept instead of sent; in live mode there is nothing to show.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response

from notifier import audit, in_flight, outbox_view, replies
from notifier.envelope import InboundMessage
from notifier.errors import NotFoundError
from notifier.links import links_of
from notifier.outbox_view import Kept, Outbox, Said
from notifier.rules.zones import zone
from notifier.web.auth import Desk
from notifier.web.forms import Posted
from notifier.web.mail_frame import Scheme, framed
from notifier.web.pages import elsewhere, when
from notifier.web.visit import Visit

_BESIDE = 4  # what fits on a phone beside a form
_LONGEST = 1600  # characters, as long as a text can be
_PATIENCE = 10.0  # seconds


def outbox_only(visit: Desk) -> Visit:
    if visit.settings.delivery.mode == "live":
        raise NotFoundError(
            "Messages really go to patients here, so there is no phone to look at. "
            "What was sent stands with each patient, and under Today."
        )
    return visit


router = APIRouter(prefix="/phone", dependencies=[Depends(outbox_only)])
Seen = Annotated[str, Query(max_length=40)]


@router.get("")
def phone(
    visit: Desk, before: int | None = None, to: Annotated[str, Query(max_length=20)] = "", mail: int = 0
) -> Response:
    if to:
        return _one_phone(visit, to)
    with visit.reading() as session:
        outbox = outbox_view.look(session, visit.clinic_id, before=before)
        chosen = outbox_view.mail(session, visit.clinic_id, mail) if mail else None
    chosen = chosen or next(iter(outbox.mails), None)
    texts = (kept for thread in outbox.threads for kept in thread.messages)
    _note(visit, [*texts, *outbox.mails, *([chosen] if chosen else [])])
    return visit.page("phone.html", outbox=outbox, kept=chosen, before=before, **_written(visit))


def _one_phone(visit: Visit, to: str, *, status: int = 200, **shown: Any) -> Response:
    with visit.reading() as session:
        thread = outbox_view.thread(session, visit.clinic_id, to)
    _note(visit, thread.messages)
    shown = {"problems": {}, "words": "", "token": secrets.token_hex(8)} | shown
    return visit.page("phone_thread.html", status=status, thread=thread, **shown, **_written(visit))


@router.get("/thread")
def thread(visit: Desk, to: Annotated[str, Query(max_length=20)] = "", seen: Seen = "") -> Response:
    """The conversation again where something came or was written back."""
    if not to:
        return visit.go("/phone")
    with visit.reading() as session:
        found = outbox_view.thread(session, visit.clinic_id, to)
    if found.stamp == seen:
        return visit.unchanged()
    return visit.fragment("_phone_thread.html", thread=found, **_written(visit))


@router.post("/reply")
def reply(visit: Desk, posted: Posted) -> Response:
    """Write back as the patient would, from the phone that is shown: it goes the way of every reply."""
    to, words = posted.text("to"), posted.raw("words").strip()
    if not words:
        return _one_phone(visit, to, status=422, problems={"words": "Type what the patient writes."})
    token = posted.text("token")[:40] or secrets.token_hex(8)
    with visit.transaction() as session:
        outbox_view.thread(session, visit.clinic_id, to)  # a number that this clinic wrote to
        inbound = InboundMessage(f"phone-{token}", "sms", to, "", words[:_LONGEST], visit.now())
        received = replies.receive(session, inbound, settings=visit.settings, now=visit.now())
    in_flight.wait(visit.site.engine, received.stopped, seconds=_PATIENCE)
    return visit.go(f"/phone?to={quote(to)}#write")


def _note(visit: Visit, shown: Iterable[Kept]) -> None:
    """Into the audit trail: who was seen. What comes in by itself afterwards is the same look."""
    ids = [kept.patient_id for kept in shown if kept.patient_id is not None]
    if ids:
        with visit.transaction() as session:
            audit.listed(
                session, clinic_id=visit.clinic_id, patient_ids=ids, now=visit.now(), actor=visit.actor
            )


@router.get("/news")
def news(visit: Desk, seen: Seen = "") -> Response:
    """The phones and the inbox again where there is anything new."""
    with visit.reading() as session:
        outbox = outbox_view.look(session, visit.clinic_id, seen=seen)
    if outbox.stamp == seen:
        return visit.unchanged()
    return visit.fragment("_phone.html", outbox=outbox, said=_said(outbox), **_written(visit))


@router.get("/beside")
def beside(visit: Desk, seen: Seen = "") -> Response:
    """The last few, on one phone beside what somebody is doing."""
    with visit.reading() as session:
        outbox = outbox_view.look(session, visit.clinic_id, texts=_BESIDE, mails=1, seen=seen)
    if outbox.stamp == seen:
        return visit.unchanged()
    return visit.fragment("_phone_beside.html", outbox=outbox, said=_said(outbox), **_written(visit))


def _said(outbox: Outbox) -> str:
    """For a screen reader: what came since the last look."""
    if not outbox.fresh:
        return ""
    first = outbox.fresh[0]
    kind = "text" if first.channel == "sms" else "e-mail"
    whom = first.name or first.to
    if len(outbox.fresh) == 1:
        return f"New {kind} to {whom}: {first.subject or first.words}"
    return f"{len(outbox.fresh)} new messages, the latest to {whom}."


@router.get("/mail/{attempt_id:int}")
def mail(visit: Desk, attempt_id: int, scheme: Scheme = "") -> Response:
    with visit.reading() as session:
        kept = outbox_view.mail(session, visit.clinic_id, attempt_id)
    if not visit.is_fragment:
        return visit.go(f"/phone?mail={attempt_id}#reader")
    return visit.fragment("_phone_mail.html", kept=kept, scheme=scheme, **_written(visit))


@router.get("/mail/{attempt_id:int}/body")
def body(visit: Desk, attempt_id: int, scheme: Scheme = "") -> Response:
    with visit.reading() as session:
        kept = outbox_view.mail(session, visit.clinic_id, attempt_id)
        html = outbox_view.html_of(session, kept, now=visit.now(), links=links_of(visit.settings))
    if html is None:
        html = visit.site.templates.get_template("_phone_words.html").render(kept=kept)
    return framed(html, scheme=scheme)


def _written(visit: Visit) -> dict[str, Any]:
    """How the pages write moments: on the reader's own clock, which is named where it is another one."""
    now = visit.now()

    def at(kept: Kept | Said) -> str:
        tz = zone(kept.timezone) if kept.timezone else visit.tz
        return when(kept.at, tz, now) + elsewhere(tz, visit.tz)

    return {"at": at}

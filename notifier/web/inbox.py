"""The inbox: who waits for an answer, one conversation, and the parts of both that renew themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from notifier import inbox
from notifier.web.auth import Desk
from notifier.web.desk_log_patient import search
from notifier.web.forms import Posted
from notifier.web.inbox_page import (
    listed,
    note_listed,
    show_list,
    show_of,
    show_reply,
    sized,
    talk_of,
)

router = APIRouter(prefix="/inbox")

Wanted = Annotated[str, Query(alias="show", max_length=20)]
Who = Annotated[str, Query(max_length=120)]
Seen = Annotated[str, Query(max_length=40)]


@router.get("")
def page(visit: Desk, show: Wanted = "") -> Response:
    return show_list(visit, show_of(show))


@router.get("/list")
def news(visit: Desk, show: Wanted = "", at: int = 0, seen: Seen = "") -> Response:
    """Asked every few seconds: nothing, unless something has changed."""
    with visit.reading() as session:
        shown = listed(visit, session, show_of(show))
    if shown.stamp == seen:
        return visit.unchanged()
    note_listed(visit, shown)
    return visit.fragment("_inbox_list.html", shown=shown, at=at, now=visit.now(), is_news=True)


@router.get("/badge")
def badge(visit: Desk, seen: Seen = "") -> Response:
    """How many wait, for the navigation of every page."""
    with visit.reading() as session:
        waiting = inbox.waiting(session, visit.clinic_id)
    if f"{waiting.count}-{waiting.is_serious:d}" == seen:
        return visit.unchanged()
    return visit.fragment("_inbox_badge.html", waiting=waiting)


@router.get("/{reply_id:int}")
def reply(visit: Desk, reply_id: int, show: Wanted = "", draft: int = 0, who: Who = "") -> Response:
    return show_reply(visit, reply_id, show=show_of(show), draft=draft, who=who)


@router.get("/{reply_id:int}/talk")
def talk(visit: Desk, reply_id: int, seen: Seen = "") -> Response:
    """The conversation again where something was said; the form that somebody types in is no part of it."""
    now = visit.now()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = talk_of(session, clinic, inbox.get(session, clinic, reply_id), now)
    if found.stamp == seen:
        return visit.unchanged()
    return visit.fragment("_inbox_talk.html", talk=found, clinic=clinic, now=now, is_news=True)


@router.get("/{reply_id:int}/who")
def who(visit: Desk, reply_id: int, who: Who = "") -> Response:
    """Patients who may have written this, while somebody types a name."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        reply = inbox.get(session, clinic, reply_id)
        found = search(session, clinic, who)
    return visit.fragment(
        "_inbox_who.html", reply=reply, found=found, who=who.strip(), country=clinic.country
    )


@router.post("/{reply_id:int}/count")
def count(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """How long the answer is that somebody is typing."""
    with visit.reading() as session:
        inbox.get(session, visit.clinic(session), reply_id)
    return visit.fragment(
        "_inbox_count.html", size=sized(posted.raw("words")[:5000]), channel=posted.text("channel")
    )

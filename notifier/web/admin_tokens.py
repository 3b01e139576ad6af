"""Tokens for other programs: made, shown once, revoked."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Response

from notifier import api_tokens
from notifier.web.auth import Admin
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/tokens")
def tokens(visit: Admin) -> Response:
    return _page(visit)


def _page(
    visit: Visit,
    *,
    typed: Mapping[str, str] | None = None,
    problems: Problems | None = None,
    secret: str = "",
    name: str = "",
) -> Response:
    with visit.reading() as session:
        rows = api_tokens.listing(session, visit.clinic(session))
    return visit.page(
        "tokens.html",
        status=422 if problems else 200,
        rows=rows,
        typed=typed or {},
        problems=problems or Problems(),
        secret=secret,
        name=name,
    )


@router.post("/tokens")
def create(visit: Admin, posted: Posted) -> Response:
    """The secret is on the answer itself and nowhere else, so this one page does not redirect."""
    problems = Problems()
    with problems.catching(), visit.transaction() as session:
        created = api_tokens.create(
            session,
            visit.clinic(session),
            name=posted.text("name"),
            scope=posted.text("scope"),
            now=visit.now(),
            actor=visit.actor,
        )
        name, secret = created.token.name, created.secret
    if problems:
        return _page(visit, typed=posted.values, problems=problems)
    return _page(visit, name=name, secret=secret)


@router.post("/tokens/{token_id:int}/revoke")
def revoke(visit: Admin, posted: Posted, token_id: int) -> Response:
    """For good: whoever found a lost token must not be let in again by an undo."""
    with visit.transaction() as session:
        at = visit.clinic(session)
        name = api_tokens.revoke(session, at, token_id, now=visit.now(), actor=visit.actor).name
    return visit.go("/tokens", toast=f"{name} is no longer let in.")

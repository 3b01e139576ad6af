"""Who may come in: signed-in staff, by role."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from notifier import signin
from notifier.errors import NotifierError
from notifier.web.csrf import Forbidden, csrf_of
from notifier.web.site import site_of
from notifier.web.visit import Visit

SIGN_IN = "sign-in"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(NotifierError):
    pass


def desk(request: Request) -> Visit:
    """Anybody on the clinic's staff."""
    site = site_of(request)
    secret = request.cookies.get(site.cookie(SIGN_IN), "")
    with site.reading() as session:
        signed = signin.find(session, secret) if secret else None
    if signed is None:
        raise SignInNeeded("Sign in to go on.")
    # A page that renews itself on an empty desk keeps nobody signed in.
    if signed.stale and "X-Unattended" not in request.headers:
        with site.transaction() as session:
            signin.seen(session, signed.id)
    visit = Visit(request, site, signed, csrf_of(request, site))
    request.state.visit = visit
    return visit


def admin(visit: Annotated[Visit, Depends(desk)]) -> Visit:
    if not visit.is_admin:
        raise Forbidden(f"This page is for the admins of {visit.clinic_name}. Ask one of them.")
    return visit


Desk = Annotated[Visit, Depends(desk)]
Admin = Annotated[Visit, Depends(admin)]

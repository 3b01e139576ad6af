"""Proof that a change was asked for by one of our own pages: a secret in a cookie, repeated by our forms."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response

from notifier.errors import NotifierError
from notifier.web.site import Site, site_of

_COOKIE = "csrf"
_SHORTEST = 20


class Forbidden(NotifierError):
    pass


def csrf_of(request: Request, site: Site) -> str:
    """The secret that our forms repeat. Kept in a cookie of its own, so that it outlives a sign-in."""
    known = request.cookies.get(site.cookie(_COOKIE), "")
    if len(known) < _SHORTEST:
        known = getattr(request.state, "new_csrf", "") or secrets.token_urlsafe(32)
        request.state.new_csrf = known  # set on the way out, see `keep_csrf`
    return known


def keep_csrf(request: Request, response: Response) -> None:
    """Set the cookie where this request made a new secret."""
    made = getattr(request.state, "new_csrf", "")
    if made:
        site = site_of(request)
        response.set_cookie(site.cookie(_COOKIE), made, **site.cookie_terms)


def require_own_page(request: Request, given: str) -> None:
    """Raises Forbidden unless one of our own pages sent this request."""
    if not is_own_page(request, given):
        raise Forbidden(
            "This form is too old or comes from another site, so nothing was changed. "
            "Go back, load the page again and try once more."
        )


def is_own_page(request: Request, given: str) -> bool:
    known = request.cookies.get(site_of(request).cookie(_COOKIE), "")
    same = len(known) >= _SHORTEST and hmac.compare_digest(known.encode(), given.encode())
    return same and is_from_here(request)


def is_from_here(request: Request) -> bool:
    """By what the browser itself says, where it does."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {request.headers.get("Host", ""), urlsplit(site_of(request).settings.web.base_url).netloc}
    return urlsplit(origin).netloc in ours - {""}

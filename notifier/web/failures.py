"""What a person sees when something cannot be done: a page in words, never a traceback; JSON for programs."""

from __future__ import annotations

import logging
import uuid

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from notifier.errors import (
    ConflictError,
    DatabaseError,
    InputError,
    NotFoundError,
    NotifierError,
)
from notifier.web import api_problems, signing
from notifier.web.access import place
from notifier.web.auth import SAFE, SignInNeeded
from notifier.web.csrf import Forbidden
from notifier.web.pages import context_of_anybody
from notifier.web.site import site_of

log = logging.getLogger(__name__)

_TITLES = {
    400: "That did not work",
    403: "Not for you",
    404: "Not here",
    405: "Not here",
    409: "Somebody was quicker",
    413: "Too large",
    422: "That cannot be",
    500: "This is our fault",
    503: "Not just now",
}
_NOWHERE = "There is nothing at this address. It may have been mistyped, or what was here is gone."
_NO_ROOM = "Something in it is longer than there is room for, so nothing was changed. Write it shorter."
_STALE = "Somebody else changed the same at this moment, so nothing was done. Load the page again to see it."


def add_to(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeeded, signing.ask)
    app.add_exception_handler(NotifierError, _refused)
    app.add_exception_handler(StaleDataError, _stale)
    app.add_exception_handler(IntegrityError, _stale)
    app.add_exception_handler(OverflowError, _no_room)
    app.add_exception_handler(DataError, _no_room)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _misaddressed)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)


def status_of(error: NotifierError) -> int:
    for kind, status in (
        (Forbidden, 403),
        (NotFoundError, 404),
        (ConflictError, 409),
        (InputError, 422),
        (DatabaseError, 503),
    ):
        if isinstance(error, kind):
            return status
    return 400


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotifierError)
    status = status_of(error)
    if status == 503:
        log.warning("%s", error)
    return answer(request, status, str(error), error=error)


def _stale(request: Request, error: Exception) -> Response:
    return answer(request, 409, _STALE)


def _no_room(request: Request, error: Exception) -> Response:
    """A number or a text that no column holds: in an address nothing is there, in a form it cannot be."""
    if request.method in SAFE:
        return answer(request, 404, _NOWHERE)
    return answer(request, 422, _NO_ROOM)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = _NOWHERE if error.status_code in (404, 405) else str(error.detail)
    return answer(request, error.status_code, words, error=error)


def _misaddressed(request: Request, error: Exception) -> Response:
    """A number in an address that is none, or a parameter of the wrong kind: for a page, nothing is there."""
    assert isinstance(error, RequestValidationError)
    if not api_problems.is_api(request):
        return answer(request, 404, _NOWHERE)
    return answer(request, 422, "", error=error)


def _gone(request: Request, error: Exception) -> Response:
    """Whoever asked has left, such as a page on which somebody typed on: no fault, and nobody reads this."""
    return Response(status_code=400)


def _fault(request: Request, error: Exception) -> Response:
    reference = uuid.uuid4().hex[:8]
    log.error("fault %s at %s %s", reference, request.method, place(request.scope), exc_info=error)
    words = (
        "Something went wrong in the program, and nothing was changed. "
        f"Please tell whoever runs it: fault {reference}."
    )
    return answer(request, 500, words)


def answer(request: Request, status: int, words: str, *, error: Exception | None = None) -> Response:
    """In the form that the asker can use: problem+json, a part of a page, or a page."""
    if api_problems.is_api(request):
        return api_problems.about(error, status, words)
    templates = site_of(request).templates
    if request.headers.get("HX-Request") == "true":
        html = templates.get_template("_refusal.html").render(words=words)
        # Shown as a toast, whatever the answer was meant to replace.
        headers = {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
        return HTMLResponse(html, status, headers=headers)
    visit = getattr(request.state, "visit", None)
    context = context_of_anybody() | {"visit": visit}
    html = templates.get_template("error.html").render(
        title=_TITLES.get(status, _TITLES[400]), words=words, status=status, **context
    )
    return HTMLResponse(html, status)

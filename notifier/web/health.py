"""For whoever watches over the program: is the process up, and can it be used. Without signing in."""

from __future__ import annotations

import logging
from functools import cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import Engine

from notifier import db
from notifier.errors import DatabaseError, DatabaseUnavailable
from notifier.initialising import is_missing
from notifier.web.site import site_of

log = logging.getLogger(__name__)

router = APIRouter()
_FRESH = {"Cache-Control": "no-store"}


# Not in a thread as the pages are: with all of them waiting for a database, the process is up all the same.
@router.api_route("/healthz", methods=["GET", "HEAD"])
async def is_up() -> Response:
    return PlainTextResponse("ok\n", headers=_FRESH)


@router.api_route("/readyz", methods=["GET", "HEAD"])
def is_ready(request: Request) -> Response:
    """503 with the reason while no page could be shown."""
    try:
        _require_usable(site_of(request).engine)
    except DatabaseError as error:
        log.warning("not ready: %s", error)
        return PlainTextResponse(f"{error}\n", 503, headers=_FRESH)
    return PlainTextResponse("ready\n", headers=_FRESH)


def _require_usable(engine: Engine) -> None:
    if is_missing(engine):
        raise DatabaseUnavailable(f"The database {engine.url.database} is gone.")
    if db.revision_of(engine) != _needed():
        db.require_current_schema(engine)


@cache
def _needed() -> str:
    """Read from the migrations once; what the database has is asked each time."""
    return db.needed_revision()

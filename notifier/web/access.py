"""One line of log for each request: method, route, answer, time. Names nobody and carries no secret."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

# Watched every few seconds by something or somebody; only their failures are worth a line.
_QUIET = ("/static/", "/healthz", "/readyz")
_NO_NEWS = 204


class AccessLog:
    """The path as its route writes it, with the numbers of rows put in: what is typed into a search, or the
    secret of a link, is left out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            _note(scope, status, time.monotonic() - begun)


def _note(scope: Scope, status: int, took: float) -> None:
    quiet = status == _NO_NEWS or scope["path"].startswith(_QUIET)
    level = logging.DEBUG if quiet and status < 500 else logging.INFO
    log.log(level, "%s %s %d %.0f ms", scope["method"], place(scope), status, took * 1000)


def place(scope: Scope) -> str:
    """What was asked for, without what is typed into a search, or the secret of a link."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "/static/…" if scope["path"].startswith("/static/") else "(nowhere)"
    for name, value in scope.get("path_params", {}).items():
        if isinstance(value, int) or str(value).isdecimal():
            path = path.replace(f"{{{name}:int}}", str(value)).replace(f"{{{name}}}", str(value))
    return str(path)

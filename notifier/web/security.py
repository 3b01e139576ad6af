"""What every answer says to browsers about itself, and how large a request may be. Plain ASGI."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifier.web import api_problems

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Pico draws its arrows by data addresses
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "manifest-src 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
}
_UNKEPT = {"Cache-Control": "no-store"}
_FILES = ("/static/",)
_LONGEST_PATH = 2000  # characters; numbers of thousands of digits cannot even be read
_LARGEST = 4 * 1024 * 1024
# A day's export may be large; the import itself says how large.
_LARGEST_UPLOAD = 101 * 1024 * 1024
_UPLOADS = ("/import",)


def _too_large(scope: Scope) -> Response:
    words = "This is larger than anything that belongs here."
    if not scope["path"].startswith(api_problems.PREFIX):
        return PlainTextResponse(words, status_code=413)
    if "content-length" not in Headers(scope=scope):
        return api_problems.problem("length-needed", "Say how long the body is, in Content-Length.")
    return api_problems.problem("too-large", words)


class Security:
    """Sets the headers, unless a page has its own; refuses a body that no form of ours could have."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope["path"]) > _LONGEST_PATH:
            refusal = PlainTextResponse("This address is longer than any of ours.", status_code=414)
            await refusal(scope, receive, self._dressed(scope, send))
            return
        if self._is_too_large(scope):
            await _too_large(scope)(scope, receive, self._dressed(scope, send))
            return
        await self._app(scope, receive, self._dressed(scope, send))

    def _is_too_large(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers:
            return True  # browsers say how much they send; whoever does not could send without end
        length = headers.get("content-length", "0")
        upload = scope["path"].startswith(_UPLOADS)
        return not length.isdecimal() or int(length) > (_LARGEST_UPLOAD if upload else _LARGEST)

    def _dressed(self, scope: Scope, send: Send) -> Send:
        # A refusal may name a patient too: only files that are the same for everybody are kept anywhere.
        kept = {} if scope["path"].startswith(_FILES) else _UNKEPT

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (self._headers | kept).items():
                    headers.setdefault(name, value)
            await send(message)

        return dressed

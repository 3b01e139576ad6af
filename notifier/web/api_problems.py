"""What programs are told when something cannot be done: problem+json (RFC 9457), one code for each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from notifier.errors import InputError, NeedsConfirmation, NotifierError
from notifier.idempotency import KeyReused

MEDIA_TYPE: Final = "application/problem+json"
PREFIX: Final = "/api/"


@dataclass(frozen=True, slots=True)
class Kind:
    code: str
    status: int
    title: str
    meaning: str


KINDS: Final = {
    kind.code: kind
    for kind in (
        Kind("malformed", 400, "Not readable", "The body is not JSON."),
        Kind("unauthorized", 401, "No valid token", "The token is missing, wrong or revoked."),
        Kind("forbidden", 403, "Not allowed with this token", "The token may only read."),
        Kind("not-found", 404, "Not here", "There is no such thing at this clinic, or no such address."),
        Kind("not-allowed", 405, "Not this way", "The address exists, but not for this method."),
        Kind(
            "conflict", 409, "Not as it stands", "The state of things does not allow it; the words say why."
        ),
        Kind(
            "stale",
            409,
            "Changed in the meantime",
            "Changed since it was read; `current` is how it stands. 412 where `If-Match` was sent.",
        ),
        Kind(
            "length-needed", 411, "How long is it?", "Send `Content-Length`; bodies in chunks are not taken."
        ),
        Kind("too-large", 413, "Too large", "The body is larger than 4 MB."),
        Kind("not-json", 415, "Not JSON", "Send the body with `Content-Type: application/json`."),
        Kind("invalid", 422, "That cannot be", "A value cannot be accepted; `errors` names each field."),
        Kind(
            "needs-confirmation",
            422,
            "Is that meant?",
            "Unusual but possible; send it again with the field in `confirm` set to true.",
        ),
        Kind("key-reused", 422, "Another request", "The `Idempotency-Key` came with another request before."),
        Kind(
            "version-needed", 428, "Which version?", "Say which version is changed: `If-Match`, or `version`."
        ),
        Kind("fault", 500, "This is our fault", "A fault of the program. Nothing was changed."),
        Kind(
            "unavailable", 503, "Not just now", "The database cannot be used at the moment; try again later."
        ),
    )
}
_BY_STATUS: Final = {kind.status: kind for kind in reversed(KINDS.values()) if kind.code != "stale"}
_TRY_AGAIN = "5"  # seconds


class Refusal(NotifierError):
    """A refusal that only programs meet, by the code of its kind."""

    def __init__(
        self, code: str, words: str, *, status: int = 0, more: Mapping[str, Any] | None = None, **headers: str
    ) -> None:
        self.code, self.more = code, dict(more or {})
        self.status = status or KINDS[code].status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(words)


def is_api(request: Request) -> bool:
    return request.url.path.startswith(PREFIX)


def about(error: Exception | None, status: int, words: str) -> JSONResponse:
    """What is said about an error; where nothing is known of it, its status and words are all."""
    match error:
        case Refusal():
            return problem(error.code, words, status=error.status, more=error.more, headers=error.headers)
        case RequestValidationError():
            return _of_validation(error)
        case KeyReused():
            return problem("key-reused", words, errors=[_error(error.field, words)])
        case NeedsConfirmation():
            errors = [_error(error.field, words)]
            return problem("needs-confirmation", words, more={"confirm": "confirmed"}, errors=errors)
        case InputError():
            return problem("invalid", words, errors=[_error(error.field, words)])
    # A refusal that says no more than that: things are not as they would have to be.
    kind = _BY_STATUS.get(409 if status == 400 else status, KINDS["fault"])
    headers = error.headers if isinstance(error, HTTPException) else None
    return problem(kind.code, words, status=status if kind.status == status else 0, headers=headers)


def problem(
    code: str,
    words: str,
    *,
    status: int = 0,
    errors: Sequence[Mapping[str, str]] = (),
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    kind = KINDS[code]
    body: dict[str, Any] = {
        "type": f"/api/docs#problem-{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": words,
        "code": code,
    }
    if errors:
        body["errors"] = list(errors)
    said = {"Retry-After": _TRY_AGAIN} if code == "unavailable" else {}
    return JSONResponse(
        jsonable_encoder(body | dict(more or {})),
        body["status"],
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store"} | said | dict(headers or {}),
    )


def _error(field: str, words: str) -> dict[str, str]:
    return {"field": field, "detail": words}


def _of_validation(error: RequestValidationError) -> JSONResponse:
    """Every field that is wrong, at once."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem("malformed", f"The body is not JSON: {found[0].get('ctx', {}).get('error', '')}.")
    errors = [_error(_place(each["loc"]), _sentence(each["msg"])) for each in found]
    words = "; ".join(
        f"{each['field']}: {each['detail']}" if each["field"] else each["detail"] for each in errors
    )
    return problem("invalid", words, errors=errors)


def _place(location: Sequence[str | int]) -> str:
    """patient.phone, consents.0.at: without where FastAPI found it."""
    return ".".join(str(part) for part in location[1:])


def _sentence(words: str) -> str:
    return words.removeprefix("Value error, ").rstrip(".") + "."

"""What a failed call to Twilio means: refused, broken before or after it left, or a question not answered."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from twilio.base.exceptions import (  # type: ignore[import-untyped]
    TwilioRestException,
    TwilioServiceException,
)

from notifier.channels.twilio_http import Call
from notifier.channels.twilio_words import MEANINGS, error_class, meaning
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass

REFUSALS = (TwilioRestException, TwilioServiceException)
_LONGEST_WAIT = 86_400.0  # a provider's wish to be left alone is honoured for a day at most
_MAY_HAVE = "so it may have taken the message"


def refused(refusal: Any, call: Call) -> ChannelError:
    """What an answer other than "created" means: Twilio's code first, else the HTTP status."""
    # The client puts the HTTP status where the answer had no code.
    code = refusal.code if str(refusal.code) != str(call.status) else None
    said = str(getattr(refusal, "msg", "") or getattr(refusal, "title", ""))
    found, words = error_class(code), meaning(code, said.partition("record: ")[2] or said)
    if found is ErrorClass.UNLISTED:
        found, words = _by_status(call.status or 0, code, words)
    name = str(code) if code is not None else f"HTTP {call.status}"
    return ChannelError(found, words, code=name, retry_after=_retry_after(call))


def broken(failure: Exception, call: Call) -> ChannelError:
    """What it means that no answer came, or none that can be read."""
    if not call.left:
        return _unreachable(failure, call)
    if call.deadline.passed:
        why = f"Twilio did not answer within {call.deadline.seconds:g} s"
    elif call.status is None:
        why = "The connection to Twilio broke before its answer"
    else:
        why = f"The answer from Twilio (HTTP {call.status}) cannot be read"
    return ChannelError(ErrorClass.AMBIGUOUS, f"{why}, {_MAY_HAVE}.")


def unanswered(failure: Exception, call: Call) -> ChannelError:
    """The same for a question, which may be asked again without harm."""
    if call.status is None:
        return _unreachable(failure, call)
    if call.status >= 500:
        return ChannelError(ErrorClass.TRANSIENT, f"Twilio has a fault of its own (HTTP {call.status}).")
    if isinstance(failure, REFUSALS):
        return refused(failure, call)
    return _not_twilio(call.status)


def _by_status(status: int, code: object, words: str) -> tuple[ErrorClass, str]:
    if status == 429:
        return ErrorClass.TRANSIENT, meaning(429)
    if status >= 500:
        return ErrorClass.AMBIGUOUS, f"Twilio has a fault of its own (HTTP {status}), {_MAY_HAVE}."
    if status in (401, 403):
        return ErrorClass.CONFIGURATION, f"{MEANINGS[20003][:-1]} (HTTP {status})." if code is None else words
    if status < 400 or (status == 404 and code is None):
        wrong = _not_twilio(status)
        return wrong.error_class, str(wrong)
    return ErrorClass.UNLISTED, words


def _not_twilio(status: int) -> ChannelError:
    return ChannelError(
        ErrorClass.CONFIGURATION,
        f"The address did not answer as Twilio's API does (HTTP {status}); check sms.api_base_url.",
    )


def _retry_after(call: Call) -> float | None:
    """Seconds, or a date, as HTTP allows."""
    value = (call.headers or {}).get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT)


def _unreachable(failure: Exception, call: Call) -> ChannelError:
    causes = list(_causes(failure))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ChannelError(
            ErrorClass.CONFIGURATION,
            "Twilio's address showed a certificate that this machine does not trust; "
            "check sms.api_base_url, the machine's clock and SSL_CERT_FILE.",
        )
    why = f"within {call.deadline.seconds:g} s" if call.deadline.passed else _why(causes)
    return ChannelError(ErrorClass.TRANSIENT, f"Twilio could not be reached {why}.")


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__


def _why(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "(its name could not be resolved)"
        if isinstance(cause, ConnectionRefusedError):
            return "(the connection was refused)"
        if isinstance(cause, ssl.SSLError):
            return "(no secure connection could be made)"
    return f"({type(causes[0]).__name__})"

"""What a failed conversation with a mail server means, by the step at which it failed."""

from __future__ import annotations

import re
import smtplib
import ssl
from enum import Enum, auto

from notifier.channels.deadline import Deadline
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass
from notifier.rules.recipients import mask_email


class Step(Enum):
    CONNECT = auto()  # up to and including the sign-in
    SENDER = auto()
    RECIPIENT = auto()
    WORDS = auto()
    ANSWER = auto()  # the final dot has left


_REFUSED: dict[Step, tuple[ErrorClass, str]] = {
    Step.CONNECT: (ErrorClass.CONFIGURATION, "The mail server does not let us in; check the email settings"),
    Step.SENDER: (ErrorClass.CONFIGURATION, "The mail server refused our address; check email.from_address"),
    Step.RECIPIENT: (ErrorClass.ADDRESS, "The mail server refused this address; ask the patient for another"),
    Step.WORDS: (ErrorClass.CONTENT, "The mail server refused the message"),
    Step.ANSWER: (ErrorClass.CONTENT, "The mail server refused the message"),
}
_SIGN_IN_CODES = frozenset({530, 534, 535, 538})


def failed(failure: Exception, step: Step, deadline: Deadline) -> ChannelError:
    if isinstance(failure, ChannelError):
        return failure
    if isinstance(failure, smtplib.SMTPResponseException):
        return _answered(failure.smtp_code, readable(failure.smtp_error), step)
    if step is Step.CONNECT:
        return _not_connected(failure, deadline)
    late = f"did not answer within {deadline.seconds:g} s" if deadline.passed else "hung up"
    if step is Step.ANSWER:
        return ChannelError(
            ErrorClass.AMBIGUOUS, f"The mail server {late} after the message, so it may have taken it."
        )
    return ChannelError(ErrorClass.TRANSIENT, f"The mail server {late} before the message was complete.")


def _answered(code: int, said: str, step: Step) -> ChannelError:
    found, words = _meaning(code, said, step)
    return ChannelError(found, f"{words} ({f'{code} {said}'.strip()}).", code=str(code))


def _meaning(code: int, said: str, step: Step) -> tuple[ErrorClass, str]:
    if code in _SIGN_IN_CODES:
        return ErrorClass.CONFIGURATION, (
            "The mail server refused our sign-in; check email.username, email.password and email.security"
        )
    if 400 <= code < 500:
        return ErrorClass.TRANSIENT, "The mail server cannot take the message at this moment"
    if not 500 <= code < 600:
        unreadable = ErrorClass.AMBIGUOUS if step is Step.ANSWER else ErrorClass.TRANSIENT
        return unreadable, "The mail server gave an answer that cannot be understood"
    if step is Step.RECIPIENT and "relay" in said.lower():
        # Said of every address elsewhere, by a server that does not know us as one of its own.
        return ErrorClass.CONFIGURATION, "The mail server sends nothing for us; check email.username"
    return _REFUSED[step]


def _not_connected(failure: Exception, deadline: Deadline) -> ChannelError:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return ChannelError(
            ErrorClass.CONFIGURATION,
            "The mail server showed a certificate that this machine does not trust "
            f"({failure.verify_message}); check email.host, the machine's clock and SSL_CERT_FILE.",
        )
    if isinstance(failure, (smtplib.SMTPNotSupportedError, UnicodeError)) or type(failure) is (
        smtplib.SMTPException
    ):
        return ChannelError(
            ErrorClass.CONFIGURATION,
            f"The mail server cannot be used as email.security and email.username say ({failure}).",
        )
    why = f"within {deadline.seconds:g} s" if deadline.passed else f"({_reason(failure)})"
    return ChannelError(ErrorClass.TRANSIENT, f"The mail server could not be reached {why}.")


def _reason(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLError):
        return 'no secure connection could be made; see whether email.security should be "starttls" or "tls"'
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure).rstrip(".") or type(failure).__name__


def readable(reply: bytes | str) -> str:
    """Servers repeat the patient's address, and reasons end up in logs."""
    text = reply.decode("utf-8", errors="replace") if isinstance(reply, bytes) else reply
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300]
    return re.sub(r"[^\s<>(),;:'\"]+@[^\s<>(),;:'\"]+", lambda found: mask_email(found.group()), plain)

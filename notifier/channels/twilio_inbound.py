"""What Twilio tells us of its own accord: whether it was Twilio, and what the form says in our words."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from notifier.channels.twilio_words import STATUSES, error_class, meaning
from notifier.envelope import DeliveryReport, InboundMessage
from notifier.rules.delivery import ErrorClass, Status

PROVIDER = "twilio"
_LONGEST = 1600  # characters, as long as a text can be
_KEPT = ("MessageStatus", "SmsStatus", "ErrorCode", "RawDlrDoneDate", "ChannelStatusMessage")


def is_genuine(auth_token: str, url: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether the signature is Twilio's over this address and this form.

    `url` is our own idea of the address: what the request says about its host is never asked.
    """
    if not auth_token or not signature:
        return False
    expected = RequestValidator(auth_token).compute_signature(url, dict(form))
    return hmac.compare_digest(expected.encode(), signature.encode())


def report(
    form: Mapping[str, str],
    *,
    received_at: datetime,
    message_id: int | None = None,
    attempt: int | None = None,
) -> DeliveryReport | None:
    """None where the form says nothing about a message."""
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    word = (form.get("MessageStatus") or form.get("SmsStatus") or "").casefold()
    if not sid or word not in STATUSES:
        return None
    raw = {name: form[name] for name in _KEPT if name in form}
    return reported(sid, word, form.get("ErrorCode") or None, received_at, message_id, attempt, raw)


def reported(
    sid: str,
    word: str,
    code: str | None,
    received_at: datetime,
    message_id: int | None = None,
    attempt: int | None = None,
    raw: Mapping[str, str] | None = None,
) -> DeliveryReport:
    """The same from an answer to our own question."""
    status = STATUSES.get(word, Status.ACCEPTED)
    failed = status in (Status.FAILED, Status.UNDELIVERED)
    return DeliveryReport(
        sid,
        status,
        word,
        received_at,
        code=code,
        message_id=message_id,
        attempt=attempt,
        raw=dict(raw or {}),
        provider=PROVIDER,
        error_class=error_class(code) if failed else ErrorClass.UNLISTED,
        said=meaning(code) if failed else "",
    )


def message(form: Mapping[str, str], *, received_at: datetime) -> InboundMessage | None:
    """None where it is no message from anybody. Pictures are named, because nobody here sees them."""
    sid = form.get("MessageSid") or form.get("SmsSid") or ""
    sender = form.get("From", "")
    if not sid or not sender:
        return None
    pictures = form.get("NumMedia", "0")
    body = form.get("Body", "")[:_LONGEST]
    if pictures.isdecimal() and int(pictures[:3]) > 0:
        body = f"{body} [with a picture, which stays at Twilio]".strip()
    raw = {"OptOutType": form["OptOutType"]} if form.get("OptOutType") else {}
    return InboundMessage(sid, "sms", sender, form.get("To", ""), body, received_at, raw=raw)

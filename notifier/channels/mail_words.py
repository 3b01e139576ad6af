"""What a raw e-mail is: a mail server's word about a mail of ours, or the words of a person or a program."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from notifier.channels import mail_bounces
from notifier.channels.mail_parts import Parts, clean
from notifier.channels.mail_quotes import new_words
from notifier.envelope import DeliveryReport, InboundMessage
from notifier.rules.mail_subjects import is_by_a_program, own_words

log = logging.getLogger(__name__)

LONGEST = 10_000  # characters of a body
_CUT = "\n[The mail is longer than this.]"
_NOTHING = "[A mail without words]"
_UNREADABLE = "[A mail that this program cannot read; please look into the mailbox.]"
_ID = re.compile(r"<[^<>\s]{1,252}>")
_MOST_IDS = 20
_BULK = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_MARKS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Auto-Response-Suppress",
    "X-Mailer-Autoreply",
    "List-Id",
    "Feedback-ID",
)

Kind = Literal["report", "reply", "automatic", "receipt"]


@dataclass(frozen=True, slots=True)
class Mail:
    """One of `inbound` and `reports`; neither where it is a receipt, which asks nothing of anybody."""

    kind: Kind
    inbound: InboundMessage | None = None
    reports: tuple[DeliveryReport, ...] = ()


def read(raw: bytes, *, received_at: datetime) -> Mail:
    """Never raises, whatever the bytes. `received_at` is when the mail server took it."""
    try:
        return _read(raw, received_at)
    except Exception:
        log.exception("a mail could not be taken apart")
        identity = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        return Mail("reply", InboundMessage(identity, "email", "", "", _UNREADABLE, received_at))


def _read(raw: bytes, received_at: datetime) -> Mail:
    parts = Parts(raw)
    if parts.report_type == "disposition-notification":
        return Mail("receipt")
    if mail_bounces.is_from_a_server(parts) and (found := mail_bounces.reports(parts, received_at)):
        return Mail("report", reports=found)
    inbound = _inbound(parts, received_at)
    return Mail("automatic" if inbound.automatic else "reply", inbound)


def _inbound(parts: Parts, received_at: datetime) -> InboundMessage:
    name, sender = parts.address("From", "Reply-To", "Sender")
    subject = parts.header("Subject")[:1000]
    about = {"from_name": name[:200], "attachments": ", ".join(parts.attachments)[:500]}
    return InboundMessage(
        provider_id=_identity(parts),
        channel="email",
        from_address=sender,
        to_address=parts.address("To", "Delivered-To", "X-Original-To")[1],
        body=_body(parts, subject),
        received_at=received_at,
        subject=subject,
        in_reply_to=_answered(parts),
        automatic=_is_automatic(parts, subject),
        raw={key: value for key, value in about.items() if value},
    )


def _identity(parts: Parts) -> str:
    """A mail without a Message-ID is known again by its bytes."""
    found = _ID.search(parts.header("Message-ID"))
    return found[0] if found else f"sha256:{hashlib.sha256(parts.raw).hexdigest()}"


def _answered(parts: Parts) -> tuple[str, ...]:
    """The latest first: that is the one it most likely answers."""
    answered = _ID.findall(parts.header("In-Reply-To"))
    earlier = _ID.findall(parts.header("References"))
    return tuple(dict.fromkeys([*answered, *reversed(earlier)]))[:_MOST_IDS]


def _body(parts: Parts, subject: str) -> str:
    """Where there are no words, the subject is what they say: a mail that only unsubscribes has no others."""
    words = new_words(parts.text) or own_words(subject)
    if not words:
        files = ", ".join(parts.attachments)
        return f"[A mail without words, with {files}]" if files else _NOTHING
    return words if len(words) <= LONGEST else clean(words[:LONGEST]) + _CUT


def _is_automatic(parts: Parts, subject: str) -> bool:
    submitted = parts.header("Auto-Submitted").partition(";")[0].strip().casefold()
    precedence = parts.header("Precedence").strip().casefold()
    return (
        submitted not in ("", "no")
        or precedence in _BULK
        or any(parts.has(mark) for mark in _MARKS)
        or parts.header("Return-Path").strip() == "<>"
        or is_by_a_program(subject)
        or mail_bounces.is_from_a_server(parts)
    )

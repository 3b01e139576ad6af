"""Frozen values that cross the provider edge, in both directions.

A channel sees nothing else of this program, and this program nothing else of a provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifier.rules.delivery import ErrorClass, Status


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """What RFC 8058 needs: the https address that a mail program may POST to without sign-in."""

    url: str


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One attempt to hand one message to a provider.

    `text` is the rendered SMS or the plain body of an e-mail; `subject` and `html` belong to e-mail only.
    `reference` is stable over all attempts of one message: an e-mail's Message-ID is made from it, so that a
    second copy is recognised as one. `validity_seconds` is how long the words stay useful, None for no limit.
    `status_callback` is the address for delivery reports, where the installation has a public one.
    `in_reply_to` is the Message-ID of the mail that it answers.
    """

    message_id: int
    attempt: int
    reference: str
    channel: str
    to: str
    text: str
    subject: str = ""
    html: str = ""
    sender: str = ""
    sender_name: str = ""
    reply_to: str = ""
    validity_seconds: int | None = None
    status_callback: str | None = None
    in_reply_to: str = ""
    unsubscribe: Unsubscribe | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. `status` is how far it says the message is: accepted, sent or delivered."""

    provider_id: str
    status: Status = Status.ACCEPTED
    provider: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up at the provider answered about a message we are unsure of."""

    provider_id: str
    status: Status
    code: str | None = None
    error_class: ErrorClass = ErrorClass.UNLISTED
    said: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A message of ours at the provider that has other words than the one we are unsure of."""

    provider_id: str
    text: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider later says about an attempt. `status` is ours, `provider_status` its own word.

    Where it did not arrive, `error_class` is what that means and `said` says it to the desk.
    """

    provider_id: str
    status: Status
    provider_status: str
    received_at: datetime
    code: str | None = None
    message_id: int | None = None
    attempt: int | None = None
    raw: dict[str, str] = field(default_factory=dict)
    provider: str = ""
    error_class: ErrorClass = ErrorClass.UNLISTED
    said: str = ""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What a patient (or a stranger) sent to one of our addresses.

    `provider_id` makes it one of its kind: Twilio's sid, an e-mail's Message-ID. `in_reply_to` are the
    Message-IDs that an e-mail answers; `automatic`: a program says that it wrote it.
    """

    provider_id: str
    channel: str
    from_address: str
    to_address: str
    body: str
    received_at: datetime
    subject: str = ""
    in_reply_to: tuple[str, ...] = ()
    automatic: bool = False
    raw: dict[str, str] = field(default_factory=dict)


# In a source's cursor after a restore: from when everything is to be fetched, however long ago.
SINCE_BACKUP = "restored"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one look at a source brought. `cursor` is where the next look begins, once all of it is kept.

    `complete`: nothing more waits there.
    """

    inbound: tuple[InboundMessage, ...]
    reports: tuple[DeliveryReport, ...]
    cursor: dict[str, Any]
    complete: bool = True

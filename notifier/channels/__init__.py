"""Channels: one verb that hands a message to a provider, and which providers the settings name.

`send` returns what the provider accepted, or raises ChannelError, whose class decides what follows; any other
exception is a mistake in the adapter. Adapters are shared by all threads of a worker.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from notifier.envelope import Accepted, Found, OutboundMessage, Stray

if TYPE_CHECKING:
    from notifier.channels.outbox import Outbox
    from notifier.config import EmailSettings, Settings


class Channel(Protocol):
    @property
    def provider(self) -> str: ...

    def send(self, message: OutboundMessage) -> Accepted: ...

    def close(self) -> None: ...


@runtime_checkable
class Findable(Protocol):
    """A provider that can be asked about a message we are unsure of."""

    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        """All that may be this message, sent at or after `since`; None: it could not be asked."""


@runtime_checkable
class Searchable(Protocol):
    """A provider that also knows what else was sent."""

    def strays(self, message: OutboundMessage, since: datetime) -> list[Stray] | None:
        """All others that we sent to its number at or after `since`; None: it could not be asked."""


def open_channels(settings: Settings, *, outbox: Outbox | None = None) -> dict[str, Channel]:
    """The channels by name, "sms" and "email"; one that is not configured is absent from live.

    Under an allowlist both are there: whoever is not listed needs no provider. `outbox` replaces the one that
    the settings name, for a caller who wants to hear of each message as it leaves.
    """
    from notifier.channels.outbox import Outbox

    mode = settings.delivery.mode
    kept = outbox or Outbox(settings.delivery.outbox_file)
    if mode == "outbox":
        return {"sms": kept, "email": kept}
    real = _providers(settings)
    if mode == "live":
        return real
    from notifier.channels.allowlist import allowlisted

    allowed = settings.delivery.allowlist
    return {name: allowlisted(name, allowed, real.get(name), kept) for name in ("sms", "email")}


def _providers(settings: Settings) -> dict[str, Channel]:
    """Only what is configured is imported: Twilio's client alone takes 0.3 s."""
    found: dict[str, Channel] = {}
    if settings.sms.account_sid:
        from notifier.channels.twilio_sms import TwilioSms

        found["sms"] = TwilioSms(settings.sms, threads=settings.delivery.threads)
    if settings.email.host:
        from notifier.channels.smtp_email import SmtpEmail

        found["email"] = SmtpEmail(_answered_at(settings), threads=settings.delivery.threads)
    return found


def _answered_at(settings: Settings) -> EmailSettings:
    """Replies go to the mailbox that is read, where there is one; else to whom email.reply_to names."""
    email, read_at = settings.email, settings.reply_address
    if read_at in ("", email.from_address):
        return email
    return email.model_copy(update={"reply_to": read_at})

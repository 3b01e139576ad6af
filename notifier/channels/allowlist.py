"""Really sends only to listed recipients and gives the rest to the outbox: for trying the real thing out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from notifier.channels import Channel, Findable, Searchable
from notifier.channels.outbox import Outbox
from notifier.envelope import Accepted, Found, OutboundMessage, Stray
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass
from notifier.rules.recipients import address_key

_SETTINGS = {"sms": "sms.account_sid and sms.auth_token", "email": "email.host"}


def allowlisted(name: str, allowed: Iterable[str], real: Channel | None, outbox: Outbox) -> Allowlisted:
    """Can be asked about a message just when the real channel can."""
    kind = FindableAllowlisted if real is None or isinstance(real, Findable) else Allowlisted
    return kind(name, allowed, real, outbox)


class Allowlisted:
    def __init__(self, name: str, allowed: Iterable[str], real: Channel | None, outbox: Outbox) -> None:
        self.provider = real.provider if real is not None else outbox.provider
        self._name, self._real, self._outbox = name, real, outbox
        self._allowed = {address_key(name, entry) for entry in allowed if ("@" in entry) == (name == "email")}

    def send(self, message: OutboundMessage) -> Accepted:
        return self._channel_for(message).send(message)

    def close(self) -> None:
        if self._real is not None:
            self._real.close()
        self._outbox.close()

    def _channel_for(self, message: OutboundMessage) -> Channel:
        if address_key(self._name, message.to) not in self._allowed:
            return self._outbox
        if self._real is None:
            raise ChannelError(
                ErrorClass.CONFIGURATION,
                f"A listed recipient cannot be sent to: set {_SETTINGS[self._name]}, "
                "or take the address off delivery.allowlist.",
            )
        return self._real


class FindableAllowlisted(Allowlisted):
    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        try:
            channel = self._channel_for(message)
        except ChannelError:
            return None
        return channel.find(message, since) if isinstance(channel, Findable) else None

    def strays(self, message: OutboundMessage, since: datetime) -> list[Stray] | None:
        channel = self._channel_for(message)
        return channel.strays(message, since) if isinstance(channel, Searchable) else []

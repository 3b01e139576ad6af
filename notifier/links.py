"""Our own addresses that leave the house, for reports and for unsubscribing. No patient data is in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from notifier.config import Settings


@dataclass(frozen=True, slots=True)
class Links:
    """`base_url` is a public https address; without one no link is ever made."""

    base_url: str
    reports: bool  # whether the provider is to call us, or is asked by polling
    secret: bytes = field(repr=False)

    def status_callback(self, message_id: int, attempt: int) -> str | None:
        if not self.reports:
            return None
        return f"{self.base_url}/webhooks/twilio/status/{message_id}/{attempt}"

    def unsubscribe(self, patient_id: int, channel: str) -> str | None:
        if not self.secret:
            return None
        return f"{self.base_url}/u/{self.token(patient_id, channel)}"

    def token(self, patient_id: int, channel: str) -> str:
        said = f"{patient_id}.{channel}".encode()
        return f"{_text(said)}.{_text(self._seal(said))}"

    def read_token(self, token: str) -> tuple[int, str] | None:
        """The patient's id and the channel; None when the token is not one of ours."""
        try:
            said, seal = (_bytes(part) for part in token.split("."))
            patient_id, channel = said.decode().split(".")
            genuine = hmac.compare_digest(seal, self._seal(said))
            return (int(patient_id), channel) if genuine and self.secret else None
        except ValueError:
            return None

    def alert(self, alert_id: int, contact_id: int) -> str | None:
        """Where this contact sees the alert and may take it; whoever has the address is taken for them."""
        if not self.secret:
            return None
        return f"{self.base_url}/a/{self.alert_token(alert_id, contact_id)}"

    def alert_token(self, alert_id: int, contact_id: int) -> str:
        said = f"{alert_id}.{contact_id}".encode()
        return f"{_text(said)}.{_text(self._seal(said, b'alert'))}"

    def read_alert_token(self, token: str) -> tuple[int, int] | None:
        """The alert's and the contact's id; None when the token is not one of ours."""
        try:
            said, seal = (_bytes(part) for part in token.split("."))
            alert_id, contact_id = said.decode().split(".")
            genuine = hmac.compare_digest(seal, self._seal(said, b"alert"))
            return (int(alert_id), int(contact_id)) if genuine and self.secret else None
        except ValueError:
            return None

    def _seal(self, said: bytes, purpose: bytes = b"unsubscribe") -> bytes:
        return hmac.digest(self.secret, purpose + b":" + said, hashlib.sha256)[:18]


def links_of(settings: Settings) -> Links | None:
    """Only https: a provider, and a patient's mail program, have to reach it from outside and in secret."""
    base_url = settings.web.base_url
    if not base_url.startswith("https://"):
        return None
    return Links(base_url, settings.sms.receive == "webhook", settings.web.secret_key.encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

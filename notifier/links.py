"""Our own addresses that leave the house: for reports, alerts, unsubscribing and the patient's own page.

No patient data is in them: numbers of rows, and a seal that nobody else can make.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from notifier.config import Settings

_SEAL = 18  # bytes; more than 128 bits
_PAGE_SEAL = 16
_MARK = 8
# A day is counted from here, so that two bytes hold it until the year 2199.
_DAY_ZERO = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """What an unsubscribe link says. `mark` tells the address it was sent to; older links have none."""

    patient_id: int
    channel: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class PageLink:
    """What the link to a patient's page says; whether it is genuine depends on the patient's epoch too."""

    patient_id: int
    until: date
    said: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    def is_over(self, now: datetime) -> bool:
        """`until` is the last day on which it is good, by UTC."""
        return now.astimezone(UTC).date() > self.until


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

    def unsubscribe(self, patient_id: int, channel: str, address: str) -> str | None:
        if not self.secret:
            return None
        return f"{self.base_url}/u/{self.token(patient_id, channel, address)}"

    def token(self, patient_id: int, channel: str, address: str = "") -> str:
        """Without an address it is as in old mails, which did not tell the address they went to."""
        mark = f".{self.mark(address)}" if address else ""
        said = f"{patient_id}.{channel}{mark}".encode()
        return f"{_text(said)}.{_text(self._seal(said))}"

    def mark(self, address: str) -> str:
        """Tells an address from others without saying it, to whoever lacks the secret."""
        return _text(self._seal(address.encode(), b"address"))[:_MARK]

    def read_token(self, token: str) -> Unsubscribing | None:
        """None when the token is not one of ours."""
        try:
            said, seal = (_bytes(part) for part in token.split("."))
            patient_id, channel, *mark = said.decode().split(".")
            genuine = hmac.compare_digest(seal, self._seal(said)) and len(mark) < 2
            return Unsubscribing(int(patient_id), channel, *mark) if genuine and self.secret else None
        except ValueError:
            return None

    def patient_page(self, patient_id: int, epoch: int, until: datetime) -> str | None:
        """The patient's own page, good until the end of that day. `epoch` is `Patient.link_epoch`."""
        if not self.secret:
            return None
        return f"{self.base_url}/p/{self.page_token(patient_id, epoch, until)}"

    def page_token(self, patient_id: int, epoch: int, until: datetime) -> str:
        """Short enough for an SMS: 32 characters at most."""
        days = (until.astimezone(UTC).date() - _DAY_ZERO).days
        said = days.to_bytes(2, "big") + patient_id.to_bytes(max(1, -(-patient_id.bit_length() // 8)), "big")
        return _text(said + self._page_seal(said, epoch))

    def read_page_token(self, token: str) -> PageLink | None:
        """What it says; its seal is yet to be looked at, with the patient's epoch. None: it says nothing."""
        try:
            raw = _bytes(token)
        except ValueError:
            return None
        said, seal = raw[:-_PAGE_SEAL], raw[-_PAGE_SEAL:]
        if not 3 <= len(said) <= 10 or not self.secret or _text(raw) != token:
            return None
        patient_id = int.from_bytes(said[2:], "big")
        until = _DAY_ZERO + timedelta(days=int.from_bytes(said[:2], "big"))
        return PageLink(patient_id, until, said, seal) if patient_id < 2**63 else None

    def is_genuine(self, link: PageLink, epochs: Iterable[int]) -> bool:
        """Whether we made it while the patient's epoch was one of these."""
        return any(hmac.compare_digest(link.seal, self._page_seal(link.said, epoch)) for epoch in epochs)

    def _page_seal(self, said: bytes, epoch: int) -> bytes:
        return self._seal(said + f".{epoch}".encode(), b"page")[:_PAGE_SEAL]

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
        return hmac.digest(self.secret, purpose + b":" + said, hashlib.sha256)[:_SEAL]


def links_of(settings: Settings) -> Links | None:
    """Only https: a provider, and a patient's mail program, have to reach it from outside and in secret."""
    base_url = settings.web.base_url
    if not base_url.startswith("https://"):
        return None
    return Links(base_url, settings.sms.receive == "webhook", settings.web.secret_key.encode())


def local_links(settings: Settings) -> Links:
    """Also where there is no public address: for pages of ours that lead to others of ours."""
    return links_of(settings) or Links("", False, settings.web.secret_key.encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Asking Twilio what came in and what became of messages, for a clinic that nobody can call from outside."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from twilio.rest import Client  # type: ignore[import-untyped]

from notifier.channels import twilio_inbound
from notifier.channels.twilio_errors import unanswered
from notifier.channels.twilio_http import Transport
from notifier.envelope import SINCE_BACKUP, Batch, DeliveryReport, InboundMessage

if TYPE_CHECKING:
    from notifier.config import Settings

log = logging.getLogger(__name__)

_TWILIO = "https://api.twilio.com"
_PAGE = 100
# Twilio's list may show a message a little later than its date says; what comes twice is known by its id.
_OVERLAP = timedelta(minutes=10)
# How far back the first look goes, and how much one look may read.
_FIRST_LOOK_BACK = timedelta(hours=1)
_LONGEST_ABSENCE = timedelta(days=14)
_MOST = 5_000
_OUT_OF_ORDER = 20
_TOTAL = 30.0  # seconds


class TwilioInbox:
    """`poll` is called by one thread at a time."""

    name = "twilio"

    def __init__(
        self, settings: Settings, *, tls: ssl.SSLContext | None = None, seconds: float = _TOTAL
    ) -> None:
        sms = settings.sms
        # Behind calls from outside it only catches what those missed.
        self.every = timedelta(seconds=15) if sms.receive == "poll" else timedelta(minutes=5)
        self._seconds = seconds
        # All of ours that patients write to; none: whatever came to the account.
        self.numbers: tuple[str, ...] = (sms.from_number,) if sms.from_number else ()
        self._transport = Transport(sms.api_base_url or _TWILIO, threads=1, tls=tls, keep_for=30.0)
        client = Client(sms.account_sid, sms.auth_token, http_client=self._transport)
        self._messages = client.api.v2010.accounts(sms.account_sid).messages

    def poll(self, cursor: dict[str, Any]) -> Batch:
        """What patients sent since the last look, the oldest first. Raises ChannelError in words."""
        began = datetime.now(UTC)
        since = _since(cursor, began)
        with self._transport.call(self._seconds) as call:
            try:
                found = self._received(since, _MOST if SINCE_BACKUP not in cursor else None)
            except Exception as failure:
                raise unanswered(failure, call) from failure
        # Our clock may be ahead of Twilio's, whose dates these are: what lay between would never be read.
        seen = min(began, _said(call.headers) or began)
        return Batch(tuple(reversed(found)), (), {"seen": seen.isoformat()})

    def statuses(self, sids: Sequence[str]) -> list[DeliveryReport]:
        """How far these messages are by now; one that Twilio does not know is left out."""
        found = []
        with self._transport.call(self._seconds) as call:
            for sid in sids:
                try:
                    record = self._messages(sid).fetch()
                except Exception as failure:
                    if call.status == 404:
                        continue
                    raise unanswered(failure, call) from failure
                found.append(_report(record))
        return found

    def check(self) -> None:
        """Lists one message; raises ChannelError when that fails."""
        with self._transport.call(self._seconds) as call:
            try:
                self._messages.page(page_size=1)
            except Exception as failure:
                raise unanswered(failure, call) from failure

    def close(self) -> None:
        self._transport.close()

    def _received(self, since: datetime, most: int | None) -> list[InboundMessage]:
        """Newest first, as the list is; to where all are older, because it is not quite in order."""
        asked: list[dict[str, str]] = [{"to": number} for number in self.numbers] or [{}]
        found = [message for to_us in asked for message in self._received_at(to_us, since, most)]
        return sorted(found, key=lambda message: message.received_at, reverse=True)

    def _received_at(self, to_us: dict[str, str], since: datetime, most: int | None) -> list[InboundMessage]:
        found: list[InboundMessage] = []
        older = read = 0
        for record in self._messages.stream(page_size=_PAGE, limit=most, **to_us):
            read += 1
            at = record.date_sent or record.date_created
            older = older + 1 if at is not None and at < since else 0
            if older > _OUT_OF_ORDER:
                break
            if older == 0 and str(record.direction) == "inbound":
                found.append(_message(record, at or datetime.now(UTC)))
        if most is not None and read >= most:
            log.error(
                "Twilio has more messages since the last look than one look reads; look into its console"
            )
        return found


def _said(headers: Mapping[str, str] | None) -> datetime | None:
    """What Twilio's own clock says."""
    try:
        at = parsedate_to_datetime((headers or {}).get("Date") or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _since(cursor: dict[str, Any], now: datetime) -> datetime:
    try:
        seen = datetime.fromisoformat(str(cursor["seen"])).astimezone(UTC)
    except (KeyError, ValueError):
        seen = now - _FIRST_LOOK_BACK
    if SINCE_BACKUP in cursor:
        return seen - _OVERLAP
    return max(seen - _OVERLAP, now - _LONGEST_ABSENCE)


def _message(record: Any, at: datetime) -> InboundMessage:
    form = {
        "MessageSid": str(record.sid),
        "From": str(record.from_ or ""),
        "To": str(record.to or ""),
        "Body": str(record.body or ""),
        "NumMedia": str(record.num_media or "0"),
    }
    message = twilio_inbound.message(form, received_at=at)
    assert message is not None or not form["From"]
    return message or InboundMessage(form["MessageSid"], "sms", "", form["To"], form["Body"], at)


def _report(record: Any) -> DeliveryReport:
    code = None if record.error_code is None else str(record.error_code)
    return twilio_inbound.reported(str(record.sid), str(record.status), code, datetime.now(UTC))

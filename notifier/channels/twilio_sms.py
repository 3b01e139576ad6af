"""SMS by Twilio: send, look up, check.

Its words and codes are in twilio_words, what failures mean in twilio_errors, the transport in twilio_http.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from twilio.rest import Client  # type: ignore[import-untyped]

from notifier.channels.twilio_errors import REFUSALS, broken, refused, unanswered
from notifier.channels.twilio_http import Transport
from notifier.channels.twilio_words import STATUSES, error_class, meaning
from notifier.envelope import Accepted, Found, OutboundMessage, Stray
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status

if TYPE_CHECKING:
    from notifier.config import SmsSettings

_TWILIO = "https://api.twilio.com"
_LONGEST_VALIDITY = 14_400  # accepted by every version of the API; newer ones take more
_CLOCKS_APART = timedelta(minutes=5)
_TRIAL = "Sent from your Twilio trial account - "
_PAGE = 50


class TwilioSms:
    provider = "twilio"

    def __init__(
        self,
        settings: SmsSettings,
        *,
        threads: int = 8,
        tls: ssl.SSLContext | None = None,
        keep_for: float = 30.0,
    ) -> None:
        """`keep_for`: seconds that an idle connection is trusted to be still there."""
        self._settings = settings
        self._seconds = settings.timeout.total_seconds()
        self._transport = Transport(
            settings.api_base_url or _TWILIO, threads=threads, tls=tls, keep_for=keep_for
        )
        client = Client(settings.account_sid, settings.auth_token, http_client=self._transport)
        self._account = client.api.v2010.accounts(settings.account_sid)
        self._messages = self._account.messages

    def send(self, message: OutboundMessage) -> Accepted:
        fields = self._fields(message)
        with self._transport.call(self._seconds) as call:
            try:
                created = self._messages.create(**fields)
            except REFUSALS as refusal:
                # Without its cause, because the client's own words hold the patient's number.
                raise refused(refusal, call) from None
            except Exception as failure:
                # Whatever it was: once the request may have left, the message may have been taken.
                raise broken(failure, call) from failure
        return _accepted(created)

    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        """All messages to this number with these very words, created at `since` or later."""
        records = self._ours(message, since)
        if records is None:
            return None
        return [_found(record) for record in records if _words(record) == message.text]

    def strays(self, message: OutboundMessage, since: datetime) -> list[Stray] | None:
        records = self._ours(message, since)
        if records is None:
            return None
        found = [Stray(record.sid, _words(record)) for record in records]
        return [stray for stray in found if stray.text != message.text]

    def _ours(self, message: OutboundMessage, since: datetime) -> list[Any] | None:
        """What this sender sent to this number at `since` or later."""
        earliest = since.astimezone(UTC) - _CLOCKS_APART  # their clock and ours may differ
        with self._transport.call(self._seconds):
            try:
                sender = _sender(message, self._settings)
                records = list(self._records(message.to, earliest))
                return [record for record in records if _same(record, message, sender, earliest)]
            except Exception:  # whatever went wrong, the question was not answered
                return None

    def check(self) -> None:
        """Signs in without sending anything; raises ChannelError when messages could not be sent."""
        with self._transport.call(self._seconds) as call:
            try:
                status = self._account.fetch().status
            except Exception as failure:
                raise unanswered(failure, call) from failure
        if status != "active":
            raise ChannelError(
                ErrorClass.CONFIGURATION,
                f"The Twilio account is {status or 'in an unknown state'}; look into its console.",
            )

    def close(self) -> None:
        self._transport.close()

    def _fields(self, message: OutboundMessage) -> dict[str, Any]:
        fields: dict[str, Any] = {"to": message.to, "body": message.text} | _sender(message, self._settings)
        if message.status_callback:
            fields["status_callback"] = message.status_callback
        if message.validity_seconds is not None:
            fields["validity_period"] = max(1, min(message.validity_seconds, _LONGEST_VALIDITY))
        return fields

    def _records(self, to: str, earliest: datetime) -> Iterator[Any]:
        """What was sent to the number lately.

        Two questions: a message still waiting at Twilio has no sending date, so a filter by date may leave it
        out; and without the filter the list would run through years.
        """
        waiting = self._messages.page(to=to, page_size=_PAGE)
        sent = self._messages.stream(to=to, date_sent_after=earliest.date(), page_size=_PAGE)
        seen: set[str] = set()
        for records in (waiting, sent):
            for record in records:
                if record.sid not in seen:
                    seen.add(record.sid)
                    yield record


def _sender(message: OutboundMessage, settings: SmsSettings) -> dict[str, str]:
    sender = message.sender or settings.messaging_service_sid or settings.from_number
    if not sender:
        raise ChannelError(
            ErrorClass.CONFIGURATION,
            "There is no number to send from: set sms.from_number or sms.messaging_service_sid.",
        )
    return {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}


def _accepted(created: Any) -> Accepted:
    if not isinstance(created.sid, str) or not created.sid:
        raise ChannelError(
            ErrorClass.AMBIGUOUS, "Twilio answered without an id, so it may have taken the message."
        )
    status = STATUSES.get(str(created.status), Status.ACCEPTED)
    if status in (Status.FAILED, Status.UNDELIVERED):
        code = created.error_code
        raise ChannelError(
            error_class(code), meaning(code, str(created.error_message or "")), code=_text(code)
        )
    return Accepted(provider_id=created.sid, status=status, provider=TwilioSms.provider)


def _found(record: Any) -> Found:
    status = STATUSES.get(str(record.status), Status.ACCEPTED)
    code = _text(record.error_code)
    return Found(record.sid, status, code, error_class(code), meaning(code) if code else "")


def _words(record: Any) -> str:
    return str(record.body or "").removeprefix(_TRIAL)


def _same(record: Any, message: OutboundMessage, sender: dict[str, str], earliest: datetime) -> bool:
    if str(record.direction).startswith("inbound") or record.to != message.to:
        return False
    if any(getattr(record, field) != value for field, value in sender.items()):
        return False
    return record.date_created is None or bool(record.date_created >= earliest)


def _text(code: object) -> str | None:
    return None if code is None else str(code)

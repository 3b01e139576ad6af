"""Who and what the channel tests send, and the settings that point an adapter at a local server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from notifier.config import EmailSettings, SmsSettings
from notifier.envelope import OutboundMessage, Unsubscribe
from notifier.errors import ChannelError
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, TwilioServer

ANA_PHONE = "+15035550123"
ANA_MAIL = "ana@example.com"
OUR_NUMBER = "+15035550199"

TEXT = OutboundMessage(
    message_id=7,
    attempt=1,
    reference="m-7-4f2a",
    channel="sms",
    to=ANA_PHONE,
    text="Sol Clinic: Hi Ana. Soreness for a day or two is normal. STOP to end.",
)
MAIL = OutboundMessage(
    message_id=8,
    attempt=1,
    reference="m-8-77b1",
    channel="email",
    to=ANA_MAIL,
    subject="Después de tu visita",
    text="Hola Ana:\n\nEl dolor de un día o dos es normal.\n.\nHasta pronto",
    html="<p>Hola Ana:</p>\n<p>El dolor de un día o dos es normal.</p>",
    sender_name="Clínica Sol",
    unsubscribe=Unsubscribe("https://clinic.example/u/abc123"),
)


def text(**changes: Any) -> OutboundMessage:
    return replace(TEXT, **changes)


def mail(**changes: Any) -> OutboundMessage:
    return replace(MAIL, **changes)


def sms_settings(server: TwilioServer | str, *, timeout: float = 5.0, **changes: Any) -> SmsSettings:
    given: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from_number": OUR_NUMBER,
        "api_base_url": server if isinstance(server, str) else server.url,
        "timeout": timedelta(seconds=timeout),
    }
    return SmsSettings(**given | changes)


def email_settings(server: SmtpServer, *, timeout: float = 5.0, **changes: Any) -> EmailSettings:
    given: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "security": "none",
        "from_address": "care@clinic.example",
        "timeout": timedelta(seconds=timeout),
    }
    return EmailSettings(**given | changes)


def refusal(channel: Any, message: OutboundMessage) -> ChannelError:
    """The error that sending raised; a message that was taken fails the test."""
    try:
        accepted = channel.send(message)
    except ChannelError as error:
        return error
    raise AssertionError(f"it was taken: {accepted}")

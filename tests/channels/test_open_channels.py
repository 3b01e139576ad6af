from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from notifier.channels import Findable, open_channels
from notifier.channels.outbox import Outbox
from notifier.config import (
    DeliverySettings,
    EmailSettings,
    InboundMailSettings,
    Settings,
    SmsSettings,
)
from notifier.rules.delivery import ErrorClass
from tests.channels.cast import ANA_MAIL, ANA_PHONE, email_settings, mail, refusal, sms_settings, text
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import TwilioServer

NOW = datetime(2026, 3, 7, 17, 30, tzinfo=UTC)


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def mail_server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def settings(
    path: Path,
    mode: Literal["outbox", "allowlist", "live"],
    *allowlist: str,
    sms: SmsSettings | None = None,
    email: EmailSettings | None = None,
) -> Settings:
    return Settings(
        delivery=DeliverySettings(mode=mode, allowlist=allowlist, outbox_file=path / "outbox.jsonl"),
        sms=sms or SmsSettings(),
        email=email or EmailSettings(),
    )


def close(channels: dict[str, Any]) -> None:
    for channel in channels.values():
        channel.close()


def test_outbox_mode_reaches_nobody_however_much_is_configured(
    tmp_path: Path, twilio: TwilioServer, mail_server: SmtpServer
) -> None:
    chosen = settings(tmp_path, "outbox", sms=sms_settings(twilio), email=email_settings(mail_server))
    channels = open_channels(chosen)
    channels["sms"].send(text())
    channels["email"].send(mail())
    assert [entry["channel"] for entry in Outbox(tmp_path / "outbox.jsonl").entries()] == ["sms", "email"]
    assert (twilio.messages, mail_server.mails) == ([], [])


def test_live_mode_really_sends(tmp_path: Path, twilio: TwilioServer, mail_server: SmtpServer) -> None:
    chosen = settings(tmp_path, "live", sms=sms_settings(twilio), email=email_settings(mail_server))
    channels = open_channels(chosen)
    channels["sms"].send(text())
    channels["email"].send(mail())
    close(channels)
    assert (len(twilio.messages), len(mail_server.mails)) == (1, 1)
    assert not (tmp_path / "outbox.jsonl").exists()


def test_a_live_channel_that_is_not_configured_is_absent(tmp_path: Path, twilio: TwilioServer) -> None:
    channels = open_channels(settings(tmp_path, "live", sms=sms_settings(twilio)))
    close(channels)
    assert set(channels) == {"sms"}


@pytest.mark.parametrize("listed", [ANA_PHONE, "+1 503 555-0123", "+1 (503) 555.0123"])
def test_a_listed_phone_gets_its_text_however_it_was_written(
    tmp_path: Path, twilio: TwilioServer, listed: str
) -> None:
    channels = open_channels(settings(tmp_path, "allowlist", listed, sms=sms_settings(twilio)))
    assert channels["sms"].send(text()).provider == "twilio"
    close(channels)
    assert len(twilio.messages) == 1


@pytest.mark.parametrize("other", ["+15035550124", "+150355501234", "15035550123", "+"])
def test_a_phone_that_is_not_listed_gets_nothing(tmp_path: Path, twilio: TwilioServer, other: str) -> None:
    channels = open_channels(settings(tmp_path, "allowlist", ANA_PHONE, sms=sms_settings(twilio)))
    assert channels["sms"].send(text(to=other)).provider == "outbox"
    close(channels)
    assert twilio.messages == []
    assert Outbox(tmp_path / "outbox.jsonl").entries()[0]["to"] == other


def test_listed_mail_addresses_are_compared_without_case(tmp_path: Path, mail_server: SmtpServer) -> None:
    chosen = settings(tmp_path, "allowlist", "Ana@Example.COM", email=email_settings(mail_server))
    channels = open_channels(chosen)
    assert channels["email"].send(mail()).provider == "smtp"
    assert channels["email"].send(mail(to="bo@example.com")).provider == "outbox"
    close(channels)
    assert [received.recipients for received in mail_server.mails] == [(ANA_MAIL,)]


def test_under_an_allowlist_an_unconfigured_channel_still_serves_the_others(tmp_path: Path) -> None:
    channels = open_channels(settings(tmp_path, "allowlist", ANA_PHONE))
    assert channels["sms"].send(text(to="+15035550124")).provider == "outbox"
    error = refusal(channels["sms"], text())
    assert error.error_class is ErrorClass.CONFIGURATION
    assert "sms.account_sid" in str(error)


def test_a_look_up_asks_where_the_message_went(tmp_path: Path, twilio: TwilioServer) -> None:
    channels = open_channels(settings(tmp_path, "allowlist", ANA_PHONE, sms=sms_settings(twilio)))
    sms = channels["sms"]
    assert isinstance(sms, Findable)
    really, kept = sms.send(text()), sms.send(text(to="+15035550124"))
    asked = [sms.find(text(), datetime.now(UTC)), sms.find(text(to="+15035550124"), NOW)]
    close(channels)
    assert [[found.provider_id for found in answer or []] for answer in asked] == [
        [really.provider_id],
        [kept.provider_id],
    ]


def test_mail_cannot_be_looked_up_under_an_allowlist_either(tmp_path: Path, mail_server: SmtpServer) -> None:
    chosen = settings(tmp_path, "allowlist", ANA_MAIL, email=email_settings(mail_server))
    channels = open_channels(chosen)
    close(channels)
    assert isinstance(channels["sms"], Findable)
    assert not isinstance(channels["email"], Findable)


def test_the_caller_may_bring_an_outbox_that_it_listens_to(tmp_path: Path) -> None:
    heard: list[int] = []
    outbox = Outbox(tmp_path / "mine.jsonl", on_keep=lambda entry: heard.append(entry["message_id"]))
    open_channels(settings(tmp_path, "outbox"), outbox=outbox)["sms"].send(text())
    assert heard == [7]


def test_providers_that_are_not_used_are_not_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from notifier.channels import open_channels; from notifier.config import Settings; "
        "open_channels(Settings()); print({'twilio', 'smtplib', 'email_validator'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ran.stdout.strip() == "set()"


def test_replies_go_to_the_mailbox_that_is_read_where_there_is_one(
    tmp_path: Path, mail_server: SmtpServer
) -> None:
    read_by_a_person = settings(tmp_path, "live", email=email_settings(mail_server))
    inbound = InboundMailSettings(host="imap.example", username="replies@clinic.example", password="x")
    for chosen in (read_by_a_person, read_by_a_person.model_copy(update={"inbound_mail": inbound})):
        channels = open_channels(chosen)
        channels["email"].send(mail())
        close(channels)
    headers = [kept.message["Reply-To"] for kept in mail_server.mails]
    assert headers == [None, "replies@clinic.example"]

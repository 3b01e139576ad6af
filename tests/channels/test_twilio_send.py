from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifier.channels.twilio_sms import TwilioSms
from notifier.config import SmsSettings
from notifier.envelope import OutboundMessage
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status
from tests.channels.cast import ANA_PHONE, OUR_NUMBER, TEXT, refusal, sms_settings, text
from tests.servers.certificates import Certificates
from tests.servers.twilio_rules import CREATE_PARAMETERS
from tests.servers.twilio_server import ACCOUNT, SERVICE, Fault, TwilioServer

CALLBACK = "https://clinic.example/webhooks/twilio/status/7/1"


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def form_of(twilio: TwilioServer, message: OutboundMessage, **changes: Any) -> dict[str, str]:
    channel = TwilioSms(sms_settings(twilio, **changes))
    channel.send(message)
    channel.close()
    return twilio.forms[-1]


def test_a_message_is_accepted_under_twilios_id(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio))
    accepted = channel.send(TEXT)
    channel.close()
    [kept] = twilio.messages
    assert (accepted.provider_id, accepted.status, accepted.provider) == (
        kept["sid"],
        Status.ACCEPTED,
        "twilio",
    )
    assert (kept["to"], kept["from"], kept["body"]) == (ANA_PHONE, OUR_NUMBER, TEXT.text)


def test_a_request_has_only_what_the_message_asks_for(twilio: TwilioServer) -> None:
    assert form_of(twilio, TEXT) == {"To": ANA_PHONE, "From": OUR_NUMBER, "Body": TEXT.text}


def test_a_message_with_everything_stays_within_the_official_parameters(twilio: TwilioServer) -> None:
    everything = text(
        validity_seconds=3600, status_callback=CALLBACK, sender=SERVICE, text="¿Cómo está? 👍 & +"
    )
    form = form_of(twilio, everything)
    assert form.keys() <= CREATE_PARAMETERS
    assert form == {
        "To": ANA_PHONE,
        "MessagingServiceSid": SERVICE,
        "Body": "¿Cómo está? 👍 & +",
        "StatusCallback": CALLBACK,
        "ValidityPeriod": "3600",
    }


@pytest.mark.parametrize(
    ("seconds", "sent"), [(None, None), (-5, "1"), (0, "1"), (1, "1"), (14400, "14400"), (172800, "14400")]
)
def test_the_validity_stays_within_what_twilio_takes(
    twilio: TwilioServer, seconds: int | None, sent: str | None
) -> None:
    assert form_of(twilio, text(validity_seconds=seconds)).get("ValidityPeriod") == sent


@pytest.mark.parametrize(
    ("of_message", "of_settings", "field", "value"),
    [
        ("", {}, "From", OUR_NUMBER),
        ("", {"from_number": "", "messaging_service_sid": SERVICE}, "MessagingServiceSid", SERVICE),
        ("+15035550177", {}, "From", "+15035550177"),
        ("+15035550177", {"from_number": "", "messaging_service_sid": SERVICE}, "From", "+15035550177"),
        (SERVICE, {}, "MessagingServiceSid", SERVICE),
    ],
)
def test_the_messages_own_sender_wins_over_the_settings(
    twilio: TwilioServer, of_message: str, of_settings: dict[str, str], field: str, value: str
) -> None:
    form = form_of(twilio, text(sender=of_message), **of_settings)
    assert {name: form[name] for name in form if name in ("From", "MessagingServiceSid")} == {field: value}


def test_without_any_sender_nothing_is_asked_of_twilio(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio, from_number=""))
    error = refusal(channel, TEXT)
    channel.close()
    assert error.error_class is ErrorClass.CONFIGURATION
    assert "sms.from_number" in str(error)
    assert twilio.connections == 0


def test_an_address_with_a_path_is_kept_before_twilios_own(twilio: TwilioServer) -> None:
    with TwilioServer(prefix="/proxy/twilio") as behind:
        channel = TwilioSms(sms_settings(behind))
        channel.send(TEXT)
        channel.check()
        channel.close()
        assert len(behind.messages) == 1


def test_one_connection_serves_message_after_message(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio), threads=1)
    for _ in range(5):
        channel.send(TEXT)
    channel.check()
    channel.close()
    assert twilio.connections == 1


def test_threads_share_as_many_connections_as_there_are_threads(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio), threads=4)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: channel.send(text(message_id=n)), range(40)))
    channel.close()
    assert len(twilio.messages) == 40
    assert twilio.connections <= 4


def test_a_connection_idle_for_long_is_not_trusted(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio), threads=1, keep_for=0.0)
    channel.send(TEXT)
    channel.send(TEXT)
    channel.close()
    assert twilio.connections == 2


def test_a_refused_message_leaves_the_connection_for_the_next(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio), threads=1)
    twilio.next(Fault.refuse(21610), Fault.too_many())
    refusal(channel, TEXT)
    refusal(channel, TEXT)
    channel.send(TEXT)
    channel.close()
    assert twilio.connections == 1


def test_a_server_trusted_by_the_context_is_sent_to(twilio: TwilioServer) -> None:
    certificates = Certificates()
    with TwilioServer(tls=certificates.server()) as secure:
        channel = TwilioSms(sms_settings(secure), tls=certificates.client(), threads=1)
        channel.send(TEXT)
        channel.send(TEXT)
        channel.close()
        assert (len(secure.messages), secure.connections) == (2, 1)


def test_the_systems_store_and_its_environment_variable_decide_whom_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates()
    certificates.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with TwilioServer(tls=certificates.server()) as secure:
        channel = TwilioSms(sms_settings(secure))
        channel.send(TEXT)
        channel.close()
        assert len(secure.messages) == 1


@pytest.mark.parametrize("names", [("localhost", "127.0.0.1"), ("elsewhere.example",)])
def test_a_certificate_that_is_not_trusted_or_anothers_stops_the_sender(names: tuple[str, ...]) -> None:
    theirs, known = Certificates(*names), Certificates()
    trusted = known.client() if names[0] == "localhost" else theirs.client()
    with TwilioServer(tls=theirs.server()) as secure:
        channel = TwilioSms(sms_settings(secure), tls=trusted)
        error = refusal(channel, TEXT)
        channel.close()
        assert error.error_class is ErrorClass.CONFIGURATION
        assert "certificate" in str(error)
        assert secure.messages == []


def test_no_number_and_no_word_reaches_a_log_or_a_traceback(
    twilio: TwilioServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = TwilioSms(sms_settings(twilio, timeout=0.2))
    said = f"The 'To' number {ANA_PHONE} is not a valid phone number."
    twilio.next(Fault.refuse(21211, said=said), Fault.refuse(29999, said=said), Fault.accept_then_hang())
    told = [refusal(channel, TEXT) for _ in range(3)]
    channel.find(TEXT, datetime.now(UTC))
    channel.close()
    seen = caplog.text + "".join("".join(traceback.format_exception(error)) for error in told)
    for private in (ANA_PHONE, ANA_PHONE[1:], TEXT.text, "Soreness"):
        assert private not in seen


def test_check_signs_in_and_sends_nothing(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio))
    channel.check()
    channel.close()
    assert twilio.connections == 1
    assert twilio.messages == []


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"auth_token": "wrong"}, ErrorClass.CONFIGURATION, "sms.auth_token"),
        ({"account_sid": ACCOUNT[:-1] + "0"}, ErrorClass.CONFIGURATION, "sms.account_sid"),
    ],
)
def test_check_tells_what_is_wrong_with_the_settings(
    twilio: TwilioServer, changes: dict[str, Any], expected: ErrorClass, words: str
) -> None:
    assert words in str(check_error(sms_settings(twilio, **changes), expected))


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        (Fault.garbage(status=200), ErrorClass.CONFIGURATION, "sms.api_base_url"),
        (Fault.garbage(status=404), ErrorClass.CONFIGURATION, "sms.api_base_url"),
        (Fault.accept_then_error(503), ErrorClass.TRANSIENT, "503"),
        (Fault.too_many(), ErrorClass.TRANSIENT, "no more"),
        (Fault.cut(), ErrorClass.TRANSIENT, "could not be reached"),
        (Fault.accept_then_hang(), ErrorClass.TRANSIENT, "within 0.3 s"),
    ],
)
def test_check_is_never_in_doubt_because_asking_again_does_no_harm(
    twilio: TwilioServer, fault: Fault, expected: ErrorClass, words: str
) -> None:
    twilio.next(fault, on="account")
    assert words in str(check_error(sms_settings(twilio, timeout=0.3), expected))


def test_check_tells_that_the_account_is_suspended(twilio: TwilioServer) -> None:
    twilio.account_status = "suspended"
    assert "suspended" in str(check_error(sms_settings(twilio), ErrorClass.CONFIGURATION))


def check_error(settings: SmsSettings, expected: ErrorClass) -> ChannelError:
    channel = TwilioSms(settings)
    with pytest.raises(ChannelError) as caught:
        channel.check()
    channel.close()
    assert caught.value.error_class is expected
    return caught.value

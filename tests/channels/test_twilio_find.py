from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from notifier.channels.twilio_sms import TwilioSms
from notifier.channels.twilio_words import meaning
from notifier.envelope import Found
from notifier.rules.delivery import ErrorClass, Status
from tests.channels.cast import TEXT, refusal, sms_settings, text
from tests.servers.twilio_server import SERVICE, Fault, TwilioServer


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def channel(twilio: TwilioServer) -> Iterator[TwilioSms]:
    channel = TwilioSms(sms_settings(twilio))
    yield channel
    channel.close()


def now() -> datetime:
    return datetime.now(UTC)


def sids(found: list[Found] | None) -> list[str]:
    assert found is not None
    return [one.provider_id for one in found]


def test_a_message_whose_answer_was_lost_is_found(twilio: TwilioServer, channel: TwilioSms) -> None:
    began = now()
    twilio.next(Fault.accept_then_cut())
    refusal(channel, TEXT)
    assert sids(channel.find(TEXT, began)) == [twilio.messages[0]["sid"]]


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("queued", Status.ACCEPTED, None),
        ("sent", Status.SENT, None),
        ("delivered", Status.DELIVERED, None),
        ("undelivered", Status.UNDELIVERED, 30005),
    ],
)
def test_the_look_up_tells_how_far_the_message_is(
    twilio: TwilioServer, channel: TwilioSms, word: str, status: Status, code: int | None
) -> None:
    accepted = channel.send(TEXT)
    twilio.advance(accepted.provider_id, word, error_code=code)
    expected = Found(accepted.provider_id, status)
    if code is not None:
        expected = replace(expected, code=str(code), error_class=ErrorClass.ADDRESS, said=meaning(code))
    assert channel.find(TEXT, now()) == [expected]


def test_a_message_that_still_waits_at_twilio_has_no_date_and_is_found(
    twilio: TwilioServer, channel: TwilioSms
) -> None:
    accepted = channel.send(TEXT)
    assert twilio.messages[0]["date_sent"] is None
    assert sids(channel.find(TEXT, now())) == [accepted.provider_id]


def test_asked_and_absent_is_an_empty_list(channel: TwilioSms) -> None:
    assert channel.find(TEXT, now()) == []


@pytest.mark.parametrize(
    "other",
    [
        {"to": "+15035550124"},
        {"text": TEXT.text + " "},
        {"text": TEXT.text.replace("Ana", "Bo")},
        {"sender": "+15035550177"},
        {"sender": SERVICE},
    ],
)
def test_other_words_another_number_or_another_sender_is_another_message(
    twilio: TwilioServer, channel: TwilioSms, other: dict[str, Any]
) -> None:
    channel.send(text(**other))
    assert channel.find(TEXT, now()) == []


def test_all_that_may_be_it_are_told(twilio: TwilioServer, channel: TwilioSms) -> None:
    sent = {channel.send(TEXT).provider_id for _ in range(3)}
    twilio.advance(min(sent), "sent")
    found = sids(channel.find(TEXT, now()))
    assert (set(found), len(found)) == (sent, 3)


def test_what_was_sent_before_the_attempt_is_not_it(twilio: TwilioServer, channel: TwilioSms) -> None:
    channel.send(TEXT)
    assert channel.find(TEXT, now() + timedelta(minutes=6)) == []


@pytest.mark.parametrize("offset", [-11, 0, 13])
def test_the_moment_may_be_told_in_any_time_zone(
    twilio: TwilioServer, channel: TwilioSms, offset: int
) -> None:
    accepted = channel.send(TEXT)
    twilio.advance(accepted.provider_id, "delivered")
    for number in range(60):  # so that only the question by date reaches it
        channel.send(text(text=f"a later one, {number}"))
    here = now().astimezone(timezone(timedelta(hours=offset)))
    assert sids(channel.find(TEXT, here)) == [accepted.provider_id]


def test_a_long_list_is_read_to_its_end(twilio: TwilioServer, channel: TwilioSms) -> None:
    first = channel.send(TEXT)
    twilio.advance(first.provider_id, "sent")
    for number in range(120):
        later = channel.send(text(text=f"a later one, {number}"))
        twilio.advance(later.provider_id, "sent")
    assert sids(channel.find(TEXT, now())) == [first.provider_id]


def test_a_trial_accounts_own_words_before_ours_do_not_hide_it(
    twilio: TwilioServer, channel: TwilioSms
) -> None:
    accepted = channel.send(TEXT)
    twilio.messages[0]["body"] = "Sent from your Twilio trial account - " + TEXT.text
    assert sids(channel.find(TEXT, now())) == [accepted.provider_id]


def test_a_patients_own_message_with_the_same_words_is_not_ours(
    twilio: TwilioServer, channel: TwilioSms
) -> None:
    channel.send(TEXT)
    twilio.messages[0]["direction"] = "inbound"
    assert channel.find(TEXT, now()) == []


def test_a_messaging_service_is_compared_by_its_own_id(twilio: TwilioServer, channel: TwilioSms) -> None:
    """Twilio chooses the number later, so the number says nothing."""
    message = text(sender=SERVICE)
    accepted = channel.send(message)
    twilio.messages[0]["from"] = "+15035550111"
    assert sids(channel.find(message, now())) == [accepted.provider_id]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.accept_then_hang(),
        Fault.cut(),
        Fault.too_many(),
        Fault.trickle("body"),
        Fault.garbage(status=200),
        Fault.garbage(b"{}", status=200),
        Fault.garbage(b'{"messages": [{"date_created": 7}]}', status=200),
        Fault.accept_then_error(503),
        Fault.refuse(20003, 401),
    ],
)
@pytest.mark.parametrize("which", ["the first question", "the second"])
def test_when_either_question_fails_it_could_not_be_asked(
    twilio: TwilioServer, fault: Fault, which: str
) -> None:
    slow = fault.ending == "hang" or fault.dribble
    channel = TwilioSms(sms_settings(twilio, timeout=0.3 if slow else 5.0))
    channel.send(TEXT)
    twilio.next(*([fault] if which == "the first question" else [Fault(), fault]), on="list")
    answer = channel.find(TEXT, now())
    channel.close()
    assert answer is None


def test_without_a_sender_there_is_nothing_to_compare_with(twilio: TwilioServer) -> None:
    channel = TwilioSms(sms_settings(twilio, from_number=""))
    answer = channel.find(TEXT, now())
    channel.close()
    assert answer is None

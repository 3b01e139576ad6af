"""Doubts settled with Twilio and a mail server: what was taken is not sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifier.channels import Channel
from notifier.channels.smtp_email import SmtpEmail
from notifier.channels.twilio_sms import TwilioSms
from notifier.models import Clinic, Message
from notifier.rules.delivery import Kind
from tests import cast
from tests.channels.cast import email_settings, sms_settings
from tests.servers.smtp_server import MailFault, SmtpServer
from tests.servers.twilio_server import Fault, TwilioServer
from tests.worker_cast import Shift, is_honest

TO = "+12125550177"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    """By the real date, because Twilio is asked what was sent since then."""
    return Shift(engine, clinic, tmp_path, now=datetime.now(UTC))


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def work(shift: Shift, channels: dict[str, Channel], *, rounds: int = 5, **given: Any) -> None:
    """The worker comes by now and then; what is asked about again has to wait a moment."""
    for _ in range(rounds):
        shift.drain(channels=channels, **given)
        threading.Event().wait(0.003)


def by_twilio(shift: Shift, twilio: TwilioServer, *, timeout: float = 5.0, **given: Any) -> None:
    sms = TwilioSms(sms_settings(twilio, timeout=timeout))
    try:
        work(shift, {"sms": sms}, **given)
    finally:
        sms.close()


def ask_again(shift: Shift) -> None:
    """An hour later."""
    with shift.change() as session:
        session.execute(update(Message).where(Message.status == "unknown").values(lookup_at=cast.OPENED))


# End to end


@pytest.mark.parametrize(
    "fault", [Fault.accept_then_hang(), Fault.accept_then_cut(), Fault.accept_then_error()]
)
def test_what_twilio_took_without_saying_so_is_found_and_not_sent_again(
    shift: Shift, twilio: TwilioServer, fault: Fault
) -> None:
    message_id = shift.write(Kind.ANSWER)
    twilio.next(fault)
    by_twilio(shift, twilio, timeout=0.3)
    (taken,) = twilio.messages
    row, (attempt,) = shift.message(message_id), shift.attempts(message_id)
    assert (row.status, row.attempts) == ("accepted", 1)
    assert row.reason == f"Found at the provider as {taken['sid']}: accepted."
    assert (attempt.provider, attempt.provider_id, attempt.outcome) == ("twilio", taken["sid"], "accepted")
    assert shift.moves(message_id) == ["sending → unknown", "unknown → accepted"]
    is_honest(shift.engine)


@pytest.mark.parametrize("fault", [Fault.cut(), Fault(status=500, body=b"oops")])
def test_what_twilio_does_not_know_when_asked_twice_is_sent_again(
    shift: Shift, twilio: TwilioServer, fault: Fault
) -> None:
    message_id = shift.write(Kind.ANSWER)
    twilio.next(fault)
    by_twilio(shift, twilio)
    (taken,) = twilio.messages
    first, second = shift.attempts(message_id)
    assert (first.outcome, first.provider_id) == ("unknown", None)
    assert (second.outcome, second.provider_id) == ("accepted", taken["sid"])
    assert shift.message(message_id).status == "accepted"
    assert shift.moves(message_id)[:2] == ["sending → unknown", "unknown → scheduled"]


def test_two_that_may_be_it_are_left_to_a_person(shift: Shift, twilio: TwilioServer) -> None:
    message_id = shift.write(Kind.ANSWER)
    twilio.next(Fault.accept_then_cut())
    by_hand = {"To": TO, "From": "+15035550199", "Body": "The clinic will call you."}
    other = twilio.take(by_hand)["sid"]
    by_twilio(shift, twilio)
    row = shift.message(message_id)
    assert row.status == "held"
    assert row.reason.startswith("The provider has 2 messages that may be this one: ")
    assert other in row.reason
    assert len(twilio.messages) == 2


def test_what_belongs_to_another_attempt_is_not_mistaken_for_it(shift: Shift, twilio: TwilioServer) -> None:
    """The same words to the same number, twice: the first was answered, the second never arrived."""
    first = shift.write(Kind.ANSWER)
    by_twilio(shift, twilio)
    second = shift.write(Kind.ANSWER)
    twilio.next(Fault.cut())
    by_twilio(shift, twilio)
    assert len(twilio.messages) == 2
    assert [shift.message(i).status for i in (first, second)] == ["accepted", "accepted"]
    ids = {attempt.provider_id for i in (first, second) for attempt in shift.attempts(i)}
    assert ids == {None, *(message["sid"] for message in twilio.messages)}


def test_while_twilio_cannot_be_asked_nothing_is_decided(shift: Shift, twilio: TwilioServer) -> None:
    message_id = shift.write(Kind.ANSWER)
    twilio.next(Fault.accept_then_cut())
    twilio.next(Fault.cut(), on="list")
    by_twilio(shift, twilio, lookup_gap=timedelta(hours=1))
    assert (shift.message(message_id).status, shift.message(message_id).lookups) == ("unknown", -1)
    assert len(twilio.messages) == 1
    ask_again(shift)
    by_twilio(shift, twilio)
    assert shift.message(message_id).status == "accepted"
    assert len(twilio.messages) == 1


def test_an_email_in_doubt_goes_again_under_the_same_message_id(shift: Shift) -> None:
    message_id = shift.write(Kind.ANSWER, channel="email", to="ana@example.com")
    with SmtpServer() as server:
        server.next(MailFault.cut("DATA", keep=True))
        mail = SmtpEmail(email_settings(server))
        work(shift, {"email": mail}, rounds=3)
        mail.close()
        ids = [received.message["Message-ID"] for received in server.mails]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert shift.message(message_id).status == "sent"
    assert [attempt.outcome for attempt in shift.attempts(message_id)] == ["unknown", "sent"]


def test_a_mail_server_that_never_answers_does_not_get_it_for_ever(shift: Shift) -> None:
    message_id = shift.write(Kind.ANSWER, channel="email", to="ana@example.com")
    with SmtpServer() as server:
        server.next(*[MailFault.cut("DATA", keep=True)] * 9)
        mail = SmtpEmail(email_settings(server))
        work(shift, {"email": mail}, rounds=8)
        mail.close()
        assert len(server.mails) == 3
    row = shift.message(message_id)
    assert row.status == "held"
    assert row.reason.endswith("Decide whether to send it again.")
    is_honest(shift.engine)

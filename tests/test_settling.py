"""Messages in doubt: found at the provider, sent again, or left to a person; never simply sent twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from notifier import claiming, db, settling
from notifier.channels import Channel
from notifier.channels.twilio_sms import TwilioSms
from notifier.envelope import Accepted, Found, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Attempt, Clinic, Message
from notifier.rules.delivery import ErrorClass, Kind, Status
from notifier.settling import Answer, Doubt
from tests import cast
from tests.channels.cast import sms_settings
from tests.servers.twilio_server import TwilioServer
from tests.worker_cast import Answering, Shift, is_honest, running, until

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


# A worker that stopped


def crash(shift: Shift, *, call: bool) -> int:
    """A worker claims a message, perhaps hands it over, and is never heard of again."""
    message_id = shift.write(Kind.ANSWER)
    with db.transaction(shift.engine) as session:
        claim = claiming.claim_due(session, shift.terms("dead:1"), now=shift.clock.now(), limit=1)
    if call:
        shift.outbox.send(claim.messages[0].outbound)
    with shift.change() as session:
        session.execute(update(Message).values(lease_until=cast.OPENED))
    return message_id


@pytest.mark.parametrize("call", [True, False])
def test_after_a_crash_each_message_left_exactly_once(shift: Shift, call: bool) -> None:
    message_id = crash(shift, call=call)
    work(shift, {})
    (kept,) = shift.outbox.entries()
    row, attempts = shift.message(message_id), shift.attempts(message_id)
    assert row.status == "sent"
    assert [attempt.outcome for attempt in attempts] == (["sent"] if call else ["unknown", "sent"])
    assert attempts[-1].provider_id == kept["provider_id"]
    is_honest(shift.engine)


def test_a_lease_that_ran_out_says_whose_it_was_and_when_it_will_be_asked_about(shift: Shift) -> None:
    message_id = crash(shift, call=False)
    with db.transaction(shift.engine) as session:
        hour = timedelta(hours=1)
        lost = settling.expire_leases(session, now=shift.clock.now(), lookup_after=hour, worker="w2")
    assert lost == 1
    row, (attempt,) = shift.message(message_id), shift.attempts(message_id)
    assert (row.status, attempt.outcome, row.lease_until) == ("unknown", "unknown", None)
    assert row.reason == "dead:1 stopped before it could say whether the provider took it."
    with shift.look() as session:
        wait = settling.wait_for_doubt(session, {"sms"})
    assert wait is not None
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)


def test_a_lease_that_still_runs_is_nobody_elses_business(shift: Shift) -> None:
    message_id = shift.write(Kind.ANSWER)
    with db.transaction(shift.engine) as session:
        claiming.claim_due(session, shift.terms("w1"), now=shift.clock.now(), limit=1)
    work(shift, {})
    assert shift.message(message_id).status == "sending"
    assert shift.outbox.entries() == []


# What an answer means


def doubt(shift: Shift, **columns: Any) -> tuple[int, Doubt]:
    message_id = shift.write(
        Kind.ANSWER, **{"status": "unknown", "reason": "Lost.", "attempts": 1, **columns}
    )
    with shift.change() as session:
        session.execute(update(Message).values(lookup_at=cast.OPENED))
        session.add(
            Attempt(
                message_id=message_id,
                number=1,
                channel=columns.get("channel", "sms"),
                address=TO,
                words="The clinic will call you.",
                claimed_at=shift.clock.now(),
                outcome="unknown",
            )
        )
    with shift.change() as session:
        (found,) = settling.take_doubts(session, {"sms", "email"}, gap=timedelta(hours=1))
    return message_id, found


def settle(shift: Shift, *answers: Answer) -> None:
    for answer in answers:
        with shift.change() as session:
            settling.settle(
                session, answer, now=shift.clock.now(), gap=timedelta(milliseconds=1), worker="w1"
            )


def test_a_doubt_is_asked_about_by_one_worker_at_a_time(shift: Shift) -> None:
    doubt(shift)
    with shift.change() as session:
        assert settling.take_doubts(session, {"sms"}, gap=timedelta(hours=1)) == []


def test_a_doubt_asks_with_what_was_really_sent(shift: Shift) -> None:
    message_id, found = doubt(shift)
    with shift.change() as session:
        session.execute(update(Message).values(to="+12125550100", words="Other words."))
    assert (found.outbound.message_id, found.outbound.to) == (message_id, TO)
    assert found.outbound.text == "The clinic will call you."
    assert found.since == shift.attempts(message_id)[0].claimed_at


# Each answer: absent (0), found (1), or no answer (-).
@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ("0", "unknown"),
        ("00", "scheduled"),
        ("-", "unknown"),
        ("-----", "unknown"),
        ("0-", "unknown"),
        ("0-0", "scheduled"),
        ("0---0", "scheduled"),
        ("-0-0", "scheduled"),
        ("-0", "unknown"),
        ("01", "sent"),
        ("---1", "sent"),
        ("-" * 49, "unknown"),
        ("-" * 50, "held"),
    ],
)
def test_two_answers_that_it_is_absent_settle_it_whatever_comes_between(
    shift: Shift, answers: str, status: str
) -> None:
    message_id, found = doubt(shift)
    said: dict[str, list[Found] | None] = {"0": [], "1": [Found("SM1", Status.SENT)], "-": None}
    settle(shift, *[Answer(found, said[each]) for each in answers])
    row = shift.message(message_id)
    assert row.status == status
    if status != "unknown":
        assert (row.lookups, row.lookup_at) == (0, None)
    is_honest(shift.engine)


@pytest.mark.parametrize(("channel", "to"), [("sms", TO), ("email", "ana@example.com")])
def test_what_cannot_be_asked_about_goes_to_a_person_unless_a_second_copy_is_seen_to_be_one(
    shift: Shift, channel: str, to: str
) -> None:
    message_id, found = doubt(shift, channel=channel, to=to)
    settle(shift, Answer(found, None, possible=False))
    assert shift.message(message_id).status == ("held" if channel == "sms" else "scheduled")


def test_what_is_absent_and_no_longer_useful_is_skipped(shift: Shift) -> None:
    message_id, found = doubt(shift, useful_until=shift.clock.now() - timedelta(minutes=1))
    settle(shift, Answer(found, []), Answer(found, []))
    row = shift.message(message_id)
    assert (row.status, row.reason) == (
        "skipped",
        "It did not reach the provider, and is no longer useful.",
    )


def test_an_email_that_may_have_arrived_is_not_called_skipped(shift: Shift) -> None:
    useful_until = shift.clock.now() - timedelta(minutes=1)
    message_id, found = doubt(shift, channel="email", to="ana@example.com", useful_until=useful_until)
    settle(shift, Answer(found, None, possible=False))
    row = shift.message(message_id)
    assert (row.status, row.lookup_at) == ("unknown", None)
    assert row.reason == "Whether it reached the mail server is not known, and it is no longer useful."
    with shift.look() as session:
        assert settling.wait_for_doubt(session, {"sms", "email"}) is None


@pytest.mark.parametrize(
    ("broken_off", "died", "status"),
    [(2, 3, "scheduled"), (0, 5, "scheduled"), (3, 0, "held"), (0, 6, "held")],
)
def test_a_mail_goes_again_more_often_after_deaths_of_workers(
    shift: Shift, broken_off: int, died: int, status: str
) -> None:
    message_id, found = doubt(shift, channel="email", to="ana@example.com")
    with shift.change() as session:
        (last,) = session.scalars(select(Attempt).where(Attempt.message_id == message_id))
        last.finished_at = shift.clock.now() if broken_off else None
        for number in range(1, broken_off + died):
            session.add(
                Attempt(
                    message_id=message_id,
                    number=100 + number,
                    channel="email",
                    address="ana@example.com",
                    words="The clinic will call you.",
                    claimed_at=shift.clock.now(),
                    finished_at=shift.clock.now() if number < broken_off else None,
                    outcome="unknown",
                )
            )
    settle(shift, Answer(found, None, possible=False))
    assert shift.message(message_id).status == status


def test_what_was_settled_meanwhile_stays_as_it_is(shift: Shift) -> None:
    message_id, found = doubt(shift)
    with shift.change() as session:
        session.execute(update(Message).values(status="delivered"))
    settle(shift, Answer(found, []), Answer(found, []))
    assert shift.message(message_id).status == "delivered"
    with shift.change() as session:
        session.execute(update(Message).values(status="unknown", attempts=2))
    settle(shift, Answer(found, []), Answer(found, []))
    assert shift.message(message_id).lookups == 0


def test_a_new_doubt_begins_counting_anew(shift: Shift) -> None:
    """Absent once, then a late answer; the next attempt in doubt needs two answers of its own."""
    message_id, found = doubt(shift)
    settle(shift, Answer(found, []))
    assert shift.message(message_id).lookups == 1
    with shift.change() as session:
        session.execute(update(Message).values(status="scheduled"))

    def vanish(outbound: OutboundMessage) -> Accepted:
        raise ChannelError(ErrorClass.AMBIGUOUS, "No answer.")

    shift.drain(channels={"sms": Answering(vanish)}, lookup_after=timedelta(hours=1))
    row = shift.message(message_id)
    assert (row.status, row.attempts, row.lookups) == ("unknown", 2, 0)


# Manners


class Slow:
    """A provider whose look-up takes as long as the test wants."""

    provider = "slow"

    def __init__(self, behind: Channel) -> None:
        self.behind, self.answer, self.asked = behind, threading.Event(), threading.Event()

    def send(self, message: OutboundMessage) -> Accepted:
        return self.behind.send(message)

    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        self.asked.set()
        assert self.answer.wait(30)
        return [Found("found", Status.SENT)]

    def close(self) -> None:
        """Nothing is open here."""


def test_a_slow_look_up_keeps_no_other_message_waiting(shift: Shift) -> None:
    lost = crash(shift, call=False)
    slow = Slow(shift.outbox)
    with shift.change() as session:
        settling.expire_leases(
            session, now=shift.clock.now(), lookup_after=timedelta(milliseconds=1), worker="w2"
        )
    dispatcher = shift.dispatcher({"sms": slow})
    with running(dispatcher):
        until(slow.asked.is_set)
        message_id = shift.write(Kind.ANSWER, to="+12125550178")
        dispatcher.nudge()
        until(lambda: shift.message(message_id).status == "sent")
        assert shift.message(lost).status == "unknown"
        slow.answer.set()
    assert shift.message(lost).status == "sent"


class Stumbling(Slow):
    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        raise KeyError("sid")


def test_a_look_up_that_fails_by_mistake_counts_as_no_answer(shift: Shift) -> None:
    lost = crash(shift, call=True)
    work(shift, {"sms": Stumbling(shift.outbox)}, rounds=2, lookup_gap=timedelta(hours=1))
    assert (shift.message(lost).status, shift.message(lost).lookups) == ("unknown", -1)
    ask_again(shift)
    work(shift, {})
    assert shift.message(lost).status == "sent"
    assert len(shift.outbox.entries()) == 1

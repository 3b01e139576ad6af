"""Senders: the rate they keep together, the breaker that stops them, and when they are worth a look."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from notifier import claiming, senders
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Clinic, Sender
from notifier.rules.delivery import ErrorClass, Kind, Priority, Status
from tests import cast
from tests.worker_cast import Answering, Gate, Shift, in_parallel, running, until

HOUR = timedelta(hours=1)


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def taken(message: OutboundMessage) -> Accepted:
    return Accepted(f"id-{message.message_id}-{message.attempt}", Status.SENT, "answering")


# Rate


def test_two_workers_together_keep_the_senders_rate(shift: Shift) -> None:
    rate, count = 25.0, 26
    for number in range(count):
        shift.write(to=f"+1212555{number:04}")
    times: list[float] = []

    def note(outbound: OutboundMessage) -> Accepted:
        times.append(time.monotonic())
        return taken(outbound)

    def work(number: int, start: threading.Barrier) -> None:
        start.wait()
        shift.drain(channels={"sms": Answering(note)}, mode="live", sms={"max_per_second": rate})

    in_parallel(2, work)
    assert len(times) == count
    # 26 messages at 25 a second are one second's worth; a slow machine may only make it longer.
    assert max(times) - min(times) >= 0.9 * (count - 1) / rate


def test_turns_follow_each_other_across_workers_and_not_far_ahead(shift: Shift) -> None:
    """Ten a second: eleven turns within the next second, whoever asks, and no more for now."""
    for number in range(30):
        shift.write(to=f"+1212555{number:04}")
    turns: list[float] = []
    for worker in ("w1", "w2", "w1", "w2"):
        with shift.change() as session:
            terms = shift.terms(worker, rates={"sms": 10.0})
            claim = claiming.claim_due(session, terms, now=shift.clock.now(), limit=4)
            turns += [claimed.turn for claimed in claim.messages]
    assert len(turns) >= 11
    assert turns[-1] <= time.monotonic() + 1.1
    for first, second in itertools.pairwise(turns):
        assert second - first > 0.05  # a tenth, but for what the statements took


def test_the_outbox_burdens_no_carrier_and_has_no_rate(shift: Shift) -> None:
    with shift.change() as session:
        session.execute(update(Sender).values(max_per_second=0.01))
    for number in range(5):
        shift.write(to=f"+1212555{number:04}")
    assert len(shift.drain()) == 5


def test_a_slow_sender_is_waited_for_and_not_asked_all_the_time(shift: Shift) -> None:
    """One message in ten seconds: after the first, the next look is worth it nine seconds later."""
    for number in range(2):
        shift.write(to=f"+1212555{number:04}")
    given: dict[str, Any] = {"mode": "live", "sms": {"max_per_second": 0.1}}
    sms = Answering(taken)
    shift.drain(channels={"sms": sms}, **given)
    assert len(sms.calls) == 1
    wait = shift.dispatcher({"sms": sms}, **given).next_wait()
    assert wait is not None
    assert timedelta(seconds=7) < wait <= timedelta(seconds=9)


# The breaker


def refuse(outbound: OutboundMessage) -> Accepted:
    raise ChannelError(ErrorClass.CONFIGURATION, "Twilio refused our sign-in.", code="20003")


def stopped(shift: Shift) -> list[int]:
    """Three due messages, one of which has just stopped the sender."""
    ids = [shift.write(to=f"+1212555{number:04}") for number in range(3)]
    shift.drain(channels={"sms": Answering(refuse)}, threads=1)
    return ids


def may_be_tried(shift: Shift) -> None:
    """The breaker has been open for long enough."""
    with shift.change() as session:
        session.execute(update(Sender).where(Sender.stopped_at.is_not(None)).values(probe_at=cast.OPENED))


def test_a_stopped_sender_leaves_its_rows_scheduled_and_says_why(shift: Shift) -> None:
    ids = stopped(shift)
    sender = shift.sender()
    assert sender.stopped_at is not None
    assert sender.stopped_reason == "Twilio refused our sign-in."
    assert [shift.message(i).status for i in ids] == ["scheduled"] * 3
    assert [shift.message(i).attempts for i in ids] == [1, 0, 0]
    assert shift.message(ids[0]).reason == "Waits until the sender works again: Twilio refused our sign-in."
    assert shift.drain() == []


def test_one_stopped_sender_stops_no_other(shift: Shift) -> None:
    stopped(shift)
    mail = shift.write(channel="email", to="alice@example.com")
    assert [entry["message_id"] for entry in shift.drain()] == [mail]


def test_one_message_tries_a_stopped_sender_out_and_success_starts_it_again(shift: Shift) -> None:
    stopped(shift)
    may_be_tried(shift)
    gate = Gate(shift.outbox)
    dispatcher = shift.dispatcher({"sms": gate})
    with running(dispatcher):
        until(lambda: gate.calls)
        dispatcher.nudge()
        threading.Event().wait(0.15)
        assert len(gate.calls) == 1, "one is a try, more are a risk"
        assert shift.sender().stopped_at is not None
        gate.open.set()
    assert len(gate.calls) == 3
    sender = shift.sender()
    assert (sender.stopped_at, sender.stopped_reason, sender.probe_at, sender.probes) == (None, "", None, 0)
    assert {row.status for row in shift.all()} == {"sent"}


def test_a_try_that_fails_keeps_it_stopped_until_the_next(shift: Shift) -> None:
    stopped(shift)
    may_be_tried(shift)
    sms = Answering(refuse)
    shift.drain(channels={"sms": sms}, breaker_probe=HOUR)
    assert len(sms.calls) == 1
    assert shift.sender().probes == 2
    wait = shift.dispatcher().next_wait()
    assert wait is not None
    assert timedelta(minutes=59) < wait <= HOUR


def test_a_message_that_is_not_sent_after_all_is_no_try(shift: Shift) -> None:
    """The oldest row is stale: it is skipped, and the next one tries the sender out at once."""
    now = shift.clock.now()
    stale = shift.write(Kind.ANSWER, due=now - HOUR, useful_until=now - timedelta(minutes=1))
    with shift.change() as session:
        session.execute(update(Sender).values(stopped_at=now, stopped_reason="x", probe_at=cast.OPENED))
    good = shift.write(to="+12125550178")
    assert [entry["message_id"] for entry in shift.drain()] == [good]
    assert shift.message(stale).status == "skipped"
    assert shift.sender().stopped_at is None


def test_a_sender_out_of_use_sends_nothing(shift: Shift) -> None:
    message_id = shift.write()
    with shift.change() as session:
        session.execute(update(Sender).values(active=False))
    assert shift.drain() == []
    assert shift.message(message_id).status == "scheduled"


# When to look


def test_a_claim_after_which_nothing_is_due_says_when_the_next_is(shift: Shift) -> None:
    shift.log()
    shift.drain("2026-02-03 17:30")
    with shift.look() as session:
        due = senders.next_due(session, {"sms", "email"})
        wait = senders.wait_for_work(session, shift.terms(), now=shift.clock.now())
    assert cast.wall(due) == "2026-02-04 13:30"
    assert wait == timedelta(hours=20)
    with shift.look() as session:
        assert senders.next_due(session, {"email"}) is None
        urgent = senders.wait_for_work(
            session, shift.terms(), now=shift.clock.now(), priorities=(Priority.ALERT,)
        )
    assert urgent is None

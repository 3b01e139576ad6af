"""The claim: one worker has a row, its attempt is written before the call, and the sender's rate is kept."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update

from notifier import claiming, clinics, db, senders
from notifier.channels.outbox import Outbox
from notifier.claiming import Claimed
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Attempt, Clinic, Message, Sender
from notifier.rules.delivery import ErrorClass, Kind, Priority, Status
from tests import cast
from tests.cast import on_postgresql, on_sqlite
from tests.worker_cast import Answering, Gate, Shift, is_honest, running, until

HOUR = timedelta(hours=1)


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def taken(message: OutboundMessage) -> Accepted:
    return Accepted(f"id-{message.message_id}-{message.attempt}", Status.SENT, "answering")


# Before the call


def test_when_the_provider_is_called_the_attempt_stands_in_the_database_already(shift: Shift) -> None:
    seen: list[Any] = []

    def look(outbound: OutboundMessage) -> Accepted:
        (attempt,) = shift.attempts(outbound.message_id)
        with shift.look() as session:
            left = session.scalar(select(Message.lease_until).where(Message.id == outbound.message_id))
            assert left is not None
            seen.append((shift.message(outbound.message_id), attempt, left - db.database_now(session)))
        return taken(outbound)

    message_id = shift.write()
    shift.drain(channels={"sms": Answering(look)})
    row, attempt, lease = seen[0]
    assert (row.status, row.attempts, row.worker != "") == ("sending", 1, True)
    assert timedelta(seconds=55) < lease <= timedelta(seconds=60)
    assert (attempt.number, attempt.outcome, attempt.words) == (1, "", "The clinic will call you.")
    assert attempt.worker == row.worker
    assert shift.message(message_id).status == "sent"


def test_no_transaction_is_open_while_a_provider_is_called(
    shift: Shift, second_engine: Engine, engine: Engine
) -> None:
    """Another program can write at that moment, even one that does not wait for locks."""

    def write(outbound: OutboundMessage) -> Accepted:
        with db.transaction(second_engine) as session:
            session.execute(update(Message).values(subject="written meanwhile"))
        return taken(outbound)

    message_id = shift.write()
    shift.drain(channels={"sms": Answering(write)})
    assert (shift.message(message_id).status, shift.message(message_id).subject) == (
        "sent",
        "written meanwhile",
    )


# Several workers


def claim_all(shift: Shift, worker: str, found: list[Claimed], start: threading.Barrier) -> None:
    start.wait()
    terms = shift.terms(worker)
    empty = 0
    while empty < 5:  # others may hold for a moment what is left
        with db.transaction(shift.engine) as session:
            claim = claiming.claim_due(session, terms, now=shift.clock.now(), limit=3)
        found += claim.messages
        empty = 0 if claim.messages or claim.settled else empty + 1


def in_parallel(count: int, work: Callable[[int, threading.Barrier], None]) -> None:
    start, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            work(number, start)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_claimers_side_by_side_never_get_the_same_row(shift: Shift) -> None:
    ids = {shift.write(to=f"+1212555{number:04}") for number in range(60)}
    found: list[list[Claimed]] = [[], [], [], []]
    in_parallel(4, lambda n, start: claim_all(shift, f"w{n}", found[n], start))
    claimed = [item.outbound.message_id for part in found for item in part]
    assert sorted(claimed) == sorted(ids)
    assert {(row.status, row.attempts) for row in shift.all()} == {("sending", 1)}
    for number, part in enumerate(found):
        for item in part:
            assert shift.attempts(item.outbound.message_id)[0].worker == f"w{number}"


def test_workers_side_by_side_send_one_planned_message_to_a_shared_phone(shift: Shift) -> None:
    """Ten families, three children each, all due at once: ten leave, the others keep their distance."""
    for family in range(10):
        for child in ("Ann", "Ben", "Cleo"):
            shift.log(
                replace(cast.MIA, first_name=child, last_name=f"F{family}", phone=f"+1212555{family:04}")
            )
    step = "day5-how-it-works"
    with shift.change() as session:
        session.execute(update(Message).values(status="skipped", reason="Not this one.", due_at=None))
        due = {"status": "scheduled", "due_at": cast.at("2026-02-08 15:30"), "reason": ""}
        session.execute(update(Message).where(Message.step == step, Message.channel == "sms").values(**due))
    shift.clock.jump(cast.at("2026-02-08 15:30"))
    found: list[list[Claimed]] = [[], [], [], []]
    in_parallel(4, lambda n, start: claim_all(shift, f"w{n}", found[n], start))
    rows = [row for row in shift.all() if row.step == step and row.status != "skipped"]
    assert len(rows) == 30
    leaving = [row.to for row in rows if row.status == "sending"]
    assert sorted(leaving) == sorted({row.to for row in rows})
    moved = [row for row in rows if row.status == "scheduled"]
    assert {cast.wall(row.due_at) for row in moved} == {"2026-02-09 09:00"}


@on_postgresql
def test_what_another_worker_is_just_claiming_counts_though_it_is_not_committed(shift: Shift) -> None:
    shift.log(cast.MIA)
    shift.log(cast.LEO)
    step = "day5-how-it-works"
    with shift.change() as session:
        session.execute(update(Message).values(status="skipped", reason="Not this one.", due_at=None))
        due = {"status": "scheduled", "due_at": cast.at("2026-02-08 15:30"), "reason": ""}
        session.execute(update(Message).where(Message.step == step, Message.channel == "sms").values(**due))
    now = cast.at("2026-02-08 15:30")
    with db.transaction(shift.engine) as first:
        assert len(claiming.claim_due(first, shift.terms("w1"), now=now, limit=1).messages) == 1
        with db.transaction(shift.engine) as second:
            claim = claiming.claim_due(second, shift.terms("w2"), now=now, limit=5)
            assert (claim.messages, claim.settled) == ([], 0)
    with db.transaction(shift.engine) as second:
        claim = claiming.claim_due(second, shift.terms("w2"), now=now, limit=5)
        assert (claim.messages, claim.settled) == ([], 1)


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
    times.sort()
    for first, last in zip(times, times[6:], strict=False):
        assert last - first >= 0.6 * 6 / rate


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


# Order


def test_alerts_go_first_then_answers_then_what_was_planned(shift: Shift) -> None:
    treatment = shift.log()
    shift.clock.jump(cast.at("2026-02-03 18:00"))
    later = shift.clock.now()
    answer = shift.write(Kind.ANSWER, to="+12125550151", due=later)
    alert = shift.write(Kind.ALERT, to="+12125550152", due=later)
    planned = shift.rows(treatment)["day0-what-you-may-feel"].id
    kept = shift.drain(threads=1)
    assert [entry["message_id"] for entry in kept] == [alert, answer, planned]


def test_within_a_priority_the_oldest_goes_first(shift: Shift) -> None:
    now = shift.clock.now()
    ids = [shift.write(to=f"+1212555{n:04}", due=now - timedelta(minutes=n)) for n in range(5)]
    assert [entry["message_id"] for entry in shift.drain(threads=1)] == ids[::-1]


def test_an_alert_finds_a_thread_while_all_others_hang_and_does_not_wait_for_them(shift: Shift) -> None:
    hanging = Gate(shift.outbox, only=lambda message: message.to != "+12125550152")
    stuck = [shift.write(Kind.ANSWER, to=f"+1212555{number:04}") for number in range(3)]
    dispatcher = shift.dispatcher({"sms": hanging}, threads=2)
    with running(dispatcher):
        until(lambda: len(hanging.calls) == 2)
        alert = shift.write(Kind.ALERT, to="+12125550152")
        dispatcher.nudge()
        until(lambda: shift.message(alert).status == "sent")
        assert [shift.message(message_id).status for message_id in stuck].count("sending") == 2
        hanging.open.set()
    assert [shift.message(message_id).status for message_id in stuck] == ["sent"] * 3


def test_a_call_that_hangs_keeps_no_free_thread_from_what_becomes_due(shift: Shift) -> None:
    hanging = Gate(shift.outbox, only=lambda message: message.to == "+12125550151")
    shift.write(to="+12125550151")
    dispatcher = shift.dispatcher({"sms": hanging})
    with running(dispatcher):
        until(lambda: hanging.calls)
        later = shift.write(to="+12125550152")
        dispatcher.nudge()
        until(lambda: shift.message(later).status == "sent")
        hanging.open.set()


def test_a_clinic_with_a_long_queue_does_not_keep_another_ones_message_waiting(shift: Shift) -> None:
    """One thread, so every claim is for one message: the other clinic gets its share all the same."""
    with shift.change() as session:
        other = clinics.create(
            session,
            name="Harbour",
            phone="",
            timezone="Europe/London",
            country="GB",
            language="en",
            now=cast.OPENED,
        )
        sender = clinics.ensure_senders(session, other)[0].id
    now = shift.clock.now()
    for number in range(30):
        shift.write(to=f"+1212555{number:04}", due=now - HOUR)
    theirs = shift.write(to="+442079460001", sender_id=sender, clinic_id=other.id, address_id=None)
    random.seed(7)
    order = [entry["message_id"] for entry in shift.drain(threads=1)]
    assert order.index(theirs) < 15


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


# Cost


@on_sqlite
def test_no_claim_reads_the_whole_table(shift: Shift) -> None:
    shift.log()
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith("SELECT") and "messages" in statement:
            statements.append((statement, parameters))

    event.listen(shift.engine, "before_cursor_execute", note)
    try:
        assert len(shift.drain("2026-02-03 17:30")) == 1
    finally:
        event.remove(shift.engine, "before_cursor_execute", note)
    assert len(statements) > 5
    with shift.look() as session:
        for statement, parameters in statements:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = " / ".join(str(step[-1]) for step in plan)
            assert not re.search(r"\bSCAN messages\b(?! USING)", steps), (statement, steps)


@on_postgresql
def test_the_index_of_the_queue_serves_a_claim_and_the_look_for_work(shift: Shift) -> None:
    shift.log()
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith("SELECT") and "due_at" in statement and "senders" in statement:
            statements.append((statement, parameters))

    event.listen(shift.engine, "before_cursor_execute", note)
    try:
        assert len(shift.drain("2026-02-03 17:30")) == 1
    finally:
        event.remove(shift.engine, "before_cursor_execute", note)
    with shift.look() as session:
        connection = session.connection()
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            assert "ix_messages_queue" in " ".join(str(row[0]) for row in plan)


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


def test_only_the_kinds_asked_for_are_sent(shift: Shift) -> None:
    shift.write(Kind.ANSWER)
    test = shift.write(Kind.TEST, to="+12125550178")
    outbox = Outbox(shift.settings.delivery.outbox_file)
    from notifier.worker import open_dispatcher

    dispatcher = open_dispatcher(
        shift.engine,
        shift.clock,
        {"sms": outbox, "email": outbox},
        shift.settings,
        kinds=frozenset({str(Kind.TEST)}),
    )
    assert dispatcher.drain() == 1
    dispatcher.close()
    assert [entry["message_id"] for entry in outbox.entries()] == [test]
    is_honest(shift.engine)
    with shift.look() as session:
        assert session.scalars(select(Attempt.message_id)).all() == [test]

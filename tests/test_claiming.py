"""The claim: one worker has a row, its attempt is written before the call, and the sender's rate is kept."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text, update
from sqlalchemy.orm import Session

from notifier import claiming, clinics, db, suppressions
from notifier.channels.outbox import Outbox
from notifier.claiming import Claimed
from notifier.envelope import Accepted, OutboundMessage
from notifier.models import Attempt, Clinic, Message
from notifier.rules.delivery import Kind, Status
from tests import cast
from tests.cast import on_postgresql, on_sqlite
from tests.worker_cast import Answering, Gate, Shift, in_parallel, is_honest, running, sender_of, until

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


def due_on_sunday(shift: Shift) -> datetime:
    """What is planned for that day, and nothing else, is due at one moment."""
    now = cast.at("2026-02-08 15:30")
    with shift.change() as session:
        session.execute(update(Message).values(status="skipped", reason="Not this one.", due_at=None))
        due = {"status": "scheduled", "due_at": now, "reason": "", "reason_code": ""}
        chosen = Message.step == "day5-how-it-works", Message.channel == "sms"
        session.execute(update(Message).where(*chosen).values(**due))
    shift.clock.jump(now)
    return now


def test_workers_side_by_side_send_one_planned_message_to_a_shared_phone(shift: Shift) -> None:
    """Six families, three children each, all due at once: six leave, the others keep their distance."""
    for family in range(6):
        for child in ("Ann", "Ben", "Cleo"):
            shift.log(
                replace(cast.MIA, first_name=child, last_name=f"F{family}", phone=f"+1212555{family:04}")
            )
    due_on_sunday(shift)
    found: list[list[Claimed]] = [[], [], [], []]
    in_parallel(4, lambda n, start: claim_all(shift, f"w{n}", found[n], start))
    rows = [row for row in shift.all() if row.status != "skipped"]
    assert len(rows) == 18
    leaving = [row.to for row in rows if row.status == "sending"]
    assert sorted(leaving) == sorted({row.to for row in rows})
    moved = [row for row in rows if row.status == "scheduled"]
    assert {cast.wall(row.due_at) for row in moved} == {"2026-02-09 09:00"}


@on_postgresql
def test_what_another_worker_is_just_claiming_counts_though_it_is_not_committed(shift: Shift) -> None:
    shift.log(cast.MIA)
    shift.log(cast.LEO)
    now = due_on_sunday(shift)
    with db.transaction(shift.engine) as first:
        assert len(claiming.claim_due(first, shift.terms("w1"), now=now, limit=1).messages) == 1
        with db.transaction(shift.engine) as second:
            claim = claiming.claim_due(second, shift.terms("w2"), now=now, limit=5)
            assert (claim.messages, claim.settled) == ([], 0)
    with db.transaction(shift.engine) as second:
        claim = claiming.claim_due(second, shift.terms("w2"), now=now, limit=5)
        assert (claim.messages, claim.settled) == ([], 1)


@on_postgresql
def test_a_claim_committed_a_moment_before_ours_is_seen(shift: Shift) -> None:
    """The other worker commits just as we are about to lock the phone that both children share."""
    shift.log(cast.MIA)
    shift.log(cast.LEO)
    now = due_on_sunday(shift)
    first = Session(shift.engine)
    assert len(claiming.claim_due(first, shift.terms("w1"), now=now, limit=1).messages) == 1

    def commit(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "FROM addresses" in statement and "FOR NO KEY UPDATE" in statement:
            first.commit()

    event.listen(shift.engine, "before_cursor_execute", commit)
    try:
        with db.transaction(shift.engine) as second:
            claim = claiming.claim_due(second, shift.terms("w2"), now=now, limit=5)
    finally:
        event.remove(shift.engine, "before_cursor_execute", commit)
        first.close()
    assert (claim.messages, claim.settled) == ([], 1)


@contextmanager
def impatient(shift: Shift) -> Iterator[Session]:
    """A transaction that would rather fail than wait for a lock."""
    with db.transaction(shift.engine) as session:
        session.execute(text("SET LOCAL lock_timeout = '200ms'"))
        yield session


@on_postgresql
def test_while_a_claim_is_being_made_the_desk_logs_and_patients_opt_out(shift: Shift) -> None:
    """Their rows only point to the sender and the address that are locked."""
    shift.log(cast.MIA)
    shift.clock.jump(cast.at("2026-02-03 17:30"))
    rates = {"sms": 100.0, "email": 100.0}
    with db.transaction(shift.engine) as session:
        assert claiming.claim_due(session, shift.terms(rates=rates), now=shift.clock.now(), limit=1).messages
        with impatient(shift) as desk:
            cast.log(desk, desk.merge(shift.clinic, load=False), cast.LEO)
        with impatient(shift) as inbox:
            sender = sender_of(inbox, shift.clinic)
            suppressions.suppress(
                inbox, sender, "+12125550199", reason="STOP", now=shift.clock.now(), actor="inbox"
            )


@on_postgresql
def test_a_sender_that_another_worker_is_claiming_for_is_passed_by(shift: Shift) -> None:
    for number in range(2):
        shift.write(to=f"+1212555{number:04}")
    mail = shift.write(channel="email", to="ana@example.com")
    now, rates = shift.clock.now(), {"sms": 1.0}
    with db.transaction(shift.engine) as first:
        by_sms = shift.terms("w1", rates=rates, channels=frozenset({"sms"}))
        assert claiming.claim_due(first, by_sms, now=now, limit=1).messages
        with impatient(shift) as second:
            claim = claiming.claim_due(second, shift.terms("w2", rates=rates), now=now, limit=5)
    assert [claimed.outbound.message_id for claimed in claim.messages] == [mail]


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
        until(lambda: shift.message(alert).status == "sent", seconds=8)
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
        until(lambda: shift.message(later).status == "sent", seconds=8)
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

"""Outcomes that come late, twice, for an older attempt, or not at all; and what is worth a doubt."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import db, outcomes, settling
from notifier.channels.twilio_sms import TwilioSms
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Attempt, Clinic, Message, Sender
from notifier.outcomes import Outcome, Policy
from notifier.rules.delivery import ErrorClass, Kind, RetryPolicy, Status
from tests import cast
from tests.cast import on_postgresql
from tests.channels.cast import sms_settings
from tests.servers.twilio_server import Fault, TwilioServer
from tests.worker_cast import Answering, Shift, is_honest

DAY0 = "day0-what-you-may-feel"
DUE0 = "2026-02-03 17:30"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path, retry_base=MINUTE, lookup_after=timedelta(hours=1))


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def send(shift: Shift, twilio: TwilioServer, *faults: Fault, when: str = DUE0, timeout: float = 5.0) -> None:
    """Day 0 of Alice by Twilio, who answers with these faults."""
    twilio.next(*faults)
    sms = TwilioSms(sms_settings(twilio, timeout=timeout))
    try:
        shift.drain(when, channels={"sms": sms})
    finally:
        sms.close()


def sms_of(shift: Shift, treatment: int) -> Message:
    rows = shift.rows(treatment)
    return rows.get(DAY0) or rows[f"{DAY0}/sms"]


# The fence


POLICY = Policy(RetryPolicy(), lookup_after=timedelta(hours=1), breaker_probe=timedelta(hours=1))
TAKEN = Accepted("SM1", Status.ACCEPTED, "twilio")


def record(shift: Shift, *these: Outcome) -> None:
    with db.transaction(shift.engine) as session:
        outcomes.record_all(session, these, POLICY, now=shift.clock.now(), worker="w1")


def in_state(shift: Shift, status: str, attempts: int, **columns: object) -> int:
    """A message that is so far, with its attempts."""
    message_id = shift.write(**{"status": status, "reason": "Because.", **columns})  # type: ignore[arg-type]
    with shift.change() as session:
        session.get_one(Message, message_id).attempts = attempts
        for number in range(1, attempts + 1):
            session.add(
                Attempt(
                    message_id=message_id,
                    number=number,
                    channel="sms",
                    address="+12125550177",
                    words="…",
                    claimed_at=shift.clock.now(),
                )
            )
    return message_id


def problem(error_class: ErrorClass, said: str = "No.") -> ChannelError:
    return ChannelError(error_class, said, code="1")


@pytest.mark.parametrize(
    "late",
    [
        {"accepted": TAKEN},
        {"error": problem(ErrorClass.ADDRESS)},
        {"error": problem(ErrorClass.AMBIGUOUS)},
        {"released": "Too slow."},
    ],
)
def test_what_an_older_attempt_became_is_kept_and_changes_no_newer_one(
    shift: Shift, late: dict[str, object]
) -> None:
    message_id = in_state(shift, "sending", 2)
    record(shift, Outcome(message_id, 1, **late))  # type: ignore[arg-type]
    first, second = shift.attempts(message_id)
    assert first.outcome in ("accepted", "failed", "unknown", "released")
    assert second.outcome == ""
    assert shift.message(message_id).status == "sending"
    assert shift.moves(message_id) == []


@pytest.mark.parametrize(
    ("late", "status"),
    [
        ({"accepted": TAKEN}, "accepted"),
        ({"error": problem(ErrorClass.CONTENT)}, "failed"),
        ({"error": problem(ErrorClass.TRANSIENT)}, "scheduled"),
        ({"error": problem(ErrorClass.AMBIGUOUS)}, "unknown"),
        ({"released": "The worker was stopped."}, "scheduled"),
    ],
)
def test_a_late_outcome_settles_what_was_unknown(shift: Shift, late: dict[str, object], status: str) -> None:
    message_id = in_state(shift, "unknown", 1)
    record(shift, Outcome(message_id, 1, **late))  # type: ignore[arg-type]
    assert shift.message(message_id).status == status
    assert shift.attempts(message_id)[0].outcome != ""


@pytest.mark.parametrize(
    ("accepted", "status"),
    [(Accepted("<id>", Status.SENT, "smtp"), "sent"), (TAKEN, "held")],
)
def test_what_was_about_to_be_sent_again_is_not_when_the_answer_comes_after_all(
    shift: Shift, accepted: Accepted, status: str
) -> None:
    message_id = in_state(shift, "scheduled", 1)
    record(shift, Outcome(message_id, 1, accepted=accepted))
    row = shift.message(message_id)
    assert row.status == status
    assert status == "sent" or "took it after all, as SM1" in row.reason
    assert shift.drain() == []


def test_recording_the_same_outcome_twice_changes_nothing_the_second_time(shift: Shift) -> None:
    """As after a commit whose answer was lost."""
    made: list[tuple[dict[str, object], str]] = [
        ({"accepted": TAKEN}, "accepted"),
        ({"error": problem(ErrorClass.TRANSIENT)}, "scheduled"),
        ({"error": problem(ErrorClass.CONTENT)}, "failed"),
    ]
    for what, status in made:
        outcome = Outcome(in_state(shift, "sending", 1), 1, **what)  # type: ignore[arg-type]
        record(shift, outcome)
        first = shift.message(outcome.message_id)
        record(shift, outcome)
        second = shift.message(outcome.message_id)
        assert (second.status, second.due_at) == (status, first.due_at)
        assert shift.moves(outcome.message_id) == [f"sending → {status}"]


def test_an_opt_out_counts_though_its_attempt_is_an_old_one(shift: Shift) -> None:
    message_id = in_state(shift, "scheduled", 2, kind=str(Kind.ANSWER))
    record(shift, Outcome(message_id, 1, error=problem(ErrorClass.OPT_OUT, "Replied STOP.")))
    row = shift.message(message_id)
    assert (row.status, row.reason) == ("cancelled", "Replied STOP.")


# Alerts and safety answers


def test_an_alert_in_doubt_goes_again_at_once_and_then_like_everything_else(
    shift: Shift, twilio: TwilioServer
) -> None:
    alert = shift.write(Kind.ALERT)
    send(shift, twilio, Fault.accept_then_cut(), Fault.accept_then_cut())
    row = shift.message(alert)
    assert len(twilio.messages) == 2, "twice beats never"
    assert (row.status, row.attempts) == ("unknown", 2)
    assert shift.moves(alert) == ["sending → scheduled", "sending → unknown"]
    is_honest(shift.engine)


def test_an_alert_of_a_worker_that_died_goes_again_at_once(shift: Shift) -> None:
    alert = in_state(shift, "sending", 1, kind=str(Kind.ALERT), priority=0, lease_until=cast.OPENED)
    with db.transaction(shift.engine) as session:
        settling.expire_leases(session, now=shift.clock.now(), lookup_after=timedelta(hours=1), worker="w2")
    row = shift.message(alert)
    assert row.status == "scheduled"
    assert row.reason.startswith("In doubt, sent again at once:")
    assert [entry["message_id"] for entry in shift.drain()] == [alert]


# Whatever happens


def test_every_class_of_error_leaves_every_kind_of_message_with_a_reason(shift: Shift) -> None:
    """Even where the provider says nothing at all."""
    told: dict[int, ErrorClass] = {}
    for number, (error_class, kind) in enumerate(itertools.product(ErrorClass, Kind)):
        if kind is not Kind.PLANNED and error_class is not ErrorClass.CONFIGURATION:
            told[shift.write(kind, to=f"+1212555{number:04}")] = error_class
    treatment = shift.log()
    told[shift.rows(treatment)[DAY0].id] = ErrorClass.UNLISTED

    def fail(outbound: OutboundMessage) -> Accepted:
        raise ChannelError(told[outbound.message_id], "")

    shift.drain(DUE0, channels={"sms": Answering(fail)})
    assert all(shift.message(message_id).attempts for message_id in told)
    is_honest(shift.engine)


def test_a_mistake_in_an_adapter_leaves_its_message_in_doubt_and_the_others_alone(shift: Shift) -> None:
    broken, good = shift.write(), shift.write(to="+12125550178")

    def stumble(outbound: OutboundMessage) -> Accepted:
        if outbound.message_id == broken:
            raise KeyError("sid")
        return Accepted("x", Status.SENT, "p")

    shift.drain(channels={"sms": Answering(stumble)})
    assert (shift.message(broken).status, shift.message(broken).reason) == (
        "unknown",
        "The channel failed: KeyError.",
    )
    assert shift.message(good).status == "sent"


@on_postgresql
def test_an_outcome_that_cannot_be_written_stops_no_other(shift: Shift) -> None:
    """PostgreSQL refuses a NUL in a text; the message stays in doubt, until its lease runs out."""
    broken, good = shift.write(), shift.write(to="+12125550178")

    def refuse(outbound: OutboundMessage) -> Accepted:
        if outbound.message_id == broken:
            raise ChannelError(ErrorClass.CONTENT, "Bad\x00word.")
        return Accepted("x", Status.SENT, "p")

    shift.drain(channels={"sms": Answering(refuse)}, threads=1)
    assert [shift.message(i).status for i in (broken, good)] == ["sending", "sent"]


def test_a_working_sender_is_not_stopped_by_one_bad_number(shift: Shift, twilio: TwilioServer) -> None:
    for number in range(3):
        shift.write(to=f"+1212555{number:04}")
    send(shift, twilio, *[Fault.refuse(code) for code in (21211, 30007, 20429)], when="2026-02-03 15:41")
    with shift.look() as session:
        assert session.scalars(select(Sender.stopped_at)).all() == [None, None]

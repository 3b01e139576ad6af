"""What became of attempts: every class of error, retries, the fence, and what follows for others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from notifier.channels.twilio_sms import TwilioSms
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Clinic, Message, Patient, Suppression
from notifier.rules.delivery import ErrorClass, Kind
from tests import cast
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


# Class → what the row says; whether the number is flagged, the address suppressed, the other channel used.
CLASSES = [
    (21610, "failed", "opted out by replying STOP", False, True, True),
    (21211, "failed", "not a valid phone number", True, False, True),
    (21614, "failed", "not a mobile number", True, False, True),
    (30007, "failed", "filtered the message", False, False, True),
    (20429, "scheduled", "Tried again later: Twilio takes no more", False, False, False),
    (30003, "scheduled", "Tried again later: The phone is switched off", False, False, False),
    (21606, "scheduled", "Waits until the sender works again: ", False, False, False),
    (12345, "failed", "https://www.twilio.com/docs/errors/12345", False, False, True),
]


@pytest.mark.parametrize(("code", "status", "reason", "flags", "suppresses", "goes_by_email"), CLASSES)
def test_each_class_of_error_has_its_consequences(
    shift: Shift,
    twilio: TwilioServer,
    code: int,
    status: str,
    reason: str,
    flags: bool,
    suppresses: bool,
    goes_by_email: bool,
) -> None:
    treatment = shift.log()
    send(shift, twilio, Fault.refuse(code))
    row = sms_of(shift, treatment)
    assert row.status == status
    assert reason in row.reason
    (attempt,) = shift.attempts(row.id)
    assert (attempt.outcome, attempt.error_code) == ("failed", str(code))
    assert attempt.error_class
    assert attempt.finished_at == cast.at(DUE0)
    assert shift.moves(row.id) == [f"sending → {status}"]
    assert bool(shift.patient().phone_problem) is flags
    with shift.look() as session:
        assert len(session.scalars(select(Suppression)).all()) == suppresses
    assert [e["channel"] for e in shift.outbox.entries()] == (["email"] if goes_by_email else [])
    is_honest(shift.engine)


def test_an_answer_from_twilio_gives_the_row_its_id(shift: Shift, twilio: TwilioServer) -> None:
    treatment = shift.log()
    send(shift, twilio)
    row = shift.rows(treatment)[DAY0]
    (attempt,) = shift.attempts(row.id)
    (message,) = twilio.messages
    assert (row.status, attempt.outcome) == ("accepted", "accepted")
    assert (attempt.provider, attempt.provider_id) == ("twilio", message["sid"])
    assert message["body"] == attempt.words


@pytest.mark.parametrize(
    "fault", [Fault.accept_then_cut(), Fault.accept_then_error(), Fault.cut(), Fault.garbage()]
)
def test_where_twilio_may_have_taken_it_nobody_claims_to_know(
    shift: Shift, twilio: TwilioServer, fault: Fault
) -> None:
    treatment = shift.log()
    send(shift, twilio, fault)
    row = shift.rows(treatment)[DAY0]
    assert (row.status, shift.attempts(row.id)[0].outcome) == ("unknown", "unknown")
    assert "may have taken" in row.reason
    assert row.lookup_at is not None
    assert shift.outbox.entries() == [], "an e-mail beside it might be the second copy"


# Opt-outs and flags


def test_an_opt_out_cancels_what_waits_for_the_number_whoever_uses_it(
    shift: Shift, twilio: TwilioServer
) -> None:
    mia, leo = shift.log(cast.MIA), shift.log(cast.LEO, ended_at=cast.ENDED + timedelta(hours=1))
    send(shift, twilio, Fault.refuse(21610))
    waiting = [
        row
        for treatment in (mia, leo)
        for row in shift.rows(treatment).values()
        if row.status in ("scheduled", "held")
    ]
    assert waiting == []
    cancelled = [row for row in shift.all() if row.reason_code == "opt_out"]
    assert len(cancelled) > 4
    assert {row.status for row in cancelled} == {"cancelled"}
    assert {row.treatment_id for row in cancelled} == {mia, leo}
    is_honest(shift.engine)


def test_a_flagged_number_is_not_tried_again_by_the_next_step(shift: Shift, twilio: TwilioServer) -> None:
    treatment = shift.log()
    send(shift, twilio, Fault.refuse(21211))
    assert [e["channel"] for e in shift.drain("2026-02-04 13:30")] == ["email"]
    row = shift.rows(treatment)["day1-soreness-is-normal/sms"]
    assert (row.status, row.attempts) == ("skipped", 0)
    assert "not a valid phone number" in row.reason
    assert len(twilio.forms) == 1


def test_a_number_that_was_corrected_meanwhile_is_not_flagged(shift: Shift) -> None:
    shift.log()

    def correct(outbound: OutboundMessage) -> Accepted:
        with shift.change() as session:
            session.execute(update(Patient).values(phone="+12125550190"))
        raise ChannelError(ErrorClass.ADDRESS, "There is no such number.", code="21211")

    shift.drain(DUE0, channels={"sms": Answering(correct)})
    assert shift.patient().phone_problem == ""


def test_words_by_hand_to_a_wrong_number_flag_it_too(shift: Shift, twilio: TwilioServer) -> None:
    shift.log()
    patient = shift.patient()
    shift.write(Kind.ANSWER, to=str(patient.phone), patient_id=patient.id)
    send(shift, twilio, Fault.refuse(21211), when="2026-02-03 16:00")
    assert "not a valid phone number" in shift.patient().phone_problem


# Trying again


def test_each_wait_is_about_twice_the_last_and_never_the_same(shift: Shift, twilio: TwilioServer) -> None:
    """A minute, two, four: each between its half and the whole."""
    treatment = shift.log()
    now = DUE0
    for number in range(4):
        send(shift, twilio, Fault.too_many(), when=now)
        row = shift.rows(treatment)[DAY0]
        assert (row.status, row.attempts) == ("scheduled", number + 1)
        assert row.due_at is not None
        wait = row.due_at - shift.clock.now()
        assert MINUTE * 2**number / 2 <= wait <= MINUTE * 2**number
        shift.clock.jump(row.due_at)
        now = ""
    send(shift, twilio, when="")
    row = shift.rows(treatment)[DAY0]
    assert (row.status, row.attempts) == ("accepted", 5)
    assert [attempt.outcome for attempt in shift.attempts(row.id)] == ["failed"] * 4 + ["accepted"]
    assert len({form["Body"] for form in twilio.forms}) == 1


def test_the_providers_own_wish_to_be_left_alone_is_heeded(shift: Shift, twilio: TwilioServer) -> None:
    treatment = shift.log()
    send(shift, twilio, Fault.too_many("900"))
    row = shift.rows(treatment)[DAY0]
    assert row.due_at == shift.clock.now() + timedelta(minutes=15)


def test_nothing_is_tried_again_when_it_is_no_longer_useful(shift: Shift, twilio: TwilioServer) -> None:
    """Useful until 09:30; Twilio wants to be left alone until 09:35."""
    treatment = shift.log()
    send(shift, twilio, Fault.too_many("1200"), when="2026-02-04 09:15")
    row = shift.rows(treatment)[f"{DAY0}/sms"]
    assert row.status == "failed"
    assert row.reason.endswith(
        "takes no more messages at this moment (Twilio error 20429). Another try would come too late."
    )
    assert [e["channel"] for e in shift.outbox.entries()] == ["email"]


def test_a_phone_that_is_off_is_tried_twice_more_hours_apart(shift: Shift, twilio: TwilioServer) -> None:
    treatment = shift.log(ended_at=cast.at("2026-02-03 07:30"), plan="dry-needling")
    step = "day1-soreness-is-normal"
    with shift.change() as session:
        far = {"useful_until": cast.at("2026-02-28 12:00"), "due_at": cast.at("2026-02-04 09:00")}
        session.execute(update(Message).where(Message.step == step).values(**far))
        others = Message.step != step
        session.execute(update(Message).where(others).values(status="skipped", reason="-", due_at=None))
    waits = []
    for _ in range(3):
        shift.clock.jump(cast.at("2026-02-04 09:00"))
        send(shift, twilio, Fault.refuse(30003), when="")
        row = shift.rows(treatment).get(step) or shift.rows(treatment)[f"{step}/sms"]
        assert row.due_at is not None
        waits.append(row.due_at - shift.clock.now())
        shift.clock.jump(row.due_at)
    assert waits[:2] == [timedelta(hours=3)] * 2
    assert (row.status, row.attempts) == ("failed", 3)
    assert row.reason.endswith("That was the last try.")

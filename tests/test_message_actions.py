"""What a person at the desk does to a message."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import claiming, db, message_actions, treatments
from notifier.errors import ConflictError, NeedsConfirmation, NotFoundError
from notifier.models import AuditEntry, Clinic, Message, Treatment
from tests.cast import (
    DAY0,
    DAY1,
    DAY5,
    DESK,
    ENDED,
    LOGGED,
    SCORE,
    WEEK,
    at,
    attempted,
    events,
    log,
    messages,
    on_postgresql,
    plan_of,
    replanned,
    stop,
    wall,
)
from tests.worker_cast import Shift

HOUR = timedelta(hours=1)


@pytest.fixture
def treatment(session: Session, clinic: Clinic) -> Treatment:
    return log(session, clinic)


def taken(session: Session, clinic: Clinic, treatment: Treatment, step: str) -> Message:
    """The message of a step, as the desk takes it in hand."""
    return message_actions.get(session, clinic, messages(session, treatment)[step].id)


# Cancel and restore


def test_a_cancelled_message_says_who_and_stays_so(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, SCORE)
    message_actions.cancel(session, message, now=LOGGED, actor=DESK, why="She asked for less.")
    replanned(session, treatment.patient, LOGGED)
    assert plan_of(session, treatment) == WEEK | {SCORE: "cancelled person"}
    last = events(session, message)[-1]
    assert (last.from_status, last.to_status, last.actor) == ("scheduled", "cancelled", DESK)
    assert last.reason == "Cancelled at the desk: She asked for less."
    noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "message.cancelled")).one()
    assert (noted.subject_id, noted.detail["patient_id"]) == (message.id, treatment.patient_id)


def test_restoring_brings_it_back_at_its_planned_time(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, SCORE)
    message_actions.cancel(session, message, now=LOGGED, actor=DESK)
    back = message_actions.restore(session, [message], now=LOGGED + HOUR, actor=DESK)
    assert back == [message]
    assert plan_of(session, treatment) == WEEK


def test_restoring_never_overrides_a_stop(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    message = taken(session, clinic, treatment, SCORE)
    message_actions.cancel(session, message, now=LOGGED, actor=DESK)
    stop(session, treatment.patient, LOGGED)
    treatment.patient.email = None
    assert message_actions.restore(session, [message], now=LOGGED, actor=DESK) == []
    assert "opted out" in messages(session, treatment)[SCORE].reason


def test_a_restored_message_may_go_another_way_by_now(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, SCORE)
    message_actions.cancel(session, message, now=LOGGED, actor=DESK)
    treatment.patient.phone_problem = "The number is not in use."
    (back,) = message_actions.restore(session, [message], now=LOGGED, actor=DESK)
    assert (back.step, back.channel, back.status) == (SCORE, "email", "scheduled")
    assert (message.status, message.reason) == ("cancelled", "It goes by e-mail instead.")
    assert events(session, message)[-1].reason == message.reason


def test_what_was_attempted_or_is_stale_is_not_restored(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, SCORE)
    message_actions.cancel(session, message, now=LOGGED, actor=DESK)
    assert message_actions.restore(session, [message], now=at("2026-02-12 09:00"), actor=DESK) == []
    message.attempts = 1
    assert message_actions.restore(session, [message], now=LOGGED, actor=DESK) == []
    assert message.status == "cancelled"


def test_all_that_waits_is_cancelled_and_nothing_else(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    attempted(messages(session, treatment)[DAY0])
    now = at("2026-02-04 09:00")
    gone = message_actions.cancel_all(session, treatment.patient, now=now, actor=DESK)
    rows = messages(session, treatment)
    assert rows[DAY0].status == "sent"
    assert {row.step for row in gone} == {step for step, when in WEEK.items() if "skip" not in when} - {DAY0}
    assert {row.status for row in gone} == {"cancelled"}
    message_actions.restore(session, gone, now=now, actor=DESK)
    waiting = {step: when for step, when in WEEK.items() if step != DAY0}
    assert {step: when for step, when in plan_of(session, treatment).items() if step != DAY0} == waiting


def test_a_message_under_way_is_left_alone(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    attempted(messages(session, treatment)[DAY0], "sending")
    message = taken(session, clinic, treatment, DAY0)
    for act in (message_actions.cancel, message_actions.settle_again, message_actions.settle_arrived):
        with pytest.raises(ConflictError, match="being sent at this moment"):
            act(session, message, now=LOGGED, actor=DESK)
    assert message_actions.cancel_all(session, treatment.patient, now=LOGGED, actor=DESK)
    assert message.status == "sending"


def test_another_clinics_message_does_not_exist(
    session: Session, other_clinic: Clinic, treatment: Treatment
) -> None:
    message = messages(session, treatment)[DAY0]
    with pytest.raises(NotFoundError):
        message_actions.get(session, other_clinic, message.id)


# Send now


def test_send_now_makes_it_due_and_the_others_give_way(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    attempted(messages(session, treatment)[DAY0])
    now = at("2026-02-04 11:00")
    message = taken(session, clinic, treatment, DAY1)
    expected = message_actions.send_now(session, message, now=now, actor=DESK)
    assert (expected.at, message.due_at, message.status) == (now, now, "scheduled")
    assert expected.words == "It leaves within moments."
    assert events(session, message)[-1].reason == "To be sent now, by the desk."
    assert plan_of(session, treatment)[SCORE] == WEEK[SCORE]
    # And a replan leaves it where the desk has put it.
    replanned(session, treatment.patient, now)
    assert messages(session, treatment)[DAY1].due_at == now


def test_send_now_at_night_says_when_it_would_leave_and_asks(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    attempted(messages(session, treatment)[DAY0])
    night = at("2026-02-03 22:30")
    message = taken(session, clinic, treatment, DAY5)
    with pytest.raises(NeedsConfirmation, match=r"cannot leave before Wed 4 Feb 09:00\. Outside the sending"):
        message_actions.send_now(session, message, now=night, actor=DESK)
    assert wall(message.due_at) == WEEK[DAY5]
    expected = message_actions.send_now(session, message, now=night, actor=DESK, confirmed=True)
    assert wall(expected.at) == "2026-02-04 09:00"
    assert message.due_at == night


def test_send_now_that_gains_nothing_is_refused(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, DAY0)
    message.due_at = at("2026-02-04 09:00")
    with pytest.raises(ConflictError, match="cannot leave earlier than planned"):
        message_actions.send_now(session, message, now=at("2026-02-03 22:00"), actor=DESK, confirmed=True)


def test_send_now_of_what_would_be_stopped_is_refused(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, "day3-still-sore")
    with pytest.raises(ConflictError, match="No score came"):
        message_actions.send_now(session, message, now=LOGGED + HOUR, actor=DESK)
    treatment.patient.paused_at, treatment.patient.paused_reason = LOGGED, "a fever"
    with pytest.raises(ConflictError, match="paused: a fever"):
        message_actions.send_now(session, taken(session, clinic, treatment, DAY1), now=LOGGED, actor=DESK)


def test_a_message_is_put_back_while_it_has_not_left(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    night = at("2026-02-03 22:30")
    attempted(messages(session, treatment)[DAY0])
    message = taken(session, clinic, treatment, DAY5)
    message_actions.send_now(session, message, now=night, actor=DESK, confirmed=True)
    message_actions.put_back(session, message, now=night, actor=DESK)
    assert {step: when for step, when in plan_of(session, treatment).items() if step != DAY0} == {
        step: when for step, when in WEEK.items() if step != DAY0
    }


# Held and in doubt


def test_a_held_message_is_released_but_not_past_a_pause(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, DAY0)
    message.status, message.reason, message.reason_code = "held", "The text could not be made.", "render"
    now = at("2026-02-03 18:00")
    treatment.patient.paused_at = now
    with pytest.raises(ConflictError, match="Resume them"):
        message_actions.release(session, message, now=now, actor=DESK)
    treatment.patient.paused_at = None
    message_actions.release(session, message, now=now, actor=DESK)
    assert (message.status, message.due_at) == ("scheduled", now)
    assert events(session, message)[-1].from_status == "held"


def test_a_person_settles_what_nobody_else_can(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    now = at("2026-02-03 18:00")
    first, second = (taken(session, clinic, treatment, step) for step in (DAY0, DAY1))
    attempted(first, "unknown")
    attempted(second, "held")
    message_actions.settle_arrived(session, first, now=now, actor=DESK)
    message_actions.settle_again(session, second, now=now, actor=DESK)
    assert (first.status, first.reason) == ("delivered", "It arrived, the desk says.")
    assert (second.status, second.due_at) == ("scheduled", now)
    with pytest.raises(ConflictError, match="left already"):
        message_actions.settle_arrived(session, first, now=now, actor=DESK)


def test_a_second_copy_is_not_sent_when_it_is_stale(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = taken(session, clinic, treatment, DAY0)
    attempted(message, "unknown")
    with pytest.raises(ConflictError, match=r"It was useful until Wed 4 Feb 09:30\. Call the patient"):
        message_actions.settle_again(session, message, now=at("2026-02-05 09:00"), actor=DESK)


# What is offered


def test_what_may_be_done_follows_from_the_state(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    rows = messages(session, treatment)
    attempted(rows[DAY0], "undelivered", on=at("2026-02-03 17:30"))
    attempted(rows[DAY1], "unknown")
    rows[SCORE].status, rows[SCORE].reason_code = "cancelled", "person"
    rows["day3-check-in"].status = "held"
    now = at("2026-02-03 18:00")
    offered = {step: sorted(message_actions.possible(row, now)) for step, row in rows.items()}
    assert offered[DAY0] == ["resend"]
    assert offered[DAY1] == ["resend", "settle"]
    assert offered[SCORE] == ["restore"]
    assert offered["day3-check-in"] == ["cancel", "release"]
    assert offered[DAY5] == ["cancel", "send-now"]
    assert offered["before-next-visit"] == []
    assert message_actions.possible(rows[DAY0], at("2026-02-20 09:00")) == frozenset()


def test_a_voided_treatments_message_cannot_be_sent_now(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    treatments.void(session, treatment, reason="", now=ENDED + HOUR, actor=DESK)
    with pytest.raises(ConflictError, match="it is cancelled"):
        message_actions.send_now(session, taken(session, clinic, treatment, DAY1), now=LOGGED, actor=DESK)


@on_postgresql
def test_a_message_that_is_being_claimed_at_that_moment_is_not_called_cancelled(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    """The desk waits for the claim, and is then told that it came too late."""
    shift = Shift(engine, clinic, tmp_path)
    message_id = shift.rows(shift.log())[DAY0].id
    said: list[str] = []

    def at_the_desk() -> None:
        try:
            with shift.change() as session:
                mine = session.merge(clinic, load=False)
                message = message_actions.get(session, mine, message_id)
                message_actions.cancel(session, message, now=shift.clock.now(), actor=DESK)
        except ConflictError as refused:
            said.append(str(refused))

    desk = threading.Thread(target=at_the_desk)
    shift.clock.jump(at("2026-02-03 17:30"))
    with db.transaction(engine) as session:
        claim = claiming.claim_due(session, shift.terms(), now=shift.clock.now(), limit=1)
        desk.start()
        desk.join(0.3)
        assert desk.is_alive()
    desk.join(10)
    assert [claimed.outbound.message_id for claimed in claim.messages] == [message_id]
    assert said == ["It cannot be cancelled: it is being sent at this moment."]
    assert shift.message(message_id).status == "sending"

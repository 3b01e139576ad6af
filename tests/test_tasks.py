"""What needs a person at the desk."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier import consent_changes, inbox_handling, message_actions, staff_answers, task_marks, tasks
from notifier.consent_changes import Said
from notifier.models import Alert, Clinic, Treatment
from notifier.task_kinds import Do, Rank, Task
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DAY0,
    DAY1,
    DESK,
    EDWARD,
    LOGGED,
    MIA,
    at,
    attempted,
    log,
    messages,
    on_sqlite,
    stop,
    without,
)
from tests.query_plans import asked
from tests.replies_cast import EMERGENCY, rings, wrote
from tests.worker_cast import sender_of

NOW = at("2026-02-03 18:30")


def told(session: Session, clinic: Clinic, now: Any = NOW) -> list[Task]:
    session.flush()
    return tasks.open_tasks(session, clinic, now)


def only(session: Session, clinic: Clinic, now: Any = NOW) -> Task:
    (task,) = told(session, clinic, now)
    return task


def state(session: Session, treatment: Treatment, step: str, status: str, reason: str, **more: Any) -> int:
    row = messages(session, treatment)[step]
    attempted(row, status)
    row.reason = reason
    for name, value in more.items():
        setattr(row, name, value)
    session.flush()
    return row.id


def test_a_day_on_which_all_is_well_asks_nothing(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    state(session, treatment, DAY0, "delivered", "")
    assert told(session, clinic) == []


def test_an_alert_comes_before_all_else(session: Session, clinic: Clinic) -> None:
    log(session, clinic, BOB)
    treatment = log(session, clinic)
    state(session, treatment, DAY0, "failed", "The number is not in use.")
    alert = Alert(
        clinic_id=clinic.id,
        patient_id=treatment.patient_id,
        kind="red_flag",
        severity="emergency",
        code="K7",
        summary="wrote of chest pain.",
        raised_at=NOW,
    )
    session.add(alert)
    first, second, third = told(session, clinic)
    assert (first.rank, first.what, first.alert_id) == (
        Rank.ALERT,
        "Alice Moreau: wrote of chest pain.",
        alert.id,
    )
    assert [second.rank, third.rank] == [Rank.NOT_REACHED, Rank.UNCOVERED]
    task_marks.mark_done(session, clinic, first.key, now=NOW, actor=DESK)
    assert [task.rank for task in told(session, clinic)] == [Rank.NOT_REACHED, Rank.UNCOVERED]
    session.refresh(alert)
    assert (alert.acknowledged_at, alert.acknowledged_by) == (NOW, DESK)
    task_marks.undo_done(session, clinic, first.key, now=NOW, actor=DESK)
    assert told(session, clinic)[0].key == first.key


def test_a_stopped_sender_says_how_much_waits(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    sender = sender_of(session, clinic)
    sender.stopped_at, sender.stopped_reason = LOGGED, "The account is suspended."
    sender.probe_at = LOGGED
    task = only(session, clinic)
    assert (task.rank, task.why) == (Rank.NOTHING_GOES, "The account is suspended.")
    assert task.what == "SMS cannot be sent at the moment. It is tried again by itself. 1 message waits."


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_who_was_not_reached_is_called(session: Session, clinic: Clinic, status: str) -> None:
    treatment = log(session, clinic)
    message_id = state(session, treatment, DAY0, status, "The phone was off for a day.")
    task = only(session, clinic)
    assert (task.do, task.message_id, task.why) == (Do.CALL, message_id, "The phone was off for a day.")
    assert task.what == "“Day 0: what you may feel” did not reach Alice Moreau."


def test_what_went_another_way_is_no_task(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    message_id = state(session, treatment, DAY0, "failed", "Busy.")
    message = message_actions.get(session, clinic, message_id)
    columns = {c.key: getattr(message, c.key) for c in type(message).__table__.columns if c.key != "id"}
    session.add(type(message)(**columns | {"dedup_key": "instead", "status": "sent", "channel": "email"}))
    assert told(session, clinic) == []


def test_a_wrong_number_is_one_task_with_all_it_cost(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    state(session, treatment, DAY0, "failed", "Not in use.")
    treatment.patient.phone_problem = "The number is not in use."
    task = only(session, clinic)
    assert (task.rank, task.do, task.patient) == (Rank.NOT_REACHED, Do.CORRECT, treatment.patient)
    assert task.why == "The number is not in use."
    task_marks.mark_done(session, clinic, task.key, now=NOW, actor=DESK)
    assert told(session, clinic) == []
    treatment.patient.phone_problem = "It is a landline."
    assert only(session, clinic).why == "It is a landline."


def test_paused_messages_are_one_task_for_each_patient(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    for step in (DAY0, DAY1):
        state(session, treatment, step, "held", "Paused.", reason_code="paused", attempts=0)
    treatment.patient.paused_at, treatment.patient.paused_reason = LOGGED, "a score of 8"
    task = only(session, clinic, at("2026-02-04 14:00"))
    assert (task.do, task.why) == (Do.RESUME, "a score of 8")
    assert task.what == "Alice Moreau's messages are paused: 2 messages wait for you."


def test_what_nobody_can_tell_is_decided_by_a_person_but_not_at_once(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic)
    state(session, treatment, DAY0, "unknown", "Time-out.", lookup_at=NOW)
    assert told(session, clinic, at("2026-02-03 18:00")) == []
    assert only(session, clinic).do is Do.DECIDE
    state(session, treatment, DAY0, "held", "The provider cannot be asked.")
    task = only(session, clinic)
    assert (task.rank, task.what) == (
        Rank.DECIDE,
        "It is not known whether Alice Moreau got “Day 0: what you may feel”.",
    )


def test_who_gets_nothing_is_given_the_sheet_or_asked(session: Session, clinic: Clinic) -> None:
    log(session, clinic, BOB)
    log(session, clinic, without(CAROL, "email"))
    bob = only(session, clinic)
    assert (bob.do, bob.why) == (
        Do.CONSENT,
        "No consent to SMS is on record. No consent to e-mail is on record.",
    )
    assert bob.what == "No message will reach Bob Tanaka. Ask for consent, or give the printed sheet."
    assert bob.patient is not None
    yes = Said(("sms",), True, "at the desk", "May we?")
    consent_changes.record(session, bob.patient, yes, now=NOW, actor=DESK)
    assert told(session, clinic) == []


def test_who_wanted_no_messages_is_no_task(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    message_actions.cancel_all(session, treatment.patient, now=LOGGED, actor=DESK)
    assert told(session, clinic) == []


def test_who_opted_out_before_gets_the_sheet(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, MIA)
    stop(session, treatment.patient, LOGGED)
    assert only(session, clinic).do is Do.SHEET


def test_who_gets_nothing_today_is_given_the_sheet_today(session: Session, clinic: Clinic) -> None:
    log(session, clinic, EDWARD, ended_at=at("2026-02-03 20:40"))
    task = only(session, clinic, at("2026-02-03 21:00"))
    assert (task.rank, task.do) == (Rank.NONE_TODAY, Do.SHEET)
    assert task.why.startswith("The first one comes Wed 4 Feb ")
    assert told(session, clinic, at("2026-02-04 08:00")) == []


def test_done_is_a_mark_that_can_be_taken_back(session: Session, clinic: Clinic) -> None:
    log(session, clinic, BOB)
    task = only(session, clinic)
    for _ in range(2):
        task_marks.mark_done(session, clinic, task.key, now=NOW, actor=DESK, note="Called.")
    assert told(session, clinic) == []
    task_marks.undo_done(session, clinic, task.key, now=NOW, actor=DESK)
    assert only(session, clinic).key == task.key


def test_another_clinic_has_its_own_tasks(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    state(session, log(session, clinic, ALICE), DAY0, "failed", "Busy.")
    treatment.patient.phone_problem = "Wrong."
    sender_of(session, clinic).stopped_at = LOGGED
    assert len(told(session, clinic)) == 3
    assert told(session, other_clinic) == []


@on_sqlite
def test_a_look_walks_through_no_whole_table(session: Session, clinic: Clinic) -> None:
    """The desk asks every few seconds, whatever the clinic has sent in its life."""
    log(session, clinic, BOB)
    state(session, log(session, clinic), DAY0, "failed", "Busy.")
    sender_of(session, clinic).stopped_at = LOGGED
    session.flush()
    with asked(session) as found:
        tasks.open_tasks(session, clinic, NOW)
    assert found.scans == []
    assert found.uses("ix_messages_for_a_person")
    assert found.uses("ix_patients_to_fix")


def test_an_open_day_without_a_treatment_is_a_task_until_one_is_logged(
    session: Session, clinic: Clinic
) -> None:
    clinic.opening_hours = {"tue": [["09:00", "18:00"]]}
    (task,) = told(session, clinic)
    assert (task.rank, task.do) == (Rank.NOTHING_LOGGED, Do.LOG)
    assert task.what.startswith("No treatment of Tuesday 3 February is logged")
    task_marks.mark_done(session, clinic, task.key, now=NOW, actor=DESK)
    assert told(session, clinic) == []
    task_marks.undo_done(session, clinic, task.key, now=NOW, actor=DESK)
    assert len(told(session, clinic)) == 1
    log(session, clinic, ALICE)
    assert told(session, clinic) == []


def test_what_patients_wrote_leads_into_the_inbox_once(session: Session, clinic: Clinic) -> None:
    alice, carol = log(session, clinic).patient, log(session, clinic, CAROL).patient
    warned = wrote(session, clinic, alice, "I cant breathe", when=NOW, **EMERGENCY)
    alert = rings(session, clinic, warned)
    visit = wrote(session, clinic, carol, "CANCEL", when=NOW, rank=2, task="check_visit")
    wrote(session, clinic, None, "Hello?", when=NOW)
    wrote(session, clinic, None, "Who is this?", when=NOW, sender="+12125550188")
    found = told(session, clinic)
    assert [(task.rank, task.do, task.reply_id, task.what) for task in found] == [
        (Rank.ALERT, Do.LOOK, warned.id, "Alice Moreau: A reply may be an emergency."),
        (Rank.REPLY, Do.READ, visit.id, "Carol Jensen: find out whether the visit was meant."),
        (Rank.TO_READ, Do.READ, None, "2 people wrote, to be read."),
    ]
    alert.acknowledged_at = NOW
    first = told(session, clinic)[0]
    assert (first.rank, first.do, first.what) == (Rank.ALERT, Do.READ, "Alice Moreau: call back.")


def test_an_answer_that_never_left_comes_back_to_the_desk(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic).patient
    reply = wrote(session, clinic, alice, "May I run?", when=NOW)
    message = staff_answers.write(session, clinic, alice, "sms", "Yes.", reply=reply, now=NOW, actor=DESK)
    inbox_handling.done(session, reply, how="answered", now=NOW, actor=DESK)
    assert told(session, clinic) == []
    message.status, message.reason = "skipped", "This address opted out."
    task = only(session, clinic)
    assert (task.rank, task.what) == (Rank.NOT_REACHED, "Your answer to Alice Moreau was not sent.")
    assert (task.why, task.reply_id) == ("This address opted out.", reply.id)

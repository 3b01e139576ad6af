"""What treatments of one patient, and patients on one phone, do to each other's messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifier import plans, treatments
from notifier.models import Clinic, Message, MessageEvent, Sender, Treatment
from notifier.planfiles import shipped_plans
from notifier.planning import replan
from tests.cast import (
    DAY0,
    DAY1,
    DAY5,
    DESK,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    SCORE,
    WEEK,
    at,
    attempted,
    channels,
    log,
    messages,
    plan_of,
    replanned,
    save_cupping,
    says,
    stop,
    wall,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# Several treatments


def test_a_newer_treatment_takes_over_what_the_older_one_has_left(session: Session, clinic: Clinic) -> None:
    older = log(session, clinic)
    now = at("2026-02-05 11:00")
    for step in (DAY0, DAY1):
        attempted(messages(session, older)[step])
    newer = log(session, clinic, ended_at=at("2026-02-05 10:30"), now=now)
    rows = messages(session, older)
    assert (rows[DAY0].status, rows[DAY1].status) == ("sent", "sent")
    assert rows[SCORE].reason == "The newer treatment of Thu 5 Feb 10:30 takes over."
    superseded = {step for step, row in rows.items() if row.reason_code == "superseded"}
    # Nothing in the words of day 5 ages with the next visit, so the plan keeps it.
    assert superseded == {SCORE, "day3-check-in", "day3-still-sore", "before-next-visit"}
    planned = plan_of(session, newer)
    assert planned[DAY0] == "2026-02-05 12:30"
    # Received on Wednesday, so it is not for her this time.
    assert planned[DAY1] == "skipped audience"
    assert messages(session, newer)[DAY1].reason == (
        "Only for a first treatment, and the patient received it within 90 days."
    )


def test_a_treatment_entered_late_is_itself_superseded(session: Session, clinic: Clinic) -> None:
    newer = log(session, clinic)
    planned = plan_of(session, newer)
    older = log(session, clinic, ended_at=ENDED - DAY, now=LOGGED + HOUR)
    assert plan_of(session, newer) == planned
    rows = messages(session, older)
    assert rows[SCORE].reason == "The newer treatment of Tue 3 Feb 15:30 takes over."
    assert {row.reason_code for row in rows.values() if row.step != DAY5} == {"superseded"}


def test_voiding_the_newer_treatment_gives_the_older_one_back_its_plan(
    session: Session, clinic: Clinic
) -> None:
    older = log(session, clinic)
    newer = log(session, clinic, ended_at=ENDED + 5 * HOUR)
    assert plan_of(session, older)[SCORE] == "cancelled superseded"
    treatments.void(session, newer, reason="Twice.", now=ENDED + 6 * HOUR, actor=DESK)
    assert plan_of(session, older)[SCORE] == WEEK[SCORE]


def test_a_plan_may_keep_its_steps_whatever_comes_later(session: Session, clinic: Clinic) -> None:
    steps = [{"key": f"day{day}", "after": f"{day}d"} for day in (1, 3)]
    save_cupping(session, clinic, *steps, supersede="keep", min_gap="0m", max_per_day=0)
    older = log(session, clinic, plan="cupping")
    planned = plan_of(session, older)
    log(session, clinic, plan="cupping", ended_at=ENDED + DAY)
    assert plan_of(session, older) == planned


def test_one_visit_gets_one_first_day_message_from_the_more_cautious_plan(
    session: Session, clinic: Clinic
) -> None:
    cupping = log(session, clinic, plan="cupping")
    assert plan_of(session, cupping)["day0-marks"] == "2026-02-03 17:30"
    needling = log(session, clinic, ended_at=ENDED + HOUR)
    assert plan_of(session, needling)[DAY0] == "2026-02-03 18:30"
    row = messages(session, cupping)["day0-marks"]
    assert (row.status, row.reason_code) == ("skipped", "same_visit")
    assert row.reason == "One visit, one first-day message: Dry needling aftercare speaks for it."
    treatments.void(session, needling, reason="", now=ENDED + 70 * MINUTE, actor=DESK)
    assert plan_of(session, cupping)["day0-marks"] == "2026-02-03 17:30"


def test_what_was_said_in_a_visit_is_not_said_again_though_a_newer_treatment_took_over(
    session: Session, clinic: Clinic
) -> None:
    needling = log(session, clinic)
    attempted(messages(session, needling)[DAY0])
    log(session, clinic, ended_at=ENDED + 5 * HOUR)
    cupping = log(session, clinic, plan="cupping", ended_at=ENDED + 30 * MINUTE, now=ENDED + 6 * HOUR)
    assert plan_of(session, cupping)["day0-marks"] == "skipped same_visit"


def test_what_a_newer_treatment_took_over_unsaid_silences_nobody(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    log(session, clinic, ended_at=ENDED + 5 * HOUR)
    cupping = log(session, clinic, plan="cupping", ended_at=ENDED + 30 * MINUTE, now=ENDED + 6 * HOUR)
    assert plan_of(session, cupping)["day0-marks"] == "2026-02-04 09:00"


def test_two_treatments_far_apart_are_two_visits(session: Session, clinic: Clinic) -> None:
    cupping = log(session, clinic, plan="cupping", ended_at=at("2026-02-03 10:00"))
    needling = log(session, clinic, ended_at=at("2026-02-03 14:01"))
    assert plan_of(session, cupping)["day0-marks"] == "2026-02-03 12:00"
    assert plan_of(session, needling)[DAY0] == "2026-02-03 16:01"


def test_two_plans_keep_their_messages_apart(session: Session, clinic: Clinic) -> None:
    needling = log(session, clinic)
    massage = log(session, clinic, plan="sports-massage", ended_at=ENDED + HOUR)
    for row in (plan_of(session, needling), plan_of(session, massage)):
        assert all(row.values())
    due = sorted(
        row.due_at
        for treatment in (needling, massage)
        for step, row in messages(session, treatment).items()
        if row.due_at is not None and step != "day3-still-sore"
    )
    assert all(later - earlier >= 12 * HOUR for earlier, later in pairwise(due))
    assert len({wall(one)[:10] for one in due}) == len(due)


def test_essentials_are_the_safety_messages(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatment.patient.essentials = True
    replanned(session, treatment.patient, LOGGED)
    assert list(channels(session, treatment)) == [DAY0]
    assert messages(session, treatment)[SCORE].reason == "This patient gets safety messages only."
    treatment.patient.essentials = False
    replanned(session, treatment.patient, LOGGED)
    assert plan_of(session, treatment) == WEEK


def test_first_means_not_received_in_ninety_days(session: Session, clinic: Clinic) -> None:
    before = log(session, clinic, ended_at=ENDED - 92 * DAY, now=ENDED - 92 * DAY)
    attempted(messages(session, before)[DAY1], on=ENDED - 91 * DAY)
    assert plan_of(session, log(session, clinic))[DAY1] == WEEK[DAY1]
    attempted(messages(session, before)[DAY1], on=ENDED - 89 * DAY)
    assert plan_of(session, log(session, clinic, ended_at=ENDED + HOUR))[DAY1] == "skipped audience"
    attempted(messages(session, before)[DAY1], "failed", on=ENDED - 89 * DAY)
    assert plan_of(session, log(session, clinic, ended_at=ENDED + 2 * HOUR))[DAY1] != "skipped audience"


# Families


def test_two_children_on_one_phone_are_not_texted_at_once(session: Session, clinic: Clinic) -> None:
    mia = log(session, clinic, MIA)
    leo = log(session, clinic, LEO, ended_at=ENDED + 30 * MINUTE)
    assert plan_of(session, mia) == WEEK
    rows = messages(session, leo)
    assert wall(rows[DAY0].due_at) == "2026-02-03 18:00"  # safety: never moved
    kept = [row.due_at for row in messages(session, mia).values() if row.due_at]
    for row in rows.values():
        if row.due_at is not None and not row.safety:
            assert all(abs(row.due_at - other) >= 12 * HOUR for other in kept), row.step
            assert wall(row.due_at)[:10] not in {wall(other)[:10] for other in kept}


@pytest.mark.parametrize("first", [MIA, LEO])
def test_in_one_file_children_on_one_phone_keep_apart_also_from_what_was_sent(
    session: Session, clinic: Clinic, first: Any
) -> None:
    second = LEO if first is MIA else MIA
    one = log(session, clinic, first)
    other = log(session, clinic, second, consents=()).patient
    attempted(messages(session, one)[DAY0], on=at("2026-02-04 10:00"))
    now = at("2026-02-04 10:30")
    says(session, other, "sms", True, now, now=now)
    replan(session, [one.patient, other], now=now, actor=DESK)
    sent = messages(session, one)[DAY0].claimed_at
    assert sent is not None
    for row in session.scalars(select(Message).where(Message.patient_id == other.id)):
        if row.due_at is not None and not row.safety:
            assert row.due_at - sent >= 12 * HOUR, row.step


def test_what_was_attempted_keeps_the_gap_for_the_rest(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0], on=at("2026-02-04 09:20"))
    replanned(session, treatment.patient, at("2026-02-04 09:30"))
    # Twelve hours later the window is closed, and the next morning it is of no use any more.
    assert plan_of(session, treatment)[DAY1] == "skipped pace"
    attempted(messages(session, treatment)[DAY0], "failed", on=at("2026-02-04 09:20"))
    replanned(session, treatment.patient, at("2026-02-04 09:30"))
    assert plan_of(session, treatment)[DAY1] == WEEK[DAY1]


# Many at once


def test_a_replan_of_nobody_does_nothing(session: Session, clinic: Clinic) -> None:
    assert replan(session, [], now=LOGGED, actor=DESK).next_due is None


def test_clinics_do_not_meet(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    for folder in shipped_plans():
        plans.load_folder(session, other_clinic, folder, now=LOGGED, actor=DESK)
    here = log(session, clinic, MIA)
    there = log(session, other_clinic, replace(MIA, phone="+1 212 555 0104", timezone="America/New_York"))
    assert plan_of(session, here) == plan_of(session, there) == WEEK
    senders = {row.sender_id for row in messages(session, there).values()}
    assert {session.get_one(Sender, sender).clinic_id for sender in senders} == {other_clinic.id}


def test_a_stop_at_one_clinic_is_not_one_at_another(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    for folder in shipped_plans():
        plans.load_folder(session, other_clinic, folder, now=LOGGED, actor=DESK)
    here = log(session, clinic, MIA)
    there = log(session, other_clinic, replace(MIA, phone="+1 212 555 0104"))
    stop(session, here.patient, LOGGED)
    replan(session, [here.patient, there.patient], now=LOGGED, actor=DESK)
    assert channels(session, here) == {}
    assert channels(session, there) != {}


def test_an_erased_patient_gets_nothing_more(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatment.patient.erased_at = LOGGED
    replanned(session, treatment.patient, LOGGED)
    assert messages(session, treatment)[SCORE].reason == "The patient's data were erased."
    assert channels(session, treatment) == {}


def test_what_somebody_else_claimed_meanwhile_is_seen(session: Session, clinic: Clinic) -> None:
    """The session holds the row as it was; the database knows better."""
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    assert row.attempts == 0
    session.execute(
        update(Message)
        .where(Message.id == row.id)
        .values(status="sending", attempts=1, claimed_at=row.due_at)
        .execution_options(synchronize_session=False)
    )
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    assert messages(session, treatment)[SCORE].status == "sending"


def test_what_somebody_else_voided_meanwhile_is_seen(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    session.execute(
        update(Treatment)
        .where(Treatment.id == treatment.id)
        .values(voided_at=LOGGED)
        .execution_options(synchronize_session=False)
    )
    replanned(session, treatment.patient, LOGGED)
    assert {row.status for row in messages(session, treatment).values()} == {"cancelled"}


def test_a_second_run_changes_nothing(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    log(session, clinic, plan="sports-massage", ended_at=ENDED + HOUR)
    count = session.scalar(select(func.count()).select_from(MessageEvent))
    for now in (LOGGED + HOUR, LOGGED + HOUR, LOGGED + 90 * MINUTE):
        changes = replanned(session, treatment.patient, now)
        assert (changes.added, changes.changed, changes.next_due) == (0, 0, None)
    assert session.scalar(select(func.count()).select_from(MessageEvent)) == count

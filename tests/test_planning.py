"""From treatments to message rows: what is planned, on which channel, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifier import plans, treatments
from notifier.models import Address, Clinic, Message, MessageEvent, Sender, Treatment
from notifier.planfiles import read_content, shipped_plans
from notifier.planning import replan
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DESK,
    EDWARD,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    at,
    attempted,
    events,
    log,
    messages,
    no,
    plan_of,
    replanned,
    says,
    stop,
    wall,
    without,
    yes,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# Alice's week after dry needling on Tuesday 15:30, as the plan's steps say it.
WEEK = {
    "day0-what-you-may-feel": "2026-02-03 17:30",  # 2 h
    "day1-soreness-is-normal": "2026-02-04 13:30",  # 22 h
    "day2-soreness-score": "2026-02-05 13:30",  # 46 h
    "day3-check-in": "2026-02-06 15:30",  # 72 h; her score decides which of these two
    "day3-still-sore": "2026-02-06 15:30",
    "day5-how-it-works": "2026-02-08 15:30",  # 5 d
    "before-next-visit": "skipped audience",
}
DAY0, DAY1, SCORE, DAY5 = (
    "day0-what-you-may-feel",
    "day1-soreness-is-normal",
    "day2-soreness-score",
    "day5-how-it-works",
)


def channels(session: Session, treatment: Treatment) -> dict[str, str]:
    """Where the rows go that wait to be sent."""
    rows = messages(session, treatment).values()
    return {str(row.step): row.channel for row in rows if row.status == "scheduled"}


def reasons(session: Session, treatment: Treatment) -> set[str]:
    return {row.reason for row in messages(session, treatment).values()}


def test_alices_week(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    assert plan_of(session, treatment) == WEEK
    assert set(channels(session, treatment).values()) == {"sms"}
    assert {row.to for row in messages(session, treatment).values()} == {"+12125550101"}


def test_each_row_says_whose_it_is_and_until_when_it_is_useful(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[DAY0]
    sender = session.get_one(Sender, row.sender_id)
    assert (row.kind, row.priority, row.safety, row.attempts) == ("planned", 2, True, 0)
    assert row.dedup_key == f"plan:{treatment.id}:{DAY0}:sms"
    assert (row.clinic_id, row.patient_id, row.plan_version_id) == (
        clinic.id,
        treatment.patient_id,
        treatment.plan_version_id,
    )
    assert wall(row.useful_until) == "2026-02-04 09:30"
    assert sender.channel == "sms"
    assert row.address_id is not None
    assert session.get_one(Address, row.address_id).address == row.to


# Consent


def test_who_never_said_yes_gets_nothing_and_the_rows_say_so(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    rows = messages(session, treatment)
    assert {row.status for row in rows.values()} == {"skipped"}
    assert rows[DAY0].reason == "No consent to SMS is on record. No consent to e-mail is on record."
    assert rows[DAY5].reason == (
        "The words name the treatment, and the patient has not asked for that. No consent to SMS is on record."
    )
    assert all(row.due_at is None for row in rows.values())
    assert session.scalar(select(func.count()).select_from(Address)) == 0


def test_consent_given_later_brings_back_what_is_still_useful(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    later = at("2026-02-05 11:00")
    says(session, treatment.patient, "sms", True, later, now=later)
    planned = plan_of(session, treatment)
    # What is over keeps the reason for which it was not sent.
    assert planned[DAY0] == planned[DAY1] == "skipped unreachable"
    assert messages(session, treatment)[DAY0].reason.startswith("No consent to SMS")
    assert planned[SCORE] == "2026-02-05 13:30"
    assert planned[DAY5] == "2026-02-08 15:30"
    born, revived = events(session, messages(session, treatment)[SCORE])
    assert (born.to_status, revived.from_status, revived.to_status) == ("skipped", "skipped", "scheduled")


def test_consent_withdrawn_stops_what_was_not_sent(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, CAROL, consents=yes("sms"))
    now = at("2026-02-04 10:00")
    attempted(messages(session, treatment)[DAY0])
    says(session, treatment.patient, "sms", False, now, now=now)
    rows = messages(session, treatment)
    assert rows.pop(DAY0).status == "sent"
    assert {row.status for row in rows.values()} == {"skipped"}
    assert rows[DAY1].reason == (
        "Consent to SMS was withdrawn on 2026-02-04. No consent to e-mail is on record."
    )


def test_an_old_yes_entered_later_does_not_undo_a_no(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, CAROL, consents=no("sms", "email"))
    says(session, treatment.patient, "sms", True, ENDED - DAY, now=LOGGED)
    assert channels(session, treatment) == {}
    says(session, treatment.patient, "sms", True, LOGGED, now=LOGGED)
    assert set(channels(session, treatment).values()) == {"sms"}


def test_a_number_that_opted_out_is_not_texted_whoever_uses_it(session: Session, clinic: Clinic) -> None:
    mia = log(session, clinic, MIA)
    leo = log(session, clinic, LEO, plan="cupping")
    stop(session, mia.patient, LOGGED)
    replanned(session, leo.patient, LOGGED)
    assert channels(session, mia) == channels(session, leo) == {}
    assert reasons(session, leo) == {
        "This number opted out on 2026-02-03. No e-mail address is on record.",
    }


def test_the_other_channel_takes_over_what_one_may_not_have(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    stop(session, treatment.patient, LOGGED)
    # The shipped e-mail of day 5 names the treatment, which Alice did not ask for.
    assert set(channels(session, treatment)) == set(WEEK) - {DAY5, "before-next-visit"}
    assert set(channels(session, treatment).values()) == {"email"}
    assert {row.to for row in messages(session, treatment).values() if row.channel == "email"} == {
        "alice@example.com"
    }
    gone = session.scalars(
        select(Message).where(Message.treatment_id == treatment.id, Message.channel == "sms")
    ).all()
    assert {(row.step, row.status, row.reason) for row in gone if row.step == SCORE} == {
        (SCORE, "cancelled", "It goes by e-mail instead.")
    }


# Channels


@pytest.mark.parametrize(
    ("patient", "consents", "goes_by"),
    [
        (ALICE, yes("sms", "email"), "sms"),
        (replace(ALICE, preferred_channel="email"), yes("sms", "email"), "email"),
        (ALICE, yes("email"), "email"),
        (replace(ALICE, preferred_channel="email"), yes("sms"), "sms"),
        (without(ALICE, "phone"), yes("sms", "email"), "email"),
        (EDWARD, yes("email"), "email"),
        # In Britain the numbering plan tells landlines from mobiles.
        (replace(ALICE, phone="+44 20 7946 0018"), yes("sms", "email"), "email"),
        (replace(ALICE, phone="+44 7400 123456"), yes("sms", "email"), "sms"),
    ],
)
def test_a_step_goes_by_the_first_channel_that_is_possible(
    session: Session, clinic: Clinic, patient: Any, consents: Any, goes_by: str
) -> None:
    treatment = log(session, clinic, patient, consents=consents)
    assert channels(session, treatment)[SCORE] == goes_by


def test_a_landline_without_another_way_is_said_to_be_one(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, replace(MIA, phone="+44 20 7946 0018"))
    assert messages(session, treatment)[SCORE].reason == (
        "The number is a landline, which cannot receive SMS. No e-mail address is on record."
    )


@pytest.mark.parametrize(("wish", "goes_by"), [(True, "email"), (False, "sms"), (None, "sms")])
def test_words_that_name_the_treatment_need_the_patients_wish(
    session: Session, clinic: Clinic, wish: bool | None, goes_by: str
) -> None:
    treatment = log(session, clinic, replace(ALICE, name_treatment=wish))
    assert channels(session, treatment)[DAY5] == goes_by
    assert channels(session, treatment)[SCORE] == "sms"


def test_a_wish_recorded_later_moves_the_step_to_its_channel(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatment.patient.name_treatment = True
    replanned(session, treatment.patient, LOGGED)
    assert channels(session, treatment)[DAY5] == "email"
    treatment.patient.name_treatment = False
    replanned(session, treatment.patient, LOGGED)
    assert channels(session, treatment)[DAY5] == "sms"
    assert plan_of(session, treatment)[f"{DAY5}/email"] == "cancelled replanned"


def test_a_number_that_does_not_work_gives_way_until_it_is_corrected(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic)
    treatment.patient.phone_problem = "The number does not exist."
    replanned(session, treatment.patient, LOGGED)
    assert channels(session, treatment)[SCORE] == "email"
    assert messages(session, treatment)[DAY5].reason == (
        "The words name the treatment, and the patient has not asked for that. The number does not exist."
    )
    log(session, clinic, replace(ALICE, phone="(212) 555-0199"), now=LOGGED + MINUTE)
    assert set(channels(session, treatment).values()) == {"sms"}
    assert messages(session, treatment)[DAY5].to == "+12125550199"


def test_unsent_rows_follow_a_new_number_and_sent_ones_keep_theirs(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0])
    treatment.patient.phone = "+12125550199"
    changes = replanned(session, treatment.patient, at("2026-02-03 18:00"))
    rows = messages(session, treatment)
    assert rows.pop(DAY0).to == "+12125550101"
    assert {row.to for row in rows.values()} == {"+12125550199"}
    assert changes.changed == len(rows)
    assert {row.address_id for row in rows.values() if row.status == "scheduled"} == {
        session.scalar(select(Address.id).where(Address.address == "+12125550199"))
    }


def test_unsent_rows_follow_a_new_sender(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    old = session.get_one(Sender, messages(session, treatment)[DAY0].sender_id)
    old.active = False
    new = Sender(clinic_id=clinic.id, channel="sms", identity="+12125550198")
    session.add(new)
    attempted(messages(session, treatment)[DAY0])
    replanned(session, treatment.patient, at("2026-02-03 18:00"))
    rows = messages(session, treatment)
    assert rows.pop(DAY0).sender_id == old.id
    assert {row.sender_id for row in rows.values()} == {new.id}


def test_a_channel_without_a_sender_is_not_used_until_it_has_one(session: Session, clinic: Clinic) -> None:
    email = session.scalars(
        select(Sender).where(Sender.clinic_id == clinic.id, Sender.channel == "email")
    ).one()
    email.active = False
    treatment = log(session, clinic, EDWARD)
    assert messages(session, treatment)[SCORE].reason == (
        "The clinic has no sender for e-mail. No phone number is on record."
    )
    email.active = True
    replanned(session, treatment.patient, LOGGED)
    assert messages(session, treatment)[SCORE].sender_id == email.id
    assert channels(session, treatment)[SCORE] == "email"


# Rows that are out of reach


def test_a_row_that_was_attempted_is_never_touched(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    columns = Message.__table__.columns
    row = messages(session, treatment)[DAY1]
    row.attempts, row.claimed_at = 1, row.due_at
    session.flush()
    before = session.execute(select(*columns).where(Message.id == row.id)).one()
    now = LOGGED + MINUTE
    treatment.patient.phone = "+12125550199"
    stop(session, treatment.patient, now)
    treatments.correct_end(session, treatment, ENDED - HOUR, now=now, actor=DESK)
    treatments.void(session, treatment, reason="", now=now, actor=DESK)
    session.flush()
    assert session.execute(select(*columns).where(Message.id == row.id)).one() == before
    assert len(events(session, row)) == 1


def test_what_a_person_stopped_stays_stopped(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    row.status, row.reason, row.reason_code = "cancelled", "The desk stopped it.", "person"
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    treatments.unvoid(session, treatment, now=LOGGED, actor=DESK)
    assert plan_of(session, treatment) == WEEK | {SCORE: "cancelled person"}


def test_what_waits_for_a_person_waits_on_but_not_after_a_void(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    row.status, row.reason, row.reason_code = "held", "A score of 8.", "paused"
    replanned(session, treatment.patient, LOGGED)
    assert messages(session, treatment)[SCORE].status == "held"
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    assert messages(session, treatment)[SCORE].status == "cancelled"


def test_a_row_that_is_due_already_keeps_its_time(session: Session, clinic: Clinic) -> None:
    """Its claim is a moment away; moving it to now at each change would keep it from ever being oldest."""
    treatment = log(session, clinic)
    replanned(session, treatment.patient, at("2026-02-03 17:45"))
    assert plan_of(session, treatment) == WEEK


def test_a_stop_reaches_a_row_that_is_due_already(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, MIA)
    stop(session, treatment.patient, at("2026-02-03 17:45"))
    assert messages(session, treatment)[DAY0].status == "skipped"


def test_what_was_not_sent_keeps_its_reason_when_its_time_is_over(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    before = {step: row.reason for step, row in messages(session, treatment).items()}
    later = at("2026-02-20 10:00")
    log(session, clinic, BOB, ended_at=later)
    changes = replanned(session, treatment.patient, later + HOUR)
    rows = messages(session, treatment)
    assert rows[SCORE].reason == before[SCORE]
    assert rows[SCORE].status == "skipped"
    assert changes.changed == 0


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
    # Nothing in it ages with the next visit, so the plan keeps it.
    assert plan_of(session, older) == {
        DAY0: "",
        DAY1: "",
        SCORE: "cancelled superseded",
        "day3-check-in": "cancelled superseded",
        "day3-still-sore": "cancelled superseded",
        DAY5: plan_of(session, older)[DAY5],
        "before-next-visit": "cancelled superseded",
    } | dict.fromkeys((DAY0, DAY1), "sent ")
    assert wall(rows[DAY5].due_at) >= "2026-02-08"
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
    folder = next(folder for folder in shipped_plans() if folder.name == "cupping")
    content = dict(read_content(folder))
    content["plan"] = content["plan"] | {"supersede": "keep", "min_gap": "0m", "max_per_day": 0}
    plans.save(session, clinic, content, now=LOGGED, actor=DESK)
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
    assert all(later - earlier >= 12 * HOUR for earlier, later in zip(due, due[1:], strict=False))
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
    log(session, clinic, second, consents=())
    attempted(messages(session, one)[DAY0], on=at("2026-02-04 10:00"))
    other = treatments.find(session, clinic, str(one.id + 1)).patient
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
    # Twelve hours later the window is closed, and the day after the next step is due.
    assert plan_of(session, treatment)[DAY1] == "skipped overtaken"
    attempted(messages(session, treatment)[DAY0], "failed", on=at("2026-02-04 09:20"))
    replanned(session, treatment.patient, at("2026-02-04 09:30"))
    assert plan_of(session, treatment)[DAY1] == WEEK[DAY1]


# Days and hours


def test_the_week_in_which_the_clocks_change_keeps_the_patients_wall_clock(
    session: Session, clinic: Clinic
) -> None:
    """New York springs forward on Sunday 8 March 2026: hours are elapsed time, days are the wall clock's."""
    treatment = log(session, clinic, ended_at=at("2026-03-06 16:00"), next_visit=at("2026-03-13 10:00"))
    planned = plan_of(session, treatment)
    assert planned == {
        DAY0: "2026-03-06 18:00",
        DAY1: "2026-03-07 14:00",
        SCORE: "2026-03-08 15:00",  # 46 hours: one hour later on the clock
        "day3-check-in": "2026-03-09 17:00",
        "day3-still-sore": "2026-03-09 17:00",
        DAY5: "2026-03-11 16:00",
        "before-next-visit": "2026-03-12 10:00",
    }


def test_the_patients_zone_decides_and_not_the_clinics(session: Session, clinic: Clinic) -> None:
    away = replace(ALICE, timezone="America/Los_Angeles")
    treatment = log(session, clinic, away, ended_at=at("2026-02-03 09:00"))
    planned = plan_of(session, treatment, "America/Los_Angeles")
    assert planned[DAY0] == "2026-02-03 09:00"  # 08:00 there: before the window opens
    assert planned[DAY1] == "2026-02-04 09:00"
    treatment.patient.timezone = None
    replanned(session, treatment.patient, at("2026-02-03 09:20"))
    assert plan_of(session, treatment)[DAY0] == "2026-02-03 11:00"


def test_logged_late_the_overdue_ones_keep_apart_and_say_why(session: Session, clinic: Clinic) -> None:
    late = at("2026-02-05 09:10")  # Thursday morning: day 0 is over, day 1 overdue, the score at 13:30
    treatment = log(session, clinic, now=late)
    planned = plan_of(session, treatment)
    rows = messages(session, treatment)
    assert planned[DAY0] == planned[DAY1] == "skipped too_late"
    assert rows[DAY0].reason == (
        "It was useful until Wed 4 Feb 09:30, and the first moment it could leave is Thu 5 Feb 09:25."
    )
    assert planned[SCORE] == WEEK[SCORE]


def test_logged_late_a_step_gives_way_to_the_next_one(session: Session, clinic: Clinic) -> None:
    late = at("2026-02-03 23:00")  # the evening's message waits for the morning
    treatment = log(session, clinic, now=late)
    rows = messages(session, treatment)
    assert wall(rows[DAY0].due_at) == "2026-02-04 09:00"
    # In the afternoon it would come too soon after, and in the evening the window is closed.
    assert rows[DAY1].status == "skipped"
    assert rows[DAY1].reason_code == "overtaken"
    assert "Overtaken" in rows[DAY1].reason
    assert plan_of(session, treatment)[SCORE] == WEEK[SCORE]


@pytest.mark.parametrize(
    "ended", ["2026-02-03 07:00", "2026-02-03 17:45", "2026-02-03 21:50", "2026-02-07 12:00"]
)
def test_what_is_due_is_due_inside_the_window(session: Session, clinic: Clinic, ended: str) -> None:
    treatment = log(session, clinic, ended_at=at(ended))
    for row in messages(session, treatment).values():
        if row.due_at is not None:
            assert "09:00" <= wall(row.due_at)[11:] <= "20:00"


# Each channel


@pytest.fixture
def each(session: Session, clinic: Clinic) -> None:
    """A cupping plan whose first message goes by SMS and by e-mail."""
    folder = next(folder for folder in shipped_plans() if folder.name == "cupping")
    content = dict(read_content(folder))
    first, *rest = content["plan"]["steps"]
    steps = [first | {"deliver": "each", "channels": ["sms", "email"]}, *rest]
    content["plan"] = content["plan"] | {"steps": steps}
    plans.save(session, clinic, content, now=LOGGED, actor=DESK)


SMS, EMAIL = "day0-marks/sms", "day0-marks/email"


@pytest.mark.usefixtures("each")
def test_a_step_for_each_channel_has_a_row_on_each(session: Session, clinic: Clinic) -> None:
    rows = messages(session, log(session, clinic, plan="cupping"))
    assert (rows[SMS].to, rows[EMAIL].to) == ("+12125550101", "alice@example.com")
    assert rows[SMS].due_at == rows[EMAIL].due_at == at("2026-02-03 17:30")


@pytest.mark.usefixtures("each")
def test_when_one_of_them_has_left_the_other_still_heeds_a_stop(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    now = at("2026-02-03 17:31")
    attempted(messages(session, treatment)[SMS])
    treatment.patient.email = "new@example.com"
    replanned(session, treatment.patient, now)
    rows = messages(session, treatment)
    assert (rows[EMAIL].status, rows[EMAIL].to) == ("scheduled", "new@example.com")
    assert rows[EMAIL].due_at == at("2026-02-03 17:30")
    says(session, treatment.patient, "email", False, now, now=now)
    assert messages(session, treatment)[EMAIL].reason == "Consent to e-mail was withdrawn on 2026-02-03."
    says(session, treatment.patient, "email", True, now + MINUTE, now=now + MINUTE)
    treatments.void(session, treatment, reason="", now=now + MINUTE, actor=DESK)
    assert messages(session, treatment)[EMAIL].status in ("cancelled", "skipped")
    assert messages(session, treatment)[SMS].status == "sent"


# Plans that change


def test_a_step_that_is_gone_from_the_version_is_cancelled(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, plan="cupping")
    folder = next(folder for folder in shipped_plans() if folder.name == "cupping")
    content = dict(read_content(folder))
    first, second, _ = content["plan"]["steps"]
    extra = second | {"key": "day3-hello", "after": "3d", "useful_for": "5d"}
    texts = content["texts"] | {"day3-hello.en": content["texts"]["day1-skin-check.en"]}
    content |= {"plan": content["plan"] | {"steps": [first, extra]}, "texts": texts}
    version = plans.save(session, clinic, content, now=LOGGED, actor=DESK).version
    treatment.plan_version_id = version.id
    changes = replanned(session, treatment.patient, LOGGED)
    assert plan_of(session, treatment) == {
        "day0-marks": "2026-02-03 17:30",
        "day1-skin-check": "cancelled replanned",
        "day7-marks-fading": "cancelled replanned",
        "day3-hello": "2026-02-06 15:30",
    }
    gone = messages(session, treatment)["day7-marks-fading"]
    assert gone.reason == "The step is no longer part of the plan."
    assert changes.added == 1
    assert {row.plan_version_id for row in messages(session, treatment).values()} >= {version.id}


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
    assert reasons(session, treatment) >= {"The patient's data were erased."}
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


def test_a_second_run_changes_nothing(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    log(session, clinic, plan="sports-massage", ended_at=ENDED + HOUR)
    count = session.scalar(select(func.count()).select_from(MessageEvent))
    for now in (LOGGED + HOUR, LOGGED + HOUR, LOGGED + 90 * MINUTE):
        changes = replanned(session, treatment.patient, now)
        assert (changes.added, changes.changed, changes.next_due) == (0, 0, None)
    assert session.scalar(select(func.count()).select_from(MessageEvent)) == count

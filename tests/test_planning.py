"""From a treatment to its message rows: when, on which channel, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.models import Address, Clinic, Message, Sender, Treatment
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DAY0,
    DAY1,
    DAY5,
    EDWARD,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    SCORE,
    WEEK,
    at,
    attempted,
    channels,
    events,
    log,
    messages,
    no,
    plan_of,
    replanned,
    save_cupping,
    says,
    stop,
    wall,
    without,
    yes,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOT_ASKED = "The words name the treatment, and the patient has not asked for that."


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
    assert rows[DAY5].reason == f"{NOT_ASKED} No consent to SMS is on record."
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
    assert planned[f"{DAY5}/sms"] == "2026-02-08 15:30"
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
    assert messages(session, treatment)[DAY5].reason == f"{NOT_ASKED} The number does not exist."
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


# Days and hours


def test_the_week_in_which_the_clocks_change_keeps_the_patients_wall_clock(
    session: Session, clinic: Clinic
) -> None:
    """New York springs forward on Sunday 8 March 2026: hours are elapsed time, days are the wall clock's."""
    treatment = log(session, clinic, ended_at=at("2026-03-06 16:00"), next_visit=at("2026-03-16 10:00"))
    planned = plan_of(session, treatment)
    assert planned == {
        DAY0: "2026-03-06 18:00",
        DAY1: "2026-03-07 14:00",
        SCORE: "2026-03-08 15:00",  # 46 hours: one hour later on the clock
        "day3-check-in": "2026-03-09 17:00",
        "day3-still-sore": "2026-03-09 17:00",
        DAY5: "2026-03-11 16:00",
        "before-next-visit": "2026-03-15 10:00",
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


def test_logged_in_the_night_the_safety_message_comes_first_and_the_next_one_gives_way(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic, now=at("2026-02-03 23:00"))
    planned = plan_of(session, treatment)
    assert planned[DAY0] == "2026-02-04 09:00"
    assert planned[DAY1] == "skipped pace"
    assert messages(session, treatment)[DAY1].reason == (
        "To keep messages apart it would have moved from Wed 4 Feb 13:30 to Thu 5 Feb 09:00, "
        "and it is useful only until Thu 5 Feb 03:30."
    )
    assert planned[SCORE] == WEEK[SCORE]


def test_logged_days_late_what_is_overdue_keeps_apart_and_some_is_overtaken(
    session: Session, clinic: Clinic
) -> None:
    steps = [{"key": f"after-{hours}", "after": f"{hours}h"} for hours in (2, 22, 46, 94)]
    save_cupping(session, clinic, *steps, max_per_day=0, max_per_week=0)
    treatment = log(session, clinic, plan="cupping", now=at("2026-02-06 10:00"))
    assert plan_of(session, treatment) == {
        "after-2": "2026-02-06 10:15",
        "after-22": "skipped overtaken",  # it would have moved to the morning, past the next one
        "after-46": "2026-02-07 09:00",
        "after-94": "2026-02-08 09:00",  # due on Saturday 13:30, too soon after
    }
    assert messages(session, treatment)["after-22"].reason == (
        "Overtaken: to keep messages apart it would have moved from Fri 6 Feb 10:15 to Sat 7 Feb 09:00, "
        "and after-46 is due by then."
    )


@pytest.mark.parametrize(
    "ended", ["2026-02-03 07:00", "2026-02-03 17:45", "2026-02-03 21:50", "2026-02-07 12:00"]
)
def test_what_is_due_is_due_inside_the_window(session: Session, clinic: Clinic, ended: str) -> None:
    treatment = log(session, clinic, ended_at=at(ended))
    for row in messages(session, treatment).values():
        if row.due_at is not None:
            assert "09:00" <= wall(row.due_at)[11:] <= "20:00"

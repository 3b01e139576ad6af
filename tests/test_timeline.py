"""One patient's past and coming messages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import message_actions, resending, timeline, treatments
from notifier.errors import NotFoundError
from notifier.models import Clinic
from notifier.timeline import Detail
from tests.cast import (
    ALICE,
    BOB,
    DAY0,
    DAY1,
    DESK,
    EDWARD,
    LEO,
    LOGGED,
    MIA,
    SCORE,
    at,
    attempted,
    log,
    messages,
    on_sqlite,
    says,
    wall,
    without,
)
from tests.query_plans import asked
from tests.replies_cast import wrote
from tests.worker_cast import Shift

NOW = at("2026-02-03 18:30")
ALICE_SMS = without(ALICE, "email")


def told(session: Session, clinic: Clinic, message_id: int) -> Detail:
    session.flush()
    return timeline.detail(session, clinic, message_id, NOW)


def test_all_treatments_make_one_timeline(session: Session, clinic: Clinic) -> None:
    old = log(session, clinic, ALICE_SMS, ended_at=at("2026-01-06 15:30"))
    for row in messages(session, old).values():
        if row.status == "scheduled":
            attempted(row)
    new = log(session, clinic, ALICE_SMS)
    attempted(messages(session, new)[DAY0])
    whole = timeline.of_patient(session, clinic, new.patient, NOW)
    assert [course.treatment for course in whole.courses] == [new, old]
    assert next(item.message.step for item in whole.coming) == SCORE
    times = [item.at for item in whole.past]
    assert times == sorted(times, reverse=True)
    assert {item.message.treatment_id for item in whole.past} == {old.id, new.id}


def test_replies_stand_between_the_messages(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0])
    attempted(messages(session, treatment)[DAY1])
    before = timeline.stamp(session, treatment.patient, NOW)
    reply = wrote(session, clinic, treatment.patient, "May I run?")
    story = timeline.of_patient(session, clinic, treatment.patient, at("2026-02-04 18:00")).story
    assert [getattr(item, "reply", None) for item in story] == [None, reply, None]
    assert timeline.stamp(session, treatment.patient, NOW) != before


def test_a_reply_from_a_shared_phone_stands_with_each(session: Session, clinic: Clinic) -> None:
    mia, leo = log(session, clinic, MIA).patient, log(session, clinic, LEO).patient
    reply = wrote(session, clinic, None, "Who?", sender=mia.phone or "")
    for patient in (mia, leo):
        (heard,) = timeline.of_patient(session, clinic, patient, NOW).replies
        assert heard.reply is reply


def test_what_was_dropped_before_its_time_is_neither_past_nor_coming(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic, BOB)
    whole = timeline.of_patient(session, clinic, treatment.patient, NOW)
    assert [item.message.step for item in whole.past] == [DAY0]
    assert [item.message.step for item in whole.dropped][:2] == [DAY1, SCORE]
    assert whole.dropped[-1].message.step == "before-next-visit"
    assert not whole.coming


def test_old_treatments_are_counted_rather_than_shown(session: Session, clinic: Clinic) -> None:
    for week in range(4):
        treatment = log(session, clinic, ended_at=at("2026-01-06 15:30") + timedelta(weeks=week))
    whole = timeline.of_patient(session, clinic, treatment.patient, NOW, shown=3)
    assert (len(whole.courses), whole.older) == (3, 1)


def test_a_coming_message_reads_as_it_would_today(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    rows = messages(session, treatment)
    words = told(session, clinic, rows[DAY1].id).words
    assert words.is_preview
    assert "Alice" in words.text
    assert words.segments >= 1
    mail = told(session, clinic, messages(session, log(session, clinic, EDWARD))[DAY0].id).words
    assert mail.subject
    assert "Edward" in mail.text


def test_what_cannot_be_rendered_says_why(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[DAY1]
    row.channel, row.step = "fax", DAY1
    words = told(session, clinic, row.id).words
    assert (words.text, words.is_preview) == ("", True)
    assert "no words for fax" in words.problem


def test_what_was_sent_reads_as_it_was_with_the_providers_answer(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    shift = Shift(engine, clinic, tmp_path)
    treatment_id = shift.log()
    (entry,) = shift.drain("2026-02-03 17:30")
    message = shift.rows(treatment_id)[DAY0]
    with shift.change() as session:
        session.merge(clinic, load=False)
        detail = timeline.detail(session, session.get_one(Clinic, clinic.id), message.id, NOW)
    assert (detail.words.text, detail.words.is_preview) == (entry["text"], False)
    assert detail.words.segments > 0
    (attempt,) = detail.attempts
    assert attempt.provider == "outbox"
    assert [moment.what.split(" to ")[0] for moment in detail.story][:2] == [
        "planned: scheduled",
        "attempt 1",
    ]
    assert wall(detail.placed.at) == "2026-02-03 17:30"


def test_send_now_is_offered_with_what_it_would_do(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    rows = messages(session, treatment)
    attempted(rows[DAY0])
    detail = told(session, clinic, rows[DAY1].id)
    assert "send-now" in detail.actions
    assert detail.send_now.startswith("It cannot leave before Wed 4 Feb ")
    sore = told(session, clinic, rows["day3-still-sore"].id)
    assert "send-now" not in sore.actions
    assert "No score came" in sore.send_now


def test_a_second_one_names_the_first(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0], "failed")
    message = message_actions.get(session, clinic, messages(session, treatment)[DAY0].id)
    again, _ = resending.resend(session, clinic, message, "(212) 555-0177", now=NOW, actor=DESK)
    assert told(session, clinic, again.id).replaces is message


def test_another_clinics_message_is_not_told(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    row = messages(session, log(session, clinic))[DAY0]
    with pytest.raises(NotFoundError):
        told(session, other_clinic, row.id)


@on_sqlite
def test_a_look_walks_through_no_whole_table(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    log(session, clinic, BOB, now=LOGGED)
    row = messages(session, treatment)[DAY1]
    session.flush()
    with asked(session) as found:
        timeline.of_patient(session, clinic, treatment.patient, NOW)
        told(session, clinic, row.id)
    assert found.scans == []


def test_the_stamp_changes_with_whatever_the_page_shows(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    other = log(session, clinic, BOB)
    patient = treatment.patient

    def mark() -> str:
        session.flush()
        return timeline.stamp(session, patient, NOW)

    marks = [mark()]
    message_actions.cancel_all(session, other.patient, now=NOW, actor=DESK)
    assert mark() == marks[0]
    message_actions.cancel_all(session, patient, now=NOW, actor=DESK)
    marks.append(mark())
    treatments.book_visit(session, treatment, at("2026-02-17 09:00"), now=NOW, actor=DESK)
    marks.append(mark())
    says(session, patient, "email", False, NOW, now=NOW)
    marks.append(mark())
    patient.language = "es"
    marks.append(mark())
    assert len(set(marks)) == len(marks)

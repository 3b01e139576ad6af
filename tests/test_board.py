"""The day's board."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.orm import Session

from notifier import audit, message_actions, task_marks, treatments
from notifier.board import Board, board, stamp
from notifier.models import Clinic
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DAY0,
    DAY1,
    DESK,
    EDWARD,
    MIA,
    at,
    attempted,
    log,
    messages,
    on_sqlite,
    wall,
)
from tests.query_plans import asked
from tests.replies_cast import wrote

NOW = at("2026-02-03 18:30")


def seen(session: Session, clinic: Clinic, day: date | None = None, page: int = 1, size: int = 30) -> Board:
    session.flush()
    return board(session, clinic, day, now=NOW, page=page, size=size)


def test_the_day_shows_who_was_treated_and_what_it_came_to(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    log(session, clinic, BOB, ended_at=at("2026-02-03 16:10"))
    log(session, clinic, CAROL, ended_at=at("2026-02-02 16:10"))
    attempted(messages(session, treatment)[DAY0])
    shown = seen(session, clinic)
    assert shown.is_today
    bob, alice = shown.treated
    assert (bob.patient.first_name, alice.patient.first_name) == ("Bob", "Alice")
    assert bob.nothing_because == "No consent to SMS is on record. No consent to e-mail is on record."
    assert alice.plan_name == "Dry needling aftercare"
    assert alice.last is not None
    assert alice.next is not None
    assert (alice.last.title, wall(alice.last.at)) == ("Day 0: what you may feel", "2026-02-03 17:30")
    assert (alice.next.message.step, alice.nothing_because, alice.coming) == (DAY1, "", 5)
    assert (shown.count_treated, shown.count_sent, shown.count_coming) == (2, 1, 1)
    assert [item.message.step for item in shown.just_sent] == [DAY0]
    assert [wall(item.message.due_at) for item in shown.coming][:2] == [
        "2026-02-03 14:10",
        "2026-02-04 13:30",
    ]


def test_what_was_not_sent_stands_where_it_would_have_been(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    (bob,) = seen(session, clinic).treated
    by_step = {item.message.step: wall(item.at) for item in bob.placed}
    assert by_step[DAY0] == "2026-02-03 17:30"
    assert by_step[DAY1] == "2026-02-04 13:30"
    treatments.book_visit(session, treatment, at("2026-02-10 09:00"), now=NOW, actor=DESK)
    (bob,) = seen(session, clinic).treated
    assert {item.message.step: wall(item.at) for item in bob.placed}[
        "before-next-visit"
    ] == "2026-02-09 09:00"


def test_what_they_wrote_since_stands_beside_who_was_treated(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic).patient
    wrote(session, clinic, alice, "Before", when=NOW - timedelta(days=3))
    assert seen(session, clinic).replied == {}
    before = stamp(session, clinic, NOW)
    wrote(session, clinic, alice, "3", when=NOW - timedelta(hours=1))
    last = wrote(session, clinic, alice, "No, 4")
    assert seen(session, clinic).replied == {alice.id: last}
    assert stamp(session, clinic, NOW) != before


def test_trouble_is_named_unless_something_took_its_place(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[DAY0]
    attempted(row, "failed")
    row.reason = "The number is a landline."
    (alice,) = seen(session, clinic).treated
    assert alice.trouble is not None
    assert alice.trouble.sentence == "Failed: the number is a landline."
    row.status = "delivered"
    (alice,) = seen(session, clinic).treated
    assert alice.trouble is None


def test_a_day_is_the_clinics_day_and_a_voided_treatment_is_not_counted(
    session: Session, clinic: Clinic
) -> None:
    late = log(session, clinic, ended_at=at("2026-02-02 23:50"))
    early = log(session, clinic, CAROL, ended_at=at("2026-02-03 00:10"))
    treatments.void(session, early, reason="", now=NOW, actor=DESK)
    shown, before = seen(session, clinic), seen(session, clinic, date(2026, 2, 2))
    assert [course.treatment for course in shown.treated] == [early]
    assert shown.count_treated == 0
    assert [course.treatment for course in before.treated] == [late]
    assert not before.is_today


def test_hundreds_of_treatments_come_page_by_page(session: Session, clinic: Clinic) -> None:
    for number, patient in enumerate((ALICE, BOB, CAROL, EDWARD, MIA)):
        log(session, clinic, patient, ended_at=at("2026-02-03 10:00") + timedelta(minutes=number))
    first, last, beyond = (seen(session, clinic, page=page, size=2) for page in (1, 3, 99))
    assert [course.patient.first_name for course in first.treated] == ["Mia", "Edward"]
    assert [course.patient.first_name for course in last.treated] == ["Alice"]
    assert (first.pages, first.count_treated, beyond.page) == (3, 5, 3)


def test_the_stamp_changes_with_whatever_the_board_shows(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    message = messages(session, treatment)[DAY0]

    def mark() -> str:
        session.flush()
        return stamp(session, clinic, NOW)

    marks = [mark()]
    assert mark() == marks[0]
    audit.note(session, clinic_id=clinic.id, at=NOW, actor=DESK, action="patient.viewed")
    audit.listed(session, clinic_id=clinic.id, patient_ids=[1], now=NOW, actor=DESK)
    assert mark() == marks[0]
    message_actions.cancel(session, message, now=NOW, actor=DESK)
    marks.append(mark())
    task_marks.mark_done(session, clinic, "x", now=NOW, actor=DESK)
    marks.append(mark())
    task_marks.undo_done(session, clinic, "x", now=NOW, actor=DESK)
    marks.append(mark())
    treatments.void(session, treatment, reason="", now=NOW, actor=DESK)
    marks.append(mark())
    log(session, clinic, BOB)
    marks.append(mark())
    marks.append(stamp(session, clinic, NOW + timedelta(minutes=10)))
    assert len(set(marks)) == len(marks)


def test_another_clinics_day_is_its_own(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    attempted(messages(session, log(session, clinic))[DAY0])
    shown = seen(session, other_clinic)
    assert (list(shown.treated), shown.count_sent, list(shown.just_sent), list(shown.coming)) == (
        [],
        0,
        [],
        [],
    )


@on_sqlite
def test_a_look_walks_through_no_whole_table_and_asks_a_fixed_number_of_times(
    session: Session, clinic: Clinic
) -> None:
    log(session, clinic)
    seen(session, clinic)
    with asked(session) as one:
        seen(session, clinic)
    for patient in (BOB, CAROL, MIA):
        log(session, clinic, patient)
    with asked(session) as four:
        seen(session, clinic)
        stamp(session, clinic, NOW)
    assert four.scans == []
    assert len(four.statements) - 10 <= len(one.statements) <= 12

"""What a page may say before a changed plan is saved. The sums are compared with the deed elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from notifier import retiming_effect
from notifier.errors import NotFoundError, PlanError
from notifier.models import Clinic
from notifier.patients import PatientEntry
from notifier.retiming_effect import Effect, shift_in_words
from tests.cast import ALICE, DAY0, DAY1, ENDED, LOGGED, MIA, SCORE, at, attempted, log, messages
from tests.retiming_cast import Change, all_rows, changed, later, step, with_step, without

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = LOGGED + HOUR


def effect(session: Session, clinic: Clinic, *changes: Change, key: str = "dry-needling") -> Effect:
    content = changed(session, clinic, *changes, key=key)
    return retiming_effect.effect(session, clinic, key, content, now=NOW)


def test_it_counts_and_saves_nothing(session: Session, clinic: Clinic) -> None:
    for patient in (MIA, ALICE):
        attempted(messages(session, log(session, clinic, patient))[DAY0])
    before = all_rows(session)
    found = effect(
        session,
        clinic,
        later(DAY1, "24h"),
        lambda content: step(content, SCORE).update(after="1h", useful_for="70m"),
        without("day5-how-it-works"),
        with_step("day4-ask", "98h"),
    )
    assert all_rows(session) == before
    assert (found.treatments, found.elsewhere, found.is_empty) == (2, 0, False)
    steps = {it.key: (it.state, it.counts) for it in found.steps}
    assert list(steps)[-2:] == ["day4-ask", "day5-how-it-works"]
    assert steps[DAY0][1].untouched == 2
    assert (steps[SCORE][1].skipped, steps[SCORE][1].too_late) == (2, 2)
    assert (steps["day4-ask"][0], steps["day4-ask"][1].added) == ("new", 2)
    assert (steps["day5-how-it-works"][0], steps["day5-how-it-works"][1].cancelled) == ("gone", 2)
    assert found.total.pending == 10
    assert (
        found.total.pending
        == found.total.moved + found.total.stay + found.total.skipped + found.total.cancelled
    )


def test_it_says_by_how_much_messages_move(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    for number, hours in enumerate((1, 2), start=1):
        friend = PatientEntry("Grace", f"Sample{number}", phone=f"(212) 555-012{number}")
        log(session, clinic, friend, ended_at=ENDED + hours * HOUR, now=NOW + 2 * HOUR)
    found = effect(session, clinic, later(DAY1, "27h"))
    day1 = next(it.counts for it in found.steps if it.key == DAY1)
    shift = day1.shift
    assert shift is not None
    # To 18:30 and 19:30; the third would be due at 20:30 and waits for the morning after.
    assert (day1.moved, shift.earliest, shift.median) == (2, 5 * HOUR, 5 * HOUR)
    assert day1.skipped == day1.too_late == 1
    assert shift.words == ("5 h later", "5 h later")


def test_what_would_leave_at_once_is_counted_apart(session: Session, clinic: Clinic) -> None:
    attempted(messages(session, log(session, clinic))[DAY0])
    session.flush()
    content = changed(session, clinic, later(DAY1, "20h"))
    noon = at("2026-02-04 12:00")
    found = retiming_effect.effect(session, clinic, "dry-needling", content, now=noon)
    day1 = next(it.counts for it in found.steps if it.key == DAY1)
    assert (day1.moved, day1.at_once) == (1, 1)


def test_examples_show_different_things_of_different_patients(session: Session, clinic: Clinic) -> None:
    for number in range(9):
        friend = PatientEntry("Grace", f"Sample{number}", phone=f"(212) 555-013{number}")
        log(session, clinic, friend)
    found = effect(
        session,
        clinic,
        later(DAY1, "24h"),
        lambda content: step(content, SCORE).update(after="1h", useful_for="70m"),
        without("day5-how-it-works"),
        with_step("day4-ask", "98h"),
    )
    assert len({example.patient_id for example in found.examples}) == 5
    assert [example.what for example in found.examples[:4]] == ["moved", "moved", "skipped", "added"]
    assert found.examples[-1].what == "cancelled"
    moved, added = found.examples[0], next(it for it in found.examples if it.what == "added")
    assert moved.before is not None
    assert moved.after is not None
    assert moved.before.due_at is not None
    assert moved.after.due_at == moved.before.due_at + 2 * HOUR
    assert (added.before, added.tz.key) == (None, "America/New_York")


def test_where_nothing_is_pending_there_is_nothing_to_choose(session: Session, clinic: Clinic) -> None:
    assert effect(session, clinic, later(DAY1, "24h")).is_empty


def test_progress_is_told_up_to_the_end(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    told: list[tuple[int, int]] = []
    content = changed(session, clinic, later(DAY1, "24h"))
    retiming_effect.effect(
        session,
        clinic,
        "dry-needling",
        content,
        now=NOW,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 1)]


def test_what_is_no_plan_is_refused(session: Session, clinic: Clinic) -> None:
    with pytest.raises(PlanError):
        effect(session, clinic, later(DAY1, "soon"))
    content = changed(session, clinic)
    with pytest.raises(NotFoundError):
        retiming_effect.effect(session, clinic, "leeches", content, now=NOW)


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (2 * HOUR, "2 h later"),
        (-2 * HOUR - 30 * MINUTE, "2 h 30 min sooner"),
        (DAY, "1 d later"),
        (-DAY - MINUTE, "1 d 1 min sooner"),
        (timedelta(seconds=20), "less than a minute later"),
    ],
)
def test_a_shift_in_words(shift: timedelta, words: str) -> None:
    assert shift_in_words(shift) == words

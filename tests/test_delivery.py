"""What went out, what did not and why: by day, by reason, by patient, page by page and as a file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import delivery, delivery_export, delivery_figures, searching
from notifier.delivery import Filters
from notifier.errors import InputError
from notifier.models import AuditEntry, Clinic, Message
from tests import cast
from tests.cast import ALICE, BOB, DAY0, DAY1, EDWARD, LOGGED, log

WEEK = Filters(date(2026, 2, 2), date(2026, 2, 8))


def rows(session: Session, clinic: Clinic, filters: Filters = WEEK, **kw: Any) -> list[Message]:
    found = delivery.page(session, clinic, delivery.resolved(session, clinic, filters), **kw)
    return [row.message for row in found.rows]


def steps(session: Session, clinic: Clinic, **filters: Any) -> set[str]:
    return {str(message.step) for message in rows(session, clinic, replace(WEEK, **filters))}


@pytest.fixture
def sent(session: Session, clinic: Clinic) -> dict[str, Message]:
    """Alice got her first message, the second failed; the others wait or were never to be sent."""
    messages = cast.messages(session, log(session, clinic, ALICE))
    cast.attempted(messages[DAY0], "delivered")
    cast.attempted(messages[DAY1], "failed")
    messages[DAY1].reason = "This number is unknown or no longer in use; ask the patient for the new one."
    session.flush()
    return messages


# The list


def test_messages_stand_newest_first_where_they_are_due_or_were_planned(
    session: Session, clinic: Clinic, sent: dict[str, Message]
) -> None:
    places = [delivery.place_of(message) for message in rows(session, clinic)]
    assert places == sorted(places, reverse=True)
    never = sent["before-next-visit"]
    assert never.due_at is None
    assert delivery.place_of(never) == LOGGED
    assert {message.id for message in rows(session, clinic)} == {message.id for message in sent.values()}


def test_days_are_the_clinics_own(session: Session, clinic: Clinic, sent: dict[str, Message]) -> None:
    sent[DAY0].due_at = cast.at("2026-02-03 23:59")  # the next day already, in UTC
    session.flush()
    on_third = {row.step for row in rows(session, clinic, Filters(date(2026, 2, 3), date(2026, 2, 3)))}
    assert DAY0 in on_third
    assert DAY1 not in on_third


@pytest.mark.usefixtures("sent")
def test_filters_restrict(session: Session, clinic: Clinic) -> None:
    log(session, clinic, EDWARD, "cupping")
    assert steps(session, clinic, status="failed") == {DAY1}
    assert steps(session, clinic, outcome="delivered") == {DAY0}
    assert steps(session, clinic, step=DAY1) == {DAY1}
    assert steps(session, clinic, reason="wrong-number") == {DAY1}
    assert steps(session, clinic, reason="no-visit") == {"before-next-visit"}
    assert "day0-marks" in steps(session, clinic, plan="cupping")
    assert DAY0 not in steps(session, clinic, plan="cupping")
    assert "day0-marks" in steps(session, clinic, channel="email")
    assert DAY0 not in steps(session, clinic, channel="email")
    assert steps(session, clinic, kind="alert") == set()


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("words", ["okafor", "Edward", "edward@example.com"])
def test_words_mean_a_patient(session: Session, clinic: Clinic, words: str) -> None:
    edward = log(session, clinic, EDWARD).patient_id
    found = rows(session, clinic, replace(WEEK, words=words))
    assert {message.patient_id for message in found} == {edward}
    assert any(message.due_at is None for message in found)


def test_nobody_of_that_name_has_no_messages(
    session: Session, clinic: Clinic, sent: dict[str, Message]
) -> None:
    assert rows(session, clinic, replace(WEEK, words="Nobody")) == []


def test_words_that_fit_too_many_ask_for_more(
    session: Session, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_PATIENTS", 1)
    for patient in (cast.MIA, cast.LEO):
        log(session, clinic, patient)
    with pytest.raises(InputError, match="Write more of the name") as refused:
        delivery.resolved(session, clinic, replace(WEEK, words="rossi"))
    assert refused.value.field == "words"


@pytest.mark.usefixtures("sent")
def test_pages_follow_each_other_without_gap_or_repetition(session: Session, clinic: Clinic) -> None:
    for patient in (BOB, EDWARD):
        log(session, clinic, patient)
    everything, found, cursor = rows(session, clinic), [], ""
    for _ in range(len(everything)):
        fetched = delivery.page(session, clinic, WEEK, cursor=cursor, size=4)
        found += [row.message for row in fetched.rows]
        cursor = fetched.older
        if not cursor:
            break
    assert found == everything
    assert len(everything) > 8


def test_a_damaged_cursor_is_refused_in_words(session: Session, clinic: Clinic) -> None:
    for cursor in ("x", "20260203T000000.000000Z-x", "-"):
        with pytest.raises(InputError, match="Begin again"):
            delivery.page(session, clinic, WEEK, cursor=cursor)


def test_another_clinics_messages_are_never_seen(
    session: Session, other_clinic: Clinic, sent: dict[str, Message]
) -> None:
    alice = sent[DAY0].patient_id
    assert alice is not None
    for filters in (WEEK, replace(WEEK, patients=(alice,)), replace(WEEK, plan="dry-needling")):
        assert delivery.page(session, other_clinic, filters).rows == []
        assert delivery_figures.by_reason(session, other_clinic, filters) == []
        assert not delivery_figures.totals(delivery_figures.by_day(session, other_clinic, filters))


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [(date(2026, 2, 8), date(2026, 2, 2), "has to be"), (date(2025, 1, 1), date(2026, 2, 2), "at most 93")],
)
def test_days_that_cannot_be_are_refused(first: date, last: date, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        delivery.check(Filters(first, last))
    assert refused.value.field == "last"


def test_with_a_patient_any_time_can_be_searched() -> None:
    delivery.check(Filters(date(2020, 1, 1), date(2026, 2, 2), words="Alice"))


# Figures


@pytest.mark.usefixtures("sent")
def test_each_day_says_what_became_of_its_messages(session: Session, clinic: Clinic) -> None:
    days = delivery_figures.by_day(session, clinic, WEEK)
    assert [day.first for day in days] == [date(2026, 2, number) for number in range(2, 9)]
    by_date = {day.first.day: dict(day.outcomes) for day in days}
    assert by_date[2] == {}
    assert by_date[3] == {"delivered": 1, "skipped": 1}
    assert by_date[4] == {"failed": 1}
    assert by_date[5] == {"waiting": 1}
    assert delivery_figures.totals(days)["failed"] == 1


@pytest.mark.usefixtures("sent")
def test_many_days_are_counted_by_the_week(session: Session, clinic: Clinic) -> None:
    weeks = delivery_figures.by_day(session, clinic, Filters(date(2025, 12, 1), date(2026, 2, 15)))
    assert len(weeks) == 11
    assert (weeks[9].first, weeks[9].last) == (date(2026, 2, 2), date(2026, 2, 8))
    assert weeks[9].outcomes["delivered"] == 1


def test_a_day_ends_where_its_clock_does(session: Session, clinic: Clinic, sent: dict[str, Message]) -> None:
    """The eighth of March has 23 hours in New York."""
    for step, when in ((DAY0, "2026-03-08 23:30"), (DAY1, "2026-03-09 00:00")):
        sent[step].due_at = cast.at(when)
    session.flush()
    days = delivery_figures.by_day(session, clinic, Filters(date(2026, 3, 8), date(2026, 3, 9)))
    assert [dict(day.outcomes) for day in days] == [{"delivered": 1}, {"failed": 1}]


@pytest.mark.usefixtures("sent")
def test_reasons_are_counted_by_their_groups(session: Session, clinic: Clinic) -> None:
    log(session, clinic, BOB)
    reasons = {why.group.key: why.count for why in delivery_figures.by_reason(session, clinic, WEEK)}
    assert reasons["wrong-number"] == 1
    assert reasons["no-consent"] >= 3
    assert delivery_figures.by_reason(session, clinic, WEEK)[0].group.key == "no-consent"


def test_addresses_to_put_right(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    patient = log(session, clinic, ALICE).patient
    assert delivery_figures.to_fix(session, clinic) == []
    patient.phone_problem = "This number is a landline; ask the patient for a mobile number."
    session.flush()
    (faulty,) = delivery_figures.to_fix(session, clinic)
    assert (faulty.patient, faulty.problem) == (patient, patient.phone_problem)
    assert delivery_figures.count_to_fix(session, clinic) == 1
    assert delivery_figures.count_to_fix(session, other_clinic) == 0


# The file


@pytest.mark.usefixtures("sent")
def test_the_file_has_every_row_and_no_formula(session: Session, clinic: Clinic) -> None:
    log(session, clinic, replace(EDWARD, first_name="=HYPERLINK(1)"))
    text = b"".join(delivery_export.csv_of(session, clinic, WEEK)).decode("utf-8-sig")
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["message"]) for row in read] == [message.id for message in rows(session, clinic)]
    first = next(row for row in read if row["patient"].startswith("Alice") and row["step"] == DAY0)
    assert first["patient"] == "Alice Moreau"
    assert first["plan"] == "dry-needling"
    assert first["to"] == "'+12125550101"
    assert (first["status"], first["due_at"]) == ("delivered", "2026-02-03 17:30:00-05:00")
    assert any(row["patient"].startswith("'=HYPERLINK") for row in read)


def test_taking_a_file_out_is_on_record(session: Session, clinic: Clinic) -> None:
    delivery_export.note_export(session, clinic, WEEK, now=LOGGED, actor="ada@riverside.example")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.exported")).one()
    assert entry.detail == {"first": "2026-02-02", "last": "2026-02-08"}

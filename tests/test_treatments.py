from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from notifier import consent, db, treatments
from notifier.errors import ConflictError, InputError, NeedsConfirmation, NotFoundError, NotifierError
from notifier.models import (
    AuditEntry,
    Clinic,
    ConsentEntry,
    Message,
    MessageEvent,
    Patient,
    Sender,
    Treatment,
)
from notifier.patients import PatientEntry
from notifier.treatments import Entry, Recorded
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DESK,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    at,
    entry,
    events,
    log,
    messages,
    no,
    on_postgresql,
    plan_of,
    wall,
    yes,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def record(session: Session, clinic: Clinic, made: Entry, now: Any = LOGGED) -> Recorded:
    return treatments.record(session, clinic, made, now=now, actor=DESK)[0]


def rows_of(engine: Engine) -> dict[str, int]:
    tables = (Patient, Treatment, Message, MessageEvent, ConsentEntry, AuditEntry)
    with db.reading(engine) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


# Recording


def test_a_treatment_its_messages_and_their_events_come_in_one_transaction(
    engine: Engine, clinic: Clinic
) -> None:
    before = rows_of(engine)
    with db.transaction(engine) as session:
        recorded, changes = treatments.record(session, clinic, entry(), now=LOGGED, actor=DESK)
        assert rows_of_other(engine) == before
    after = rows_of(engine)
    assert recorded.is_new
    assert {name: after[name] - before[name] for name in after} == {
        "patients": 1,
        "treatments": 1,
        "messages": 7,
        "message_events": 7,
        "consents": 2,
        "audit": 1,
    }
    assert (changes.added, changes.changed) == (7, 0)
    assert wall(changes.next_due) == "2026-02-03 17:30"


def rows_of_other(engine: Engine) -> dict[str, int]:
    """What another program sees meanwhile."""
    other = db.open_engine(engine.url)
    try:
        return rows_of(other)
    finally:
        other.dispose()


def test_an_error_in_the_middle_leaves_nothing(engine: Engine, clinic: Clinic) -> None:
    before = rows_of(engine)
    with pytest.raises(ConflictError, match="no sender in use"):
        record_without_senders(engine, clinic)
    assert rows_of(engine) == before


def record_without_senders(engine: Engine, clinic: Clinic) -> None:
    """The patient, the treatment and the consents are written by the time it fails."""
    with db.transaction(engine) as session:
        for sender in session.scalars(select(Sender)):
            sender.active = False
        record(session, clinic, entry())


def test_what_was_said_is_kept(session: Session, clinic: Clinic) -> None:
    treatment = log(
        session,
        clinic,
        areas=("shoulder", "neck", "neck"),
        next_visit=ENDED + 7 * DAY,
        external_id="B-1",
        practitioner="  Dr Ruiz ",
        source="import",
    )
    session.expire_all()
    assert (treatment.ended_at, treatment.logged_at, treatment.next_visit_at) == (
        ENDED,
        LOGGED,
        ENDED + 7 * DAY,
    )
    assert treatment.areas == ["neck", "shoulder"]
    assert (treatment.practitioner, treatment.source, treatment.logged_by) == ("Dr Ruiz", "import", DESK)
    assert (treatment.external_id, treatment.idempotency_key) == ("B-1", None)
    assert treatment.patient.first_name == "Alice"


def test_each_message_begins_with_an_event(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, CAROL, consents=yes("sms"))
    for message in messages(session, treatment).values():
        (born,) = events(session, message)
        assert (born.from_status, born.to_status, born.reason) == ("", message.status, message.reason)
        assert (born.at, born.actor) == (LOGGED, DESK)


# The same treatment


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"idempotency_key": "k-1"}, {"idempotency_key": "k-1", "ended_at": ENDED + 3 * HOUR}),
        ({"external_id": "B-1"}, {"external_id": "B-1", "plan": "cupping"}),
        ({"external_id": "B-1"}, {"external_id": "B-1", "patient": replace(BOB, first_name="Robert")}),
        ({}, {}),
        ({}, {"ended_at": ENDED + 30 * MINUTE}),
        ({}, {"ended_at": ENDED - 30 * MINUTE}),
        ({"external_id": "B-1"}, {}),
        ({}, {"external_id": "B-1"}),
        ({"idempotency_key": "k-1"}, {"idempotency_key": "k-2"}),
    ],
)
def test_the_same_treatment_is_found_again_and_adds_nothing(
    session: Session, clinic: Clinic, first: dict[str, Any], second: dict[str, Any]
) -> None:
    one = record(session, clinic, entry(**first), LOGGED)
    again = record(session, clinic, entry(**second), ENDED + 4 * HOUR)
    assert (one.is_new, again.is_new) == (True, False)
    assert again.treatment.id == one.treatment.id
    assert session.scalar(select(func.count()).select_from(Treatment)) == 1
    assert session.scalar(select(func.count()).select_from(Message)) == 7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"ended_at": ENDED + 31 * MINUTE}),
        ({}, {"plan": "cupping"}),
        ({}, {"patient": BOB}),
        ({"external_id": "B-1"}, {"external_id": "B-2"}),
        ({"patient": MIA}, {"patient": LEO}),
    ],
)
def test_two_treatments_stay_two(
    session: Session, clinic: Clinic, first: dict[str, Any], second: dict[str, Any]
) -> None:
    record(session, clinic, entry(**first))
    assert record(session, clinic, entry(**second), ENDED + HOUR).is_new


def test_a_treatment_that_was_voided_may_be_logged_again(session: Session, clinic: Clinic) -> None:
    wrong = log(session, clinic)
    treatments.void(session, wrong, reason="Another patient.", now=LOGGED, actor=DESK)
    assert record(session, clinic, entry()).is_new


def test_the_same_treatment_twice_in_one_file_is_one(session: Session, clinic: Clinic) -> None:
    outcomes, changes = treatments.record_all(
        session, clinic, [entry(), entry(ended_at=ENDED + MINUTE)], now=LOGGED, actor=DESK
    )
    one, same = (outcome for outcome in outcomes if isinstance(outcome, Recorded))
    assert (one.is_new, same.is_new) == (True, False)
    assert one.treatment is same.treatment
    assert changes.added == 7


@on_postgresql
def test_two_desks_at_the_same_moment_log_one_treatment(engine: Engine, clinic: Clinic) -> None:
    """On SQLite the second one waits before it looks; here it has to be made to."""
    before = rows_of(engine)
    together = threading.Barrier(2)
    is_new: list[bool] = []

    def desk(key: str) -> None:
        with db.transaction(engine) as session:
            session.connection()
            together.wait()
            is_new.append(record(session, clinic, entry(idempotency_key=key)).is_new)

    threads = [threading.Thread(target=desk, args=(key,)) for key in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new) == [False, True]
    after = rows_of(engine)
    assert after["treatments"] - before["treatments"] == after["patients"] - before["patients"] == 1


def test_what_the_patient_says_counts_though_the_treatment_is_known(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    refused = entry(consents=no("sms", "email", on=LOGGED))
    assert not record(session, clinic, refused, LOGGED + MINUTE).is_new
    assert {row.status for row in messages(session, treatment).values()} == {"skipped"}


@pytest.mark.parametrize("key", [{"external_id": "B-1"}, {"idempotency_key": "B-1"}])
def test_a_no_counts_though_the_very_same_is_sent_again(
    session: Session, clinic: Clinic, key: dict[str, Any]
) -> None:
    treatment = log(session, clinic, BOB, **key)
    refused = entry(BOB, consents=yes("email") + no("sms", on=LOGGED), **key)
    assert not record(session, clinic, refused, LOGGED + MINUTE).is_new
    said = consent.history(session, treatment.patient)
    assert [(line.channel, line.granted) for line in said] == [("sms", False)]


def test_a_corrected_phone_counts_though_the_treatment_is_known(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    corrected = entry(replace(ALICE, phone="(212) 555-0199"))
    assert not record(session, clinic, corrected, LOGGED + MINUTE).is_new
    assert messages(session, treatment)["day0-what-you-may-feel"].to == "+12125550199"


# What cannot be recorded


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"plan": "dry-needles"}, "plan", 'no plan "dry-needles". There are: cupping, dry-needling,'),
        ({"patient": PatientEntry("")}, "first_name", "first name is missing"),
        ({"patient": PatientEntry("Alice")}, "phone", "cannot be reached"),
        ({"next_visit": ENDED}, "next_visit", "has to be after the treatment (Tue 3 Feb 15:30)"),
        ({"ended_at": LOGGED + 16 * MINUTE}, "ended_at", "would end in the future, Tue 3 Feb 15:56"),
        ({"ended_at": LOGGED - 31 * DAY}, "ended_at", "ended 31 days ago, Sat 3 Jan 15:40 2026"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_words(
    session: Session, clinic: Clinic, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        record(session, clinic, entry(**changes))
    assert words in str(caught.value)
    assert caught.value.field == field
    assert session.scalar(select(func.count()).select_from(Treatment)) == 0


@pytest.mark.parametrize("ended_at", [LOGGED + DAY, LOGGED - 31 * DAY])
def test_an_unusual_time_is_taken_when_it_is_meant(session: Session, clinic: Clinic, ended_at: Any) -> None:
    with pytest.raises(NeedsConfirmation) as caught:
        record(session, clinic, entry(ended_at=ended_at))
    assert caught.value.flag == "--confirm"
    assert record(session, clinic, entry(ended_at=ended_at, confirmed=True)).is_new


def test_clocks_may_differ_a_little(session: Session, clinic: Clinic) -> None:
    assert record(session, clinic, entry(ended_at=LOGGED + 15 * MINUTE)).is_new


def test_one_that_is_refused_stops_no_other(session: Session, clinic: Clinic) -> None:
    made = [entry(plan="x"), entry(), entry(PatientEntry("")), entry(BOB, plan="cupping")]
    outcomes, changes = treatments.record_all(session, clinic, made, now=LOGGED, actor=DESK)
    assert [isinstance(outcome, NotifierError) for outcome in outcomes] == [True, False, True, False]
    assert changes.added == 7 + 3
    assert session.scalar(select(func.count()).select_from(Treatment)) == 2


def test_looking_up_takes_as_many_queries_for_many_as_for_one(session: Session, clinic: Clinic) -> None:
    ran: list[str] = []

    def note(*args: Any) -> None:
        ran.append(args[2])

    def look_ups(people: range) -> int:
        ran.clear()
        made = [entry(PatientEntry(f"P{n}", phone=f"(212) 555-{n:04}"), external_id=f"B-{n}") for n in people]
        treatments.record_all(session, clinic, made, now=LOGGED, actor=DESK)
        session.flush()
        return sum(statement.startswith("SELECT") for statement in ran)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    assert look_ups(range(200, 240)) == look_ups(range(300, 301)) < 40


# Finding one


def test_a_treatment_is_found_by_the_booking_systems_number_before_ours(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    first = log(session, clinic)
    second = log(session, clinic, BOB, external_id=str(first.id))
    assert treatments.find(session, clinic, str(first.id)) is second
    assert treatments.find(session, clinic, str(second.id)) is second
    for reference in ("B-9", "99999999999999999999", "²", ""):
        with pytest.raises(NotFoundError, match="There is no treatment"):
            treatments.find(session, clinic, reference)
    with pytest.raises(NotFoundError):
        treatments.find(session, other_clinic, str(second.id))


# Undoing


def test_voiding_cancels_what_was_not_sent_and_undoing_brings_it_back(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic)
    planned = plan_of(session, treatment)
    treatments.void(session, treatment, reason="Another patient.", now=LOGGED + MINUTE, actor=DESK)
    for row in messages(session, treatment).values():
        assert (row.status, row.reason_code) == ("cancelled", "void")
        assert row.reason == "The treatment was voided. Another patient."
    treatments.unvoid(session, treatment, now=LOGGED + 2 * MINUTE, actor=DESK)
    assert plan_of(session, treatment) == planned


def test_voiding_twice_or_undoing_nothing_is_a_conflict(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    with pytest.raises(ConflictError, match="is not voided"):
        treatments.unvoid(session, treatment, now=LOGGED, actor=DESK)
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    with pytest.raises(ConflictError, match="already voided on 2026-02-03"):
        treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)


def test_undoing_brings_back_only_what_is_still_useful(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    back = at("2026-02-05 10:00")  # a day and a half later
    treatments.unvoid(session, treatment, now=back, actor=DESK)
    planned = plan_of(session, treatment)
    assert planned["day0-what-you-may-feel"] == planned["day1-soreness-is-normal"] == "skipped too_late"
    assert planned["day2-soreness-score"] == "2026-02-05 13:30"


def test_a_corrected_time_moves_what_was_not_attempted(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatments.correct_end(session, treatment, ENDED - 2 * HOUR, now=LOGGED + MINUTE, actor=DESK)
    planned = plan_of(session, treatment)
    assert planned["day0-what-you-may-feel"] == "2026-02-03 15:55"  # 15:30 is past: not_before governs
    assert planned["day2-soreness-score"] == "2026-02-05 11:30"
    # Tomorrow's treatment cannot be meant, today's cannot end after the visit that follows it.
    with pytest.raises(NeedsConfirmation, match="in the future"):
        treatments.correct_end(session, treatment, ENDED + DAY, now=LOGGED, actor=DESK)
    treatments.book_visit(session, treatment, ENDED + DAY, now=LOGGED, actor=DESK)
    with pytest.raises(InputError, match="has to be after the treatment"):
        treatments.correct_end(session, treatment, ENDED + DAY, now=LOGGED, actor=DESK, confirmed=True)


def test_a_booked_visit_brings_its_reminder_and_calling_it_off_takes_it_back(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic)
    step = "before-next-visit"
    assert plan_of(session, treatment)[step] == "skipped audience"
    treatments.book_visit(session, treatment, at("2026-02-17 10:00"), now=LOGGED + DAY, actor=DESK)
    assert plan_of(session, treatment)[step] == "2026-02-16 10:00"
    treatments.book_visit(session, treatment, at("2026-02-18 15:00"), now=LOGGED + DAY, actor=DESK)
    assert plan_of(session, treatment)[step] == "2026-02-17 15:00"
    treatments.book_visit(session, treatment, None, now=LOGGED + DAY, actor=DESK)
    assert messages(session, treatment)[step].reason == "No next visit is booked."
    with pytest.raises(InputError, match="after the treatment"):
        treatments.book_visit(session, treatment, ENDED, now=LOGGED + DAY, actor=DESK)


def test_every_change_is_in_the_audit_trail(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatments.book_visit(session, treatment, ENDED + 7 * DAY, now=LOGGED, actor=DESK)
    treatments.correct_end(session, treatment, ENDED - MINUTE, now=LOGGED, actor=DESK)
    treatments.void(session, treatment, reason="Twice.", now=LOGGED, actor=DESK)
    treatments.unvoid(session, treatment, now=LOGGED, actor=DESK)
    session.flush()
    said = session.scalars(
        select(AuditEntry).where(AuditEntry.subject == "treatment").order_by(AuditEntry.id)
    ).all()
    assert [entry.action for entry in said] == [
        "treatment.logged",
        "treatment.visit",
        "treatment.corrected",
        "treatment.voided",
        "treatment.unvoided",
    ]
    assert {(entry.subject_id, entry.actor, entry.clinic_id) for entry in said} == {
        (treatment.id, DESK, clinic.id)
    }
    assert said[2].detail == {"before": ENDED.isoformat(), "after": (ENDED - MINUTE).isoformat()}


def test_consent_comes_with_its_words(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, consents=yes("sms", on=ENDED - HOUR))
    (line,) = consent.history(session, treatment.patient)
    assert (line.channel, line.granted, line.at) == ("sms", True, ENDED - HOUR)
    assert (line.method, line.wording, line.recorded_by) == ("form", "You may text me.", DESK)

"""Erasing a patient: nothing that names them stays in any table, and what they refused stays refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, String, func, select
from sqlalchemy.orm import Session

from notifier import (
    db,
    dispatch,
    idempotency,
    opting,
    patient_erasing,
    reach,
    reports,
    suppressions,
)
from notifier.cases import gather
from notifier.config import Settings
from notifier.envelope import DeliveryReport
from notifier.errors import ChannelError, ConflictError
from notifier.models import (
    Alert,
    Attempt,
    Base,
    Clinic,
    DeliveryReportRow,
    IdempotencyRecord,
    Message,
    Patient,
    Reply,
    Sender,
    Suppression,
)
from notifier.outcomes import Outcome, policy_of, record_all
from notifier.patient_rows import belonging, rows_of
from notifier.patients import PatientEntry
from notifier.rules.delivery import ErrorClass, Status
from tests import cast
from tests.cast import DAY0, DESK, ENDED, LEO, LOGGED, MIA, log, no, yes
from tests.erasing_cast import LATER, NUMBER, WORDS, ZEPHYRINE, found_in, known_everywhere
from tests.importing_cast import bring, row
from tests.replies_cast import wrote

HOUR = timedelta(hours=1)
SETTINGS = Settings()


def erase(session: Session, patient: Patient) -> patient_erasing.Counts:
    return patient_erasing.erase(session, patient, now=LATER, actor=DESK)


def test_nothing_that_names_an_erased_patient_stays_in_any_table(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        patient = known_everywhere(session, session.get_one(Clinic, clinic.id))
    before = found_in(engine)
    assert {"patients.phone", "attempts.words", "replies.body", "import_runs.content"} < before
    with db.transaction(engine) as session:
        counts_before = {table.name: _rows(session, table) for table in Base.metadata.sorted_tables}
        erase(session, session.get_one(Patient, patient.id))
    assert found_in(engine) == set()
    with db.reading(engine) as session:
        for table in ("patients", "treatments", "messages", "attempts", "replies", "scores", "suppressions"):
            assert _rows(session, Base.metadata.tables[table]) == counts_before[table]


def _rows(session: Session, table: object) -> int:
    return session.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


# Columns of the patient's tables that hold no text of theirs: one of a few words, a number or a name of ours.
FIXED = {
    *("patients.language", "patients.timezone", "patients.preferred_channel"),
    *("consents.channel", "consents.recorded_by"),
    *("treatments.practitioner", "treatments.source", "treatments.logged_by", "treatments.areas"),
    *("messages.kind", "messages.status", "messages.reason_code", "messages.channel", "messages.step"),
    *("messages.worker", "messages.dedup_key"),
    *("attempts.channel", "attempts.sender", "attempts.encoding", "attempts.worker", "attempts.outcome"),
    *("attempts.provider", "attempts.provider_id", "attempts.error_class", "attempts.error_code"),
    *("message_events.from_status", "message_events.to_status", "message_events.actor"),
    *("delivery_reports.provider", "delivery_reports.provider_id", "delivery_reports.status"),
    *("delivery_reports.provider_status", "delivery_reports.code"),
    *("replies.channel", "replies.provider_id", "replies.to_address", "replies.intent", "replies.red_flags"),
    *("replies.handled_by", "replies.handled_how", "replies.task", "replies.answer"),
    *("scores.source", "alerts.kind", "alerts.severity", "alerts.code"),
    *("alerts.acknowledged_by", "alerts.acknowledged_how", "task_marks.key", "task_marks.done_by"),
    *("audit.actor", "audit.action", "audit.subject"),
    *("suppressions.channel", "suppressions.lifted_reason", "addresses.channel"),
}


def test_no_column_that_can_name_a_patient_is_forgotten(engine: Engine, clinic: Clinic) -> None:
    """One that is new is either filled by the cast, and so proved to be blanked, or said to be harmless."""
    with db.transaction(engine) as session:
        patient = known_everywhere(session, session.get_one(Clinic, clinic.id))
        names = [entity.__tablename__ for entity in belonging(rows_of(session, patient))]
    texts = {
        f"{table.name}.{column.name}"
        for table in map(Base.metadata.tables.__getitem__, names)
        for column in table.columns
        if isinstance(column.type, String | JSON)
    }
    assert texts - found_in(engine) - FIXED == set()
    assert FIXED - texts == set()


def test_what_waits_is_cancelled_and_what_is_unread_is_closed(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    alice = treatment.patient
    wrote(session, clinic, alice, "It still hurts a bit.")
    waiting = len(cast.plan_of(session, treatment)) - 1  # one was never going to be sent
    counted = erase(session, alice)
    assert (counted.pending, counted.unread) == (waiting, 1)
    rows = cast.messages(session, treatment).values()
    assert {row.reason for row in rows if row.reason_code == "erased"} == {dispatch.ERASED}
    assert {row.status for row in rows} == {"cancelled", "skipped"}
    reply = session.scalars(select(Reply)).one()
    assert (reply.handled_by, reply.handled_how, reply.body) == (DESK, "erased", "")
    cast.replanned(session, alice, LATER + HOUR)
    assert not session.scalar(select(Message.id).where(Message.status.in_(["scheduled", "held"])))


def test_an_open_alert_comes_first(session: Session, clinic: Clinic) -> None:
    patient = known_everywhere(session, clinic)
    alert = session.scalars(select(Alert)).one()
    alert.acknowledged_at = None
    with pytest.raises(ConflictError, match=rf"The alert {alert.code} about this patient is open"):
        erase(session, patient)
    assert patient.erased_at is None


# What was refused


def again(session: Session, clinic: Clinic, **changes: Any) -> Patient:
    """Somebody enters the same person anew, a day after they were erased."""
    given = {"now": LATER + 24 * HOUR, "ended_at": LATER + 20 * HOUR} | changes
    return log(session, clinic, ZEPHYRINE, **given).patient


def obstacle(session: Session, patient: Patient, channel: str) -> str | None:
    session.flush()
    return reach.load(session, [patient]).obstacle(patient, channel)


def test_the_stop_of_an_erased_number_binds_whoever_logs_it_again(session: Session, clinic: Clinic) -> None:
    erase(session, known_everywhere(session, clinic))
    patient = again(session, clinic, consents=yes("sms", on=LATER + 22 * HOUR))
    assert "opted out" in str(obstacle(session, patient, "sms"))
    # At dispatch as well: as if it had been planned before anybody looked.
    planned = session.scalars(select(Message).where(Message.patient_id == patient.id)).first()
    assert planned is not None
    planned.status, planned.to, planned.channel = "scheduled", NUMBER, "sms"
    (case,) = gather(session, [planned], LATER + 24 * HOUR)
    assert case.suppressed
    sender = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
    opting.start(session, [sender], NUMBER, wording="START", now=LATER + 25 * HOUR, actor="twilio")
    assert obstacle(session, patient, "sms") is None


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (yes("email", on=ENDED), "Consent to e-mail was withdrawn on 2026-02-03."),
        (yes("email", on=LATER + 22 * HOUR), None),
        ((), "No consent to e-mail is on record."),
    ],
    ids=["an older yes", "a newer yes", "no word"],
)
def test_only_a_newer_yes_answers_an_erased_no(
    session: Session, clinic: Clinic, said: Any, refused: str | None
) -> None:
    erase(session, known_everywhere(session, clinic))
    assert obstacle(session, again(session, clinic, consents=said), "email") == refused


@cast.on_sqlite
def test_an_undated_yes_in_a_file_does_not_answer_an_erased_no(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    with db.transaction(engine) as session:
        ana = log(session, session.get_one(Clinic, clinic.id), ANA, consents=no("email")).patient
        erase(session, ana)
    again = row("Ana", 100, email="ana@example.org", consent_sms="yes", consent_email="yes")
    report = bring(engine, tmp_path, again)
    assert report.added == 1
    assert [(note.column, "withdrew this consent" in note.message) for note in report.notes] == [
        ("consent_email", True)
    ]


ANA = PatientEntry("Ana", "Ruiz", email="ana@example.org")


def test_who_shares_the_phone_is_not_touched(session: Session, clinic: Clinic) -> None:
    mia, leo = log(session, clinic, MIA).patient, log(session, clinic, LEO)
    cast.says(session, mia, "sms", False, LOGGED, now=LOGGED)
    before = cast.plan_of(session, leo)
    assert erase(session, mia).shared == 1
    assert obstacle(session, leo.patient, "sms") is None
    assert cast.plan_of(session, leo) == before
    # The stop of a shared phone stays as it is, until the last one there is erased.
    cast.stop(session, leo.patient, LATER)
    assert leo.patient.phone in session.scalars(select(Suppression.address)).all()
    phone = leo.patient.phone
    erase(session, leo.patient)
    sender = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
    assert session.scalars(select(Suppression.address)).all() != [phone]
    assert suppressions.standing(session, sender, phone or "") is not None


# What was under way


def under_way(session: Session, clinic: Clinic) -> Message:
    message = cast.messages(session, log(session, clinic))[DAY0]
    cast.attempted(message, "sending")
    session.add(
        Attempt(
            message_id=message.id,
            number=1,
            channel="sms",
            address=message.to,
            words=WORDS,
            claimed_at=LOGGED,
        )
    )
    session.flush()
    return message


@pytest.mark.parametrize(
    ("error_class", "status"),
    [(ErrorClass.ADDRESS, "failed"), (ErrorClass.TRANSIENT, "scheduled"), (ErrorClass.OPT_OUT, "failed")],
)
def test_what_was_under_way_keeps_its_outcome_without_words(
    session: Session, clinic: Clinic, error_class: ErrorClass, status: str
) -> None:
    message = under_way(session, clinic)
    number = message.to
    alice = session.get_one(Patient, message.patient_id)
    erase(session, alice)
    error = ChannelError(error_class, f"The number {number} is not in use.", code="21211")
    outcome = Outcome(message.id, 1, error=error)
    record_all(session, [outcome], policy_of(SETTINGS), now=LOGGED + HOUR, worker="worker")
    session.flush()
    attempt = session.scalars(select(Attempt).where(Attempt.message_id == message.id)).one()
    assert (message.status, attempt.error_code, attempt.words) == (status, "21211", "")
    assert number not in f"{message.reason} {attempt.error} {alice.phone_problem}"
    assert [stop.address for stop in session.scalars(select(Suppression))] == []
    (case,) = gather(session, [message], LOGGED + HOUR)
    verdict = dispatch.judge(case, LOGGED + HOUR)
    assert isinstance(verdict, dispatch.Stop)
    assert (verdict.status, verdict.reason) == (Status.CANCELLED, dispatch.ERASED)


def test_a_report_that_comes_later_counts_and_is_not_kept_as_it_came(
    session: Session, clinic: Clinic
) -> None:
    message = under_way(session, clinic)
    number = message.to
    erase(session, session.get_one(Patient, message.patient_id))
    report = DeliveryReport(
        "SM1",
        Status.DELIVERED,
        "delivered",
        LATER,
        message_id=message.id,
        attempt=1,
        raw={"To": number},
        provider="twilio",
    )
    assert reports.apply(session, report, policy=policy_of(SETTINGS), now=LATER, actor="twilio")
    assert message.status == "delivered"
    assert session.scalars(select(DeliveryReportRow.raw)).all() == [{}]


def test_a_program_that_repeats_its_request_is_told(session: Session, clinic: Clinic) -> None:
    erase(session, known_everywhere(session, clinic))
    token_id = session.scalars(select(IdempotencyRecord.token_id)).first() or 0
    with pytest.raises(ConflictError, match="erased since"):
        idempotency.once(session, token_id, "key-0", "f", _never, now=LATER)


def _never(session: Session) -> idempotency.Answer:
    raise AssertionError("It was done before.")

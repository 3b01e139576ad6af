"""The audit trail as people read it: sentences, by whom, about whom, page by page, and as a file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, audit_trail, staff
from notifier.audit_trail import Entry, Filters
from notifier.errors import InputError
from notifier.models import AuditEntry, Clinic, Patient, PlanRow
from tests import cast
from tests.cast import ALICE, BOB, LOGGED, log

WEEK = Filters(date(2026, 2, 2), date(2026, 2, 8))
ANA = "ana@riverside.example"


def entries(session: Session, clinic: Clinic, **filters: Any) -> list[Entry]:
    wanted = audit_trail.resolved(session, clinic, replace(WEEK, **filters))
    return audit_trail.page(session, clinic, wanted).entries


def told(session: Session, clinic: Clinic, **filters: Any) -> list[str]:
    return [entry.sentence for entry in entries(session, clinic, **filters)]


def note(session: Session, clinic: Clinic, action: str, actor: str = ANA, **what: Any) -> None:
    given = {"at": LOGGED + timedelta(minutes=1)} | what
    audit.note(session, clinic_id=clinic.id, actor=actor, action=action, **given)


@pytest.fixture
def alice(session: Session, clinic: Clinic) -> Patient:
    """Logged by the desk; Ana looked at her and changed her phone."""
    patient = log(session, clinic, replace(ALICE, record_number="1031")).patient
    staff.add(
        session,
        clinic,
        email=ANA,
        name="Ana Ruiz",
        role="admin",
        password=None,
        now=cast.OPENED,
        actor="set-up",
    )
    note(session, clinic, "patient.viewed", subject="patient", subject_id=patient.id)
    note(session, clinic, "patient.changed", subject="patient", subject_id=patient.id, fields=["phone"])
    return patient


def test_entries_are_sentences_with_names_of_people_and_numbers_of_patients(
    session: Session, clinic: Clinic, alice: Patient
) -> None:
    assert told(session, clinic) == [
        "Ana Ruiz changed the phone of patient 1031",
        "Ana Ruiz looked at patient 1031",
        f"{cast.DESK} logged the treatment of patient 1031 on 2026-02-03",
    ]
    assert {entry.subject.patient_id for entry in entries(session, clinic)} == {alice.id}


def test_every_kind_of_subject_has_a_name(session: Session, clinic: Clinic, alice: Patient) -> None:
    message = next(iter(cast.messages(session, log(session, clinic, BOB)).values()))
    plan = session.scalars(select(PlanRow).where(PlanRow.key == "cupping")).one()
    bob = message.patient_id
    for action, subject, number, detail in (
        ("message.cancelled", "message", message.id, {}),
        ("plan.saved", "plan", plan.id, {"number": 2}),
        ("staff.signed_in", "staff", 1, {}),
        ("token.created", "token", 9, {"name": "Booking"}),
        ("practitioner.added", "practitioner", 3, {"name": "Dr Ruiz"}),
        ("clinic.changed", "clinic", clinic.id, {"fields": ["name"]}),
        ("patient.viewed", "patient", 999_999, {}),
    ):
        note(session, clinic, action, subject=subject, subject_id=number, **detail)
    assert told(session, clinic)[:7] == [
        "Ana Ruiz looked at patient 999999",
        "Ana Ruiz changed the name of the clinic",
        "Ana Ruiz added the practitioner Dr Ruiz",
        'Ana Ruiz let in the program "Booking"',
        "Ana Ruiz signed in",
        "Ana Ruiz saved version 2 of Cupping aftercare",
        f"Ana Ruiz cancelled “Day 0: what you may feel” to patient no. {bob}",
    ]


def test_an_erased_patient_has_no_number_any_more(session: Session, clinic: Clinic, alice: Patient) -> None:
    alice.erased_at = LOGGED
    session.flush()
    assert "Ana Ruiz looked at an erased patient" in told(session, clinic)


def test_a_program_is_called_by_its_token(session: Session, clinic: Clinic) -> None:
    note(session, clinic, "patients.listed", actor="api:Booking", patients=[1])
    assert told(session, clinic) == ['The program "Booking" saw a list of 1 patient']


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("person", ["ana r", "Ruiz", "ana@", ANA])
def test_a_person_is_found_by_name_or_address(session: Session, clinic: Clinic, person: str) -> None:
    assert {entry.who for entry in entries(session, clinic, person=person)} == {"Ana Ruiz"}


@pytest.mark.usefixtures("alice")
def test_kinds_and_days_restrict(session: Session, clinic: Clinic) -> None:
    assert told(session, clinic, kind="looked") == ["Ana Ruiz looked at patient 1031"]
    assert told(session, clinic, kind="plans") == []
    assert told(session, clinic, person="nobody") == []
    assert told(session, clinic, first=date(2026, 2, 4)) == []
    note(session, clinic, "staff.signed_in", at=cast.at("2026-02-04 00:00"))
    assert len(told(session, clinic, last=date(2026, 2, 3))) == 3


def test_what_concerns_a_patient_is_found_whatever_it_is_about(
    session: Session, clinic: Clinic, alice: Patient
) -> None:
    bobs = log(session, clinic, BOB)
    message = next(iter(cast.messages(session, bobs).values()))
    note(session, clinic, "message.cancelled", subject="message", subject_id=message.id)
    for ids in ([bobs.patient_id], [7777, bobs.patient_id], [bobs.patient_id * 10]):
        audit.listed(session, clinic_id=clinic.id, patient_ids=ids, now=LOGGED, actor="Booking")
    found = [entry.row.action for entry in entries(session, clinic, words="Tanaka")]
    assert sorted(found) == ["message.cancelled", "patients.listed", "patients.listed", "treatment.logged"]
    assert {entry.row.subject_id for entry in entries(session, clinic, words="1031", kind="looked")} == {
        alice.id
    }


@pytest.mark.usefixtures("alice")
def test_pages_follow_each_other_without_gap_or_repetition(session: Session, clinic: Clinic) -> None:
    for number in range(5):
        note(session, clinic, "staff.signed_in", at=LOGGED + timedelta(hours=number % 2))
    everything = [entry.row.id for entry in entries(session, clinic)]
    found, cursor = [], ""
    for _ in everything:
        fetched = audit_trail.page(session, clinic, WEEK, cursor=cursor, size=3)
        found += [entry.row.id for entry in fetched.entries]
        cursor = fetched.older
        if not cursor:
            break
    assert found == everything
    assert len(found) == 8
    with pytest.raises(InputError, match="Begin again"):
        audit_trail.page(session, clinic, WEEK, cursor="x")


def test_another_clinics_trail_is_never_seen(
    session: Session, clinic: Clinic, other_clinic: Clinic, alice: Patient
) -> None:
    audit.listed(session, clinic_id=clinic.id, patient_ids=[alice.id], now=LOGGED, actor="Booking")
    assert told(session, other_clinic) == []
    of_alice = replace(WEEK, patients=(alice.id,))
    assert audit_trail.page(session, other_clinic, of_alice).entries == []
    # And what concerns her names nobody there, even in an entry of theirs.
    note(session, other_clinic, "patient.viewed", subject="patient", subject_id=alice.id)
    assert told(session, other_clinic) == [f"Ana Ruiz looked at patient {alice.id}"]


def test_too_many_days_need_a_patient() -> None:
    with pytest.raises(InputError, match="at most 93"):
        audit_trail.check(Filters(date(2025, 1, 1), date(2026, 1, 1)))
    audit_trail.check(Filters(date(2025, 1, 1), date(2026, 1, 1), words="Alice"))


@pytest.mark.usefixtures("alice")
def test_the_file_says_the_same_and_taking_it_is_on_record(session: Session, clinic: Clinic) -> None:
    text = b"".join(audit_trail.csv_of(session, clinic, WEEK)).decode("utf-8-sig")
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["did"] for row in read] == [entry.did for entry in entries(session, clinic)]
    assert (read[0]["person"], read[0]["at"]) == (ANA, "2026-02-03 15:41:00-05:00")
    assert read[0]["detail"] == '{"fields": ["phone"]}'
    audit_trail.note_export(session, clinic, WEEK, now=LOGGED, actor=ANA)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.exported")).one()
    assert entry.detail == {"first": "2026-02-02", "last": "2026-02-08"}

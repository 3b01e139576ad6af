"""What is taken out about a patient: complete, and of nobody else."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import audit, db, patient_export
from notifier.models import AuditEntry, Base, Clinic, Patient, Reply
from tests.cast import BOB, DESK, LEO, MIA, log
from tests.erasing_cast import LATER, NUMBER, WORDS, found_in, known_everywhere
from tests.replies_cast import wrote


def taken(session: Session, clinic: Clinic, patient: Patient) -> dict[str, Any]:
    return patient_export.export(session, clinic, patient, now=LATER, actor=DESK)


def test_every_table_that_knows_a_patient_is_taken_out(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        patient = known_everywhere(session, session.get_one(Clinic, clinic.id))
        tables = taken(session, clinic, patient)["tables"]
    left_out = patient_export.NOT_ABOUT_A_PATIENT
    assert tables.keys() | left_out.keys() == Base.metadata.tables.keys()
    assert not tables.keys() & left_out.keys()
    # What the columns know stands in the file, value for value.
    for column in found_in(engine) - {"import_runs.content", "sign_ins.toast"}:
        where, name = column.split(".")
        assert any(row.get(name) for row in tables[where]), column
    names = {"patients", "treatments", "messages", "replies", "alerts"}
    for table in Base.metadata.tables.values():
        if any(key.column.table.name in names for key in table.foreign_keys):
            assert table.name in tables, f"{table.name} is about patients, and is not taken out"


def test_it_is_plain_json_and_noted(session: Session, clinic: Clinic) -> None:
    patient = known_everywhere(session, clinic)
    audit.listed(session, clinic_id=clinic.id, patient_ids=[patient.id, 77], now=LATER, actor=DESK)
    read = json.loads(json.dumps(taken(session, clinic, patient)))
    assert (read["patient_id"], read["exported_at"]) == (patient.id, "2026-02-07T20:40:00Z")
    (person,) = read["tables"]["patients"]
    assert (person["phone"], person["created_at"]) == (NUMBER, "2026-02-03T20:40:00Z")
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.subject_id, entry.actor) == ("patient.exported", patient.id, DESK)
    listed = [row for row in read["tables"]["audit"] if row["action"] == "patients.listed"]
    assert [row["detail"] for row in listed] == [{"patients": [patient.id]}]


def test_nothing_of_anybody_else_is_in_it(session: Session, clinic: Clinic) -> None:
    mia = log(session, clinic, MIA).patient
    log(session, clinic, LEO)
    log(session, clinic, BOB)
    wrote(session, clinic, None, f"Is it normal that he limps? {WORDS}", sender=mia.phone or "")
    read = taken(session, clinic, mia)
    assert {row["patient_id"] for row in read["tables"]["messages"]} == {mia.id}
    assert len(read["tables"]["patients"]) == 1
    # Whose words these are nobody knows: they may be Leo's.
    assert read["tables"]["replies"] == []
    assert read["shared_addresses"] == [{"channel": "sms", "address": mia.phone}]
    assert session.scalars(select(Reply.patient_id)).all() == [None]


def test_who_was_called_about_the_patient_is_not_named(session: Session, clinic: Clinic) -> None:
    read = taken(session, clinic, known_everywhere(session, clinic))
    assert [row["to"] for row in read["tables"]["messages"] if row["kind"] == "alert"] == [""]

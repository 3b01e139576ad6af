"""A patient's details as the desk edits them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import patient_edits
from notifier.effects import Effect
from notifier.errors import InputError
from notifier.models import AuditEntry, Clinic, Patient, Treatment
from notifier.patient_edits import StaleEdit
from tests.cast import BOB, DAY0, DESK, EDWARD, LOGGED, at, attempted, channels, log, messages

NOW = at("2026-02-03 18:00")


@pytest.fixture
def treatment(session: Session, clinic: Clinic) -> Treatment:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0])
    return treatment


def edited(session: Session, clinic: Clinic, patient: Patient, **changes: Any) -> Effect:
    session.flush()
    wanted = replace(patient_edits.details_of(patient), **changes)
    return patient_edits.edit(session, clinic, patient, wanted, version=patient.version, now=NOW, actor=DESK)


def test_messages_follow_a_new_number_and_the_old_problem_goes(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    treatment.patient.phone_problem = "Not in use."
    edited(session, clinic, treatment.patient, phone="(212) 555-0199")
    rows = messages(session, treatment)
    assert {row.to for row in rows.values() if row.status == "scheduled"} == {"+12125550199"}
    assert rows[DAY0].to == "+12125550101"
    assert treatment.patient.phone_problem == ""
    (noted,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.changed"))
    assert noted.detail == {"fields": ["phone", "phone_problem"]} or noted.detail == {"fields": ["phone"]}


def test_an_empty_field_is_cleared(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    patient = treatment.patient
    edited(session, clinic, patient, contact_name="Paola", contact_relation="mother", record_number="77")
    edited(session, clinic, patient, contact_name="", contact_relation="", record_number="", phone="")
    assert (patient.contact_name, patient.record_number, patient.phone) == ("", None, None)
    assert set(channels(session, treatment).values()) == {"email"}


def test_a_new_name_is_found_again(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    edited(session, clinic, treatment.patient, last_name="O’Brien")
    assert treatment.patient.folded_name == "alice obrien"


def test_safety_messages_only_stops_the_others(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    effect = edited(session, clinic, treatment.patient, essentials=True)
    assert effect.stopped
    assert all(not message.safety for message in effect.stopped)
    assert "will not be sent" in effect.in_words()
    back = edited(session, clinic, treatment.patient, essentials=False)
    assert [message.id for message in back.back] == [message.id for message in effect.stopped]


def test_nothing_changed_writes_nothing(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    version = treatment.patient.version
    assert edited(session, clinic, treatment.patient) == Effect()
    session.flush()
    assert treatment.patient.version == version
    assert not list(session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.changed")))


def test_the_second_of_two_editors_is_told(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    patient, version = treatment.patient, treatment.patient.version
    mine = replace(patient_edits.details_of(patient), language="es")
    edited(session, clinic, patient, phone="(212) 555-0199")
    with pytest.raises(StaleEdit, match=f"{DESK} has changed Alice's details") as refused:
        patient_edits.edit(session, clinic, patient, mine, version=version, now=LOGGED, actor="bea@x.example")
    assert refused.value.theirs.phone == "+12125550199"
    assert refused.value.version == patient.version > version
    assert patient.language == "en"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"phone": "", "email": ""}, "phone"),
        ({"phone": "12"}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"first_name": " "}, "first_name"),
        ({"language": "fr"}, "language"),
        ({"record_number": "4711"}, "record_number"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    session: Session, clinic: Clinic, treatment: Treatment, changes: dict[str, Any], field: str
) -> None:
    log(session, clinic, replace(BOB, record_number="4711"))
    with pytest.raises(InputError) as refused:
        edited(session, clinic, treatment.patient, **changes)
    assert refused.value.field == field
    assert treatment.patient.phone == "+12125550101"


def test_an_address_that_works_after_all_is_tried_again(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, EDWARD)
    treatment.patient.email_problem = "The mailbox is full."
    edited(session, clinic, treatment.patient, language="es")
    assert channels(session, treatment) == {}
    effect = patient_edits.clear_problem(session, treatment.patient, "email", now=NOW, actor=DESK)
    assert len(effect.back) == len(channels(session, treatment)) > 0

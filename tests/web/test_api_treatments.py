"""Treatments by the API: logged with their patient, found again, put right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from notifier.models import AuditEntry, ConsentEntry, MessageEvent, Patient, Treatment
from tests import cast
from tests.web.api_cast import ALICE, TREATMENT, YES, OtherProgram, described, program
from tests.web.cast import Installation


@pytest.fixture
def ehr(site: Installation) -> OtherProgram:
    return program(site)


def due(answered: Any) -> dict[str, str | None]:
    return {message["step"]: message["due_at"] for message in answered["messages"]}


# Logging


def test_a_logged_treatment_is_answered_with_its_messages(ehr: OtherProgram, site: Installation) -> None:
    logged = ehr.log()
    assert (logged.status, logged["is_new"], logged["nothing_because"]) == (201, True, "")
    assert logged.headers["location"] == f"/api/v1/treatments/{logged['id']}"
    assert logged["ended_at"] == "2026-02-03T20:30:00Z"
    assert due(logged)[cast.DAY0] == "2026-02-03T22:30:00Z"
    with site.look() as session:
        treatment = session.get_one(Treatment, logged["id"])
        assert (treatment.source, treatment.logged_by) == ("api", "api:EHR")
        actors = {event.actor for event in session.scalars(select(MessageEvent))}
        assert actors == {"api:EHR"}
        audited = session.scalars(select(AuditEntry).where(AuditEntry.action == "treatment.logged")).one()
        assert audited.actor == "api:EHR"


def test_the_same_external_id_adds_nothing(ehr: OtherProgram) -> None:
    first = ehr.log()
    again = ehr.log(ended_at="2026-02-03T12:00")
    assert (again.status, again["is_new"], again["id"]) == (200, False, first["id"])


def test_without_a_time_it_ended_just_now(ehr: OtherProgram) -> None:
    assert ehr.log(ended_at="")["ended_at"] == "2026-02-03T20:40:00Z"


def test_a_known_patient_is_named_by_either_number(ehr: OtherProgram) -> None:
    patient = ehr.post("/patients", ALICE)["patient"]["id"]
    for place, known in enumerate(({"patient_id": patient}, {"record_number": "R-1042"})):
        sent = {"plan": "cupping", "ended_at": f"2026-02-03T1{place}:00"} | known
        assert ehr.post("/treatments", sent)["patient"]["id"] == patient


def test_where_nothing_can_be_sent_the_answer_says_why(ehr: OtherProgram) -> None:
    logged = ehr.log(consents=[])
    assert logged["nothing_because"] == ("No consent to SMS is on record. No consent to e-mail is on record.")
    assert {message["status"] for message in logged["messages"]} == {"skipped"}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"plan": "reiki"}, "plan", 'There is no plan "reiki"'),
        ({"patient": ALICE | {"phone": "555"}}, "patient.phone", "cannot be a phone number"),
        ({"patient": {"first_name": "Al"}}, "patient.phone", "cannot be reached"),
        ({"patient": ALICE | {"language": "fr"}}, "patient.language", "Input should be 'en' or 'es'"),
        ({"patient": ALICE | {"timezone": "New York"}}, "patient.timezone", "America/New_York"),
        ({"patient": ALICE | {"first_name": "A\x00l"}}, "patient.first_name", "nobody can read"),
        ({"patient": ALICE | {"fist_name": "Al"}}, "patient.fist_name", "Extra inputs"),
        ({"patient": None}, "patient", "Say who was treated"),
        ({"patient_id": 9}, "patient", "Say who was treated"),
        ({"patient": None, "patient_id": 999}, "patient_id", "no such patient"),
        ({"patient": None, "record_number": "R-0"}, "record_number", "no such patient"),
        ({"ended_at": "yesterday"}, "ended_at", "is not a date and time"),
        ({"ended_at": "2026-02-30 10:00"}, "ended_at", "there is no day 30"),
        ({"next_visit": "2026-02-01 10:00"}, "next_visit", "has to be after the treatment"),
        ({"consents": [YES | {"at": "soon"}]}, "consents.0.at", "is not a date and time"),
        ({"consents": [YES | {"at": "2026-03-01 10:00"}]}, "consents.0.at", "in the future"),
        ({"consents": [YES, YES | {"wording": " "}]}, "consents.1.wording", "agreed to"),
        ({"consents": [YES | {"channel": "fax"}]}, "consents.0.channel", "'sms' or 'email'"),
        ({"external_id": "x" * 121}, "external_id", "at most 120"),
        ({"areas": "neck"}, "areas", "valid list"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    ehr: OtherProgram, site: Installation, changes: dict[str, Any], field: str, words: str
) -> None:
    refused = ehr.post("/treatments", TREATMENT | changes)
    assert refused.problem == (422, "invalid")
    assert words in refused.wrong[field]
    with site.look() as session:
        assert session.scalars(select(Patient)).all() == []


def test_every_wrong_field_is_named_at_once(ehr: OtherProgram) -> None:
    refused = ehr.post("/treatments", {"patient": {"last_name": 5}, "ended_at": 3})
    assert set(refused.wrong) == {"patient.first_name", "patient.last_name", "plan", "ended_at"}


def test_a_time_that_is_seldom_meant_is_asked_about(ehr: OtherProgram) -> None:
    refused = ehr.post("/treatments", TREATMENT | {"ended_at": "2025-11-01 10:00"})
    assert refused.problem == (422, "needs-confirmation")
    assert refused["confirm"] == "confirmed"
    assert ehr.log(ended_at="2025-11-01 10:00", confirmed=True).status == 201


def test_somebody_elses_record_number_is_a_conflict(ehr: OtherProgram) -> None:
    ehr.log()
    other = {"first_name": "Bob", "last_name": "Tanaka", "record_number": "R-1042", "phone": "2125550102"}
    refused = ehr.post("/treatments", TREATMENT | {"external_id": "appt-2", "patient": other})
    assert refused.problem == (409, "conflict")
    assert "belongs to Alice Moreau" in refused["detail"]


def test_an_old_yes_sent_again_never_outweighs_a_later_no(ehr: OtherProgram, site: Installation) -> None:
    patient = ehr.log()["patient"]["id"]
    no = {"channel": "sms", "granted": False, "at": "2026-02-03 15:35", "method": "by phone"}
    ehr.post(f"/patients/{patient}/consents", no)
    again = ehr.log(external_id="appt-2", plan="cupping")
    assert "withdrawn" in again["nothing_because"]
    with site.look() as session:
        assert len(session.scalars(select(ConsentEntry)).all()) == 2


def test_the_example_of_the_description_works_as_it_stands(ehr: OtherProgram) -> None:
    operation = described()["paths"]["/api/v1/treatments"]["post"]
    logged = ehr.post("/treatments", operation["requestBody"]["content"]["application/json"]["example"])
    assert (logged.status, logged["nothing_because"]) == (201, "")


# Finding


def test_one_is_found_by_its_number_and_by_theirs(ehr: OtherProgram) -> None:
    mine = ehr.log(external_id="")["id"]
    # A booking system that counts as we do: what is meant is never guessed.
    theirs = ehr.log(external_id=str(mine), plan="cupping")["id"]
    assert ehr.get(f"/treatments/{mine}")["id"] == mine
    assert ehr.get(f"/treatments/ext:{mine}")["id"] == theirs
    for nowhere in ("999", "ext:appt-9"):
        assert ehr.get(f"/treatments/{nowhere}").problem == (404, "not-found")
    assert ehr.get("/treatments/appt-1").problem == (422, "invalid")


def test_a_list_is_filtered_by_day_patient_plan_and_their_number(ehr: OtherProgram) -> None:
    first = ehr.log()
    # Late on the clinic's Monday is Tuesday already in UTC.
    monday = ehr.log(external_id="appt-0", plan="cupping", ended_at="2026-02-02T23:30")["id"]
    patient = first["patient"]["id"]
    for query, found in (
        ("", [monday, first["id"]]),
        ("?date=2026-02-02", [monday]),
        ("?since=2026-02-03", [first["id"]]),
        ("?until=2026-02-03T05:00:00Z", [monday]),
        (f"?patient_id={patient}&plan=cupping", [monday]),
        ("?external_id=appt-1", [first["id"]]),
        ("?patient_id=999", []),
    ):
        assert ehr.everything(f"/treatments{query}") == [found], query
    for query, field in (("?date=2026-02-31", "date"), ("?date=2026-02-02&since=2026-02-02", "date")):
        assert field in ehr.get(f"/treatments{query}").wrong


# Putting right


def test_a_treatment_is_voided_and_restored(ehr: OtherProgram) -> None:
    logged = ehr.log()
    path = f"/treatments/{logged['id']}"
    voided = ehr.post(f"{path}/void", {"reason": "Another patient."})
    assert voided["voided_reason"] == "Another patient."
    assert {message["status"] for message in voided["messages"]} <= {"cancelled", "skipped"}
    assert ehr.post(f"{path}/void").problem == (409, "conflict")
    restored = ehr.post("/treatments/ext:appt-1/unvoid")
    assert (restored["voided_at"], due(restored)) == (None, due(logged))


def test_a_corrected_time_moves_what_was_not_sent(ehr: OtherProgram) -> None:
    path = f"/treatments/{ehr.log()['id']}"
    corrected = ehr.post(f"{path}/correct", {"ended_at": "2026-02-03T14:30:00-05:00"})
    assert (corrected["version"], due(corrected)[cast.DAY0]) == (2, "2026-02-03T21:30:00Z")
    assert ehr.post(f"{path}/correct", {"ended_at": "noon"}).wrong.keys() == {"ended_at"}
    late = ehr.post(f"{path}/correct", {"ended_at": "2026-03-03T14:30"})
    assert late.problem == (422, "needs-confirmation")


def test_a_visit_is_booked_and_called_off(ehr: OtherProgram) -> None:
    path = f"/treatments/{ehr.log()['id']}/next-visit"
    booked = ehr.ask("PUT", path, {"at": "2026-02-17T15:00"})
    assert booked["next_visit"] == "2026-02-17T20:00:00Z"
    assert due(booked)["before-next-visit"] == "2026-02-16T20:00:00Z"
    assert ehr.ask("PUT", path, {"at": "2026-02-01T15:00"}).wrong.keys() == {"at"}
    assert ehr.ask("DELETE", path)["next_visit"] is None


def test_a_request_sent_twice_is_done_once(ehr: OtherProgram, site: Installation) -> None:
    sent = TREATMENT | {"external_id": ""}
    first = ehr.post("/treatments", sent, key="k1")
    # Much later, when nothing else would tell that it is the same.
    site.clock.jump(cast.LOGGED + timedelta(hours=5))
    again = ehr.post("/treatments", sent, key="k1")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    other = ehr.post("/treatments", sent | {"plan": "cupping"}, key="k1")
    assert other.problem == (422, "key-reused")
    assert ehr.post("/treatments", sent, key="x" * 200).wrong.keys() == {"Idempotency-Key"}

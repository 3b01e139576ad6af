"""Patients by the API: found, added, changed without overwriting anybody, and what they said."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from notifier import patients
from notifier.models import AuditEntry, Clinic, Patient
from tests import cast
from tests.web.api_cast import ALICE, YES, OtherProgram, program
from tests.web.cast import Installation


@pytest.fixture
def ehr(site: Installation) -> OtherProgram:
    return program(site)


@pytest.fixture
def alice(ehr: OtherProgram) -> str:
    """The address of a patient who said yes, and whose first message is yet to come."""
    return f"/patients/{ehr.log()['patient']['id']}"


def audited(site: Installation, action: str) -> list[AuditEntry]:
    with site.look() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


# Adding and finding


def test_a_patient_is_added_once(ehr: OtherProgram, site: Installation) -> None:
    added = ehr.post("/patients", ALICE)
    assert (added.status, added["is_new"]) == (201, True)
    assert (added["patient"]["phone"], added["patient"]["language"]) == ("+12125550101", "en")
    assert added.headers["etag"] == '"1"'
    again = ehr.post("/patients", ALICE | {"language": "es"})
    assert (again.status, again["is_new"], again["patient"]["language"]) == (200, False, "es")
    assert again["patient"]["id"] == added["patient"]["id"]
    assert [entry.actor for entry in audited(site, "patient.added")] == ["api:EHR"]


def test_patients_are_found_by_what_the_desk_knows(ehr: OtherProgram) -> None:
    for name, number in (("Alice", "0101"), ("Alia", "0102"), ("Bob", "0103")):
        ehr.post("/patients", {"first_name": name, "last_name": "Moreau", "phone": f"(212) 555-{number}"})
    for query, found in (
        ("ali", ["Alia", "Alice"]),
        ("0103", ["Bob"]),
        ("x", []),
        ("", ["Alia", "Alice", "Bob"]),
    ):
        assert [each["first_name"] for each in ehr.get(f"/patients?q={query}")["data"]] == found


def test_what_stands_in_the_way_of_each_channel_is_said(ehr: OtherProgram, alice: str) -> None:
    assert ehr.get(alice)["not_by"] == {"sms": None, "email": "No consent to e-mail is on record."}


# Changing


def test_a_change_takes_the_version_that_was_read(ehr: OtherProgram, alice: str) -> None:
    tag = ehr.get(alice).headers["etag"]
    changed = ehr.ask("PATCH", alice, {"phone": "(212) 555-0199", "essentials": True}, **{"If-Match": tag})
    assert changed["patient"]["phone"] == "+12125550199"
    assert changed["effect"].endswith("moved (Soreness score).") or "will not be sent" in changed["effect"]
    assert changed.headers["etag"] != tag
    by_body = ehr.ask("PATCH", alice, {"last_name": None, "version": changed["patient"]["version"]})
    assert (by_body["patient"]["last_name"], by_body["patient"]["essentials"]) == ("", True)


@pytest.mark.parametrize("how", ["header", "body"])
def test_whoever_comes_second_overwrites_nothing(ehr: OtherProgram, alice: str, how: str) -> None:
    ehr.ask("PATCH", alice, {"last_name": "Moreau-Roy", "version": 1})
    late = {"phone": "(212) 555-0199"} | ({"version": 1} if how == "body" else {})
    refused = ehr.ask("PATCH", alice, late, **({"If-Match": '"1"'} if how == "header" else {}))
    assert refused.problem == (409 if how == "body" else 412, "stale")
    assert "api:EHR has changed" in refused["detail"]
    assert (refused["current"]["last_name"], refused["current"]["version"]) == ("Moreau-Roy", 2)
    assert ehr.get(alice)["phone"] == "+12125550101"


def test_a_change_without_a_version_is_refused(ehr: OtherProgram, alice: str) -> None:
    assert ehr.ask("PATCH", alice, {"phone": "2125550199"}).problem == (428, "version-needed")
    assert ehr.ask("PATCH", alice, {"phone": "1"}, **{"If-Match": "anything"}).problem == (412, "stale")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"phone": "12"}, "phone"),
        ({"email": "alice"}, "email"),
        ({"phone": None, "email": None}, "phone"),
        ({"first_name": None}, "first_name"),
        ({"essentials": None}, "essentials"),
        ({"record_number": "R-7"}, "record_number"),
        ({"preferred_channel": "fax"}, "preferred_channel"),
        ({"id": 5}, "id"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    ehr: OtherProgram, alice: str, sent: dict[str, Any], field: str
) -> None:
    ehr.post("/patients", {"first_name": "Bob", "phone": "(212) 555-0102", "record_number": "R-7"})
    before = ehr.get(alice).json
    refused = ehr.ask("PATCH", alice, sent | {"version": 1})
    assert refused.problem == (422, "invalid")
    assert set(refused.wrong) == {field}
    assert ehr.get(alice).json == before


# What they said


def test_the_ledger_is_added_to_and_read(ehr: OtherProgram, alice: str) -> None:
    no = {"channel": "sms", "granted": False, "at": "2026-02-03T20:35:00Z", "method": "by phone"}
    said = ehr.post(f"{alice}/consents", no)
    assert said.status == 201
    assert "will not be sent" in said["effect"]
    lines = ehr.get(f"{alice}/consents")["data"]
    assert [(line["granted"], line["at"]) for line in lines] == [
        (False, "2026-02-03T20:35:00Z"),
        (True, "2026-02-03T20:30:00Z"),
    ]
    assert lines[0]["recorded_by"] == "api:EHR"
    yes = ehr.post(f"{alice}/consents", YES | {"at": "2026-02-03 15:38"})
    assert "will be sent after all" in yes["effect"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"at": "2027-01-01 10:00"}, "at"),
        ({"wording": ""}, "wording"),
        ({"method": " "}, "method"),
        ({"at": ""}, "at"),
    ],
)
def test_a_yes_needs_its_words_and_its_day(
    ehr: OtherProgram, alice: str, changes: dict[str, Any], field: str
) -> None:
    assert set(ehr.post(f"{alice}/consents", YES | changes).wrong) == {field}


def test_messages_are_paused_and_go_on(ehr: OtherProgram, alice: str) -> None:
    paused = ehr.post(f"{alice}/pause", {"reason": "Waits for the doctor."})
    assert (paused["patient"]["paused_at"], paused["patient"]["paused_reason"]) == (
        "2026-02-03T20:40:00Z",
        "Waits for the doctor",
    )
    assert ehr.post(f"{alice}/pause").problem == (409, "conflict")
    assert ehr.post(f"{alice}/resume")["patient"]["paused_at"] is None


# The audit trail


def test_looking_at_a_patient_is_noted_once_while_it_lasts(
    ehr: OtherProgram, alice: str, site: Installation
) -> None:
    for _ in range(3):
        ehr.get(alice)
        ehr.get(f"{alice}/consents")
    (entry,) = audited(site, "patient.viewed")
    assert (entry.actor, entry.subject_id) == ("api:EHR", int(alice.rpartition("/")[2]))


def test_a_list_is_noted_with_everybody_on_it(ehr: OtherProgram, site: Installation) -> None:
    bob = ehr.post("/patients", {"first_name": "Bob", "phone": "(212) 555-0102"})["patient"]["id"]
    alice = ehr.post("/patients", ALICE)["patient"]["id"]
    ehr.get("/patients?q=nobody")
    ehr.get("/patients")
    (entry,) = audited(site, "patients.listed")
    assert entry.detail == {"patients": [bob, alice]}


def test_an_erased_patient_is_not_listed(ehr: OtherProgram, alice: str, site: Installation) -> None:
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        patient: Patient = patients.get(session, clinic, int(alice.rpartition("/")[2]))
        patient.erased_at = cast.LOGGED
    assert ehr.get("/patients")["data"] == []

"""The patient's part of the log form: found, shown with what to know, and asked for consent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier import consent, consent_words
from notifier.models import AuditEntry, Clinic, ConsentEntry, Message, Patient
from notifier.rules.delivery import Status
from tests import cast
from tests.cast import BOB, CAROL
from tests.web.browser import Browser
from tests.web.cast import FERN, Installation
from tests.web.test_desk_log import NEW, desk, known, only_treatment, save

__all__ = ["desk"]


# Consent


def test_the_words_that_were_read_out_are_kept_with_the_answer(site: Installation, desk: Browser) -> None:
    save(desk, **NEW | {"language": "es", "email": "dana@example.com"}, consent_sms="yes", consent_email="no")
    with site.look() as session:
        rows = session.scalars(select(ConsentEntry).order_by(ConsentEntry.channel)).all()
        said = [(row.channel, row.granted, row.method, row.recorded_by) for row in rows]
        words = consent_words.words(session.get_one(Clinic, site.clinic.id), "es")
        audited = session.execute(
            select(AuditEntry.action, AuditEntry.detail).where(AuditEntry.action.startswith("consent."))
        ).all()
    assert said == [
        ("email", False, "read out at the desk", FERN),
        ("sms", True, "read out at the desk", FERN),
    ]
    assert {row.wording for row in rows} == {words}
    assert "Riverside Physio quisiera escribirle" in words
    assert {(action, *detail["channels"]) for action, detail in audited} == {
        ("consent.granted", "sms"),
        ("consent.withdrawn", "email"),
    }


def test_consent_is_asked_only_where_it_is_not_on_record(site: Installation, desk: Browser) -> None:
    page = desk.get(f"/?patient={known(site)}")
    assert page.all("[name=consent_sms], [name=consent_email]") == []
    page = desk.get(f"/?patient={known(site, BOB)}")
    assert len(page.all("[name=consent_sms]")) == len(page.all("[name=consent_email]")) == 3
    assert "Riverside Physio would like to write to you" in page.text


def test_the_clinics_own_words_are_read_out_where_it_has_any(site: Installation, desk: Browser) -> None:
    with site.change() as session:
        session.get_one(Clinic, site.clinic.id).consent_wording = {"en": "May we text you, dear patient?"}
    assert "May we text you, dear patient?" in desk.get("/").text


def test_a_stop_is_not_overruled_at_the_desk(site: Installation, desk: Browser) -> None:
    patient_id = known(site, CAROL)
    with site.change() as session:
        cast.stop(session, session.get_one(Patient, patient_id), cast.ENDED - timedelta(days=2))
    page = desk.get(f"/?patient={patient_id}")
    assert "SMS: This number opted out on 2026-02-01. Only START from that phone lifts it." in page.text
    assert page.all("[name=consent_sms]") == []


def test_the_wish_to_be_told_by_name_is_recorded_and_taken_back(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    for ticked, hour in (("1", "12:00"), ("", "15:00")):
        fields = desk.get(f"/?patient={patient_id}").form("/log") | {"ended_at": hour}
        fields.pop("name_treatment", None)
        desk.post("/log", fields | ({"name_treatment": ticked} if ticked else {}))
        with site.look() as session:
            assert session.get_one(Patient, patient_id).name_treatment is bool(ticked)


# What the desk sees of a patient


def test_a_shared_phone_and_a_contact_person_are_shown(site: Installation, desk: Browser) -> None:
    known(site, cast.LEO)
    page = desk.get(f"/?patient={known(site, cast.MIA)}")
    assert "Shared phone: also Leo Rossi." in page.text
    assert "Messages go to Paola , mother, who is greeted by name and whose consent it is." in page.text


def test_a_landline_and_a_pause_are_said_before_logging(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    with site.change() as session:
        alice = session.get_one(Patient, patient_id)
        alice.phone_problem = "The number is a landline, says the carrier."
        alice.paused_at, alice.paused_reason = cast.ENDED, "She replied 9."
    text = desk.get(f"/?patient={patient_id}").text
    assert "SMS: The number is a landline, says the carrier." in text
    assert "Messages are paused since today 15:30: She replied 9." in text


def test_choosing_somebody_leaves_its_trace(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    desk.fragment(f"/log/patient/{patient_id}")
    with site.look() as session:
        seen = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.viewed")).one()
    assert (seen.subject_id, seen.actor) == (patient_id, FERN)


def test_another_clinics_patient_is_neither_found_nor_shown(site: Installation, desk: Browser) -> None:
    other = site.open_other_clinic()
    with site.change() as session:
        there = session.get_one(Clinic, other.id)
        session.add(
            Patient(
                clinic_id=there.id,
                first_name="Alice",
                folded_name="alice",
                phone="+442079460001",
                language="en",
                created_at=cast.OPENED,
            )
        )
        session.flush()
        stranger = session.scalars(select(Patient.id)).one()
    assert "no. " not in desk.fragment("/log/patients?who=alice").text
    assert desk.fragment("/log/patients?who=alice").all("[data-patient]") == []
    assert desk.fragment(f"/log/patient/{stranger}").status == 404
    assert desk.post("/log", NEW | {"patient": str(stranger), "plan": "cupping"}).status == 422


# Finding


@pytest.mark.parametrize("who", ["ali", "moreau", "0101", "alice@example.com"])
def test_a_patient_is_found_by_name_phone_or_address(site: Installation, desk: Browser, who: str) -> None:
    patient_id = known(site)
    page = desk.fragment(f"/log/patients?who={who}")
    assert [tag["data-patient"] for tag in page.all("[data-patient]")] == [str(patient_id)]
    assert page.one("[data-new]")["data-new"] == who


def test_without_script_a_patient_is_found_on_a_page_of_its_own(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    page = desk.get("/?who=moreau")
    assert page.one(".found a")["href"] == f"/?patient={patient_id}"
    assert "Nobody is found by “zzz”." in desk.get("/?who=zzz").text


def test_the_standing_consent_is_the_one_the_ledger_has(site: Installation, desk: Browser) -> None:
    save(desk, **NEW, consent_sms="no")
    patient_id = only_treatment(site).patient_id
    with site.look() as session:
        assert consent.standings(session, [patient_id])[patient_id, "sms"].granted is False
        statuses = set(session.scalars(select(Message.status)))
    assert statuses == {Status.SKIPPED}
    assert "said no on Tue 3 Feb 2026" in desk.get(f"/?patient={patient_id}").text


def test_the_preview_of_what_is_logged_already_says_so(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    site.log(ended_at=site.clock.now() - timedelta(minutes=20))
    fields = desk.get(f"/?patient={patient_id}").form("/log") | {"plan": "dry-needling"}
    page = desk.post("/log/preview", fields, htmx=True)
    assert "Logged already, today 15:30: see it . Saving adds nothing." in page.text

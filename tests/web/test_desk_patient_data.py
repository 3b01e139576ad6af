"""What is kept about a patient: taken out as a file, or erased, by admins, from the patient's page."""

from __future__ import annotations

import json

from sqlalchemy import select

from notifier.models import Clinic, Message, Patient
from tests.cast import ALICE
from tests.replies_cast import patient_named, rings, wrote
from tests.web.cast import Installation


def test_an_admin_takes_everything_out_as_a_file(site: Installation) -> None:
    site.log(ALICE)
    browser = site.as_admin()
    assert browser.get("/patients/1").one("a[href='/patients/1/export']")
    answer = browser.get("/patients/1/export").response
    assert answer.headers["content-disposition"] == 'attachment; filename="patient-1.json"'
    assert json.loads(answer.text)["tables"]["patients"][0]["last_name"] == "Moreau"


def test_the_front_desk_is_not_offered_either(site: Installation) -> None:
    site.log(ALICE)
    browser = site.as_desk()
    assert not browser.get("/patients/1").all("a[href='/patients/1/erase']")
    for path in ("/patients/1/export", "/patients/1/erase"):
        assert browser.get(path).response.status_code == 403


def test_erasing_is_asked_with_what_goes_and_what_stays(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        wrote(session, session.get_one(Clinic, site.clinic.id), patient_named(session, "Alice"), "Hm.")
    browser = site.as_admin()
    page = browser.get("/patients/1").one("a[href='/patients/1/erase']")
    asked = browser.get(str(page["href"]))
    assert "1 reply, 1 of them not dealt with yet" in asked.text
    assert "messages that wait are cancelled" in asked.text
    done = browser.submit("/patients/1/erase")
    assert "The data of patient 1 were erased." in done.toast
    assert "Alice" not in browser.get("/patients").text
    gone = browser.get("/patients/1")
    assert gone.response.status_code == 404
    assert "were erased on" in gone.text
    with site.look() as session:
        message = session.scalars(select(Message).limit(1)).one()
        assert session.get_one(Patient, 1).phone is None
    shown = browser.get(f"/messages/{message.id}")
    assert shown.response.status_code == 200
    assert "Moreau" not in shown.text


def test_an_open_alert_stands_in_the_way_and_says_so(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        alert = rings(session, clinic, wrote(session, clinic, patient_named(session, "Alice"), "Help"))
    browser = site.as_admin()
    asked = browser.get("/patients/1/erase")
    assert f"The alert {alert.code} about this patient is open" in asked.text
    refused = browser.post("/patients/1/erase")
    assert refused.response.status_code == 409
    with site.look() as session:
        assert session.get_one(Patient, 1).erased_at is None

"""Replies by the API: read to the last one, and only by those whose they are."""

from __future__ import annotations

from datetime import timedelta

from notifier.models import Clinic, Patient
from tests.replies_cast import EMERGENCY, WROTE, wrote
from tests.web.api_cast import program
from tests.web.cast import Installation


def test_replies_are_read_page_by_page_and_one_by_one(site: Installation) -> None:
    ehr, other = program(site), program(site, clinic=site.open_other_clinic())
    patient_id = ehr.log()["patient"]["id"]
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        alice = session.get_one(Patient, patient_id)
        wrote(session, clinic, alice, "I cant breathe", when=WROTE + timedelta(minutes=5), **EMERGENCY)
        wrote(session, clinic, None, "Hello?", when=WROTE)
        wrote(session, clinic, alice, "3", when=WROTE - timedelta(days=1), rank=9, score=3)
    assert ehr.everything("/replies?limit=2") == [[3, 2], [1]]
    assert ehr.everything(f"/replies?patient_id={patient_id}&since=2026-02-03T19:00") == [[1]]
    found = ehr.get("/replies/1")
    assert (found["body"], found["red_flags"], found["rank"]) == ("I cant breathe", ["emergency"], 0)
    assert (found["received_at"], found["handled_at"]) == ("2026-02-04T00:05:00Z", None)
    assert other.get("/replies/1").problem == (404, "not-found")
    assert other.everything("/replies") == [[]]

"""The audit trail as a page: sentences, filters in the address, a file; reading it leaves no trace."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import func, select

from notifier import audit
from notifier.models import AuditEntry, Clinic, Patient
from tests import cast
from tests.web.browser import Browser
from tests.web.cast import ADA, HUGO, Installation


@pytest.fixture
def admin(site: Installation) -> Browser:
    """The desk logged Alice; Ada looked at her."""
    site.log()
    with site.change() as session:
        alice = session.scalars(select(Patient)).one()
        audit.viewed(session, clinic_id=alice.clinic_id, patient_id=alice.id, now=cast.LOGGED, actor=ADA)
    return site.as_admin()


def count(site: Installation) -> int:
    with site.look() as session:
        return session.execute(select(func.count()).select_from(AuditEntry)).scalar_one()


def test_it_tells_who_did_what_and_leads_to_the_patient(site: Installation, admin: Browser) -> None:
    before = count(site)
    page = admin.get("/audit")
    rows = page.words("main tbody tr")
    assert any("Today 15:40 Ada Okoye ada@riverside.example looked at patient no." in row for row in rows)
    assert any(f"{cast.DESK} logged the treatment of patient no." in row for row in rows)
    assert page.all('main tbody a[href^="/patients/"]')
    assert "Alice" not in page.one("main tbody").get_text()
    assert count(site) == before


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("kind=looked", 1),
        ("person=okoye", 2),
        ("q=moreau", 2),
        ("q=moreau&kind=treatments", 1),
        ("person=nobody", 0),
    ],
)
def test_an_address_finds_the_same_for_everybody(admin: Browser, asked: str, found: int) -> None:
    page = admin.get(f"/audit?{asked}")
    rows = page.words("main tbody tr")
    # Ada signing in is hers as well.
    assert len([row for row in rows if "set-up" not in row]) == found
    assert bool(page.all(".empty")) == (not rows)
    for name, value in (pair.split("=") for pair in asked.split("&")):
        assert page.form("/audit")[name] == value


def test_too_many_days_are_told_beside_the_field(admin: Browser) -> None:
    page = admin.get("/audit?from=2025-01-01&to=2026-02-01")
    assert page.status == 422
    assert "Choose at most 93 days" in page.wrong()["to"]
    assert admin.get("/audit?from=2025-01-01&to=2026-02-10&q=moreau").status == 200


def test_pages_follow_each_other(site: Installation, admin: Browser) -> None:
    with site.change() as session:
        clinic = session.scalars(select(Clinic)).one()
        for _ in range(70):
            audit.note(session, clinic_id=clinic.id, at=cast.LOGGED, actor=ADA, action="task.done")
    first = admin.get("/audit?kind=tasks")
    (link,) = [link for link in first.all("main a") if link.get_text() == "Older entries"]
    assert len(first.all("main tbody tr")) == 50
    assert len(admin.get(str(link["href"])).all("main tbody tr")) == 20


def test_taking_it_out_as_a_file_is_noted(site: Installation, admin: Browser) -> None:
    before = count(site)
    answer = admin.get("/audit.csv?kind=looked").response
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row["person"], row["action"]) == (ADA, "patient.viewed")
    assert count(site) == before + 1
    assert "took out the audit trail from" in admin.get("/audit").text


def test_another_clinic_sees_nothing_of_it(site: Installation, admin: Browser) -> None:
    site.open_other_clinic()
    hugo = site.signed_in(HUGO)
    assert "patient" not in " ".join(hugo.get("/audit").words("main tbody tr"))
    assert "patient.viewed" not in hugo.get("/audit.csv").response.text

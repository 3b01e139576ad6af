"""The home page: logging a treatment, by form; what a browser with script adds is tested in one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from notifier.models import Clinic, Message, Patient, Practitioner, Treatment
from tests import cast
from tests.cast import ALICE, wall
from tests.web.browser import Browser, Page
from tests.web.cast import FERN, Installation

NEW = {"first_name": "Dana", "last_name": "Whitfield", "phone": "(212) 555-0144", "language": "en"}
YES = {"consent_sms": "yes"}


@pytest.fixture
def desk(site: Installation) -> Browser:
    browser = site.as_desk()
    browser.get("/")
    return browser


def save(browser: Browser, **typed: Any) -> Page:
    browser.get("/")
    return browser.submit("/log", typed)


def only_treatment(site: Installation) -> Treatment:
    with site.look() as session:
        treatment = session.scalars(select(Treatment)).one()
        session.expunge(treatment)
        return treatment


def treatments(site: Installation) -> int:
    with site.look() as session:
        return session.scalar(select(func.count(Treatment.id))) or 0


def waiting(site: Installation) -> int:
    with site.look() as session:
        return session.scalar(select(func.count(Message.id)).where(Message.status == "scheduled")) or 0


def known(site: Installation, patient: Any = ALICE, **changes: Any) -> int:
    """A patient who was here a week ago, by number."""
    treatment_id = site.log(patient, ended_at=cast.ENDED - timedelta(days=30), **changes)
    with site.look() as session:
        return session.get_one(Treatment, treatment_id).patient_id


# Saving


def test_a_new_patient_is_entered_and_logged_at_once(site: Installation, desk: Browser) -> None:
    page = save(desk, **NEW, **YES, practitioner="Dr Ruiz", areas=["neck", "shoulder"])
    assert (page.status, page.path) == (200, "/")
    assert page.toast == "Logged: Dana Whitfield, Cupping aftercare. First message today 17:40."
    treatment = only_treatment(site)
    assert (treatment.practitioner, treatment.areas, treatment.logged_by) == (
        "Dr Ruiz",
        ["neck", "shoulder"],
        FERN,
    )
    assert treatment.ended_at == site.clock.now()
    assert page.inputs.get("patient") is None
    assert page.inputs["first_name"] == ""


def test_undo_takes_it_back_and_that_can_be_undone_too(site: Installation, desk: Browser) -> None:
    save(desk, **NEW, **YES, plan="dry-needling")
    void = f"/treatments/{only_treatment(site).id}/void"
    page = desk.submit(void)
    assert page.toast.startswith("Taken back: Dana Whitfield, Dry needling aftercare. 6 messages will not")
    assert waiting(site) == 0
    page = desk.submit(void.replace("void", "unvoid"))
    assert page.toast.startswith("Brought back: Dana Whitfield")
    assert waiting(site) == 6


def test_what_came_from_another_site_is_not_where_one_goes_after_an_undo(
    site: Installation, desk: Browser
) -> None:
    treatment_id = site.log()
    page = desk.post(f"/treatments/{treatment_id}/void", {"back": "//evil.example"}, follow=False)
    assert page.response.headers["location"].startswith("/patients/")


def test_a_returning_patient_is_chosen_not_described(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    page = desk.get(f"/?patient={patient_id}")
    assert page.inputs["patient"] == str(patient_id)
    assert "(212) 555-0101" in page.text
    assert "SMS: said yes on Tue 3 Feb 2026 E-mail: said yes on Tue 3 Feb 2026" in page.text
    page = desk.submit("/log", {"plan": "dry-needling"})
    assert page.toast.startswith("Logged: Alice Moreau, Dry needling aftercare. First message today 17:40.")
    assert treatments(site) == 2
    with site.look() as session:
        assert session.scalar(select(func.count(Patient.id))) == 1


@pytest.mark.parametrize(
    ("typed", "ended"),
    [
        ("", "2026-02-03 15:40"),
        ("15:05", "2026-02-03 15:05"),
        ("-30 min", "2026-02-03 15:10"),
        ("2026-02-02 18:00", "2026-02-02 18:00"),
    ],
)
def test_when_it_ended_is_now_unless_said(site: Installation, desk: Browser, typed: str, ended: str) -> None:
    save(desk, **NEW, **YES, ended_at=typed)
    assert wall(only_treatment(site).ended_at) == ended


def test_sent_twice_it_is_logged_once_and_says_where(site: Installation, desk: Browser) -> None:
    fields = desk.get("/").form("/log") | NEW | YES
    desk.post("/log", fields)
    page = desk.post("/log", fields)
    assert page.status == 409
    assert treatments(site) == 1
    treatment = only_treatment(site)
    link = page.one("#main .notice[role=alert] a")
    assert link["href"] == f"/patients/{treatment.patient_id}#treatment-{treatment.id}"
    assert "logged already" in page.text


def test_the_old_form_with_another_patient_in_it_logs_that_one(site: Installation, desk: Browser) -> None:
    """Back, other name, save: the form is the same one, the treatment is not."""
    fields = desk.get("/").form("/log") | NEW | YES
    desk.post("/log", fields)
    desk.post("/log", fields | {"first_name": "Omar", "phone": "(212) 555-0145"})
    assert treatments(site) == 2


def test_logged_by_somebody_else_a_moment_ago_it_says_so(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    desk.get(f"/?patient={patient_id}")
    site.log(ended_at=site.clock.now() - timedelta(minutes=20))
    page = desk.submit("/log", {"plan": "dry-needling"})
    assert page.status == 409
    assert "Alice Moreau, Dry needling aftercare of today 15:20 is logged already" in page.text
    assert treatments(site) == 2


# Mistakes


def test_a_time_that_is_seldom_meant_can_be_confirmed(site: Installation, desk: Browser) -> None:
    page = save(desk, **NEW, **YES, ended_at="2025-11-20 10:00")
    assert "ended 75 days ago" in page.wrong()["ended_at"]
    desk.submit("/log", {"confirmed": "1"})
    assert wall(only_treatment(site).ended_at) == "2025-11-20 10:00"


def test_a_record_number_of_somebody_else_is_refused_beside_it(site: Installation, desk: Browser) -> None:
    with site.change() as session:
        cast.log(session, session.get_one(Clinic, site.clinic.id))
        session.scalars(select(Patient)).one().record_number = "77"
    page = save(desk, **NEW, **YES, record_number="77")
    assert "belongs to Alice Moreau" in page.wrong()["record_number"]


def test_signed_out_meanwhile_nothing_typed_is_lost(site: Installation, desk: Browser) -> None:
    fields = desk.get("/").form("/log") | NEW | YES | {"areas": ["neck", "hip"]}
    desk.client.cookies.delete(site.site.cookie("sign-in"))
    page = desk.post("/log", fields)
    assert page.status == 401
    kept = {str(tag["name"]) for tag in page.all("input[type=hidden]")}
    assert {name for name in kept if name.endswith(("first_name", "phone", "areas"))}


# What is offered


def test_the_plan_and_the_practitioner_of_last_time_come_first(site: Installation, desk: Browser) -> None:
    with site.change() as session:
        session.add(Practitioner(clinic_id=site.clinic.id, name="Ana Ruiz"))
    save(desk, **NEW, **YES, plan="shockwave", practitioner="Dr Sato")
    site.log(plan="sports-massage", practitioner="Dr Okoye")  # by somebody else, later
    page = desk.get("/")
    assert page.inputs["plan"] == "shockwave"
    assert page.inputs["practitioner"] == "Dr Sato"
    plans = [str(tag["value"]) for tag in page.all("select[name=plan] option")]
    assert plans == ["shockwave", "sports-massage", "cupping", "dry-needling"]
    assert [str(tag["value"]) for tag in page.all("datalist option")] == ["Ana Ruiz", "Dr Okoye", "Dr Sato"]


def test_areas_that_only_a_plan_knows_are_offered_too(site: Installation, desk: Browser) -> None:
    assert "tmj_left" not in desk.get("/").inputs
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        step = {"key": "day0-marks", "after": "2h", "audience": "areas:neck,tmj_left"}
        cast.save_cupping(session, clinic, step)
    assert "tmj_left" in [str(tag["value"]) for tag in desk.get("/").all("[name=areas]")]


def test_what_was_logged_today_can_be_undone_for_ten_minutes(site: Installation, desk: Browser) -> None:
    save(desk, **NEW, **YES)
    void = f"/treatments/{only_treatment(site).id}/void"
    actions = {str(form.get("action")) for form in desk.get("/").all(".lately form")}
    assert actions == {void}
    site.clock.jump(site.clock.now() + timedelta(minutes=11))
    page = desk.get("/")
    assert page.all(".lately form") == []
    assert "Dana Whitfield" in page.words(".lately tbody tr")[0]


# Nobody falls through


def test_who_gets_nothing_is_given_the_sheet(site: Installation, desk: Browser) -> None:
    page = save(desk, **NEW, plan="dry-needling")
    treatment = only_treatment(site)
    assert page.toast == "Logged: Dana Whitfield, Dry needling aftercare. No message will go out."
    assert "Dana Whitfield: no message will arrive. No consent to SMS is on record." in page.text
    assert page.one(".sheet-offer a")["href"] == f"/treatments/{treatment.id}/sheet"


def test_who_gets_nothing_today_is_given_the_sheet_too(site: Installation, desk: Browser) -> None:
    page = save(desk, **NEW, **YES, plan="dry-needling", ended_at="2026-02-02 10:00")
    assert "none today" in page.text or page.all(".sheet-offer") == []
    site.clock.jump(cast.at("2026-02-03 21:30"))
    page = save(desk, **NEW | {"first_name": "Omar"}, **YES, plan="dry-needling")
    assert "the first message comes tomorrow 09:00, none today." in page.text
    assert len(page.all(".sheet-offer a")) == 1


def test_who_gets_a_message_today_needs_no_paper(site: Installation, desk: Browser) -> None:
    assert save(desk, **NEW, **YES).all(".sheet-offer") == []


def test_where_a_newer_treatment_speaks_no_paper_is_needed(site: Installation, desk: Browser) -> None:
    patient_id = known(site)
    site.log()
    page = desk.get(f"/?patient={patient_id}")
    page = desk.submit("/log", {"plan": "dry-needling", "ended_at": "10:00"})
    assert page.toast == "Logged: Alice Moreau, Dry needling aftercare. No message will go out."
    assert page.all(".sheet-offer") == []

"""Editing a patient, alone and two at a time."""

from __future__ import annotations

from sqlalchemy import select

from notifier.models import AuditEntry, Message, Patient
from tests.cast import ALICE, DAY0, at
from tests.web.browser import Browser
from tests.web.cast import FERN, Installation
from tests.web.test_desk_patient import undo

EDIT = "/patients/1/edit"


def editing(site: Installation, browser: Browser | None = None) -> Browser:
    browser = browser or site.as_desk()
    browser.get(EDIT)
    return browser


def patient(site: Installation) -> Patient:
    with site.look() as session:
        return session.get_one(Patient, 1)


def test_a_new_number_and_language_are_saved_and_messages_follow(site: Installation) -> None:
    site.log(ALICE)
    browser = editing(site)
    page = browser.submit(EDIT, {"phone": "212-555-0199", "language": "es"})
    assert (page.path, page.status) == ("/patients/1", 200)
    assert page.toast.startswith("Saved.")
    found = patient(site)
    assert (found.phone, found.language) == ("+12125550199", "es")
    assert "Hola" in browser.fragment("/messages/1").one(".bubble").get_text()
    with site.look() as session:
        assert session.scalars(select(Message.to).where(Message.channel == "sms").distinct()).all() == [
            "+12125550199"
        ]
        noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.changed")).one()
    assert (noted.actor, noted.detail) == (FERN, {"fields": ["language", "phone"]})
    browser.post(EDIT, undo(page))
    assert (patient(site).phone, patient(site).language) == ("+12125550101", "en")


def test_another_channel_or_only_safety_changes_what_goes(site: Installation) -> None:
    site.log(ALICE)
    browser = editing(site)
    browser.submit(EDIT, {"preferred_channel": "email"})
    with site.look() as session:
        waiting = select(Message.channel).where(Message.step == DAY0, Message.status == "scheduled")
        assert session.scalars(waiting).all() == ["email"]
    page = browser.submit(EDIT, {"essentials": "1"}) if editing(site, browser) else None
    assert page is not None
    assert "will not be sent" in page.toast
    assert "Safety messages only" in page.text


def test_what_cannot_be_is_said_beside_its_field_and_everything_typed_stays(site: Installation) -> None:
    site.log(ALICE)
    browser = editing(site)
    page = browser.submit(EDIT, {"phone": "12", "last_name": "Moreau-Diaz"})
    assert page.status == 422
    assert list(page.wrong()) == ["phone"]
    assert page.one("#f-phone")["value"] == "12"
    assert page.one("#f-last_name")["value"] == "Moreau-Diaz"
    assert patient(site).last_name == "Moreau"
    page = browser.submit(EDIT, {"phone": "", "email": ""})
    assert "cannot be reached then" in page.wrong()["phone"]


def test_saving_without_a_change_says_so(site: Installation) -> None:
    site.log(ALICE)
    page = editing(site).submit(EDIT)
    assert page.toast == "Nothing was changed."


def test_the_second_of_two_is_told_sees_both_and_loses_nothing(site: Installation) -> None:
    site.log(ALICE)
    fern, ada = editing(site), editing(site, site.as_admin())
    site.clock.jump(at("2026-02-03 15:45"))
    ada.submit(EDIT, {"phone": "212-555-0199"})
    page = fern.submit(EDIT, {"email": "alice.new@example.com"})
    assert page.status == 409
    assert "ada@riverside.example has changed Alice's details in the meantime." in page.text
    assert page.words(".theirs") == ["Changed meanwhile, and taken over: (212) 555-0199"]
    assert page.one("#f-phone")["value"] == "(212) 555-0199"
    assert page.one("#f-email")["value"] == "alice.new@example.com"
    assert (patient(site).phone, patient(site).email) == ("+12125550199", "alice@example.com")
    # Saving again, knowing theirs, is on purpose.
    page = fern.submit(EDIT)
    assert page.status == 200
    assert (patient(site).phone, patient(site).email) == ("+12125550199", "alice.new@example.com")


def test_where_both_changed_the_same_field_both_are_shown(site: Installation) -> None:
    site.log(ALICE)
    fern, ada = editing(site), editing(site, site.as_admin())
    ada.submit(EDIT, {"phone": "212-555-0199", "essentials": "1"})
    page = fern.submit(EDIT, {"phone": "212-555-0188"})
    assert page.status == 409
    assert page.words(".theirs") == [
        "Changed meanwhile, to: (212) 555-0199",
        "Changed meanwhile, and taken over: yes",
    ]
    assert page.one("#f-phone")["value"] == "212-555-0188"
    assert patient(site).phone == "+12125550199"
    fern.submit(EDIT)
    assert (patient(site).phone, patient(site).essentials) == ("+12125550188", True)

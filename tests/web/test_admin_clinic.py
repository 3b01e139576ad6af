from __future__ import annotations

import pytest
from sqlalchemy import select

from notifier.models import AlertContact, AuditEntry, Clinic, Membership, Practitioner, Sender
from tests.web.cast import ADA, HUGO, Installation


def stored(site: Installation) -> Clinic:
    with site.look() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        session.expunge(clinic)
    return clinic


def test_details_are_changed_and_the_change_is_on_record(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    page = browser.submit("/clinic/details", {"phone": "(212) 555-0188", "emergency_number": "112"})
    assert page.toast == "The clinic's details were saved."
    assert (stored(site).phone, stored(site).emergency_number) == ("(212) 555-0188", "112")
    with site.look() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "clinic.changed")).one()
    assert (entry.actor, entry.detail) == (ADA, {"fields": ["phone", "emergency_number"]})


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": " "}, "name", "A clinic needs a name"),
        ({"phone": ""}, "phone", "Patients are told to call this number"),
        ({"emergency_number": ""}, "emergency_number", "The warning texts name the emergency number"),
        ({"timezone": "America/NewYork"}, "timezone", "Did you mean America/New_York?"),
        ({"country": "USA"}, "country", "in two letters"),
        ({"name": "x" * 121}, "name", "longer than 120 characters"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_lost(
    site: Installation, typed: dict[str, str], field: str, words: str
) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    page = browser.submit("/clinic/details", {"crisis_line": "0800 555"} | typed)
    assert page.status == 422
    assert words in page.wrong()[field]
    assert page.inputs["crisis_line"] == "0800 555"
    assert stored(site).crisis_line == "988"


def test_hours_are_typed_as_people_write_them(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    browser.submit(
        "/clinic/hours",
        {
            "hours.mon": "9-13, 14:00 to 18:30",
            "hours.sat": "closed",
            "closed_dates": "2026-12-25\n2026-01-01",
        },
    )
    clinic = stored(site)
    assert clinic.opening_hours == {"mon": [["09:00", "13:00"], ["14:00", "18:30"]]}
    assert clinic.closed_dates == ["2026-01-01", "2026-12-25"]
    again = browser.get("/clinic").form("/clinic/hours")
    assert again["hours.mon"] == "09:00–13:00, 14:00–18:30"
    # What the page shows is what it reads.
    assert "Nothing was different" in browser.submit("/clinic/hours").toast


def test_an_hour_that_cannot_be_is_said_beside_its_day(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    page = browser.submit("/clinic/hours", {"hours.tue": "18:00-09:00", "hours.mon": "9-17"})
    assert page.words("#f-hours-tue-wrong") == [
        "Tuesday: 18:00 to 09:00 ends before it begins. Past midnight, write 24:00 and go on the next day."
    ]
    assert page.form("/clinic/hours")["hours.mon"] == "9-17"


def test_the_second_of_two_admins_is_told_and_overwrites_nothing(site: Installation) -> None:
    first, second = site.as_admin(), site.as_admin()
    first.get("/clinic")
    second.get("/clinic")
    first.submit("/clinic/details", {"phone": "(212) 555-0188"})
    page = second.submit("/clinic/hours", {"hours.mon": "9-17"})
    assert page.status == 409
    assert f"{ADA} changed the clinic (phone) while you had this page open" in page.text
    assert page.form("/clinic/hours")["hours.mon"] == "9-17"
    assert stored(site).opening_hours == {}
    # Having seen it, saving again replaces nothing by accident.
    assert second.submit("/clinic/hours").toast == "The opening hours were saved."
    assert (stored(site).phone, bool(stored(site).opening_hours)) == ("(212) 555-0188", True)


def test_the_words_of_consent_and_the_price_are_the_clinics_own(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    browser.submit("/clinic/wording", {"wording.en": "May we text you?", "wording.es": ""})
    browser.get("/clinic")
    browser.submit("/clinic/price", {"sms_price": "0,0083", "currency": "eur"})
    clinic = stored(site)
    assert clinic.consent_wording == {"en": "May we text you?"}
    assert (clinic.sms_price, clinic.currency) == (0.0083, "EUR")
    page = browser.submit("/clinic/price", {"sms_price": "cheap"})
    assert page.wrong() == {"sms_price": "Write the price of one SMS part as a number, such as 0.0083."}


# What there are several of


def test_practitioners_come_and_go_and_come_back(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic")
    browser.submit("/clinic/practitioners", {"practitioner": "  Dr  Ana Ruiz "})
    with site.look() as session:
        ana = session.scalars(select(Practitioner)).one()
        assert ana.name == "Dr Ana Ruiz"
        number = ana.id
    page = browser.submit(f"/clinic/practitioners/{number}/remove")
    assert page.toast == "Dr Ana Ruiz can no longer be chosen."
    page = browser.undo()
    assert page.toast == "Dr Ana Ruiz can be chosen at the desk now."
    assert browser.post("/clinic/practitioners", {"practitioner": "Dr Ana Ruiz"}).status == 409
    assert browser.post("/clinic/practitioners", {"practitioner": ""}).status == 422


def test_alert_contacts_are_told_in_the_order_that_the_page_shows(site: Installation) -> None:
    browser = site.as_admin()
    for name, phone in (("Ana", "212 555 0198"), ("Ben", "212 555 0199"), ("Cy", "")):
        browser.post(
            "/clinic/contacts",
            {"contact_name": name, "contact_phone": phone, "contact_email": f"{name}@riverside.example"},
        )
    with site.look() as session:
        ids = {row.name: row.id for row in session.execute(select(AlertContact.name, AlertContact.id))}
    browser.post(f"/clinic/contacts/{ids['Cy']}/up")
    page = browser.post(f"/clinic/contacts/{ids['Ana']}/remove")
    assert [row.split()[1] for row in page.words("#contacts tbody tr")] == ["Cy", "Ben"]
    assert page.toast == "Ana is no longer told about alerts."
    page = browser.post("/clinic/contacts", {"contact_name": "Dee"})
    assert page.status == 422
    assert "needs a phone or an e-mail address" in page.wrong()["contact_phone"]


def test_a_sender_is_named_by_the_clinic_and_tried_again_by_hand(site: Installation) -> None:
    with site.change() as session:
        sender = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
        sender.stopped_at, sender.stopped_reason = site.clock.now(), "Twilio refused the password."
        sender.probe_at = site.clock.now()
        number = sender.id
    browser = site.as_admin()
    page = browser.get("/clinic")
    assert "Twilio refused the password. Messages wait and are not lost." in page.text
    browser.submit(f"/clinic/senders/{number}/try-again")
    page = browser.post(
        f"/clinic/senders/{number}", {"identity": "212 555 0150", "display_name": "Riverside", "rate": "0.5"}
    )
    with site.look() as session:
        sender = session.get_one(Sender, number)
        assert sender.probe_at is not None
        assert (sender.identity, sender.max_per_second) == ("+12125550150", 0.5)
    page = browser.post(f"/clinic/senders/{number}", {"identity": "212", "rate": ""})
    assert (page.status, bool(page.words(".wrong"))) == (422, True)
    assert browser.post(f"/clinic/senders/{number}", {"rate": "fast"}).status == 422


def test_a_sender_that_waits_since_a_restore_is_released_by_hand(site: Installation) -> None:
    with site.change() as session:
        sender = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
        sender.stopped_at, sender.stopped_reason = site.clock.now(), "Restored from a backup."
        number = sender.id
    browser = site.as_admin()
    assert "All who said no since are recorded: let it send again" in browser.get("/clinic").text
    assert browser.submit(f"/clinic/senders/{number}/try-again").toast == "What waits goes out."
    with site.look() as session:
        assert session.get_one(Sender, number).stopped_at is None


# Several clinics


def test_another_clinic_is_opened_with_its_plans_and_its_admin(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/clinic/new")
    page = browser.submit("/clinic/new", {"name": "Riverside North", "phone": "(212) 555-0300"})
    assert page.toast == "Riverside North is open, and you are its admin."
    assert page.words(".brand span") == ["Riverside North"]
    with site.look() as session:
        north = session.scalars(select(Clinic).where(Clinic.name == "Riverside North")).one()
        roles = session.scalars(select(Membership.role).where(Membership.clinic_id == north.id)).all()
    assert roles == ["admin"]
    page = browser.get("/clinic/new")
    page = browser.submit("/clinic/new", {"name": ""})
    assert page.status == 422


def test_nothing_of_one_clinic_is_reached_from_another(site: Installation) -> None:
    site.open_other_clinic()
    with site.look() as session:
        sender = session.scalars(select(Sender).where(Sender.clinic_id == site.clinic.id)).first()
        assert sender is not None
    hugo = site.signed_in(HUGO)
    assert hugo.post(f"/clinic/senders/{sender.id}", {"identity": ""}).status == 404
    assert hugo.post(f"/clinic/senders/{sender.id}/try-again").status == 404
    assert "Riverside" not in hugo.get("/clinic").text

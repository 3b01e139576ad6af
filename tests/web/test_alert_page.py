"""Alerts in the browser: the banner on every page, taking one, and the link that a contact was sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import alerts, clinics
from notifier.links import links_of
from notifier.models import Alert, AlertContact, AuditEntry, Clinic, Message
from tests import cast
from tests.replies_cast import EMERGENCY, patient_named, wrote
from tests.web.browser import Page
from tests.web.cast import ADA, Installation


@pytest.fixture
def public(engine: Engine, clinic: Clinic, tmp_path: Path) -> Installation:
    web = {"base_url": "https://riverside.example", "secret_key": "k" * 32}
    return Installation(engine, clinic, tmp_path, web=web)


def rings(site: Installation, severity: str = "emergency", kind: str = "red_flag") -> int:
    """About Alice, who wrote it from her phone; Roe is told first."""
    site.log(cast.ALICE)
    with site.change() as session:
        riverside = session.get_one(Clinic, site.clinic.id)
        clinics.add_alert_contact(session, riverside, name="Dr Roe", phone="+12125550198", email=ADA)
        alice = patient_named(session, "Alice")
        alert = alerts.raise_alert(
            session,
            riverside,
            kind=kind,
            severity=severity,
            summary="May be a warning sign: breathing.",
            now=site.clock.now(),
            actor="reply",
            patient=alice,
            reply=wrote(session, riverside, alice, "I cant breathe", **EMERGENCY),
        )
        return alert.id


def alert(site: Installation, alert_id: int) -> Alert:
    with site.look() as session:
        return session.get_one(Alert, alert_id)


def banner(page: Page) -> str:
    return " ".join(page.words("#alarm .alarm, #alarm .alarm-urgent"))


# On every page


def test_an_emergency_is_the_first_thing_on_every_page_until_somebody_takes_it(site: Installation) -> None:
    alert_id = rings(site)
    desk = site.as_desk()
    for path in ("/", "/patients", "/account", "/patients/999999"):
        page = desk.get(path)
        first = next(tag for tag in page.one("body").find_all(True, recursive=False) if tag.name != "a")
        assert first["aria-live"] == "assertive", path
        said = banner(page)
        assert "Alice Moreau : May be a warning sign: breathing." in said
        assert "Nobody has taken it yet" in said
    assert page.one("#alarm .alarm-call")["href"] == "tel:+12125550101"
    page = desk.post(f"/alerts/{alert_id}/take", page.form(f"/alerts/{alert_id}/take"))
    assert (page.path.startswith("/inbox/"), page.toast) == (True, "It is yours. Nobody else is called.")
    assert banner(page) == ""
    taken = alert(site, alert_id)
    assert (taken.acknowledged_by, taken.acknowledged_how) == ("fern@riverside.example", "inbox")
    assert "Dr Roe" in desk.get(f"/alerts/{alert_id}").text


def test_open_pages_ask_for_it_and_hear_only_what_is_new(site: Installation) -> None:
    desk = site.as_desk()
    asks = str(desk.get("/").one("#alarm")["hx-get"])
    assert desk.fragment(asks).status == 204
    rings(site)
    news = desk.fragment(asks)
    assert "Alice Moreau" in news.text
    asks = str(news.one("#alarm")["hx-get"])
    with site.look() as session:
        looks = list(session.scalars(select(AuditEntry.action).where(AuditEntry.action == "patients.listed")))
    for _ in range(3):
        assert desk.fragment(asks).status == 204
    with site.look() as session:
        query = select(AuditEntry.action).where(AuditEntry.action == "patients.listed")
        assert (list(session.scalars(query)), len(looks)) == (looks, 1)


@pytest.mark.parametrize(
    ("severity", "said"),
    [("urgent", "1 urgent alert waits for somebody to take it."), ("normal", "")],
)
def test_what_is_no_emergency_is_said_quietly(site: Installation, severity: str, said: str) -> None:
    rings(site, severity)
    page = site.as_desk().get("/")
    assert (banner(page), page.all("#alarm [role=alert]")) == (said, [])


def test_a_test_rings_nowhere(site: Installation) -> None:
    rings(site, "normal")
    with site.change() as session:
        contact = session.scalars(select(AlertContact)).one()
        alerts.test(
            session, session.get_one(Clinic, site.clinic.id), contact, now=site.clock.now(), actor=ADA
        )
    assert banner(site.as_desk().get("/")) == ""


def test_who_comes_second_is_told_who_was_quicker_and_it_can_be_given_back(site: Installation) -> None:
    alert_id = rings(site)
    admin, desk = site.as_admin(), site.as_desk()
    path = f"/alerts/{alert_id}/take"
    admin.get("/")
    fields = desk.get("/").form(path)
    assert admin.post(path).toast == "It is yours. Nobody else is called."
    assert desk.post(path, fields).toast == "Ada Okoye was quicker and has it already."
    page = admin.post(f"/alerts/{alert_id}/reopen")
    assert "Nobody has taken it yet" in banner(page)
    assert alert(site, alert_id).acknowledged_at is None


# By the link


def link(public: Installation, alert_id: int, contact_id: int) -> str:
    links = links_of(public.settings)
    assert links is not None
    return f"/a/{links.alert_token(alert_id, contact_id)}"


def test_the_link_shows_and_a_click_takes_and_neither_tells_who_the_patient_is(public: Installation) -> None:
    alert_id = rings(public)
    with public.look() as session:
        contact_id = session.scalars(select(AlertContact.id)).one()
    path = link(public, alert_id, contact_id)
    phone = public.anonymous()
    page = phone.get(path)
    assert page.status == 200
    assert page.words("h1") == ["EMERGENCY. A patient's reply may be a warning sign."]
    assert alert(public, alert_id).code in page.text
    assert alert(public, alert_id).acknowledged_at is None  # programs that scan mail look, too
    after = phone.post(path, page.form(path))
    assert "It is yours. Nobody else is called." in after.text
    assert "Call the patient at once. In doubt, tell them to call 911." in after.text
    assert after.one("main a")["href"] == f"/sign-in?next=/alerts/{alert_id}"
    for private in ("Alice", "Moreau", "0101", "breath"):
        assert private not in page.response.text + after.response.text
    taken = alert(public, alert_id)
    assert (taken.acknowledged_by, taken.acknowledged_how) == ("Dr Roe", "link")
    with public.look() as session:
        stopped = session.scalars(select(Message.reason).where(Message.alert_id == alert_id)).all()
    assert set(stopped) == {"Dr Roe took the alert."}


def test_whoever_opens_it_later_reads_who_has_it(public: Installation) -> None:
    alert_id = rings(public)
    with public.look() as session:
        contact_id = session.scalars(select(AlertContact.id)).one()
    desk = public.as_desk()
    desk.post(f"/alerts/{alert_id}/take", desk.get("/").form(f"/alerts/{alert_id}/take"))
    page = public.anonymous().get(link(public, alert_id, contact_id))
    assert "Fern Quist has taken it. There is nothing for you to do." in page.text


def test_a_seal_that_is_not_ours_opens_nothing(public: Installation) -> None:
    alert_id = rings(public)
    path = link(public, alert_id, 1)
    unsubscribing = links_of(public.settings)
    assert unsubscribing is not None
    for wrong in (path[:-2], path + "A", f"/a/{unsubscribing.token(alert_id, 'sms')}", "/a/x", "/a/1.2"):
        assert public.anonymous().get(wrong).status == 404, wrong
    browser = public.anonymous()
    assert browser.get(path + ".").status == 200  # as a phone takes it from a sentence
    answer = browser.client.post(path, data={"csrf": "forged"})
    assert answer.status_code == 403
    assert alert(public, alert_id).acknowledged_at is None


# Whether alerts reach them


def test_an_admin_sends_a_test_and_sees_who_has_answered_it(public: Installation) -> None:
    rings(public)
    with public.look() as session:
        contact_id = session.scalars(select(AlertContact.id)).one()
    admin = public.as_admin()
    page = admin.get("/clinic")
    assert page.words("#contacts .tag") == ["not yet"]
    path = f"/clinic/contacts/{contact_id}/test"
    assert admin.post(path, page.form(path)).toast.startswith("A test goes to Dr Roe now.")
    with public.look() as session:
        test_id = session.scalars(select(Alert.id).where(Alert.kind == alerts.TEST)).one()
    phone, address = public.anonymous(), link(public, test_id, contact_id)
    asked = phone.get(address)
    assert "TEST" in asked.words("h1")[0]
    assert "Alerts reach you" in phone.post(address, asked.form(address)).text
    assert admin.get("/clinic").words("#contacts .tag") == ["answered"]


def test_who_is_on_call_is_told_at_any_hour(site: Installation) -> None:
    rings(site)
    admin = site.as_admin()
    path = str(admin.get("/clinic").one("#contacts form[action$=on-call]")["action"])
    page = admin.post(path, admin.get("/clinic").form(path))
    assert page.toast == "Dr Roe is told at any hour."
    assert page.words("#contacts .tag") == ["on call", "not yet"]

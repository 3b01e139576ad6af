from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from notifier.models import Membership, Staff
from tests.web.cast import ADA, FERN, HUGO, PASSWORD, Installation


def number_of(site: Installation, email: str) -> int:
    with site.look() as session:
        return session.scalars(select(Staff.id).where(Staff.email == email)).one()


def test_who_is_invited_gets_in_by_the_link_that_is_shown_once(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/people")
    page = browser.submit("/people", {"name": "Gus Lind", "email": "Gus@riverside.example"})
    address = str(page.one("#invitation")["value"])
    assert address.startswith("http://testserver/link/")
    assert "Gus Lind gus@riverside.example" in page.text
    assert "no password yet" in page.text
    assert browser.get("/people").all("#invitation") == []
    gus, path = site.anonymous(), urlsplit(address).path
    gus.get(path)
    gus.submit(path, {"password": PASSWORD, "again": PASSWORD})
    assert gus.get("/account").words("h1") == ["Gus Lind"]
    assert gus.get("/people").status == 403


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ({"name": "", "email": "new@riverside.example"}, 422, "Write the person's name."),
        ({"name": "New", "email": "new@"}, 422, "has no domain"),
        ({"name": "Fern", "email": FERN}, 409, "is already on the staff"),
        ({"name": "New", "email": "new@riverside.example", "role": "owner"}, 422, '"owner" is not a role'),
    ],
)
def test_an_invitation_that_cannot_be_is_refused_in_words(
    site: Installation, typed: dict[str, str], status: int, words: str
) -> None:
    page = site.as_admin().post("/people", {"role": "front_desk"} | typed)
    assert page.status == status
    assert words in page.text


def test_a_person_of_another_clinic_joins_with_the_password_they_have(site: Installation) -> None:
    site.open_other_clinic()
    with site.change() as session:
        session.scalars(select(Staff).where(Staff.email == HUGO)).one().password_hash = "x"
    page = site.as_admin().post("/people", {"name": "Hugo", "email": HUGO, "role": "front_desk"})
    assert page.toast == "Hugo Prentice works here too now, and signs in as before."
    # One clinic must not get into another by resetting what both share.
    page = site.as_admin().post(f"/people/{number_of(site, HUGO)}/link")
    assert (page.status, "cannot reset the password" in page.text) == (409, True)
    page = site.as_admin().post(f"/people/{number_of(site, HUGO)}/disable")
    assert (page.status, "Remove them from this one instead" in page.text) == (422, True)


def test_one_clinic_gets_no_link_for_somebody_whom_another_has_invited(site: Installation) -> None:
    """Hugo has not chosen a password yet: with a link of Riverside's, Riverside would get into Harbour."""
    site.open_other_clinic()
    ada = site.as_admin()
    page = ada.post("/people", {"name": "Hugo", "email": HUGO, "role": "front_desk"})
    assert page.all("#invitation") == []
    assert page.toast.endswith(f"notifier user link {HUGO}")
    assert ada.post(f"/people/{number_of(site, HUGO)}/link").status == 409


def test_a_link_that_one_clinic_made_does_not_open_the_next(site: Installation) -> None:
    other = site.open_other_clinic()
    page = site.signed_in(HUGO).post(f"/people/{number_of(site, HUGO)}/link")
    path = urlsplit(str(page.one("#invitation")["value"])).path
    assert site.anonymous().get(path).status == 200
    site.as_admin().post("/people", {"name": "Hugo", "email": HUGO, "role": "front_desk"})
    assert site.anonymous().get(path).status == 404
    assert other.id != site.clinic.id


def test_who_is_disabled_is_signed_out_and_may_be_enabled_again(site: Installation) -> None:
    fern, ada = site.as_desk(), site.as_admin()
    ada.get("/people")
    page = ada.submit(f"/people/{number_of(site, FERN)}/disable")
    assert page.toast == "Fern Quist can no longer sign in, and was signed out."
    assert fern.get("/account").words("h1") == ["Sign in"]
    page = ada.submit(f"/people/{number_of(site, FERN)}/enable")
    assert page.toast == "Fern Quist may sign in again."


def test_roles_change_at_once_and_the_last_admin_stays(site: Installation) -> None:
    fern, ada = site.as_desk(), site.as_admin()
    assert ada.post(f"/people/{number_of(site, ADA)}/role", {"role": "front_desk"}).status == 409
    ada.post(f"/people/{number_of(site, FERN)}/role", {"role": "admin"})
    assert fern.get("/people").status == 200
    page = ada.post(f"/people/{number_of(site, ADA)}/role", {"role": "front_desk"}, follow=False)
    assert page.status == 303
    assert ada.get("/people").status == 403


def test_who_is_removed_is_out_and_an_undo_brings_them_back(site: Installation) -> None:
    fern, ada = site.as_desk(), site.as_admin()
    ada.get("/people")
    ada.submit(f"/people/{number_of(site, FERN)}/remove")
    assert fern.get("/account").words("h1") == ["Sign in"]
    page = ada.undo()
    assert page.toast == "Fern Quist works here again."
    with site.look() as session:
        role = session.scalars(
            select(Membership.role).join(Staff, Staff.id == Membership.staff_id).where(Staff.email == FERN)
        ).one()
    assert role == "front_desk"


def test_nobody_is_brought_to_a_clinic_who_was_never_there(site: Installation) -> None:
    site.open_other_clinic()
    page = site.as_admin().post(f"/people/{number_of(site, HUGO)}/bring-back", {"role": "admin"})
    assert page.status == 404


@pytest.mark.parametrize("what", ["disable", "remove"])
def test_nobody_locks_themselves_out(site: Installation, what: str) -> None:
    page = site.as_admin().post(f"/people/{number_of(site, ADA)}/{what}")
    assert (page.status, "another admin can" in page.text) == (409, True)


@pytest.mark.parametrize("what", ["link", "role", "disable", "enable", "remove"])
def test_people_of_another_clinic_are_out_of_reach(site: Installation, what: str) -> None:
    site.open_other_clinic()
    page = site.as_admin().post(f"/people/{number_of(site, HUGO)}/{what}", {"role": "admin"})
    assert page.status == 404

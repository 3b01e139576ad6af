from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from notifier import signin, staff, staff_links
from notifier.db import RealTime
from notifier.models import Clinic, SignIn, Staff, Throttle
from tests.web.browser import Browser
from tests.web.cast import ADA, FERN, HUGO, PASSWORD, Installation


@pytest.fixture
def with_password(site: Installation) -> Installation:
    with site.change() as session:
        person = session.scalars(select(Staff).where(Staff.email == FERN)).one()
        person.password_hash = staff.hash_password(PASSWORD)
    return site


def try_to_sign_in(browser: Browser, password: str = PASSWORD, email: str = FERN, **fields: str) -> int:
    return browser.post("/sign-in", {"email": email, "password": password} | fields, follow=False).status


def test_who_is_not_signed_in_is_asked_to_and_comes_to_where_they_wanted_to_go(
    with_password: Installation,
) -> None:
    browser = with_password.anonymous()
    page = browser.get("/account?from=mail")
    assert (page.status, page.words("h1")) == (200, ["Sign in"])
    page = browser.submit(
        "/sign-in", {"email": " Fern@Riverside.example ", "password": PASSWORD}, follow=False
    )
    assert (page.status, page.response.headers["location"]) == (303, "/account?from=mail")


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
def test_a_sign_in_never_leads_to_another_site(with_password: Installation, there: str) -> None:
    page = with_password.anonymous().post(
        "/sign-in", {"email": FERN, "password": PASSWORD, "next": there}, follow=False
    )
    assert page.response.headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_told_the_same(with_password: Installation) -> None:
    browser = with_password.anonymous()
    wrong = browser.post("/sign-in", {"email": FERN, "password": "guess"})
    unknown = browser.post("/sign-in", {"email": "nobody@riverside.example", "password": "guess"})
    assert wrong.wrong() == unknown.wrong() == {"password": signin.WRONG}
    assert wrong.inputs["email"] == FERN


def test_who_has_no_password_yet_or_is_disabled_does_not_get_in(with_password: Installation) -> None:
    browser = with_password.anonymous()
    assert try_to_sign_in(browser, email=ADA) == 422
    with with_password.change() as session:
        session.execute(update(Staff).where(Staff.email == FERN).values(disabled_at=RealTime()))
    assert try_to_sign_in(browser) == 422


def test_after_five_wrong_tries_even_the_right_password_has_to_wait(with_password: Installation) -> None:
    browser = with_password.anonymous()
    assert [try_to_sign_in(browser, "guess") for _ in range(5)] == [422] * 5
    page = browser.post("/sign-in", {"email": FERN, "password": PASSWORD})
    assert page.wrong()["password"].startswith("Too many wrong tries. Try again in 30 seconds")
    with with_password.change() as session:
        session.execute(update(Throttle).values(blocked_until=RealTime(-1)))
    assert try_to_sign_in(browser) == 303


def test_each_further_wrong_try_doubles_the_wait(with_password: Installation) -> None:
    with with_password.change() as session:
        for _ in range(8):
            signin.count_failure(session, FERN, "10.0.0.7")
        waits = [
            row.blocked_until - row.last_at for row in session.scalars(select(Throttle)) if row.blocked_until
        ]
    assert waits == [timedelta(seconds=240)]


def test_signing_out_ends_it_on_the_server(site: Installation) -> None:
    browser = site.as_desk()
    assert browser.get("/account").path == "/account"
    stolen = dict(browser.client.cookies)
    browser.submit("/sign-out")
    thief = site.anonymous()
    for name, value in stolen.items():
        thief.client.cookies.set(name, value)
    assert thief.get("/account").words("h1") == ["Sign in"]


@pytest.mark.parametrize(
    "over",
    [{"expires_at": RealTime(-1)}, {"seen_at": RealTime(-signin.IDLE.total_seconds() - 1)}],
    ids=["a week", "a working day without a click"],
)
def test_a_sign_in_does_not_last_for_ever(site: Installation, over: dict[str, object]) -> None:
    browser = site.as_desk()
    with site.change() as session:
        session.execute(update(SignIn).values(**over))
    assert browser.get("/account").words("h1") == ["Sign in"]


def test_being_seen_is_noted_now_and_then_so_that_a_busy_day_does_not_end_it(site: Installation) -> None:
    browser = site.as_desk()
    with site.change() as session:
        session.execute(update(SignIn).values(seen_at=RealTime(-3600)))
    browser.get("/account")
    with site.look() as session:
        fresh = select(SignIn.id).where(SignIn.seen_at > RealTime(-60))
        assert session.scalar(fresh) is not None


def test_who_is_disabled_is_out_at_once(site: Installation) -> None:
    browser = site.as_desk()
    with site.change() as session:
        session.execute(update(Staff).where(Staff.email == FERN).values(disabled_at=RealTime()))
    assert browser.get("/account").words("h1") == ["Sign in"]


def test_the_database_holds_no_secret_of_a_sign_in(site: Installation) -> None:
    browser = site.as_desk()
    secret = browser.client.cookies[site.site.cookie("sign-in")]
    with site.look() as session:
        assert session.scalars(select(SignIn.token_hash)).all() == [signin.hashed(secret)]


def test_cookies_are_kept_from_scripts_and_over_https_from_everything_else(site: Installation) -> None:
    secure = Installation(
        site.engine, site.clinic, site.folder, web={"base_url": "https://care.example"}, hired=True
    )
    for installation, wanted in ((site, "notifier-csrf="), (secure, "__Host-csrf=")):
        said = installation.anonymous().get("/sign-in").response.headers["set-cookie"]
        assert said.startswith(wanted)
        assert "HttpOnly" in said
        assert "SameSite=lax" in said
        assert ("Secure" in said) is installation.site.is_secure


# Invitations and the demo's link


def invite(site: Installation, purpose: str = staff_links.INVITATION) -> str:
    with site.change() as session:
        person = session.scalars(select(Staff).where(Staff.email == FERN)).one()
        clinic = session.get_one(Clinic, site.clinic.id)
        return staff_links.create(session, clinic, person, purpose, actor=ADA)


def test_an_invitation_leads_to_a_password_of_ones_own_and_in(site: Installation) -> None:
    secret, browser = invite(site), site.anonymous()
    page = browser.get(f"/link/{secret}")
    assert page.words("h1") == ["Welcome, Fern Quist"]
    page = browser.submit(f"/link/{secret}", {"password": PASSWORD, "again": PASSWORD}, follow=False)
    assert (page.status, page.response.headers["location"]) == (303, "/")
    assert browser.get("/account").path == "/account"
    assert try_to_sign_in(site.anonymous()) == 303
    # It was for once.
    assert site.anonymous().get(f"/link/{secret}").status == 404


def test_opening_an_invitation_uses_nothing_up(site: Installation) -> None:
    secret = invite(site)
    assert [site.anonymous().get(f"/link/{secret}").status for _ in range(2)] == [200, 200]


def test_a_new_invitation_replaces_the_earlier_one(site: Installation) -> None:
    first, second = invite(site), invite(site)
    assert site.anonymous().get(f"/link/{first}").status == 404
    assert site.anonymous().get(f"/link/{second}").status == 200


def test_who_no_longer_works_there_is_not_let_in_by_an_invitation(site: Installation) -> None:
    secret = invite(site)
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        person = staff.find(session, clinic, FERN)
        staff.leave(session, clinic, person.id, now=site.clock.now(), actor=ADA)
    page = site.anonymous().post(f"/link/{secret}", {"password": PASSWORD, "again": PASSWORD})
    assert page.status == 404


def test_a_fault_is_logged_without_the_secret_of_a_link(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(secret: str) -> None:
        raise RuntimeError

    site.app.get("/broken/{secret}")(broken)
    assert site.anonymous().get("/broken/hush").status == 500
    (said,) = (record.getMessage() for record in caplog.records if record.name == "notifier.web.failures")
    assert said.endswith(" at GET /broken/{secret}")


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"password": "short", "again": "short"}, {"password": "The password needs at least 12 characters."}),
        (
            {"password": PASSWORD, "again": PASSWORD + "!"},
            {"again": "The two passwords differ. Type the same one twice."},
        ),
    ],
)
def test_a_password_that_cannot_be_is_said_beside_its_field(
    site: Installation, typed: dict[str, str], wrong: dict[str, str]
) -> None:
    secret = invite(site)
    page = site.anonymous().post(f"/link/{secret}", typed)
    assert (page.status, page.wrong()) == (422, wrong)


def test_the_demos_link_signs_in_at_once_and_again(site: Installation) -> None:
    secret = invite(site, staff_links.DEMO)
    for _ in range(2):
        browser = site.anonymous()
        assert browser.get(f"/link/{secret}", follow=False).status == 303
        assert browser.get("/account").path == "/account"


# Forms


def test_a_form_that_is_not_ours_changes_nothing(site: Installation) -> None:
    browser = site.as_desk()
    browser.get("/account")
    for form, headers in (
        ({"csrf": "x" * 43}, {}),
        ({"csrf": ""}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        page = browser.post("/sign-out", form, headers=headers)
        assert page.status == 403
    assert browser.get("/account").path == "/account"


def test_what_was_typed_survives_a_lost_sign_in(with_password: Installation) -> None:
    """Posted without being signed in, signed in, and sent on as it was."""
    browser = with_password.anonymous()
    page = browser.post("/switch-clinic", {"to": "7", "words": "line one\nline two"})
    assert page.status == 401
    assert "what you typed is kept" in page.text
    page = browser.submit("/sign-in", {"email": FERN, "password": PASSWORD})
    assert page.words("h1") == ["You are signed in again"]
    kept = page.form("/switch-clinic")
    assert (kept["to"], kept["words"]) == ("7", "line one\nline two")
    assert "password" not in kept


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"csrf": ""}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_nobody_signs_in_for_what_another_site_had_them_send(
    site: Installation, form: dict[str, str], headers: dict[str, str]
) -> None:
    """From there the browser sends no cookies, so even who is signed in would be asked."""
    page = site.anonymous().post("/patients/1/cancel-all", {"why": "evil"} | form, headers=headers)
    assert page.status == 401
    assert page.all("[value=evil]") == []
    assert page.form("/sign-in")["next"] == "/"


def test_a_fragment_for_nobody_is_an_answer_that_leaves_the_page_as_it_is(site: Installation) -> None:
    page = site.anonymous().fragment("/account")
    assert (page.status, page.text) == (401, "")


# Several clinics


def test_a_person_of_two_clinics_switches_and_an_old_tab_cannot_write_into_the_other(
    site: Installation,
) -> None:
    other = site.open_other_clinic()
    with site.change() as session:
        site.hire(session, session.merge(other), FERN, "front_desk")
    browser = site.as_desk()
    page = browser.get("/account")
    assert page.words("#switch-clinic option") == ["Harbour Osteopathy", "Riverside Physio"]
    page = browser.submit("/switch-clinic", {"to": str(other.id)}, follow=False)
    assert page.status == 303
    assert browser.get("/account").words(".brand span") == ["Harbour Osteopathy"]
    stale = browser.post("/sign-out", {"clinic": str(site.clinic.id)})
    assert stale.status == 409
    assert "switched to Harbour Osteopathy" in stale.text


def test_nobody_switches_to_a_clinic_that_is_not_theirs(site: Installation) -> None:
    other = site.open_other_clinic()
    browser = site.as_desk()
    assert browser.post("/switch-clinic", {"to": str(other.id)}).status == 404
    assert "Harbour" not in browser.get("/account").text
    assert site.signed_in(HUGO).get("/account").words(".brand span") == ["Harbour Osteopathy"]

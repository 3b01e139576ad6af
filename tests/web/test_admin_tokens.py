from __future__ import annotations

from sqlalchemy import select

from notifier.models import ApiToken
from tests.web.cast import HUGO, Installation


def test_a_token_is_shown_once_and_lets_its_program_in_until_it_is_revoked(site: Installation) -> None:
    browser = site.as_admin()
    browser.get("/tokens")
    page = browser.submit("/tokens", {"name": "Booking system"})
    secret = str(page.one("#secret")["value"])
    program = site.anonymous().client
    bearer = {"Authorization": f"Bearer {secret}"}
    assert program.get("/api/v1/plans", headers=bearer).status_code == 200
    page = browser.get("/tokens")
    assert secret not in str(page.html)
    assert "Booking system read and write" in page.words("tbody tr")[0]
    with site.look() as session:
        token = session.scalars(select(ApiToken)).one()
    page = browser.submit(f"/tokens/{token.id}/revoke")
    assert page.toast == "Booking system is no longer let in."
    assert program.get("/api/v1/plans", headers=bearer).status_code == 401


def test_a_token_needs_a_name_and_what_was_typed_stays(site: Installation) -> None:
    page = site.as_admin().post("/tokens", {"name": " ", "scope": "read"})
    assert page.status == 422
    assert "name" in page.wrong()
    assert page.form("/tokens")["scope"] == "read"


def test_another_clinics_token_is_out_of_reach(site: Installation) -> None:
    site.as_admin().post("/tokens", {"name": "Booking system", "scope": "write"})
    site.open_other_clinic()
    with site.look() as session:
        token = session.scalars(select(ApiToken)).one()
    assert site.signed_in(HUGO).post(f"/tokens/{token.id}/revoke").status == 404

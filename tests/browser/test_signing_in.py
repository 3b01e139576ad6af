"""The doors of the application, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.axe import axe
from tests.browser.entering import enter
from tests.browser.watching import Watch
from tests.web.cast import ADA
from tests.web.conftest import Live


def test_a_wrong_password_is_said_beside_the_field(live: Live, page: Page, watch: Watch) -> None:
    page.goto(f"{live.address}/account")
    page.get_by_label("E-mail address").fill(ADA)
    page.get_by_label("Password").fill("not this one")
    axe(page)
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail address")).to_have_value(ADA)
    expect(page.locator(".wrong, [role=alert]").first).to_be_visible()
    axe(page)
    watch.expect("status of 4")


def test_who_is_signed_in_gets_to_their_account(live: Live, page: Page) -> None:
    enter(page, live, ADA)
    page.goto(f"{live.address}/account")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    axe(page)

"""The phone view in a real browser: messages arrive while one looks, and mails look as they were laid out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests import cast
from tests.browser.axe import axe
from tests.browser.entering import enter
from tests.web.cast import FERN
from tests.web.conftest import Live
from tests.web.test_phone import send


@pytest.fixture
def day0(live: Live) -> Live:
    """Alice will get a text and Edward an e-mail."""
    live.installation.log(cast.ALICE)
    live.installation.log(cast.EDWARD)
    return live


def test_messages_arrive_while_one_looks(page: Page, day0: Live) -> None:
    enter(page, day0, FERN)
    page.goto(f"{day0.address}/phone")
    expect(page.get_by_text("No text yet")).to_be_visible()
    axe(page)
    send(day0.installation, "2026-02-03 17:30")
    expect(page.locator(".bubble")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="2 new messages")).to_have_count(1)
    page.get_by_role("link", name="After your visit").click()
    expect(page.locator("#reader iframe")).to_be_visible()
    axe(page)


def background(page: Page) -> str:
    # Of the mail's own class, which a rule of its style sheet colours on dark screens.
    body = page.frame_locator("#reader iframe").locator("body.page")
    return str(body.evaluate("body => getComputedStyle(body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mail_has_its_own_styles_and_can_be_seen_light_and_dark(
    desktop: Page, day0: Live, scheme: str
) -> None:
    send(day0.installation, "2026-02-03 17:30")
    enter(desktop, day0, FERN)
    desktop.goto(f"{day0.address}/phone")
    desktop.get_by_role("button", name=scheme.capitalize()).click()
    expect(desktop.locator(f"#reader iframe.{scheme}")).to_be_visible()
    shown = {"light": "rgb(242, 245, 247)", "dark": "rgb(18, 23, 27)"}
    expect(desktop.frame_locator("#reader iframe").locator(".words").first).to_be_visible()
    assert background(desktop) == shown[scheme]


def test_beside_the_desk_the_phone_fills_while_one_types(desktop: Page, day0: Live) -> None:
    enter(desktop, day0, FERN)
    desktop.goto(f"{day0.address}/")
    expect(desktop.get_by_text("No text yet.")).to_be_visible()
    who = desktop.get_by_label("Patient", exact=True)
    who.press_sequentially("Ali")
    send(day0.installation, "2026-02-03 17:30")
    expect(desktop.locator(".beside .bubble")).to_have_count(1)
    expect(who).to_be_focused()
    expect(who).to_have_value("Ali")

"""A plan is tuned in a real browser, and pending messages move."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from sqlalchemy import select

from notifier.models import Message
from tests.browser.axe import axe
from tests.browser.entering import enter
from tests.cast import DAY1, wall
from tests.web.cast import ADA
from tests.web.conftest import Live

NEEDLING = "/plans/dry-needling"


def tuned(page: Page, live: Live) -> None:
    """Sixteen quarters of an hour later, by keyboard; then what that would do."""
    enter(page, live, ADA)
    page.goto(f"{live.address}{NEEDLING}")
    page.locator("#dot-s1").focus()
    for _ in range(16):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#f-s1-after")).to_have_value("26h")
    page.get_by_role("button", name="See the effect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New version 2")


def due(live: Live, treatment: int) -> str:
    with live.installation.look() as session:
        query = select(Message.due_at).where(Message.treatment_id == treatment, Message.step == DAY1)
        return wall(session.scalars(query).one())


def test_a_plan_is_tuned_and_pending_messages_move(live: Live, desktop: Page) -> None:
    treatment = live.installation.log()
    assert due(live, treatment) == "2026-02-04 13:30"
    tuned(desktop, live)
    expect(desktop.locator(".examples")).to_contain_text("Tomorrow 13:30 → Tomorrow 17:30")
    desktop.get_by_label("Pending messages too.").check()
    desktop.get_by_role("button", name="Save version 2").click()
    expect(desktop.locator("#toasts")).to_contain_text("Version 2 is saved.")
    expect(desktop.locator("#retiming .bar")).to_have_count(0)
    assert due(live, treatment) == "2026-02-04 17:30"
    desktop.reload()
    expect(desktop.locator("#f-s1-after")).to_have_value("26h")
    expect(desktop.locator(".bar-words")).to_contain_text("Nothing is changed.")


def test_the_pages_around_saving_are_accessible(live: Live, page: Page) -> None:
    live.installation.log()
    tuned(page, live)
    expect(page.locator(".effect")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Go on editing").click()
    expect(page.locator("#f-s1-after")).to_have_value("26h")
    page.get_by_role("button", name="See the effect").click()
    page.get_by_role("button", name="Save version 2").click()
    page.get_by_role("link", name="Versions").click()
    expect(page.locator(".changes")).to_contain_text("22 hours after the treatment → 26 hours")
    axe(page)

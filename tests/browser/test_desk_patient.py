"""The desk's pages in a real browser: by keyboard, and renewing themselves without taking anything away."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.entering import enter
from tests.cast import ALICE, CAROL, LEO, MIA
from tests.web.cast import FERN
from tests.web.conftest import Live

# Pages ask for news this often; the browser's clock is moved on, so that nobody waits.
A_LITTLE = 5_100


def test_a_patient_is_found_by_keyboard_and_a_message_cancelled_and_restored(
    live: Live, desktop: Page
) -> None:
    live.installation.log(ALICE)
    live.installation.log(MIA)
    live.installation.log(LEO)
    enter(desktop, live, FERN)
    desktop.goto(f"{live.address}/patients")
    desktop.keyboard.type("ros")
    expect(desktop.locator(".found a")).to_have_count(2)
    desktop.keyboard.press("ArrowDown")
    desktop.keyboard.press("ArrowDown")
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", level=1)).to_contain_text("Mia Rossi")
    first = desktop.locator("#coming-title + .timeline > li").first
    first.locator("summary").focus()
    desktop.keyboard.press("Enter")
    expect(first.locator(".bubble")).to_contain_text("Hi Paola")
    first.get_by_role("button", name="Cancel this message").click()
    toast = desktop.locator(".toast")
    expect(toast).to_contain_text("Cancelled: it will not be sent.")
    toast.get_by_role("button", name="Undo").click()
    expect(desktop.locator(".toast")).to_contain_text("Restored: it will be sent.")


def test_today_renews_itself(live: Live, desktop: Page) -> None:
    live.installation.log(ALICE)
    enter(desktop, live, FERN)
    desktop.clock.install()
    desktop.goto(f"{live.address}/today")
    expect(desktop.locator(".course")).to_have_count(1)
    live.installation.log(CAROL, consents=())
    desktop.clock.run_for(A_LITTLE)
    expect(desktop.locator(".course")).to_have_count(2)
    expect(desktop.locator("#news")).to_have_text("1 thing needs a person.")


def test_what_somebody_reads_is_not_taken_away_by_news(live: Live, desktop: Page) -> None:
    live.installation.log(ALICE)
    enter(desktop, live, FERN)
    desktop.clock.install()
    desktop.goto(f"{live.address}/patients/1")
    opened = desktop.locator("#m1 > details")
    opened.locator("summary").click()
    expect(opened.locator(".bubble")).to_be_visible()
    live.installation.as_admin().post("/messages/2/cancel")
    desktop.clock.run_for(2 * A_LITTLE)
    expect(opened.locator(".bubble")).to_be_visible()
    expect(desktop.locator("#m2 .status")).to_have_text("Will be sent")
    opened.locator("summary").click()
    desktop.clock.run_for(2 * A_LITTLE)
    expect(desktop.locator("#m2 .status")).to_have_text("Cancelled")

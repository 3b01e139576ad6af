"""The inbox in a real browser: it renews itself, and leaves alone what somebody is typing."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from notifier.models import Clinic
from tests.browser.entering import enter
from tests.cast import ALICE
from tests.replies_cast import patient_named, wrote
from tests.web.cast import FERN
from tests.web.conftest import Live

# The list and the conversation ask for news this often.
A_LITTLE = 4_100


def test_a_reply_appears_by_itself_while_an_answer_is_half_typed(live: Live, desktop: Page) -> None:
    site = live.installation
    site.log(ALICE)

    def writes(words: str) -> None:
        with site.change() as session:
            clinic = session.get_one(Clinic, site.clinic.id)
            wrote(session, clinic, patient_named(session, "Alice"), words, when=site.clock.now())

    writes("May I run again?")
    enter(desktop, live, FERN)
    desktop.clock.install()
    desktop.goto(f"{live.address}/inbox")
    desktop.keyboard.press("j")
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", level=1)).to_have_text("Alice Moreau")
    words = desktop.get_by_label("Your words, to Alice")
    words.press_sequentially("Yes, but “gently” – żwawo")
    desktop.clock.run_for(300)
    expect(desktop.locator("#count")).to_contain_text("25 of 160 characters")
    writes("And swim?")
    desktop.clock.run_for(A_LITTLE)
    expect(desktop.locator(".theirs-said .bubble")).to_have_text(["May I run again?", "And swim?"])
    expect(desktop.locator("#talk-news")).to_have_text("New: And swim?")
    expect(words).to_have_value("Yes, but “gently” – żwawo")
    expect(words).to_be_focused()
    desktop.reload()
    expect(words).to_have_value("Yes, but “gently” – żwawo")
    words.press("Control+Enter")
    toast = desktop.locator(".toast")
    expect(toast).to_contain_text("Your answer leaves in 10 seconds.")
    expect(desktop.get_by_text("Nobody is waiting for you.")).to_be_visible()
    toast.get_by_role("button", name="Undo").click()
    expect(words).to_have_value("Yes, but “gently” – żwawo")
    expect(desktop.locator("#inbox-badge .tag")).to_contain_text("1")

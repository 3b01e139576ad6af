"""The texts editor in a real browser: what a text costs and how it reads, while one types."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.axe import axe
from tests.browser.conftest import OpenPage
from tests.browser.entering import enter
from tests.cast import DAY0
from tests.web.cast import ADA
from tests.web.conftest import Live

ALL = "/plans/dry-needling/texts"
TEXT = f"{ALL}/{DAY0}"
SHORT = "{{ clinic.name }}: Hi {{ patient.first_name }}. STOP to end."


def opened(page: Page, live: Live, path: str = TEXT) -> Page:
    enter(page, live, ADA)
    page.goto(live.address + path)
    return page


def test_a_second_part_is_told_with_its_reason_while_one_types(live: Live, desktop: Page) -> None:
    page = opened(desktop, live)
    sms, counter = page.get_by_label("SMS in English", exact=True), page.locator("#sms-en .counter strong")
    sms.fill(SHORT)
    expect(counter).to_have_text("1 part")
    sms.press("End")
    sms.press_sequentially(" x" * 61)
    expect(counter).to_have_text("2 parts")
    expect(page.locator("#sms-en .why")).to_contain_text("over the 160 that fit into one part")
    sms.fill(f"{SHORT} {'Д' * 40}")
    expect(page.locator("#sms-en .why")).to_contain_text("is not in the plain SMS alphabet")
    expect(page.locator("#sms-en .bubble")).to_contain_text("Riverside Physio: Hi Alex. STOP to end.")
    # The e-mail was not touched, and its frames were not loaded anew.
    expect(page.locator("#mail-en iframe")).to_have_count(2)


def test_placeholders_go_where_the_cursor_is_by_keyboard_alone(live: Live, desktop: Page) -> None:
    page = opened(desktop, live)
    subject = page.get_by_label("E-mail subject in English", exact=True)
    subject.fill("Hello , how are you?")
    # What is shown beside it is renewed once; keys pressed meanwhile might meet a page that is just changing.
    expect(page.locator("#mail-en .subject-line")).to_contain_text("Hello , how are you?")
    for _ in range(len(", how are you?")):
        subject.press("ArrowLeft")
    page.get_by_role("button", name="First name").focus()
    page.keyboard.press("Enter")
    expect(subject).to_have_value("Hello {{ patient.first_name }}, how are you?")
    expect(subject).to_be_focused()
    expect(page.locator("#mail-en .subject-line")).to_contain_text("Hello Alex, how are you?")


def test_the_email_is_seen_in_light_and_in_dark_whatever_the_screen(live: Live, open_page: OpenPage) -> None:
    for look in ("desktop-light", "desktop-dark"):
        page = opened(open_page(look), live)
        page.get_by_label("E-mail in English", exact=True).fill("Hi {{ patient.first_name }},\n\n**Rest**")
        papers = {}
        for scheme in ("light", "dark"):
            shown = page.frame_locator(f"#mail-en iframe.{scheme}")
            expect(shown.get_by_text("Rest", exact=True)).to_be_visible()
            papers[scheme] = shown.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        assert papers == {"light": "rgb(242, 245, 247)", "dark": "rgb(18, 23, 27)"}


def test_what_was_typed_outlives_a_reload_and_errors_stand_beside_their_fields(
    live: Live, desktop: Page
) -> None:
    page = opened(desktop, live)
    page.get_by_label("SMS in English", exact=True).fill("Hi {{ patient.name }}")
    expect(page.locator("#say-sms-en")).to_contain_text("Did you mean patient.first_name?")
    expect(page.locator("#save-bar")).to_contain_text("1 thing to put right")
    page.reload()
    again = page.get_by_label("SMS in English", exact=True)
    expect(again).to_have_value("Hi {{ patient.name }}")
    expect(again).to_have_attribute("aria-invalid", "true")
    axe(page)


def test_a_test_is_sent_by_enter_and_followed(live: Live, desktop: Page) -> None:
    page = opened(desktop, live)
    page.get_by_label("Send this SMS to your own phone").first.fill("212 555 0155")
    page.keyboard.press("Enter")
    expect(page.locator("#sent-sms-en")).to_contain_text("(212) 555-0155")
    assert page.url.endswith(DAY0)


def test_texts_are_readable_for_everybody(live: Live, page: Page) -> None:
    live.installation.log()
    opened(page, live, ALL)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    axe(page)
    page.goto(live.address + TEXT)
    page.get_by_role("link", name="Spanish").click()
    expect(page.get_by_label("SMS in Spanish", exact=True)).to_be_visible()
    expect(page.get_by_label("SMS in English", exact=True)).to_be_hidden()
    axe(page)
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "the page is wider than its window"

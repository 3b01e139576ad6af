"""Logging by keyboard alone, and the sheet on paper: what only a browser can show."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from notifier.models import ConsentEntry, Patient, Treatment
from notifier.planfiles import shipped_plans
from tests import cast
from tests.browser.axe import axe
from tests.browser.conftest import OpenPage
from tests.browser.entering import enter
from tests.web.cast import FERN
from tests.web.conftest import Live

PLANS = [folder.name for folder in shipped_plans()]
AS_IT_ENDED = cast.ENDED - timedelta(days=30)


@pytest.fixture
def at_desk(live: Live) -> Callable[[Page], Page]:
    def sit_down(page: Page) -> Page:
        enter(page, live, FERN)
        page.goto(live.address)
        return page

    return sit_down


class Keys:
    """Counts every press but those that type a name."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed += 1

    def type(self, words: str) -> None:
        self.page.keyboard.type(words)
        self.pressed += len(words)


def test_a_returning_patient_is_logged_by_a_name_and_two_keys_and_undone_by_a_click(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(ended_at=AS_IT_ENDED)
    page, keys = at_desk(desktop), Keys(desktop)
    began = time.monotonic()
    page.keyboard.type("moreau")
    expect(page.get_by_role("option", name="Alice Moreau")).to_have_attribute("aria-selected", "true")
    keys.press("Enter")
    expect(page.locator(".chosen")).to_contain_text("said yes")
    expect(page.locator("#preview .bubble").first).to_contain_text("Hi Alice.")
    keys.press("Enter")
    expect(page.locator(".toast")).to_contain_text(
        "Logged: Alice Moreau, Dry needling aftercare. First message"
    )
    assert keys.pressed == 2
    assert time.monotonic() - began < 10
    expect(page.locator("#f-who")).to_be_focused()
    expect(page.locator("#f-who")).to_have_value("")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Taken back: Alice Moreau")
    page.locator(".toast").get_by_role("button", name="Bring back").click()
    expect(page.locator(".toast")).to_contain_text("Brought back: Alice Moreau")


def test_with_another_plan_time_and_area_it_still_takes_at_most_twelve(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(ended_at=AS_IT_ENDED, practitioner="Dr Ruiz")
    page, keys = at_desk(desktop), Keys(desktop)
    page.keyboard.type("alice")
    expect(page.get_by_role("option", name="Alice Moreau")).to_be_visible()
    keys.press("Enter")
    expect(page.locator(".chosen")).to_be_visible()
    # The link to the patient, the wish, the plan, the practitioner.
    keys.press("Tab", "Tab", "Tab", "ArrowDown", "Tab", "Tab")
    expect(page.locator("#f-ended_at")).to_be_focused()
    keys.type("-15")
    keys.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Logged: Alice Moreau, Cupping aftercare.")
    assert keys.pressed <= 12
    with live.installation.look() as session:
        latest = session.scalars(select(Treatment).order_by(Treatment.id.desc())).first()
        assert latest is not None
        assert latest.ended_at == live.installation.clock.now() - timedelta(minutes=15)


def test_a_new_patient_is_entered_without_leaving_the_form(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    page = at_desk(desktop)
    page.keyboard.type("dana lee whitfield")
    expect(page.get_by_role("option", name="new patient")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Mobile phone")).to_be_focused()
    expect(page.get_by_label("First name")).to_have_value("Dana Lee")
    page.keyboard.type("212 555 0144")
    page.get_by_label("Language").select_option("es")
    expect(page.locator("blockquote:visible")).to_contain_text("quisiera escribirle")
    page.get_by_role("radiogroup", name="SMS").get_by_label("Yes").check()
    expect(page.locator("#preview .bubble").first).to_contain_text("Hola Dana Lee.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast")).to_contain_text("Logged: Dana Lee Whitfield")
    with live.installation.look() as session:
        assert session.scalars(select(Patient.last_name)).all() == ["Whitfield"]
        assert "quisiera escribirle" in session.scalars(select(ConsentEntry.wording)).one()


def test_who_is_quicker_than_the_list_still_gets_the_only_one_found(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(ended_at=AS_IT_ENDED)
    page = at_desk(desktop)
    page.keyboard.type("moreau")
    page.keyboard.press("Enter")
    expect(page.locator(".chosen")).to_contain_text("Alice Moreau")


def test_of_several_nobody_is_taken_unseen(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(cast.MIA, ended_at=AS_IT_ENDED)
    live.installation.log(cast.LEO, ended_at=AS_IT_ENDED)
    page = at_desk(desktop)
    page.keyboard.type("rossi")
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="Mia Rossi")).to_be_visible()
    assert page.locator(".chosen").count() == 0
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    # There is something to ask of nobody here, so the cursor stays; her phone is shared.
    expect(page.locator(".chosen")).to_contain_text("Shared phone: also")


def test_who_has_to_be_asked_is_asked_before_enter_saves(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(cast.BOB, ended_at=AS_IT_ENDED)
    page = at_desk(desktop)
    page.keyboard.type("tanaka")
    expect(page.get_by_role("option", name="Bob Tanaka")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    yes = page.get_by_role("radiogroup", name="SMS").get_by_label("Yes")
    expect(yes).to_be_focused()
    expect(page.locator("#preview")).to_contain_text("Nothing will reach the patient.")
    page.keyboard.press("Space")
    expect(page.locator("#preview .bubble").first).to_contain_text("Hi Bob.")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Logged: Bob Tanaka")


def test_escape_lets_go_of_the_list_and_then_of_the_patient(
    live: Live, desktop: Page, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(ended_at=AS_IT_ENDED)
    page = at_desk(desktop)
    page.keyboard.type("alice")
    expect(page.locator("#who-list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#who-list")).to_be_hidden()
    expect(page.locator("#f-who")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".chosen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".chosen")).to_have_count(0)
    expect(page.locator("#f-who")).to_have_value("")
    expect(page.locator("#preview")).to_contain_text("Choose a patient")


@pytest.mark.parametrize("look", ["desktop-dark", "phone-light"])
def test_the_form_in_use_is_readable_by_everybody(
    look: str, live: Live, open_page: OpenPage, at_desk: Callable[[Page], Page]
) -> None:
    live.installation.log(cast.MIA, ended_at=AS_IT_ENDED)
    page = at_desk(open_page(look))  # type: ignore[arg-type]
    page.locator("#f-who").press_sequentially("rossi")
    expect(page.get_by_role("option", name="Mia Rossi")).to_be_visible()
    axe(page)
    page.keyboard.press("Enter")
    expect(page.locator("#preview .bubble").first).to_be_visible()
    axe(page)


# Paper


@pytest.mark.parametrize("plan", PLANS)
def test_each_language_of_a_sheet_fits_one_page_of_either_size(
    plan: str, live: Live, open_page: OpenPage
) -> None:
    page = open_page("desktop-dark")
    enter(page, live, FERN)
    page.goto(f"{live.address}/sheet?plan={plan}")
    for size in ("A4", "Letter"):
        pdf = page.pdf(format=size)
        assert pdf.count(b"/Type /Page\n") == 2, size
    axe(page)

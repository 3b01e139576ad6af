"""The plan editor where only a browser can show it: dots that are dragged, and what is typed kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import axe
from tests.browser.entering import enter
from tests.web.cast import ADA
from tests.web.conftest import Live

NEEDLING = "/plans/dry-needling"


@pytest.fixture
def editor(live: Live, desktop: Page) -> Page:
    return opened(desktop, live)


def opened(page: Page, live: Live) -> Page:
    enter(page, live, ADA)
    page.goto(f"{live.address}{NEEDLING}")
    return page


def drag(page: Page, row: str, by: float) -> None:
    """The dot of this step, by so many hundredths of the axis."""
    dot, axis = page.locator(f"#dot-{row} .grip"), page.locator("#axis-svg")
    dot.scroll_into_view_if_needed()
    start, width = dot.bounding_box(), axis.bounding_box()
    assert start is not None
    assert width is not None
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + width["width"] * by / 200, y, steps=3)
    page.mouse.move(x + width["width"] * by / 100, y, steps=3)
    page.mouse.up()


def field(page: Page, name: str) -> str:
    return page.locator(f"#f-{name}").input_value()


def test_a_dragged_dot_changes_the_field_and_what_if_follows(editor: Page) -> None:
    before = editor.locator(".what-row", has_text="Day 2: soreness score").inner_text()
    drag(editor, "s2", 4)
    after = field(editor, "s2-after")
    hours, minutes = re.fullmatch(r"(\d+)(h|m)", after).groups()  # type: ignore[union-attr]
    assert int(hours) * (60 if minutes == "h" else 1) > 46 * 60
    assert int(hours) * (60 if minutes == "h" else 1) % 15 == 0
    expect(editor.locator("#when-s2")).to_have_text(after)
    expect(editor.locator(".bar-words")).to_contain_text("Changed, not saved yet.")
    expect(editor.locator(".what-row", has_text="Day 2: soreness score")).not_to_have_text(before)


def test_a_step_counted_in_days_snaps_to_days_and_one_with_a_time_to_half_hours(editor: Page) -> None:
    drag(editor, "s5", -10)
    assert re.fullmatch(r"[1-4]d", field(editor, "s5-after"))
    editor.locator("#step-s5 summary").click()
    editor.locator("#f-s5-at").fill("10:00")
    expect(editor.locator("#dot-s5")).to_have_attribute("data-drag", "clock")
    drag(editor, "s5", 3)
    assert re.fullmatch(r"\d\d:[03]0", field(editor, "s5-at"))
    assert field(editor, "s5-at") != "10:00"


def test_by_keyboard_a_dot_goes_by_quarters_of_an_hour_and_keeps_the_focus(editor: Page) -> None:
    dot = editor.locator("#dot-s1")
    dot.focus()
    editor.keyboard.press("ArrowRight")
    assert field(editor, "s1-after") == "1335m"
    expect(editor.locator(".bar-words")).to_contain_text("Changed")
    expect(dot).to_be_focused()
    editor.keyboard.press("PageUp")
    assert field(editor, "s1-after") == "2775m"
    expect(editor.locator("#say-s1-useful_for .error")).to_contain_text("It can never go out")
    expect(editor.locator("#f-s1-useful_for")).to_have_attribute("aria-invalid", "true")


def test_what_is_typed_is_checked_without_being_disturbed(editor: Page) -> None:
    editor.locator("#step-s1 summary").click()
    typed = editor.locator("#f-s1-after")
    typed.fill("")
    typed.press_sequentially("soon", delay=30)
    expect(editor.locator("#say-s1-after .error")).to_contain_text('"soon" is not a duration')
    expect(typed).to_be_focused()
    expect(editor.locator("#step-s1")).to_have_attribute("open", "")
    typed.fill("26h")
    expect(editor.locator("#say-s1-after .error")).to_have_count(0)
    expect(editor.locator("#words-s1")).to_contain_text("26 hours after the treatment")


def test_an_audience_is_put_together_from_its_words(editor: Page) -> None:
    editor.locator("#step-s1 summary").click()
    builder = editor.locator("#step-s1 .builder")
    builder.locator("[data-part=joint]").select_option("and not")
    builder.locator("[data-part=word]").select_option("score>=")
    builder.locator("[data-part=value]").fill("5")
    builder.get_by_role("button", name="Add").click()
    assert field(editor, "s1-audience") == "first and not score>=5"
    expect(editor.locator("#aud-s1")).to_have_text("Not received in 90 days and no score of 5 or more.")


def test_steps_are_copied_and_what_was_typed_outlives_going_away_and_back(editor: Page) -> None:
    editor.locator("#step-s1 summary").click()
    editor.locator("#f-s1-after").fill("26h")
    editor.get_by_role("button", name="Copy Day 1: soreness is normal").click()
    expect(editor.locator("#f-s7-key")).to_have_value("day1-soreness-is-normal-copy")
    # Nobody types within the few milliseconds until the new form listens.
    editor.wait_for_timeout(300)
    editor.locator("#f-s7-key").fill("day2-once-more")
    expect(editor.locator("#sum-s7")).to_contain_text("Day 2: once more")
    editor.goto(editor.url.replace(NEEDLING, "/plans"))
    editor.go_back()
    expect(editor.locator("#f-s7-key")).to_have_value("day2-once-more")
    assert field(editor, "s1-after") == "26h"
    editor.get_by_role("button", name="Undo all").click()
    expect(editor.locator("#f-s7-key")).to_have_count(0)
    assert field(editor, "s1-after") == "22h"


def test_the_editor_is_accessible_with_its_forms_open_and_something_wrong(live: Live, page: Page) -> None:
    opened(page, live)
    page.locator("#step-s1 summary").click()
    page.locator("#f-s1-after").fill("40h")
    expect(page.locator("#say-s1-useful_for .error")).to_be_visible()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

"""The editor of a plan, as an admin meets it; nothing is saved here."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.browser import Browser, Page
from tests.web.cast import Installation

NEEDLING = "/plans/dry-needling"
REVIEW, EDIT, CHECK = (f"{NEEDLING}/{what}" for what in ("review", "edit", "check"))


@pytest.fixture
def reader(site_once: Installation) -> Browser:
    """Of the admin who tries things out and saves nothing."""
    return site_once.as_admin()


def form(browser: Browser, **changes: str) -> dict[str, Any]:
    """The editor's form with something typed into it: s1_after is the second step's after."""
    typed = {re.sub(r"^(s\d+)_", r"\1-", name): value for name, value in changes.items()}
    return browser.get(NEEDLING).form(REVIEW) | typed


def whole(page: Page) -> dict[str, Any]:
    return page.form(REVIEW)


def test_a_plan_that_was_only_opened_is_the_same_when_its_form_comes_back(
    reader: Browser,
) -> None:
    page = reader.post(EDIT, form(reader))
    assert page.words(".bar-words") == ["Nothing is changed."]
    assert page.form(REVIEW) == reader.get(NEEDLING).form(REVIEW)


def test_each_step_has_its_lane_its_sentence_and_a_way_to_its_texts(reader: Browser) -> None:
    page = reader.get(NEEDLING)
    assert len(page.all(".axis .handle")) == 7
    assert page.words("#words-s0")[0].startswith(
        "2 hours after the treatment; outside 09:00-20:00 at the last"
    )
    assert page.one("#dot-s0")["aria-valuetext"] == "2 hours after the treatment"
    assert page.one(f'a[href="{NEEDLING}/texts/day3-check-in"]')


def test_what_is_typed_is_checked_beside_its_field(reader: Browser) -> None:
    page = reader.post(CHECK, form(reader, s1_after="40h", s2_at="10:00", min_gap="often"), htmx=True)
    assert page.words("#say-s1-useful_for")[0].startswith("Error: It can never go out")
    assert page.words("#say-s2-at")[0].startswith("Error: A time of day goes with days")
    assert page.words("#say-min_gap")[0].startswith('Error: "often" is not a duration')
    assert page.words("#say-s3-after") == [""]
    assert page.words("#sum-s1") == ["Day 1: soreness is normal 1 error"]
    assert "3 things to put right." in page.words("#save-bar")[0]


def test_a_warning_is_shown_and_does_not_stand_in_the_way(reader: Browser) -> None:
    page = reader.post(CHECK, form(reader, s1_after="1d", s1_at="07:00"), htmx=True)
    assert page.words("#say-s1-at")[0].startswith("Warning: At 07:00 is outside the sending window")
    assert page.words("#save-bar .bar-words") == ["Changed, not saved yet. 1 warning."]


def test_the_axis_and_what_if_follow_what_is_typed(reader: Browser) -> None:
    before = reader.get(NEEDLING)
    page = reader.post(CHECK, form(reader, s1_after="26h"), htmx=True)
    assert page.words("#when-s1") == ["26h"]
    moved, stood = (float(str(p.one("#dot-s1")["x"])[:-1]) for p in (page, before))
    assert moved > stood
    assert [row for row in page.words(".what-head") if "Day 1: " in row] == [
        "Wed 11 Feb 17:30 26 h Day 1: soreness is normal · SMS"
    ]


def test_a_step_that_is_switched_off_is_told_apart_and_does_not_go_out(reader: Browser) -> None:
    typed = form(reader)
    del typed["s1-on"]
    page = reader.post(CHECK, typed, htmx=True)
    assert page.words("#sum-s1") == ["Day 1: soreness is normal off"]
    assert not any("day1-" in row for row in page.words(".what-row"))


@pytest.mark.parametrize(
    ("preset", "ended", "row"),
    [
        ("evening", "2026-02-10T20:45", "Wed 11 Feb 09:00 12 h 15 Day 0: what you may feel · SMS"),
        ("night", "2026-02-10T03:00", "Tue 10 Feb 09:00 6 h Day 0: what you may feel · SMS"),
        ("spring", "2026-03-07T17:30", "Sun 8 Mar 16:30 22 h Day 1: soreness is normal · SMS"),
        ("autumn", "2026-10-31T17:30", "Sun 1 Nov 14:30 22 h Day 1: soreness is normal · SMS"),
        ("far", "2026-02-10T15:30", "Wed 11 Feb 13:30 22 h Day 1: soreness is normal · SMS"),
    ],
)
def test_what_if_has_the_nights_that_matter_at_hand(
    reader: Browser, preset: str, ended: str, row: str
) -> None:
    page = reader.post(EDIT, form(reader, s2_after="50h") | {"preset": preset})
    kept = whole(page)
    assert (kept["what-ended_at"], kept["s2-after"]) == (ended, "50h")
    assert row in page.words(".what-head")
    zone = "America/Los_Angeles" if preset == "far" else "America/New_York"
    assert kept["what-timezone"] == zone
    assert ("times are those of America/Los_Angeles" in page.text) is (preset == "far")


def test_a_question_that_cannot_be_is_told_and_the_plan_is_still_shown(reader: Browser) -> None:
    page = reader.post(EDIT, form(reader) | {"what-timezone": "America/Nowhere"})
    assert page.status == 200
    assert page.wrong()["what-timezone"].startswith('There is no time zone "America/Nowhere".')
    assert len(page.all(".axis .handle")) == 7


def test_steps_are_added_copied_moved_removed_and_kept_without_a_script(reader: Browser) -> None:
    reader.get(NEEDLING)
    for do, first in (
        ("copy-s0", ["Day 0: what you may feel", "Day 0: what you may feel copy"]),
        ("later-s0", ["Day 0: what you may feel copy", "Day 0: what you may feel"]),
        ("remove-s7", ["Day 0: what you may feel", "Day 1: soreness is normal"]),
        ("add", ["Day 0: what you may feel", "Day 1: soreness is normal"]),
    ):
        assert reader.page is not None
        page = reader.post(EDIT, whole(reader.page) | {"do": do})
        assert page.words(".step strong")[:2] == first, do
    page = reader.post(EDIT, whole(page) | {"do": "remove-s1", "s2-after": "47h"})
    assert page.words(".step.gone strong") == ["Day 1: soreness is normal"]
    assert page.words(".note, .notice[role=status] p") == [
        "Day 1: soreness is normal is removed when you save."
    ]
    page = reader.post(EDIT, whole(page) | {"do": "keep-s1"})
    assert page.all(".step.gone") == []
    assert whole(page)["s2-after"] == "47h"
    assert page.words(".step strong")[-1] == "New message"


def test_what_was_typed_survives_a_lost_sign_in(site_once: Installation, reader: Browser) -> None:
    typed = form(reader, s1_after="26h")
    del typed["csrf"]  # the browser's own comes with it
    lost = site_once.anonymous().post(EDIT, typed)
    assert lost.status == 401
    assert lost.form("/sign-in")["kept:s1-after"] == "26h"
    assert lost.form("/sign-in")["kept:step"] == [f"s{n}" for n in range(7)]

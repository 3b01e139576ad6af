"""The bar with the demo's clock: only in the demo, and it does what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notifier.clock import RunningClock
from tests import cast
from tests.web.cast import Installation


@pytest.fixture
def clock(site: Installation) -> RunningClock:
    """The installation is a demo."""
    running = RunningClock(cast.LOGGED, 0)
    site.app.state.site = replace(site.site, clock=running)
    return running


def test_no_other_installation_has_it(site: Installation) -> None:
    browser = site.as_desk()
    assert browser.get("/account").all("#demo-bar") == []
    assert browser.get("/demo/now").status == 404
    assert browser.post("/demo/speed", {"speed": "0"}).status == 404
    assert browser.post("/demo/next").status == 404


def test_it_shows_the_time_and_the_speed(site: Installation, clock: RunningClock) -> None:
    page = site.as_desk().get("/account")
    assert "It is Tue 3 Feb 15:40" in page.one("#demo-bar").get_text(" ", strip=True)
    assert page.words("#demo-bar [aria-pressed=true]") == ["Pause"]
    assert site.as_desk().get("/demo/now").text == "Tue 3 Feb 15:40"


def test_the_speed_is_changed_and_one_is_where_one_was(site: Installation, clock: RunningClock) -> None:
    browser = site.as_desk()
    browser.get("/account")
    page = browser.submit("/demo/speed", {"speed": "3600"})
    assert (page.path, clock.speed) == ("/account", 3600)
    part = browser.post("/demo/speed", {"speed": "0", "back": "/today"}, htmx=True)
    assert clock.speed == 0
    assert part.words("[aria-pressed=true]") == ["Pause"]
    assert {tag["value"] for tag in part.all("[name=back]")} == {"/today"}


@pytest.mark.parametrize("speed", ["", "fast", "2", "-1", "inf"])
def test_no_other_speed_is_taken(site: Installation, clock: RunningClock, speed: str) -> None:
    assert site.as_desk().post("/demo/speed", {"speed": speed}).status == 422
    assert clock.speed == 0


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", ""])
def test_it_leads_nowhere_else(site: Installation, clock: RunningClock, back: str) -> None:
    page = site.as_desk().post("/demo/speed", {"speed": "1", "back": back}, follow=False)
    assert page.response.headers["Location"] == "/"


def test_it_jumps_to_the_next_message(site: Installation, clock: RunningClock) -> None:
    site.log()
    site.as_desk().post("/demo/next")
    assert cast.wall(clock.now()) == cast.WEEK[cast.DAY0]


def test_with_none_waiting_it_says_so(site: Installation, clock: RunningClock) -> None:
    browser = site.as_desk()
    browser.get("/account")
    assert "No message is waiting." in browser.submit("/demo/next").toast
    assert clock.now() == cast.LOGGED

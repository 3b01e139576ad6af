"""One Chromium a process, and pages in it as a desk sees them and as a phone does, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.chromium import noted
from tests.browser.watching import Watch
from tests.web.conftest import backend as backend
from tests.web.conftest import live as live
from tests.web.conftest import site as site

Look = Literal["desktop-light", "desktop-dark", "phone-light", "phone-dark"]
LOOKS: list[Look] = ["desktop-light", "desktop-dark", "phone-light", "phone-dark"]
# Both sizes and both colour schemes; each scheme in one size, as colours do not depend on it.
APART: list[Look] = ["desktop-light", "phone-dark"]
SIZES = {"desktop": ViewportSize(width=1440, height=900), "phone": ViewportSize(width=360, height=740)}
SCHEMES: dict[str, Literal["light", "dark"]] = {"light": "light", "dark": "dark"}

# For what a page does at once; a test that waits for a message to go out says how long.
PATIENCE = 10_000
expect.set_options(timeout=PATIENCE)

OpenPage = Callable[[Look], Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = noted().launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Of all pages of a test; what it saw and the test did not expect fails the test."""
    watch = Watch()
    yield watch
    watch.check()


@pytest.fixture
def open_page(request: pytest.FixtureRequest, browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Opens pages of people who know nothing of each other: each has cookies of its own."""
    if "live" in request.fixturenames:
        # Begun before the pages, so that they close first and call no server that is gone already.
        request.getfixturevalue("live")
    with ExitStack() as stack:

        def opened(look: Look) -> Page:
            size, scheme = look.split("-")
            # Still, so that nothing is looked at while it moves or fades.
            context = browser.new_context(
                viewport=SIZES[size], color_scheme=SCHEMES[scheme], reduced_motion="reduce"
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE)
            watch.follow(context)
            return context.new_page()

        yield opened


@pytest.fixture(params=APART)
def page(request: pytest.FixtureRequest, open_page: OpenPage) -> Page:
    """One look after the other: for what must hold in every size and every scheme."""
    return open_page(request.param)


@pytest.fixture
def desktop(open_page: OpenPage) -> Page:
    return open_page("desktop-light")


@pytest.fixture
def phone(open_page: OpenPage) -> Page:
    return open_page("phone-light")

"""The way into the application for a real browser."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.web.conftest import Live


def enter(page: Page, live: Live, email: str) -> None:
    """Signed in without the form, which has tests of its own; the page shows nothing yet."""
    known = live.installation.signed_in(email).client.cookies
    page.context.add_cookies(
        [{"name": name, "value": value, "url": live.address} for name, value in known.items()]
    )

"""Every page there is, with something of everything on it: readable, reachable, and within its frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Page

from notifier import clinics, db
from tests.browser.axe import OF_THE_LOOK, violations
from tests.browser.conftest import APART, Look, OpenPage
from tests.browser.entering import enter
from tests.databases import SqliteFiles
from tests.web.cast import ADA, Installation
from tests.web.conftest import Live, serving
from tests.web.day import live_through
from tests.web.test_routes import PAGES, PUBLIC, methods
from tests.web.test_scoping import address


@pytest.fixture(scope="module")
def lived_in(_sqlite: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with _sqlite.database(with_clinic=True) as engine:
        with db.reading(engine) as session:
            clinic = clinics.only(session)
            session.expunge(clinic)
        site = Installation(engine, clinic, tmp_path_factory.mktemp("day"))
        live_through(site)
        with serving(site) as base:
            yield Live(site, base)


def whole_pages(site: Installation) -> list[str]:
    """What a person opens, as opposed to parts that HTMX asks for, files, and what machines ask."""
    browser, found = site.as_admin(), []
    for route in PAGES:
        if "GET" in methods(route) and route.path not in PUBLIC:
            path = filled(route, site)
            answer = browser.client.get(path, follow_redirects=False)
            if answer.status_code == 200 and "<html" in answer.text and "<main" in answer.text:
                found.append(path)
    return found


def filled(route: APIRoute, site: Installation) -> str:
    return address(route, site) if route.param_convertors else route.path


@pytest.mark.parametrize("look", APART)
def test_every_page_is_accessible_and_keeps_within_its_frame(
    look: Look, open_page: OpenPage, lived_in: Live
) -> None:
    page = open_page(look)
    enter(page, lived_in, ADA)
    paths = whole_pages(lived_in.installation)
    assert len(paths) > 15, paths
    rules = () if look == APART[0] else OF_THE_LOOK
    wrong = {path: found for path in paths if (found := looked_at(page, f"{lived_in.address}{path}", rules))}
    assert wrong == {}, "\n".join(f"{path}\n  {what}" for path, found in wrong.items() for what in found)


def looked_at(page: Page, address: str, rules: tuple[str, ...] = ()) -> list[str]:
    page.goto(address)
    found = violations(page, *rules)
    if page.locator("h1").count() != 1:
        found.append(f"has {page.locator('h1').count()} headings of the first level")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        found.append(f"is {wide} pixels wider than the screen")
    if not page.title().strip(" –"):
        found.append("has no title")
    return found

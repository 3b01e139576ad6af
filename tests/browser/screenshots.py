"""The pictures of the README, taken of the demo in the middle of its week: `make screenshots`."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select

from notifier import db, demo
from notifier.clock import JumpingClock
from notifier.demo_screen import Screen
from notifier.demo_week import Week
from notifier.models import Patient
from notifier.web.app import create_app
from notifier.web.server import listen_near, serving
from tests.browser.chromium import noted

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
# Thursday afternoon: some messages have arrived, some are to come.
INTO_THE_WEEK = timedelta(days=1, hours=22)


def take(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        shown = demo.set_up(Path(home), Screen(_quiet, _quiet))
        clock = JumpingClock(demo.START)
        Week(shown.engine, shown.settings, shown.screen, clock, until=demo.START + INTO_THE_WEEK).play()
        clock.jump(demo.START + INTO_THE_WEEK)
        pages = create_app(shown.settings, shown.engine, clock)
        link = next(iter(shown.links.values()))
        with (
            listen_near("127.0.0.1", 0) as listening,
            serving(pages, listening) as address,
            sync_playwright() as playwright,
        ):
            browser = noted().launch(playwright)
            _take_all(browser, address, link, _patient(shown), folder)
            browser.close()
        shown.engine.dispose()


def _quiet(*_: Any) -> None:
    pass


def _patient(shown: demo.Demo) -> Patient:
    with db.reading(shown.engine) as session:
        patient = session.scalars(select(Patient).where(Patient.first_name == "Grace")).one()
        session.expunge(patient)
    return patient


def _take_all(browser: Browser, address: str, link: str, patient: Patient, folder: Path) -> None:
    desk = _signed_in(browser, address + link, width=1360, height=860, scheme="light")
    _log(desk, address, patient)
    desk.screenshot(path=folder / "log.png")
    desk.goto(f"{address}/today?day={quote(f'{demo.START:%Y-%m-%d}')}")
    desk.screenshot(path=folder / "today.png")
    desk.goto(f"{address}/plans/dry-needling")
    desk.wait_for_load_state("networkidle")
    desk.screenshot(path=folder / "plan.png")
    phone = _signed_in(browser, address + link, width=400, height=860, scheme="dark")
    phone.goto(f"{address}/patients/{patient.id}")
    phone.screenshot(path=folder / "patient.png")


def _signed_in(browser: Browser, link: str, *, width: int, height: int, scheme: Any) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(link)
    return page


def _log(page: Page, address: str, patient: Patient) -> None:
    """Half way through: the patient is chosen, and the messages stand at the side."""
    page.goto(address)
    page.keyboard.type(f"{patient.first_name} {patient.last_name}")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.locator(".foreseen").wait_for()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    take(FOLDER)

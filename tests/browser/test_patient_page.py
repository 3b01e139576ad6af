"""The patient's page on a phone: readable for everybody, in light and dark, and its slider tells a number."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from notifier.links import Links
from notifier.models import Clinic, Patient, ScoreRow
from notifier.web.site import Site
from tests import cast
from tests.browser.conftest import OpenPage
from tests.browser.test_every_page import looked_at
from tests.web.cast import Installation
from tests.web.conftest import Live

HOURS = timedelta(hours=26)
OPEN = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def page_of_alice(live: Live) -> str:
    """Her link, 26 hours after her treatment."""
    site = live.installation
    key = {"web": site.settings.web.model_copy(update={"secret_key": "k" * 32})}
    site.app.state.site = Site(site.settings.model_copy(update=key), site.engine, site.clock)
    site.log(cast.ALICE)
    site.clock.jump(cast.ENDED + HOURS)
    with site.change() as session:
        session.execute(update(Clinic).values(opening_hours=OPEN))
    until = cast.ENDED + timedelta(days=30)
    return f"{live.address}/p/{Links('', False, b'k' * 32).page_token(_alice(site), 0, until)}"


def _alice(site: Installation) -> int:
    with site.look() as session:
        return session.scalars(select(Patient.id)).one()


def slide(page: Page, value: int) -> None:
    slider = page.get_by_role("slider", name="How sore are you right now?")
    slider.focus()
    for _ in range(abs(value - 5)):
        slider.press("ArrowLeft" if value < 5 else "ArrowRight")


def test_a_patient_reads_it_on_a_phone_and_slides_to_a_number(live: Live, open_page: OpenPage) -> None:
    there = page_of_alice(live)
    wrong = {look: looked_at(open_page(look), there) for look in ("phone-light", "phone-dark")}
    assert wrong == {"phone-light": [], "phone-dark": []}
    phone = open_page("phone-light")
    phone.goto(there)
    expect(phone.get_by_role("radio")).to_have_count(0)
    send = phone.locator("#score button")
    expect(send).to_be_disabled()
    slide(phone, 8)
    expect(phone.locator("#score output")).to_have_text("8")
    phone.get_by_role("button", name="Send my number").click()
    expect(phone.locator("#answer")).to_contain_text("That is more than we expect now.")
    expect(phone.get_by_role("link", name="Emergency? Call 911")).to_be_visible()
    with live.installation.look() as session:
        assert session.scalars(select(ScoreRow.value)).all() == [8]
    assert looked_at(phone, phone.url) == []

"""An emergency in a real browser: it appears on a page lying open, rings, and ends once it is taken."""

from __future__ import annotations

import time
from datetime import timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import select

from notifier import clinics, db, replies
from notifier.envelope import InboundMessage
from notifier.links import links_of
from notifier.models import Alert, Message
from notifier.worker_chores import ChoreRunner
from tests import cast
from tests.browser.axe import axe
from tests.browser.entering import enter
from tests.web.cast import FERN, Installation
from tests.web.conftest import Live

# Counts the tones that are played, as nobody listens here.
LISTEN = """
window.heard = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...given) { window.heard += 1; return start.apply(this, given); };
"""


def hear(site: Installation, words: str) -> None:
    """As Alice writes it."""
    now = site.clock.now()
    inbound = InboundMessage("SM1", "sms", "+12125550101", "+12125550100", words, now)
    with db.transaction(site.engine) as session:
        replies.receive(session, inbound, settings=site.settings, now=now)


def by_link(page: Page, live: Live) -> None:
    """Opens what the first contact's link shows; made for https only, which this server does not speak."""
    site = live.installation
    web = {"base_url": "https://care.example.com", "secret_key": "k" * 32}
    public = Installation(site.engine, site.clinic, site.folder, hired=True, web=web)
    links = links_of(public.settings)
    assert links is not None
    shown = public.anonymous().get(f"/a/{links.alert_token(1, 1)}").response.text
    page.route("**/a/link", lambda route: route.fulfill(body=shown, content_type="text/html"))
    page.goto(f"{live.address}/a/link")


def called(site: Installation) -> list[str]:
    """Who is called by now, after what the worker does on its own."""
    ChoreRunner(site.engine, site.clock, site.settings, worker="w1").run_due()
    with site.look() as session:
        rows = session.scalars(select(Message).where(Message.alert_id.is_not(None)).order_by(Message.id))
        return [f"{row.to} {row.status}" for row in rows]


def test_an_emergency_appears_within_three_seconds_and_taking_it_stops_the_calls(
    live: Live, desktop: Page, phone: Page
) -> None:
    site = live.installation
    site.log(cast.ALICE)
    with site.change() as session:
        for name, number in (("Dr Roe", "+12125550198"), ("Maya", "+12125550199")):
            clinics.add_alert_contact(session, clinics.only(session), name=name, phone=number, email=None)
    enter(desktop, live, FERN)
    desktop.add_init_script(LISTEN)
    desktop.goto(f"{live.address}/patients")
    desktop.get_by_role("heading", level=1).click()  # so that the page may be heard
    alarm = desktop.locator("#alarm").get_by_role("alert")
    expect(alarm).to_have_count(0)

    hear(site, "I cant breathe and my chest hurts")
    begun = time.monotonic()
    expect(alarm).to_contain_text("Alice Moreau", timeout=3000)
    assert time.monotonic() - begun < 3
    expect(desktop).to_have_title("(!) 1 · Patients – Riverside Physio")
    expect(alarm.get_by_role("button", name="Call")).to_have_attribute("href", "tel:+12125550101")
    desktop.wait_for_function("window.heard === 3")
    alarm.get_by_role("button", name="Sound off").click()
    expect(alarm.get_by_role("button", name="Sound on")).to_be_visible()
    axe(desktop)
    assert called(site) == ["+12125550198 scheduled"]
    by_link(phone, live)
    expect(phone.get_by_role("button", name="Take it")).to_be_visible()
    axe(phone)

    alarm.get_by_role("button", name="Take it").click()
    expect(desktop.get_by_text("It is yours. Nobody else is called.")).to_be_visible()
    expect(desktop.locator("#alarm").get_by_role("alert")).to_have_count(0)
    expect(desktop).not_to_have_title("(!)")
    site.clock.jump(site.clock.now() + timedelta(hours=1))
    assert called(site) == ["+12125550198 cancelled"]
    with site.look() as session:
        assert session.scalars(select(Alert.acknowledged_by)).all() == [FERN]

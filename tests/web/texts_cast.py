"""The texts of Riverside's plan for dry needling, and ways to open, type and change them in tests."""

from __future__ import annotations

import re

from sqlalchemy import select

from notifier import plans
from notifier.models import Clinic, PlanVersion
from tests.cast import DAY0
from tests.web.browser import Browser, Page
from tests.web.cast import HUGO, Installation

ALL = "/plans/dry-needling/texts"
TEXT = f"{ALL}/{DAY0}"
GOOD = "{{ clinic.name }}: Hi {{ patient.first_name }}. Rest a little. STOP to end."


def change(site: Installation, name: str, source: str | None, *, by: str = HUGO) -> int:
    """Somebody else saves another text of the plan; the number of the new version."""
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        old = plans.current_version(session, plans.find(session, clinic, "dry-needling")).content
        texts = {key: words for key, words in old["texts"].items() if key != name or source is not None}
        texts |= {name: source} if source is not None else {}
        content = {**old, "texts": texts}
        return plans.save(session, clinic, content, now=site.clock.now(), actor=by).version.number


def open_text(site: Installation, path: str = TEXT) -> Browser:
    browser = site.as_admin()
    assert browser.get(path).status == 200
    return browser


def live(browser: Browser, **typed: str) -> Page:
    """As the page asks while somebody types."""
    named = {re.sub("_", ".", name): words for name, words in typed.items()}
    assert browser.page is not None
    return Page(
        browser.client.post(
            f"{TEXT}/show",
            data={"csrf": browser.csrf} | dict(browser.page.form(TEXT)) | named,
            headers={"HX-Request": "true"},
        )
    )


def version(site: Installation) -> PlanVersion:
    with site.look() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        return plans.current_version(session, plans.find(session, clinic, "dry-needling"))


def versions(site: Installation) -> list[PlanVersion]:
    with site.look() as session:
        query = select(PlanVersion).where(PlanVersion.plan.has(key="dry-needling"))
        return list(session.scalars(query.order_by(PlanVersion.number)))

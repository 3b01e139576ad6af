"""The owner's month as a page: in numbers, with the month before beside it, and by e-mail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier.models import Clinic, Message
from tests import cast
from tests.cast import ALICE, BOB, DAY0, EDWARD
from tests.web.browser import Browser, Page
from tests.web.cast import ADA, HUGO, Installation


@pytest.fixture
def admin(site: Installation) -> Browser:
    """In February Alice was reached and Bob was not; in January Edward. It is the middle of March."""
    site.log(EDWARD, ended_at=cast.at("2026-01-20 15:00"))
    site.log(BOB)
    treatment = site.log(ALICE)
    with site.change() as session:
        row = select(Message).where(Message.treatment_id == treatment, Message.step == DAY0)
        cast.attempted(session.scalars(row).one(), "delivered")
        for waiting in session.scalars(select(Message).where(Message.status == "scheduled")):
            cast.attempted(waiting, "failed")
            waiting.reason = "The phone is switched off or out of reach. That was the last try."
    site.clock.jump(cast.LOGGED + timedelta(days=40))
    return site.as_admin()


def lines(page: Page, column: int = 2) -> dict[str, str]:
    names = page.words("table.tight tbody th")
    return dict(zip(names, page.words(f"table.tight tbody td:nth-child({column})"), strict=True))


def test_a_month_says_whom_it_reached_and_why_not_the_others(admin: Browser) -> None:
    page = admin.get("/report/2026-02")
    assert page.words("h1") == ["February 2026"]
    assert "50% of the treatments" in page.text
    told = lines(page)
    assert told["Treatments"] == "2"
    assert told["with a message that may have arrived"] == "1 (50%)"
    assert told["without any"] == "1"
    assert told["their cost"] == "price not set"
    section = page.one('section[aria-labelledby="uncovered"]').get_text(" ", strip=True)
    assert "No consent is on record." in section


def test_the_month_before_comes_by_itself_or_by_a_link(admin: Browser) -> None:
    page = admin.get("/report/2026-02")
    assert set(lines(page, 3).values()) == {""}
    fragment = admin.fragment(str(page.one("#compare")["hx-get"]))
    assert fragment.one("#before-treatments").get_text() == "1"
    assert {str(tag["id"]) for tag in fragment.all("span")} == {
        str(tag["id"]) for tag in page.all("table.tight span[id]")
    }
    whole = admin.get(str(page.one("#compare a")["href"]))
    assert lines(whole, 3)["Treatments"] == "1"
    assert whole.all("#compare") == []


def test_months_lead_to_each_other_but_not_into_the_future(admin: Browser) -> None:
    page = admin.get("/report")
    assert page.words("h1") == ["March 2026 so far"]
    assert page.words('nav[aria-label="Months"] a') == ["February 2026"]
    assert admin.get("/report/2026-02").words('nav[aria-label="Months"] a') == ["January 2026", "March 2026"]


@pytest.mark.parametrize(
    ("month", "says"), [("2026-05", "has not begun yet"), ("2024-05", "No treatment was logged")]
)
def test_an_empty_month_says_why(admin: Browser, month: str, says: str) -> None:
    page = admin.get(f"/report/{month}")
    assert says in page.text
    assert page.all("table") == []


def test_what_is_no_month_is_refused_in_words(admin: Browser) -> None:
    page = admin.get("/report/last-month")
    assert (page.status, "write it like 2026-02" in page.text) == (422, True)


def test_with_a_price_it_says_what_the_texts_cost(site: Installation, admin: Browser) -> None:
    with site.change() as session:
        clinic = session.scalars(select(Clinic)).one()
        clinic.sms_price, clinic.currency = 0.05, "EUR"
    page = admin.get("/report/2026-02")
    assert lines(page)["their cost"] == "€0.00"
    assert "is set under" not in page.text


def test_who_asks_gets_it_by_email(site: Installation, admin: Browser) -> None:
    admin.get("/report/2026-02")
    page = admin.submit("/report/2026-02/send")
    assert page.toast == f"February 2026 is on its way to {ADA}."
    with site.look() as session:
        mail = session.scalars(select(Message).where(Message.kind == "alert")).one()
    assert (mail.to, mail.subject) == (ADA, "Riverside Physio: aftercare in February 2026")
    assert admin.submit("/report/2026-02/send").status == 409


def test_another_clinic_has_a_month_of_its_own(site: Installation, admin: Browser) -> None:
    site.open_other_clinic()
    assert "No treatment was logged" in site.signed_in(HUGO).get("/report/2026-02").text

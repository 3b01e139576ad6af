"""Delivery as the admin reads it: figures, chart, reasons and a list that an address finds; and a file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier.models import AuditEntry, Message
from tests import cast
from tests.cast import BOB, DAY0, DAY1
from tests.web.browser import Browser, Page
from tests.web.cast import HUGO, Installation

DAYS = "from=2026-02-01&to=2026-02-10"
GONE = "This number is unknown or no longer in use; ask the patient for the new one."


@pytest.fixture
def admin(site: Installation) -> Browser:
    """Alice got one message and one failed; Bob never said yes. It is three days later."""
    alice = site.log()
    site.log(BOB)
    with site.change() as session:
        for step, status in ((DAY0, "delivered"), (DAY1, "failed")):
            row = session.scalars(
                select(Message).where(Message.treatment_id == alice, Message.step == step)
            ).one()
            cast.attempted(row, status)
            row.reason = GONE if status == "failed" else ""
    site.clock.jump(cast.LOGGED + timedelta(days=3))
    return site.as_admin()


def figures(page: Page) -> dict[str, str]:
    found = (words.split(" ", 1) for words in page.words("#figures li"))
    return {words: number for number, words in found}


def listed(page: Page) -> list[str]:
    return page.words("main > .scroll tbody tr")


def test_it_shows_what_went_out_and_why_not(admin: Browser) -> None:
    page = admin.get("/delivery")
    assert figures(page) | {"Not sent": "", "Waiting": ""} == {
        "Delivered": "1", "Sent": "0", "Failed": "1", "Not sent": "", "Waiting": "",
    }  # fmt: skip
    assert "No consent is on record." in page.text
    assert "The number is wrong or no longer in use." in page.text
    assert any("Alice Moreau Day 1: soreness is normal SMS" in row and GONE in row for row in listed(page))
    assert page.one('a[href*="/delivery.csv?from=2026-01-08&to=2026-02-06"]')


def test_the_chart_says_in_words_what_it_shows_and_has_a_table(admin: Browser) -> None:
    page = admin.get(f"/delivery?{DAYS}")
    chart = page.one("svg.chart")
    assert chart["role"] == "img"
    assert [page.one(f"#{name}") for name in str(chart["aria-labelledby"]).split()]
    assert "1 delivered, 1 failed" in page.one("#days-words").get_text()
    assert {str(piece["fill"]) for piece in page.all("svg.chart .series-failed.outlined")} == {
        "url(#days-failed)"
    }
    rows = {row.split()[1] + row.split()[2]: row.split()[3:] for row in page.words("details tbody tr")}
    assert len(rows) == 10
    header = page.words("details thead th")[1:]
    assert dict(zip(header, rows["4Feb"], strict=True))["Failed"] == "1"


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ("outcome=failed", ["Day 1: soreness is normal"]),
        ("reason=wrong-number", ["Day 1: soreness is normal"]),
        ("q=alice&outcome=delivered", ["Day 0: what you may feel"]),
        ("q=nobody+at+all", []),
        ("plan=cupping", []),
        ("kind=alert", []),
        ("step=day1-soreness-is-normal&outcome=failed&channel=sms", ["Day 1: soreness is normal"]),
    ],
)
def test_an_address_finds_the_same_for_everybody(admin: Browser, asked: str, steps: list[str]) -> None:
    page = admin.get(f"/delivery?{DAYS}&{asked}")
    assert page.status == 200
    assert page.words("main > .scroll tbody td:nth-child(3)") == steps
    if not steps:
        assert "No such messages" in page.words(".empty h2")
    for name, value in (pair.split("=") for pair in asked.split("&")):
        assert page.form("/delivery")[name] == value.replace("+", " ")


def test_a_reason_leads_to_its_messages(admin: Browser) -> None:
    page = admin.get(f"/delivery?{DAYS}")
    (link,) = [link for link in page.all("table.bars a") if "wrong" in link.get_text()]
    assert page.words("table.bars a")[0] == "No consent is on record."
    assert admin.get(str(link["href"])).words("main > .scroll tbody td:nth-child(3)") == [
        "Day 1: soreness is normal"
    ]


def test_pages_follow_each_other(site: Installation, admin: Browser) -> None:
    with site.change() as session:
        known = session.scalars(select(Message)).first()
        assert known is not None
        for number in range(60):
            session.add(
                Message(
                    clinic_id=known.clinic_id,
                    kind="test",
                    dedup_key=f"test:{number}",
                    sender_id=known.sender_id,
                    priority=1,
                    status="sent",
                    channel="sms",
                    to="+12125550100",
                    words="",
                    attempts=1,
                    due_at=cast.LOGGED,
                    claimed_at=cast.LOGGED,
                    created_at=cast.LOGGED,
                )
            )
    first = admin.get(f"/delivery?{DAYS}&kind=test")
    assert len(listed(first)) == 50
    (link,) = [link for link in first.all("main a") if link.get_text() == "Older messages"]
    second = admin.get(str(link["href"]))
    assert len(listed(second)) == 10
    assert second.all("svg.chart") == []


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ("from=tomorrow", "from", "Write the day like 2026-03-31."),
        ("from=2026-02-10&to=2026-02-01", "to", "The last day has to be the first one or later."),
        ("from=2025-01-01&to=2026-02-01", "to", "Choose at most 93 days"),
        ("from=1066-10-14", "from", "Choose a day of this century."),
    ],
)
def test_days_that_cannot_be_are_told_beside_the_field(
    admin: Browser, asked: str, field: str, words: str
) -> None:
    page = admin.get(f"/delivery?{asked}")
    assert page.status == 422
    assert words in page.wrong()[field]
    for name, value in (pair.split("=") for pair in asked.split("&")):
        assert page.one(f"#f-{name}")["value"] == value


def test_a_damaged_address_says_so(admin: Browser) -> None:
    page = admin.get("/delivery?cursor=x")
    assert (page.status, "Begin again from the first page" in page.text) == (422, True)


def test_open_pages_hear_of_news_and_of_nothing_else(site: Installation, admin: Browser) -> None:
    news = str(admin.get("/delivery").one("#figures")["hx-get"])
    assert admin.fragment(news).status == 204
    with site.change() as session:
        session.scalars(select(Message).where(Message.status == "failed")).one().status = "delivered"
    fresh = admin.fragment(news)
    assert figures(fresh)["Delivered"] == "2"
    assert "Something changed since this page was opened" in fresh.text
    assert "hx-get" not in admin.get("/delivery?from=2026-01-01&to=2026-01-05").one("#figures").attrs


def test_the_file_is_what_the_address_finds(site: Installation, admin: Browser) -> None:
    answer = admin.get(f"/delivery.csv?{DAYS}&outcome=failed").response
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="messages-2026-02-01-2026-02-10.csv"' in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row["patient"], row["to"], row["reason"]) == ("Alice Moreau", "'+12125550101", GONE)
    with site.look() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.exported")).one()
    assert entry.actor == "ada@riverside.example"


def test_seeing_the_list_is_a_look_at_its_patients(site: Installation, admin: Browser) -> None:
    for _ in range(2):  # who loads it again is still looking
        admin.get(f"/delivery?{DAYS}&q=alice")
    with site.look() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "patients.listed")).one()
        alice = session.scalars(select(Message.patient_id).where(Message.status == "failed")).one()
    assert entry.detail == {"patients": [alice]}


def test_without_messages_it_says_what_to_do(site: Installation) -> None:
    page = site.as_admin().get("/delivery")
    assert page.words(".empty h2") == ["No messages on these days"]


def test_another_clinic_sees_nothing_of_it(site: Installation, admin: Browser) -> None:
    site.open_other_clinic()
    hugo = site.signed_in(HUGO)
    page = hugo.get(f"/delivery?{DAYS}")
    assert "Alice" not in page.text
    assert set(figures(page).values()) == {"0"}
    assert hugo.get(f"/delivery.csv?{DAYS}").response.content.decode("utf-8-sig").count("\n") == 1

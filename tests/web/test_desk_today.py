"""Today, as the front desk sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from notifier import db, pausing
from notifier.models import Message, Patient, SignIn, Treatment
from tests.cast import ALICE, BOB, CAROL, DAY0, DESK, EDWARD, at, attempted, messages
from tests.web.cast import Installation


def fail(site: Installation, treatment_id: int, reason: str = "The number is not in use.") -> None:
    with site.change() as session:
        row = messages(session, session.get_one(Treatment, treatment_id))[DAY0]
        attempted(row, "failed")
        row.reason = reason


def test_an_empty_day_says_what_to_do(site: Installation) -> None:
    page = site.as_desk().get("/today")
    assert page.status == 200
    assert "Nothing needs you." in page.text
    assert page.one("#board .empty a")["href"] == "/"
    assert "Nobody was treated yet today" in page.text


def test_the_day_has_who_was_treated_with_the_line_and_what_comes_next(site: Installation) -> None:
    site.log(ALICE)
    site.clock.jump(at("2026-02-03 17:00"))
    page = site.as_desk().get("/today")
    assert page.one("h1").get_text() == "Today, Tue 3 Feb 2026"
    (words,) = page.words(".course")
    assert "15:30 Alice Moreau" in words
    assert "Next Day 0: what you may feel, today 17:30 , then 5 more." in words
    assert len(page.all(".course svg.dot")) == 6
    assert page.words("dl.figures dd") == ["1", "0", "1"]
    assert page.words(".moving li")[0].startswith("Today 17:30 Alice Moreau Day 0: what you may feel")


def test_what_needs_a_person_comes_first_with_the_call_to_make(site: Installation) -> None:
    site.log(BOB)
    fail(site, site.log(ALICE))
    with site.change() as session:
        session.get_one(Patient, 2).phone_problem = "The number is not in use."
    browser = site.as_desk()
    page = browser.get("/today")
    alice, bob = page.all(".task")
    assert "Alice Moreau's number does not work for messages." in alice.get_text()
    assert [link["href"] for link in alice.select("a")] == ["/patients/2", "tel:+12125550101"]
    assert "No message will reach Bob Tanaka." in bob.get_text()
    assert "/treatments/1/sheet" in [link["href"] for link in bob.select("a")]
    keys = [str(field["value"]) for field in page.all(".task input[name=key]")]
    done = browser.post("/tasks/done", {"key": keys[1]})
    assert done.path == "/today"
    assert len(done.all(".task")) == 1
    undone = browser.submit("/tasks/reopen")
    assert len(undone.all(".task")) == 2


def test_paused_messages_lead_to_the_patient(site: Installation) -> None:
    treatment_id = site.log(ALICE)
    with site.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        pausing.pause(session, treatment.patient, "a score of 8", now=at("2026-02-03 16:00"), actor=DESK)
        row = messages(session, treatment)[DAY0]
        row.status, row.reason, row.reason_code = "held", "Paused.", "paused"
    site.clock.jump(at("2026-02-03 18:00"))
    task = site.as_desk().get("/today").one(".task")
    assert task.select_one("a")["href"] == "/patients/1"  # type: ignore[index]
    assert "a score of 8" in task.get_text()


def test_news_come_only_when_there_are_any(site: Installation) -> None:
    treatment_id = site.log(ALICE)
    browser = site.as_desk()
    address = str(browser.get("/today").one("#board")["hx-get"])
    assert browser.fragment(address).status == 204
    fail(site, treatment_id)
    with site.change() as session:
        session.get_one(Message, 1).reason = "Busy."
    site.log(CAROL)
    news = browser.fragment(address)
    assert news.status == 200
    assert "Carol Jensen" in news.text
    assert news.one("[hx-swap-oob]").get_text() == "1 thing needs a person."
    assert browser.fragment(str(news.one("#board")["hx-get"])).status == 204


def test_other_days_are_a_step_away(site: Installation) -> None:
    site.log(ALICE)
    site.log(EDWARD, ended_at=at("2026-02-02 10:00"))
    browser = site.as_desk()
    page = browser.get("/today?day=2026-02-02")
    assert "Edward Okafor" in page.text
    assert "Alice" not in page.text
    assert page.one("h1").get_text() == "Mon 2 Feb 2026"
    hrefs = [link["href"] for link in page.all("nav[aria-label=Days] a")]
    assert hrefs == ["/today?day=2026-02-01", "/today", "/today?day=2026-02-03"]
    assert browser.get("/today?day=soon").one("h1").get_text() == "Today, Tue 3 Feb 2026"
    assert "Nobody was treated on this day" in browser.get("/today?day=2026-01-05").text


def test_a_full_day_is_read_page_by_page(site: Installation) -> None:
    for number in range(31):
        site.log(ALICE, ended_at=at("2026-01-20 08:00") + timedelta(minutes=31 * number))
    browser = site.as_desk()
    first = browser.get("/today?day=2026-01-20")
    assert len(first.all(".course")) == 30
    second = browser.get("/today?day=2026-01-20&page=2")
    assert len(second.all(".course")) == 1
    assert "Page 2 of 2" in second.text


def test_another_clinics_day_is_never_seen(site: Installation) -> None:
    site.open_other_clinic()
    fail(site, site.log(ALICE))
    page = site.signed_in("hugo@harbour.example").get("/today")
    assert "Alice" not in page.text
    assert page.all(".task") == []


def test_a_long_list_shows_the_most_serious_first_and_the_rest_on_demand(site: Installation) -> None:
    for number in range(32):
        other = replace(BOB, first_name=f"Bob{number}", phone=f"(212) 555-{1000 + number}", email="")
        site.log(other, consents=())
    browser = site.as_desk()
    page = browser.get("/today")
    assert len(page.all(".task")) == 30
    assert page.words("#todo-title .tag") == ["32"]
    more = page.one('a[href*="tasks=all"]')
    assert more.get_text() == "Show 2 more"
    assert len(browser.get(str(more["href"])).all(".task")) == 32


def test_a_page_that_renews_itself_keeps_nobody_signed_in(site: Installation) -> None:
    browser = site.as_desk()
    live = browser.get("/today").one("#board")

    def seen_at_all(**headers: str) -> bool:
        with site.change() as session:
            real = db.database_now(session)
            session.query(SignIn).update({"seen_at": real - timedelta(hours=1)})
        browser.client.get(str(live["hx-get"]), headers={"HX-Request": "true"} | headers)
        with site.look() as session:
            return session.query(SignIn).one().seen_at > real - timedelta(minutes=1)

    assert not seen_at_all(**json.loads(str(live["hx-headers"])))
    assert seen_at_all()

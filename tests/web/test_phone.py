"""The outbox as a phone and an inbox: what it shows, to whom, and that it keeps up by itself."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from notifier import outbox_view, patients
from notifier.channels import open_channels
from notifier.models import Attempt, AuditEntry, Clinic, Message, Patient, Reply, Sender
from notifier.worker import open_dispatcher
from tests import cast
from tests.web.cast import Installation

PACIFIC = "America/Los_Angeles"


def send(site: Installation, when: str) -> None:
    """As the worker does, at a moment on the clinic's clock."""
    site.clock.jump(cast.at(when))
    channels = open_channels(site.settings)
    dispatcher = open_dispatcher(site.engine, site.clock, channels, site.settings)
    dispatcher.drain()
    dispatcher.close()


@pytest.fixture
def day0(site: Installation) -> Installation:
    """Alice got a text and Edward an e-mail on the day of their treatments."""
    site.log(cast.ALICE)
    site.log(cast.EDWARD)
    send(site, "2026-02-03 17:30")
    return site


def stamp(site: Installation) -> str:
    with site.look() as session:
        return outbox_view.look(session, site.clinic.id).stamp


def test_it_shows_texts_by_phone_and_emails_in_an_inbox(day0: Installation) -> None:
    page = day0.as_desk().get("/phone")
    assert page.words(".kept .phone h3") == ["+1 212-555-0101 Alice Moreau"]
    assert page.words(".bubble-when") == ["Today 17:30"]
    assert page.one(".bubble").get_text().startswith("Riverside Physio: Hi Alice.")
    (mail,) = page.words(".inbox li")
    assert "To edward@example.com, Edward Okafor" in mail
    assert mail.endswith("Day 0: what you may feel")
    assert page.one("#reader iframe").has_attr("sandbox")
    assert "Nothing of it left this program" in page.text


def test_with_nothing_kept_it_says_how_to_begin(site: Installation) -> None:
    page = site.as_desk().get("/phone")
    assert page.words(".empty h2") == ["No text yet", "No e-mail yet"]


def test_times_are_the_readers_own_and_named_where_they_differ(site: Installation) -> None:
    site.log(replace(cast.ALICE, timezone=PACIFIC))
    send(site, "2026-02-03 17:30")
    assert site.as_desk().get("/phone").words(".bubble-when") == ["Today 14:30 in Los Angeles"]


def test_a_shared_phone_is_one_phone_with_all_its_names_and_its_reader(site: Installation) -> None:
    site.log(cast.MIA)
    site.log(cast.LEO, "cupping")
    send(site, "2026-02-03 18:00")
    page = site.as_desk().get("/phone")
    (names,) = page.words(".kept .phone h3")
    assert {"Mia", "Leo", "Rossi"} <= set(names.replace(",", "").split())
    assert all("read by Paola" in said for said in page.words(".bubble-when"))


def test_one_number_can_be_read_from_its_beginning(day0: Installation) -> None:
    send(day0, "2026-02-04 13:30")
    page = day0.as_desk().get("/phone?to=%2B12125550101")
    assert page.words(".bubble-when") == ["Yesterday 17:30", "Today 13:30"]
    assert day0.as_desk().get("/phone?to=%2B12125559999").status == 404


def test_who_looked_at_whom_is_in_the_audit_trail_once_for_each_look(day0: Installation) -> None:
    browser = day0.as_desk()
    browser.get("/phone")
    browser.fragment(f"/phone/news?seen={stamp(day0)}")
    with day0.look() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "patients.listed"))
        names = session.scalars(select(Patient.first_name).where(Patient.id.in_(entry.detail["patients"])))
        assert (entry.actor, set(names)) == ("fern@riverside.example", {"Alice", "Edward"})


# By itself


def test_without_news_nothing_is_sent_again(day0: Installation) -> None:
    browser = day0.as_desk()
    (asks,) = [tag["hx-get"] for tag in browser.get("/phone").all("#kept[hx-get]")]
    assert browser.fragment(str(asks)).status == 204


def test_a_new_message_appears_and_is_announced(day0: Installation) -> None:
    browser, seen = day0.as_desk(), stamp(day0)
    send(day0, "2026-02-04 13:30")
    part = browser.fragment(f"/phone/news?seen={seen}")
    assert part.status == 200
    assert len(part.all(".bubble")) == 2
    assert part.one("#phone-said")["hx-swap-oob"] == "innerHTML"
    assert part.words("#phone-said") == ["2 new messages, the latest to Edward Okafor."] or part.words(
        "#phone-said"
    ) == ["2 new messages, the latest to Alice Moreau."]
    assert part.one("#kept")["hx-get"] == f"/phone/news?seen={stamp(day0)}"


def test_one_new_message_is_read_out(site: Installation) -> None:
    site.log(cast.ALICE)
    send(site, "2026-02-03 17:30")
    seen = stamp(site)
    send(site, "2026-02-04 13:30")
    (said,) = site.as_desk().fragment(f"/phone/news?seen={seen}").words("#phone-said")
    assert said.startswith("New text to Alice Moreau: Riverside Physio: ")


def test_one_that_was_kept_out_of_turn_is_news_too(day0: Installation) -> None:
    """Threads finish as they like: an earlier attempt may be kept after a later one."""
    with day0.change() as session:
        first = session.scalars(select(Attempt).order_by(Attempt.id)).first()
        assert first is not None
        first.provider = ""
    seen = stamp(day0)
    with day0.change() as session:
        session.get_one(Attempt, first.id).provider = "outbox"
    assert day0.as_desk().fragment(f"/phone/news?seen={seen}").status == 200


def test_beside_the_desk_it_shows_the_last_few(day0: Installation) -> None:
    browser = day0.as_desk()
    part = browser.fragment("/phone/beside")
    assert len(part.all(".bubble")) == 1
    again = str(part.one("#beside")["hx-get"])
    assert browser.fragment(again).status == 204
    send(day0, "2026-02-04 13:30")
    assert len(browser.fragment(again).all(".bubble")) == 2


@pytest.mark.parametrize("seen", ["", "nonsense", "99999999999999999999-1", "-"])
def test_a_stamp_that_is_none_is_no_trouble(day0: Installation, seen: str) -> None:
    assert day0.as_desk().fragment(f"/phone/news?seen={seen}").status == 200


# E-mails


def mail_id(site: Installation) -> int:
    with site.look() as session:
        found = session.scalar(select(Attempt.id).where(Attempt.channel == "email"))
        assert found is not None
        return found


def test_an_email_is_shown_as_it_was_laid_out_with_no_rights_at_all(day0: Installation) -> None:
    answer = day0.as_desk().get(f"/phone/mail/{mail_id(day0)}/body")
    assert "Hi Edward" in answer.text
    policy = answer.response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'self'" in policy
    assert policy.endswith("sandbox")
    styles = {str(tag["style"]) for tag in answer.all("[style]")} | {
        tag.get_text() for tag in answer.all("style")
    }
    hashes = {base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles}
    assert len(styles) > 5
    assert {found for found in hashes if f"'sha256-{found}'" not in policy} == set()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_can_be_seen_as_on_a_light_and_on_a_dark_screen(
    day0: Installation, scheme: str, dark: bool
) -> None:
    html = day0.as_desk().get(f"/phone/mail/{mail_id(day0)}/body?scheme={scheme}").response.text
    assert ("#12171b" in html) is dark
    assert "prefers-color-scheme" not in html


def test_a_mail_is_opened_in_the_reader_and_by_its_own_address(day0: Installation) -> None:
    browser, number = day0.as_desk(), mail_id(day0)
    part = browser.fragment(f"/phone/mail/{number}?scheme=dark")
    assert part.one("iframe")["src"] == f"/phone/mail/{number}/body?scheme=dark"
    assert part.words("[aria-pressed=true]") == ["Dark"]
    page = browser.get(f"/phone/mail/{number}")
    assert page.path.startswith(f"/phone?mail={number}")
    assert page.one("iframe")


def test_what_can_not_be_laid_out_again_as_it_was_is_shown_in_its_words(day0: Installation) -> None:
    with day0.change() as session:
        session.scalars(select(Patient).where(Patient.first_name == "Edward")).one().first_name = "Ned"
    answer = day0.as_desk().get(f"/phone/mail/{mail_id(day0)}/body")
    assert "Hi Edward" in answer.text
    assert "cannot be laid out again as it was" in answer.text
    assert "frame-ancestors 'self'" in answer.response.headers["Content-Security-Policy"]


def test_a_scheme_that_there_is_not_is_nowhere(day0: Installation) -> None:
    assert day0.as_desk().get(f"/phone/mail/{mail_id(day0)}?scheme=pink").status == 404


# Who sees what


def test_in_live_mode_there_is_no_phone_and_it_says_why(site: Installation) -> None:
    live = Installation(site.engine, site.clinic, site.folder, hired=True, delivery={"mode": "live"})
    for path in ("/phone", "/phone/news", "/phone/beside", "/phone/mail/1", "/phone/mail/1/body"):
        page = live.as_desk().get(path)
        assert page.status == 404
    assert "Messages really go to patients here" in page.text
    assert [tag for tag in live.as_desk().get("/account").all("nav a") if tag["href"] == "/phone"] == []


def test_with_an_allowlist_only_what_was_kept_is_shown(day0: Installation) -> None:
    with day0.change() as session:
        text = session.scalars(select(Attempt).where(Attempt.channel == "sms")).one()
        text.provider = "twilio"
    listed = Installation(
        day0.engine,
        day0.clinic,
        day0.folder,
        now=day0.clock.now(),
        hired=True,
        delivery={"mode": "allowlist", "allowlist": ("+12125550101",)},
    )
    page = listed.as_desk().get("/phone")
    assert page.all(".bubble") == []
    assert len(page.all(".inbox li")) == 1
    assert "Messages to listed people are really sent" in page.text


def test_another_clinic_sees_none_of_it(day0: Installation) -> None:
    day0.open_other_clinic()
    hugo = day0.signed_in("hugo@harbour.example")
    assert hugo.get("/phone").words(".empty h2") == ["No text yet", "No e-mail yet"]
    assert hugo.get("/phone?to=%2B12125550101").status == 404
    for path in (f"/phone/mail/{mail_id(day0)}", f"/phone/mail/{mail_id(day0)}/body"):
        page = hugo.get(path)
        assert "Edward" not in page.text
    assert hugo.fragment("/phone/beside").all(".bubble") == []


def test_staff_mail_and_tests_have_no_patient_and_are_shown_all_the_same(day0: Installation) -> None:
    with day0.change() as session:
        mail = session.scalars(select(Message).where(Message.channel == "email", Message.attempts > 0)).one()
        mail.patient_id, mail.step, mail.kind = None, None, "alert"
    (mail_line,) = day0.as_desk().get("/phone").words(".inbox li")
    assert "To edward@example.com Today" in mail_line
    assert mail_line.endswith("Alert to staff")


# Many


def test_it_pages_without_leaving_any_out(site: Installation) -> None:
    fill(site, 100)
    browser, seen, path = site.as_desk(), set[str](), "/phone"
    for _ in range(10):
        page = browser.get(path)
        links = [str(tag["href"]) for tag in page.all(".bubble-foot a, .inbox a")]
        seen |= {link for link in links if "#write" not in link}
        (path, *_) = [str(tag["href"]) for tag in page.all("main > p a") if "before" in str(tag["href"])] or [
            ""
        ]
        if not path:
            break
    else:
        pytest.fail("it never ends")
    assert len(seen) == 100
    assert page.all("#kept[hx-get]") == [], "an older page does not turn into the newest one"


@pytest.mark.parametrize("path", ["/phone", "/phone/beside", "/phone/news"])
def test_it_goes_back_by_the_numbers_of_attempts_and_gathers_nothing_to_sort(
    site: Installation, path: str
) -> None:
    """So that it is as quick with a million as with ten."""
    fill(site, 20)
    asked: list[tuple[str, Any]] = []
    note = lambda _, __, statement, parameters, *___: asked.append((statement, parameters))  # noqa: E731
    browser = site.as_desk()
    event.listen(site.engine, "before_cursor_execute", note)
    browser.fragment(path)
    event.remove(site.engine, "before_cursor_execute", note)
    looks = [(words, given) for words, given in asked if "FROM attempts JOIN messages" in words]
    assert len(looks) == 2
    with site.engine.connect() as connection:
        for words, given in looks:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", given).all()
            plan = " / ".join(str(row[-1]) for row in rows)
            assert plan.startswith("SEARCH attempts USING INTEGER PRIMARY KEY"), plan
            assert "TEMP B-TREE" not in plan


def fill(site: Installation, count: int) -> None:
    """Texts and e-mails in turn, as rows."""
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        book = patients.PatientBook(session, clinic, [cast.ALICE])
        patient = book.find_or_add(patients.clean(cast.ALICE, clinic), now=cast.OPENED, actor="test")
        session.flush()
        senders = {row.channel: row.id for row in session.scalars(select(Sender))}
        rows = [
            row_of(number, ("sms", "email")[number % 2], clinic.id, patient.id, senders)
            for number in range(1, count + 1)
        ]
        session.execute(insert(Message), rows)
        session.execute(insert(Attempt), [attempt_of(row) for row in rows])


def row_of(
    number: int, channel: str, clinic_id: int, patient_id: int, senders: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": number,
        "clinic_id": clinic_id,
        "kind": "staff",
        "dedup_key": f"filled:{number}",
        "sender_id": senders[channel],
        "priority": 2,
        "status": "sent",
        "channel": channel,
        "to": "+12125550101" if channel == "sms" else "alice@example.com",
        "patient_id": patient_id,
        "due_at": cast.LOGGED,
        "claimed_at": cast.LOGGED,
        "attempts": 1,
        "created_at": cast.LOGGED,
    }


def attempt_of(row: dict[str, Any]) -> dict[str, Any]:
    at: datetime = row["claimed_at"]
    return {
        "message_id": row["id"],
        "number": 1,
        "channel": row["channel"],
        "address": row["to"],
        "words": f"Message {row['id']}.",
        "claimed_at": at,
        "provider": "outbox",
        "outcome": "sent",
    }


def test_no_page_here_has_a_style_or_a_script_of_its_own(day0: Installation) -> None:
    html = day0.as_desk().get("/phone").response.text
    assert re.findall(r"\sstyle=|<style|\son\w+=", html) == []


def test_one_writes_back_as_the_patient_and_the_answer_arrives(day0: Installation) -> None:
    desk = day0.as_desk()
    desk.get("/phone?to=%2B12125550101")
    page = desk.submit("/phone/reply", {"words": "My chest feels tight"})
    assert page.words(".bubble.mine") == ["Written back: My chest feels tight"]
    send(day0, "2026-02-03 17:31")
    assert "call 911 or go to an emergency room NOW" in desk.get("/phone?to=%2B12125550101").text
    # The same form again, by a double click, says nothing twice.
    with day0.look() as session:
        assert [reply.red_flags for reply in session.scalars(select(Reply))] == [["emergency"]]


def test_only_numbers_that_were_written_to_can_write_back(day0: Installation) -> None:
    desk = day0.as_desk()
    desk.get("/phone?to=%2B12125550101")
    assert desk.submit("/phone/reply", {"words": " "}).status == 422
    assert desk.submit("/phone/reply", {"to": "+12125550199", "words": "hello"}).status == 404


def test_a_conversation_renews_itself_where_there_is_anything_new(day0: Installation) -> None:
    desk = day0.as_desk()
    shown = desk.get("/phone?to=%2B12125550101").all("#thread")[0]["hx-get"]
    assert desk.fragment(str(shown)).status == 204
    send(day0, "2026-02-04 13:30")
    assert desk.fragment(str(shown)).all(".bubble") != []

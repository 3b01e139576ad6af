"""What is done to one message from its page."""

from __future__ import annotations

from typing import Any

from notifier.models import Message, Patient, Treatment
from tests.cast import ALICE, DAY0, DAY1, DAY5, WEEK, at, attempted, messages, wall
from tests.web.browser import Browser
from tests.web.cast import Installation
from tests.web.test_desk_patient import undo, waiting


def number(site: Installation, step: str) -> int:
    with site.change() as session:
        found = messages(session, session.get_one(Treatment, 1))
        return (found.get(step) or found[f"{step}/sms"]).id


def became(site: Installation, step: str, status: str, **columns: Any) -> int:
    message_id = number(site, step)
    with site.change() as session:
        row = session.get_one(Message, message_id)
        attempted(row, status)
        for name, value in columns.items():
            setattr(row, name, value)
    return message_id


def at_message(site: Installation, message_id: int) -> Browser:
    browser = site.as_desk()
    browser.get(f"/messages/{message_id}")
    return browser


def test_one_is_cancelled_and_restored(site: Installation) -> None:
    site.log(ALICE)
    message_id = number(site, DAY1)
    browser = at_message(site, message_id)
    page = browser.submit(f"/messages/{message_id}/cancel")
    assert page.toast == "Cancelled: it will not be sent."
    assert DAY1 not in waiting(site)
    page = browser.submit(f"/messages/{message_id}/restore")
    assert page.toast == "Restored: it will be sent."
    assert waiting(site)[DAY1] == WEEK[DAY1]


def test_send_now_says_before_what_it_would_do(site: Installation) -> None:
    site.log(ALICE)
    became(site, DAY0, "delivered")
    site.clock.jump(at("2026-02-04 11:00"))
    message_id = number(site, DAY1)
    browser = at_message(site, message_id)
    assert "If sent now: It leaves within moments." in browser.get(f"/messages/{message_id}").text
    page = browser.submit(f"/messages/{message_id}/send-now")
    assert page.toast == "It leaves within moments."
    assert waiting(site)[DAY1] == "2026-02-04 11:00"


def test_send_now_at_night_asks_and_can_be_put_back(site: Installation) -> None:
    site.log(ALICE)
    became(site, DAY0, "delivered")
    message_id = number(site, DAY5)
    browser = at_message(site, message_id)
    site.clock.jump(at("2026-02-03 22:30"))  # the page was opened by day
    page = browser.post(f"/messages/{message_id}/send-now")
    assert page.status == 422
    assert "It cannot leave before Wed 4 Feb" in page.one("main [role=alert]").get_text()
    page = browser.submit(f"/messages/{message_id}/send-now", {"confirmed": "1"})
    assert page.toast.startswith("It cannot leave before")
    page = browser.submit(f"/messages/{message_id}/put-back")
    assert page.toast == "It is back at its planned time."
    assert waiting(site)[DAY5] == WEEK[DAY5]


def test_a_failed_one_goes_again_to_the_number_that_was_put_right(site: Installation) -> None:
    site.log(ALICE)
    message_id = became(site, DAY0, "failed", reason="The number is not in use.")
    with site.change() as session:
        session.get_one(Patient, 1).phone_problem = "The number is not in use."
    site.clock.jump(at("2026-02-03 18:00"))
    browser = at_message(site, message_id)
    wrong = browser.submit(f"/messages/{message_id}/resend", {"to": "12"})
    assert wrong.status == 422
    assert wrong.one(f"#to-{message_id}")["value"] == "12"
    assert "12" in wrong.one(f"#to-{message_id}-wrong").get_text()
    page = browser.submit(f"/messages/{message_id}/resend", {"to": "(212) 555-0177"})
    assert page.toast == "It is sent again, to +12125550177."
    with site.look() as session:
        found = session.get_one(Patient, 1)
        assert (found.phone, found.phone_problem) == ("+12125550177", "")
    new = int(str(page.one(".toast form")["action"]).split("/")[2])
    again = browser.get(f"/messages/{new}")
    assert "Sent again after" in again.text
    browser.submit(f"/messages/{new}/cancel")  # "Do not send it"
    with site.look() as session:
        assert session.get_one(Message, new).status == "cancelled"


def test_one_that_may_have_arrived_asks_before_a_second(site: Installation) -> None:
    site.log(ALICE)
    message_id = became(site, DAY0, "sent")
    site.clock.jump(at("2026-02-03 18:00"))
    browser = at_message(site, message_id)
    page = browser.submit(f"/messages/{message_id}/resend", {"to": "(212) 555-0177"})
    assert page.status == 422
    alert = page.one("main [role=alert]")
    assert "may have arrived" in alert.get_text()
    typed = {str(field["name"]): str(field["value"]) for field in alert.select("input")}
    assert typed["to"] == "(212) 555-0177"
    page = browser.post(f"/messages/{message_id}/resend", typed)
    assert page.toast == "It is sent again, to +12125550177."


def test_a_person_settles_what_is_not_known(site: Installation) -> None:
    site.log(ALICE)
    first, second = became(site, DAY0, "unknown"), became(site, DAY1, "held", reason="Cannot be asked.")
    site.clock.jump(at("2026-02-03 18:00"))
    browser = at_message(site, first)
    assert browser.submit(f"/messages/{first}/arrived").toast == "Noted: it arrived."
    browser.get(f"/messages/{second}")
    page = browser.submit(f"/messages/{second}/again")
    assert page.toast == "It is sent again."
    with site.look() as session:
        assert session.get_one(Message, first).status == "delivered"
        again = session.get_one(Message, second)
        assert (again.status, wall(again.due_at)) == ("scheduled", "2026-02-03 18:00")


def test_a_held_one_is_let_go(site: Installation) -> None:
    site.log(ALICE)
    message_id = number(site, DAY0)
    with site.change() as session:
        row = session.get_one(Message, message_id)
        row.status, row.reason, row.reason_code = "held", "The text could not be made.", "render"
    browser = at_message(site, message_id)
    page = browser.submit(f"/messages/{message_id}/release")
    assert page.toast.startswith("Released")
    assert waiting(site)[DAY0] == WEEK[DAY0]


def test_one_that_is_being_sent_is_left_alone(site: Installation) -> None:
    site.log(ALICE)
    message_id = became(site, DAY0, "sending")
    browser = at_message(site, message_id)
    page = browser.post(f"/messages/{message_id}/cancel")
    assert page.status == 409
    assert "being sent at this moment" in page.one("main .notice.bad").get_text()
    assert page.one("h1").get_text().startswith("Day 0: what you may feel, for Alice Moreau")
    assert undo(page) == {}

"""One patient's page: finding it, reading it, and what is done there for all messages at once."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from notifier import consent
from notifier.models import AuditEntry, Clinic, Message, Patient, Sender, Treatment
from tests.cast import (
    ALICE,
    BOB,
    CAROL,
    DAY0,
    DAY1,
    ENDED,
    LEO,
    MIA,
    WEEK,
    at,
    attempted,
    messages,
    plan_of,
)
from tests.replies_cast import patient_named, wrote
from tests.web.browser import Browser, Page
from tests.web.cast import ADA, FERN, Installation

COMING = {step: when for step, when in WEEK.items() if "skip" not in when}


def rows(site: Installation, treatment_id: int = 1) -> dict[str, str]:
    with site.change() as session:
        return plan_of(session, session.get_one(Treatment, treatment_id))


def waiting(site: Installation, treatment_id: int = 1) -> dict[str, str]:
    """What waits to be sent, by step whatever its channel."""
    found = rows(site, treatment_id).items()
    return {step.partition("/")[0]: when for step, when in found if when.startswith("2026")}


def opened(site: Installation, patient_id: int = 1) -> tuple[Browser, Page]:
    browser = site.as_desk()
    return browser, browser.get(f"/patients/{patient_id}")


# Finding


def test_who_was_here_lately_stands_there_without_asking(site: Installation) -> None:
    browser = site.as_desk()
    assert "No patients yet" in browser.get("/patients").text
    site.log(ALICE)
    site.log(CAROL, ended_at=at("2026-02-03 15:00"))
    page = browser.get("/patients")
    assert [link["href"] for link in page.all(".found a")] == ["/patients/1", "/patients/2"]
    assert "last treated today 15:30" in page.text


def test_a_patient_is_found_while_one_types_and_enter_goes_there(site: Installation) -> None:
    site.log(ALICE)
    site.log(MIA)
    site.log(LEO)
    browser = site.as_desk()
    assert "Alice Moreau" in browser.fragment("/patients/found?q=mor").text
    both = browser.get("/patients?q=0104")
    assert [link["href"] for link in both.all(".found a")] == ["/patients/3", "/patients/2"]
    assert browser.get("/patients?q=ali").path == "/patients/1"
    nobody = browser.fragment("/patients/found?q=xyz")
    assert "Nobody matches “xyz”" in nobody.text


def test_who_was_found_is_noted_as_looked_at(site: Installation) -> None:
    site.log(MIA)
    site.log(LEO)
    browser = site.as_desk()
    for words in ("ros", "ross", "rossi"):  # while somebody types
        browser.fragment(f"/patients/found?q={words}")
    browser.fragment("/patients/found?q=nobody")
    browser.get("/today")
    with site.look() as session:
        noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "patients.listed")).all()
    assert [(entry.actor, entry.detail) for entry in noted] == [(FERN, {"patients": [1, 2]})]


# Reading


def test_the_page_has_contact_consent_treatments_and_one_timeline(site: Installation) -> None:
    site.log(ALICE, areas=("neck",), next_visit=at("2026-02-17 09:00"))
    with site.change() as session:
        attempted(messages(session, session.get_one(Treatment, 1))[DAY0], "delivered")
    _, page = opened(site)
    assert page.status == 200
    assert page.one('a[href="tel:+12125550101"]').get_text() == "(212) 555-0101"
    assert "Yes to SMS today 15:30 form" in page.text
    assert "You may text me." in page.text
    assert "Dr Ruiz · neck · next visit Tue 17 Feb 09:00" in page.text
    assert len(page.all("svg.line")) == 1
    coming, past = page.all("ul.timeline")
    assert len(coming.select("li")) == 6
    assert "Day 0: what you may feel" in past.get_text()
    assert "Delivered" in past.get_text()


def test_every_message_opens_on_its_words_segments_answer_and_story(site: Installation) -> None:
    site.log(ALICE)
    browser = site.as_desk()
    part = browser.fragment("/messages/1")
    assert "As it would read today" in part.text
    assert "2 parts" in part.text
    assert "Hi Alice" in part.one(".bubble").get_text()
    assert "Will be sent" in part.text
    whole = browser.get("/messages/1")
    assert whole.one("h1 a")["href"] == "/patients/1#m1"
    assert whole.one("#main")


def test_a_shared_phone_is_shown_as_shared(site: Installation) -> None:
    site.log(MIA)
    site.log(LEO)
    _, page = opened(site)
    assert "shared also used by Leo Rossi" in page.text
    assert "Paola (mother): the messages greet them" in page.text


def test_a_wrong_number_says_so_with_the_call_to_make(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        session.get_one(Patient, 1).phone_problem = "The number is a landline."
    browser, page = opened(site)
    notice = page.one("main .notice.bad")
    assert "The number is a landline." in notice.get_text()
    assert notice.select_one('a[href="tel:+12125550101"]')
    page = browser.submit("/patients/1/address-works")
    assert page.all(".notice.bad") == []
    assert page.toast.startswith("It is tried again.")


def test_the_right_number_brings_what_the_wrong_one_cost(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        attempted(messages(session, session.get_one(Treatment, 1))[DAY0], "failed")
        session.get_one(Patient, 1).phone_problem = "The number is not in use."
    site.clock.jump(at("2026-02-03 18:00"))
    browser, _ = opened(site)
    page = browser.submit("/messages/1/resend", {"to": "(212) 555-0177"})
    assert page.toast == "It is sent again, to +12125550177."
    assert page.all("main .notice.bad") == []
    with site.look() as session:
        again = session.scalars(select(Message).order_by(Message.id.desc()).limit(1)).one()
        assert (again.step, again.to, again.status) == (DAY0, "+12125550177", "scheduled")


def test_a_stopped_sender_is_said_where_messages_wait_for_it(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        sender = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
        sender.stopped_at, sender.stopped_reason = site.clock.now(), "The account is suspended."
    _, page = opened(site)
    assert page.words("main .notice.warn")[0].startswith("SMS cannot be sent at the moment. The account is")


def test_looking_is_noted_once_for_each_person_and_a_while(site: Installation) -> None:
    site.log(ALICE)
    desk, admin = site.as_desk(), site.as_admin()
    for browser in (desk, desk, admin):
        browser.get("/patients/1")
    desk.get("/messages/1")
    desk.fragment("/patients/1/messages")
    site.clock.jump(at("2026-02-03 16:00"))
    desk.get("/patients/1")
    with site.look() as session:
        seen = session.scalars(
            select(AuditEntry.actor).where(AuditEntry.action == "patient.viewed").order_by(AuditEntry.id)
        ).all()
    assert seen == [FERN, ADA, FERN]


def test_news_come_only_when_there_are_any(site: Installation) -> None:
    site.log(ALICE)
    browser, page = opened(site)
    address = str(page.one("#messages")["hx-get"])
    assert browser.fragment(address).status == 204
    browser.post("/messages/3/cancel")
    news = browser.fragment(address)
    assert news.status == 200
    assert "Cancelled" in news.text
    assert browser.fragment(str(news.one("#messages")["hx-get"])).status == 204


def test_another_clinics_patient_and_message_are_not_there(site: Installation) -> None:
    site.log(ALICE)
    site.open_other_clinic()
    hugo = site.signed_in("hugo@harbour.example")
    for path in ("/patients/1", "/patients/1/edit", "/patients/1/messages", "/messages/1"):
        assert hugo.get(path).status == 404, path
    for path in (
        *("/patients/1/edit", "/patients/1/pause", "/patients/1/cancel-all", "/patients/1/consent"),
        *("/messages/1/cancel", "/messages/1/send-now", "/treatments/1/correct", "/treatments/1/visit"),
    ):
        typed = {"said": "no", "method": "x", "channels": "sms", "ended_at": "15:00", "first_name": "X"}
        assert hugo.post(path, typed).status == 404, path
    assert "Alice" not in hugo.get("/patients?q=alice").text
    assert waiting(site) == COMING
    with site.look() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.viewed")).all() == []


# All messages at once


def test_messages_are_paused_and_go_on(site: Installation) -> None:
    site.log(ALICE)
    browser, _ = opened(site)
    page = browser.submit("/patients/1/pause", {"why": "She has a fever."})
    assert "paused since today 15:40 : She has a fever." in page.words("main .notice.warn")[0]
    assert "nothing planned goes out" in page.toast
    page = browser.submit("/patients/1/resume")
    assert page.all("main .notice.warn") == []
    page = browser.post("/patients/1/pause", undo(page))  # with the reason as it was
    assert "She has a fever." in page.one("main .notice.warn").get_text()


def test_all_that_waits_is_cancelled_and_the_undo_brings_it_back(site: Installation) -> None:
    site.log(ALICE)
    browser, _ = opened(site)
    page = browser.submit("/patients/1/cancel-all")
    assert page.toast == "6 messages were cancelled."
    assert waiting(site) == {}
    page = browser.submit("/patients/1/restore")
    assert page.toast == "Restored: 6 will be sent."
    assert waiting(site) == COMING
    with site.change() as session:
        for row in session.scalars(select(Message)):
            attempted(row)
    assert browser.post("/patients/1/cancel-all").toast.startswith("Nothing waits")


def test_somebody_elses_message_is_not_restored_by_this_patients_page(site: Installation) -> None:
    site.log(ALICE)
    site.log(CAROL)
    browser = site.as_desk()
    browser.post("/messages/1/cancel")
    assert browser.post("/patients/2/restore", {"messages": "1"}).status == 404


# Consent


def test_consent_added_later_brings_back_what_is_useful_and_says_what(site: Installation) -> None:
    site.log(BOB)
    browser, page = opened(site)
    assert "No message can be sent." in page.text
    form = page.form("/patients/1/consent")
    assert "Riverside Physio would like to write to you" in str(form["wording"])
    page = browser.submit("/patients/1/consent")
    assert page.toast.startswith("Yes to SMS and e-mail is recorded. 6 messages will be sent after all (")
    assert waiting(site) == COMING
    assert "Yes to e-mail" in page.text
    with site.look() as session:
        lines = consent.history(session, session.get_one(Patient, 1))
        assert {(line.channel, line.method, line.recorded_by) for line in lines} == {
            ("sms", "At the desk", FERN),
            ("email", "At the desk", FERN),
        }
    site.clock.jump(at("2026-02-03 15:45"))
    page = browser.undo()
    assert page.toast.startswith("Taken back. 6 messages will not be sent (")
    assert waiting(site) == {}
    assert "Entered by mistake" in page.text


def test_a_no_of_somebody_who_never_said_yes_cannot_be_undone_to_a_yes(site: Installation) -> None:
    site.log(BOB)
    browser, _ = opened(site)
    page = browser.submit("/patients/1/consent", {"said": "no", "channels": "sms", "method": "By phone"})
    assert "No to SMS is recorded." in page.toast
    assert page.all(".toast form") == []


def test_an_undo_that_comes_late_does_not_speak_over_a_later_no(site: Installation) -> None:
    site.log(ALICE)
    site.clock.jump(at("2026-02-03 15:45"))
    browser, _ = opened(site)
    no = {"said": "no", "channels": "email", "method": "By phone"}
    page = browser.submit("/patients/1/consent", no)
    site.clock.jump(at("2026-02-03 15:50"))
    site.as_desk().post("/patients/1/consent", no)
    (form,) = page.all(".toast form")
    assert browser.post(str(form["action"]), undo(page)).status == 409
    with site.look() as session:
        assert not consent.standings(session, [1])[1, "email"].granted


def undo(page: Page) -> dict[str, str]:
    """What the button in the toast posts."""
    return {str(field["name"]): str(field["value"]) for field in page.all(".toast input")}


def test_a_no_stops_what_waits(site: Installation) -> None:
    site.log(ALICE)
    site.clock.jump(at("2026-02-03 15:45"))
    browser, _ = opened(site)
    typed = {"said": "no", "channels": ["sms", "email"], "method": "By phone"}
    page = browser.submit("/patients/1/consent", typed)
    assert "6 messages will not be sent" in page.toast
    assert waiting(site) == {}
    assert "Consent to SMS was withdrawn" in page.text


def test_a_stop_of_a_shared_number_binds_both(site: Installation) -> None:
    site.log(MIA)
    site.log(LEO)
    site.clock.jump(at("2026-02-03 15:45"))
    browser, _ = opened(site)
    page = browser.submit(
        "/patients/1/consent", {"said": "no", "channels": "sms", "method": "By phone", "stop_address": "1"}
    )
    assert "Only START from that phone lifts it." in page.text
    assert page.all(".toast form") == []
    assert waiting(site, 2) == {}


def test_a_yes_without_words_is_refused_and_nothing_typed_is_lost(site: Installation) -> None:
    site.log(BOB)
    browser, _ = opened(site)
    page = browser.submit("/patients/1/consent", {"wording": " ", "method": "On a form", "channels": "sms"})
    assert page.status == 422
    assert page.wrong() == {"wording": "Enter the words that the patient agreed to."}
    assert page.one("#f-method")["value"] == "On a form"
    assert page.one("details[open] form")["action"] == "/patients/1/consent"
    assert not page.one("#f-channels-email").has_attr("checked")
    assert waiting(site) == {}


# Treatments


def test_a_corrected_time_moves_what_waits_and_can_be_undone(site: Installation) -> None:
    site.log(ALICE)
    browser, page = opened(site)
    assert page.one("#ended-1")["value"] == "2026-02-03T15:30"
    page = browser.submit("/treatments/1/correct", {"ended_at": "2026-02-03T14:30"})
    assert page.toast.startswith("The time is corrected. 6 messages moved")
    assert waiting(site)[DAY0] == "2026-02-03 16:30"
    browser.post("/treatments/1/correct", undo(page))
    assert waiting(site) == COMING


def test_a_time_that_is_seldom_meant_asks(site: Installation) -> None:
    site.log(ALICE)
    browser, _ = opened(site)
    page = browser.submit("/treatments/1/correct", {"ended_at": "2026-02-03T21:30"})
    assert page.status == 422
    assert "would end in the future" in page.one("#ended-1-wrong").get_text()
    assert page.one("#ended-1")["value"] == "2026-02-03T21:30"
    page = browser.submit("/treatments/1/correct", {"confirmed": "1"})
    assert page.status == 200
    assert waiting(site)[DAY1] == "2026-02-05 09:00"


def test_the_next_visit_is_booked_moved_and_called_off(site: Installation) -> None:
    site.log(ALICE)
    browser, _ = opened(site)
    page = browser.submit("/treatments/1/visit", {"next_visit": "2026-02-17T09:00"})
    assert page.toast == "The next visit is noted. 1 message will be sent after all (Before next visit)."
    assert waiting(site)["before-next-visit"] == "2026-02-16 09:00"
    page = browser.submit("/treatments/1/visit", {"next_visit": "2026-02-01T09:00"})
    assert page.status == 422
    assert "has to be after the treatment" in page.one("#visit-1-wrong").get_text()
    page = browser.submit("/treatments/1/visit", {"next_visit": ""})
    assert "before-next-visit" not in waiting(site)
    browser.post("/treatments/1/visit", undo(page))
    assert waiting(site)["before-next-visit"] == "2026-02-16 09:00"


def test_the_second_who_corrects_a_treatment_is_told(site: Installation) -> None:
    site.log(ALICE)
    fern, _ = opened(site)
    ada = site.as_admin()
    ada.get("/patients/1")
    ada.submit("/treatments/1/visit", {"next_visit": "2026-02-17T09:00"})
    page = fern.submit("/treatments/1/visit", {"next_visit": "2026-02-18T09:00"})
    assert page.status == 409
    assert "next visit: Tue 17 Feb 09:00" in page.text
    assert page.one("#visit-1")["value"] == "2026-02-18T09:00"
    assert waiting(site)["before-next-visit"] == "2026-02-16 09:00"
    page = fern.submit("/treatments/1/visit")
    assert page.status == 200
    assert waiting(site)["before-next-visit"] == "2026-02-17 09:00"


def test_a_voided_treatment_can_be_brought_back(site: Installation) -> None:
    site.log(ALICE)
    browser, _ = opened(site)
    page = browser.submit("/treatments/1/void")
    assert page.path.startswith("/patients/1")
    assert page.one(".treatment.voided")
    assert waiting(site) == {}
    page = browser.submit("/treatments/1/unvoid")
    assert page.all(".treatment.voided") == []
    assert waiting(site) == COMING


def test_fewer_messages_are_offered_after_three_treatments_within_a_month(site: Installation) -> None:
    for days in (20, 10):
        site.log(ALICE, ended_at=ENDED - timedelta(days=days))
    browser = site.as_desk()
    assert "Send safety messages only" not in browser.get("/patients/1").text
    site.log(ALICE)
    browser.get("/patients/1")
    page = browser.submit("/patients/1/essentials")
    assert page.toast.startswith("Safety messages only from now on. 7 messages will not be sent")
    assert "Send safety messages only" not in page.text
    assert browser.undo().toast.startswith(
        "All messages of the plan again. 5 messages will be sent after all"
    )


def test_a_reply_stands_in_the_one_timeline_and_leads_to_the_conversation(site: Installation) -> None:
    site.log(ALICE)
    with site.change() as session:
        wrote(session, session.get_one(Clinic, site.clinic.id), patient_named(session, "Alice"), "May I run?")
    page = site.as_desk().get("/patients/1")
    assert page.words(".heard a") == ["Today 19:00 Replied: “May I run?” waits for a person"]
    board = site.as_desk().get("/today")
    assert "replied today 19:00 : “May I run?”" in board.text
    assert [tag["href"] for tag in board.all(".task a[role=button]")] == ["/inbox"]

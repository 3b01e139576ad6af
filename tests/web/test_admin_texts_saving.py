from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import plans
from notifier.models import AuditEntry, Clinic, Message
from notifier.status_words import step_name
from tests.cast import DAY0, DAY1, WEEK
from tests.web.cast import ADA, HUGO, Installation
from tests.web.texts_cast import ALL, GOOD, TEXT, change, live, open_text, version, versions


def test_all_texts_are_seen_at_once_with_their_length_and_price(site: Installation) -> None:
    site.log()
    with site.change() as session:
        session.get_one(Clinic, site.clinic.id).sms_price = 0.5
    page = site.as_admin().get(ALL)
    assert page.words(".overview tbody th a") == [step_name(key) for key in WEEK]
    first = page.words(".overview tbody tr")[0]
    assert "SMS, 2 parts" in first
    assert first.endswith("1 planned $1.00")
    assert "These words are drafts" in page.text


def test_without_a_price_it_says_where_to_set_it(site: Installation) -> None:
    site.log()
    for path in (ALL, TEXT):
        page = site.as_admin().get(path)
        assert page.one('main a[href="/clinic#price"]')


def test_a_missing_translation_is_flagged_and_english_is_a_start(site: Installation) -> None:
    change(site, f"{DAY0}.es", None)
    assert "1 text is missing" in site.as_admin().get(ALL).text
    browser = open_text(site)
    assert browser.page is not None
    assert browser.page.words("#flags-es") == ["missing"]
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD, "copy": "es"}
    page = browser.post(f"{TEXT}/copy", typed)
    assert page.form(TEXT)["sms.es"] == page.form(TEXT)["sms.en"] == GOOD
    assert "Thank you for coming in" in page.form(TEXT)["email.es"]


def test_a_real_treatment_can_be_the_sample_and_the_look_is_on_record(site: Installation) -> None:
    number = site.log()
    browser = open_text(site)
    for _ in range(2):
        page = live(browser, sms_en=GOOD, sample=f"treatment-{number}")
    assert "Hi Alice." in page.one("#sms-en .bubble").get_text()
    with site.look() as session:
        seen = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.viewed")).all()
    assert [entry.actor for entry in seen] == [ADA]


def test_another_clinics_treatment_is_no_sample(site: Installation) -> None:
    number = site.log()
    site.open_other_clinic()
    with site.change() as session:
        other = session.scalars(select(Clinic).where(Clinic.name == "Harbour Osteopathy")).one()
        mine = session.get_one(Clinic, site.clinic.id)
        old = plans.current_version(session, plans.find(session, mine, "dry-needling"))
        plans.save(session, other, old.content, now=site.clock.now(), actor=HUGO)
    browser = site.signed_in(HUGO)
    browser.get(TEXT)
    page = live(browser, sms_en=GOOD, sample=f"treatment-{number}")
    assert "Hi Alex." in page.one("#sms-en .bubble").get_text()


@pytest.mark.parametrize(("place", "to"), [("sms.en", "(212) 555-0155"), ("email.es", ADA)])
def test_a_test_goes_to_oneself_and_tells_what_became_of_it(site: Installation, place: str, to: str) -> None:
    browser = open_text(site)
    assert browser.page is not None
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD, "to.en": "212 555 0155", "send": place}
    page = browser.post(f"{TEXT}/test", typed, htmx=True)
    assert to in page.text
    assert "It waits for its turn." in page.text
    with site.change() as session:
        (message,) = session.scalars(select(Message).where(Message.kind == "test"))
        assert ("Hi Alex" in message.words) == place.startswith("sms")
        message.status = "failed"
        message.reason = "The number is a landline, which cannot receive SMS."
    asked = browser.fragment(str(page.one(".sent")["hx-get"]))
    assert "Failed: the number is a landline" in asked.text
    assert "hx-get" not in asked.one(".sent").attrs


def test_only_tests_are_told_about(site: Installation) -> None:
    site.log()
    with site.look() as session:
        planned = session.scalars(select(Message.id)).first()
    assert site.as_admin().get(f"{TEXT}/tests/{planned}").status == 404


def test_words_are_saved_as_a_new_version_after_one_saw_what_it_does(site: Installation) -> None:
    site.log()
    browser = open_text(site)
    page = browser.submit(TEXT, {"sms.en": GOOD})
    assert page.status == 200
    assert version(site).number == 1
    assert "Pending messages too" in page.text
    page = browser.submit("/plans/dry-needling/save", {"apply": "pending"})
    assert (page.path, page.status) == (TEXT, 200)
    assert "Version 2 is saved" in page.toast
    assert page.form(TEXT)["sms.en"] == GOOD
    old, new = (found.content["texts"] for found in versions(site))
    assert [name for name in new if new[name] != old[name]] == [f"{DAY0}.en"]
    assert "{% block email %}\nHi {{ patient.first_name }},\n" in new[f"{DAY0}.en"]
    while browser.fragment("/plans/dry-needling/retiming?of=1").all(".bar"):
        pass  # what is pending follows in the background
    with site.look() as session:
        waiting = session.scalars(select(Message).where(Message.status == "scheduled")).all()
    assert {message.plan_version_id for message in waiting} == {version(site).id}


def test_what_was_saved_can_be_taken_back(site: Installation) -> None:
    browser = open_text(site)
    browser.submit(TEXT, {"sms.en": GOOD})
    browser.submit("/plans/dry-needling/save", {"apply": "new"})
    page = browser.undo()
    assert page.words("h1") == ["New version 3"]
    browser.submit("/plans/dry-needling/save", {"apply": "new"})
    first, _, third = versions(site)
    assert third.content["texts"] == first.content["texts"]


def test_approved_words_become_drafts_again_and_it_is_said_before(site: Installation) -> None:
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        row = plans.find(session, clinic, "dry-needling")
        current = plans.current_version(session, row)
        plans.approve(session, current, by="Dr Ruiz", now=site.clock.now(), actor=ADA)
    browser = open_text(site)
    assert browser.page is not None
    assert "approved by Dr Ruiz" in browser.page.text
    page = live(browser, sms_en=GOOD)
    assert "a clinician has to approve its words" in page.one("#save-bar").get_text()


def test_whoever_is_second_is_told_what_the_first_changed_and_overwrites_nothing(site: Installation) -> None:
    browser = open_text(site)
    source = version(site).content["texts"][f"{DAY0}.es"]
    assert change(site, f"{DAY0}.es", source.replace("STOP para salir.", "STOP para parar.")) == 2
    page = browser.submit(TEXT, {"sms.en": GOOD})
    assert page.status == 409
    assert f"{HUGO} saved version 2" in page.text
    assert [tag.get_text() for tag in page.all("[role=alert] ins")] == ["parar."]
    assert page.form(TEXT)["sms.en"] == GOOD
    # Where the second one had touched nothing, the first one's words stay.
    assert str(page.form(TEXT)["sms.es"]).endswith("STOP para parar.")
    assert version(site).number == 2
    # What is saved then, with open eyes, is put on top of that version.
    again = browser.submit(TEXT, {"sms.es": "{{ clinic.name }}: Hola. STOP para salir."})
    assert again.status == 200
    browser.submit("/plans/dry-needling/save", {"apply": "new"})
    assert "Hola. STOP" in version(site).content["texts"][f"{DAY0}.es"]


def test_a_change_elsewhere_in_the_plan_is_told_too(site: Installation) -> None:
    browser = open_text(site)
    source = version(site).content["texts"][f"{DAY1}.en"]
    change(site, f"{DAY1}.en", source.replace("STOP to end.", "STOP to quit."))
    page = browser.submit(TEXT, {"sms.en": GOOD})
    assert page.status == 409
    assert "something else in the plan was changed" in page.text


def test_the_email_is_shown_as_it_reads_where_replies_are_read(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    words = "{% if clinic.reply_address %}Write to {{ clinic.reply_address }}.{% else %}Call us.{% endif %}"
    mailbox = {"host": "imap.example", "username": "care@riverside.example", "password": "x"}
    browser = open_text(Installation(engine, clinic, tmp_path, inbound_mail=mailbox))
    (shown,) = live(browser, email_en=words).all("#mail-en iframe.light")
    assert "Write to care@riverside.example." in browser.client.get(str(shown["src"])).text

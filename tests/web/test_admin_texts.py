from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from notifier import plans
from notifier.models import AuditEntry, Clinic, Message, PlanVersion
from notifier.status_words import step_name
from tests.cast import DAY0, DAY1, WEEK
from tests.web.browser import Browser, Page
from tests.web.cast import ADA, HUGO, Installation

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


def test_as_one_types_it_reads_as_the_patient_will_read_it(site: Installation) -> None:
    browser = open_text(site)
    page = live(browser, sms_en=GOOD)
    assert page.words("#sms-en .bubble") == ["Riverside Physio: Hi Alex. Rest a little. STOP to end."]
    assert page.words("#sms-en .counter") == ["1 part 54 of 160 characters, 106 more fit GSM-7"]
    assert "−1 part" in page.one("#sms-en .cost").get_text()
    assert page.words("#flags-en") == ["changed"]
    assert [tag.get_text() for tag in page.all("#changes-sms-en ins")][:1] == ["Rest"]
    # The fields themselves are never sent back over what is being typed.
    assert page.all("textarea") == []


@pytest.mark.parametrize(
    ("words", "parts", "why"),
    [
        (GOOD + " x" * 60, "2 parts", "over the 160 that fit into one part"),
        (GOOD + " 😀" + "x" * 20, "2 parts", "😀 (grinning face) is not in the plain SMS alphabet"),
    ],
)
def test_what_made_it_two_parts_is_said(site: Installation, words: str, parts: str, why: str) -> None:
    page = live(open_text(site), sms_en=words)
    assert page.words("#sms-en .counter strong") == [parts]
    assert why in page.one("#sms-en .why").get_text()


def test_an_error_stands_beside_its_field_in_words(site: Installation) -> None:
    page = live(open_text(site), sms_en="{{ patient.name }}", subject_es="Punción seca")
    assert page.words("#say-sms-en") == [
        "Error: There is no variable 'patient.name'. Did you mean patient.first_name?"
    ]
    assert "tells whoever reads along" in page.one("#say-subject-es").get_text()
    assert "2 things to put right" in page.one("#save-bar").get_text()


def frame(page: Page, language: str, scheme: str) -> str:
    (src,) = [str(tag["src"]) for tag in page.all(f"#mail-{language} iframe.{scheme}")]
    return src


def test_the_email_is_framed_in_light_and_dark_with_a_policy_of_its_own(site: Installation) -> None:
    browser = open_text(site)
    page = live(browser, email_en="Hi {{ patient.first_name }},\n\n**Rest** <script>alert(1)</script>")
    light, dark = (browser.client.get(frame(page, "en", scheme)) for scheme in ("light", "dark"))
    assert light.status_code == dark.status_code == 200
    assert "<strong>Rest</strong> &lt;script&gt;" in light.text
    assert "prefers-color-scheme" not in light.text + dark.text
    assert ".page { background-color: #12171b !important; }" in dark.text
    assert ".page { background-color: #12171b !important; }" not in light.text
    policy = dark.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-hashes' 'sha256-")
    assert policy.endswith("; sandbox")
    assert "unsafe-inline" not in policy


def test_a_frame_of_somebody_elses_making_shows_nothing(site: Installation) -> None:
    src = frame(live(open_text(site), email_en="Hi there."), "en", "light")
    other = site.as_admin()
    other.get(TEXT)
    assert other.get(src).status == 404
    assert open_text(site).get(src.replace("sign=", "sign=0")).status == 404
    assert site.as_desk().get(src).status == 403


def test_frames_are_left_alone_while_only_the_sms_changes(site: Installation) -> None:
    browser = open_text(site)
    page = live(browser, sms_en=GOOD)
    assert page.all("iframe") == []
    assert len(live(browser, subject_en="Another").all("iframe")) == 2


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


def test_without_scripts_a_button_shows_what_was_typed(site: Installation) -> None:
    browser = open_text(site)
    assert browser.page is not None
    page = browser.post(f"{TEXT}/show", dict(browser.page.form(TEXT)) | {"sms.en": GOOD})
    assert page.status == 200
    assert page.form(TEXT)["sms.en"] == GOOD
    assert "Hi Alex. Rest a little." in page.one("#sms-en .bubble").get_text()


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


def test_a_wrong_number_is_said_where_it_was_typed_and_nothing_is_lost(site: Installation) -> None:
    browser = open_text(site)
    assert browser.page is not None
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD, "to.en": "12", "send": "sms.en"}
    page = browser.post(f"{TEXT}/test", typed)
    assert page.status == 422
    assert "cannot be a phone number" in page.one("#sent-sms-en").get_text()
    assert (page.form(TEXT)["sms.en"], page.form(TEXT)["to.en"]) == (GOOD, "12")


def test_only_tests_are_told_about(site: Installation) -> None:
    site.log()
    with site.look() as session:
        planned = session.scalars(select(Message.id)).first()
    assert site.as_admin().get(f"{TEXT}/tests/{planned}").status == 404


def version(site: Installation) -> PlanVersion:
    with site.look() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        return plans.current_version(session, plans.find(session, clinic, "dry-needling"))


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


def versions(site: Installation) -> list[PlanVersion]:
    with site.look() as session:
        query = select(PlanVersion).where(PlanVersion.plan.has(key="dry-needling"))
        return list(session.scalars(query.order_by(PlanVersion.number)))


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


@pytest.mark.parametrize("words", ["Hi.", "{{ nobody }}", ""])
def test_what_is_wrong_is_not_saved_and_not_lost(site: Installation, words: str) -> None:
    browser = open_text(site)
    typed = {"sms.en": words} | ({"subject.en": "", "email.en": ""} if not words else {"email.es": "Hola."})
    page = browser.submit(TEXT, typed)
    assert page.status == 422
    assert page.all("#say-sms-en .error")
    assert {name: page.form(TEXT)[name] for name in typed} == typed
    assert version(site).number == 1


def test_nothing_new_makes_no_version(site: Installation) -> None:
    page = open_text(site).submit(TEXT)
    assert page.toast == "Nothing was different, so nothing was saved."


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


def test_a_lost_sign_in_loses_no_word(site: Installation) -> None:
    browser = open_text(site)
    assert browser.page is not None
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD}
    browser.client.cookies.delete(site.site.cookie("sign-in"))
    page = browser.post(TEXT, typed)
    assert page.status == 401
    assert GOOD in {str(tag.get("value")) for tag in page.all("input[type=hidden]")}


@pytest.mark.parametrize("path", [f"{ALL}/no-such-step", "/plans/none/texts", f"/plans/none/texts/{DAY0}"])
def test_what_is_not_there_is_said(site: Installation, path: str) -> None:
    assert site.as_admin().get(path).status == 404

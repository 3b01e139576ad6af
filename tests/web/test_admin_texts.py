from __future__ import annotations

import pytest

from tests.cast import DAY0
from tests.web.browser import Page
from tests.web.cast import Installation
from tests.web.texts_cast import ALL, GOOD, TEXT, live, open_text, version


def frame(page: Page, language: str, scheme: str) -> str:
    (src,) = [str(tag["src"]) for tag in page.all(f"#mail-{language} iframe.{scheme}")]
    return src


def test_as_one_types_it_reads_as_the_patient_will_read_it(site_once: Installation) -> None:
    browser = open_text(site_once)
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
def test_what_made_it_two_parts_is_said(site_once: Installation, words: str, parts: str, why: str) -> None:
    page = live(open_text(site_once), sms_en=words)
    assert page.words("#sms-en .counter strong") == [parts]
    assert why in page.one("#sms-en .why").get_text()


def test_an_error_stands_beside_its_field_in_words(site_once: Installation) -> None:
    page = live(open_text(site_once), sms_en="{{ patient.name }}", subject_es="Punción seca")
    assert page.words("#say-sms-en") == [
        "Error: There is no variable 'patient.name'. Did you mean patient.first_name?"
    ]
    assert "tells whoever reads along" in page.one("#say-subject-es").get_text()
    assert "2 things to put right" in page.one("#save-bar").get_text()


def test_the_email_is_framed_in_light_and_dark_with_a_policy_of_its_own(site_once: Installation) -> None:
    browser = open_text(site_once)
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


def test_a_frame_of_somebody_elses_making_shows_nothing(site_once: Installation) -> None:
    src = frame(live(open_text(site_once), email_en="Hi there."), "en", "light")
    other = site_once.as_admin()
    other.get(TEXT)
    assert other.get(src).status == 404
    assert open_text(site_once).get(src.replace("sign=", "sign=0")).status == 404
    assert site_once.as_desk().get(src).status == 403


def test_frames_are_left_alone_while_only_the_sms_changes(site_once: Installation) -> None:
    browser = open_text(site_once)
    page = live(browser, sms_en=GOOD)
    assert page.all("iframe") == []
    assert len(live(browser, subject_en="Another").all("iframe")) == 2


def test_without_scripts_a_button_shows_what_was_typed(site_once: Installation) -> None:
    browser = open_text(site_once)
    assert browser.page is not None
    page = browser.post(f"{TEXT}/show", dict(browser.page.form(TEXT)) | {"sms.en": GOOD})
    assert page.status == 200
    assert page.form(TEXT)["sms.en"] == GOOD
    assert "Hi Alex. Rest a little." in page.one("#sms-en .bubble").get_text()


def test_a_wrong_number_is_said_where_it_was_typed_and_nothing_is_lost(site_once: Installation) -> None:
    browser = open_text(site_once)
    assert browser.page is not None
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD, "to.en": "12", "send": "sms.en"}
    page = browser.post(f"{TEXT}/test", typed)
    assert page.status == 422
    assert "cannot be a phone number" in page.one("#sent-sms-en").get_text()
    assert (page.form(TEXT)["sms.en"], page.form(TEXT)["to.en"]) == (GOOD, "12")


@pytest.mark.parametrize("words", ["Hi.", "{{ nobody }}", ""])
def test_what_is_wrong_is_not_saved_and_not_lost(site_once: Installation, words: str) -> None:
    browser = open_text(site_once)
    typed = {"sms.en": words} | ({"subject.en": "", "email.en": ""} if not words else {"email.es": "Hola."})
    page = browser.submit(TEXT, typed)
    assert page.status == 422
    assert page.all("#say-sms-en .error")
    assert {name: page.form(TEXT)[name] for name in typed} == typed
    assert version(site_once).number == 1


def test_nothing_new_makes_no_version(site_once: Installation) -> None:
    page = open_text(site_once).submit(TEXT)
    assert page.toast == "Nothing was different, so nothing was saved."


def test_a_lost_sign_in_loses_no_word(site_once: Installation) -> None:
    browser = open_text(site_once)
    assert browser.page is not None
    typed = dict(browser.page.form(TEXT)) | {"sms.en": GOOD}
    browser.client.cookies.delete(site_once.site.cookie("sign-in"))
    page = browser.post(TEXT, typed)
    assert page.status == 401
    assert GOOD in {str(tag.get("value")) for tag in page.all("input[type=hidden]")}


@pytest.mark.parametrize("path", [f"{ALL}/no-such-step", "/plans/none/texts", f"/plans/none/texts/{DAY0}"])
def test_what_is_not_there_is_said(site_once: Installation, path: str) -> None:
    assert site_once.as_admin().get(path).status == 404

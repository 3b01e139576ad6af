from __future__ import annotations

from notifier.models import Clinic
from tests.web.browser import Browser, Page
from tests.web.cast import ADA, Installation

ALL, WORDS, HELP = "/answers", "/answers/words", "/answers/help"
GOOD = (
    "{{ clinic.name }}: Emergency? Call {{ clinic.emergency_number }}. Else {{ clinic.phone }}. STOP to end."
)


def clinic_of(site: Installation) -> Clinic:
    with site.look() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        session.expunge(clinic)
    return clinic


def opened(site: Installation, path: str) -> Browser:
    browser = site.as_admin()
    assert browser.get(path).status == 200
    return browser


def live(browser: Browser, path: str, typed: dict[str, str]) -> Page:
    """As the page asks while somebody types."""
    fields = {"csrf": browser.csrf, **typed}
    return Page(browser.client.post(path, data=fields, headers={"HX-Request": "true"}))


def test_all_answers_are_seen_in_both_languages_as_they_read_now(site: Installation) -> None:
    page = opened(site, ALL).page
    assert page is not None
    assert len(page.all("table.answers tbody tr")) == 22
    assert page.words('.said[lang="es"]')[0].startswith("Riverside Physio: Aviso")
    assert "{{" not in " ".join(page.words(".said"))
    assert page.words(".head .tag") == ["draft"]


def test_a_named_clinician_approves_all_and_an_edit_makes_them_drafts_again(site: Installation) -> None:
    browser = opened(site, ALL)
    page = browser.submit(f"{ALL}/approve", {"by": "Dr Ana Ruiz", "licence": ""})
    assert (page.status, page.wrong()) == (422, {"licence": "Write the licence, such as PT 12345."})
    page = browser.submit(f"{ALL}/approve", {"licence": "PT 12345"})
    assert page.words(".head .tag") == ["approved by Dr Ana Ruiz, PT 12345"]

    browser.get(HELP)
    page = browser.submit(HELP, {"sms.en": GOOD})
    assert (page.path, page.words(".head .tag")) == (HELP, ["draft", "your words", "as shipped"])
    page = browser.get(ALL)
    assert "Changed since Dr Ana Ruiz, PT 12345 approved them" in page.text
    # Somebody else has changed a word since this page was opened: nobody has read that one.
    stale = page.form(f"{ALL}/approve")
    opened(site, HELP).submit(HELP, {"sms.en": f"{GOOD} Bye."})
    refused = browser.post(f"{ALL}/approve", stale | {"by": "Dr Ana Ruiz", "licence": "PT 12345"})
    assert (refused.status, "Read it again first" in refused.text) == (409, True)
    assert refused.one("#f-by")["value"] == "Dr Ana Ruiz"


def test_as_one_types_it_reads_as_the_patient_will_read_it(site: Installation) -> None:
    browser = opened(site, HELP)
    page = live(browser, f"{HELP}/show", {"sms.en": GOOD, "sms.es": ""})
    assert page.words("#sms-en .bubble") == [
        "Riverside Physio: Emergency? Call 911. Else (212) 555-0100. STOP to end."
    ]
    assert page.words("#sms-en .counter strong") == ["1 part"]
    assert page.words("#say-sms-es") == ["Error: There are no words. Write some, or take those as shipped."]
    assert "1 thing to put right" in page.one("#save-bar").get_text()
    # The fields themselves are never sent back over what is being typed.
    assert page.all("textarea") == []
    # What is wrong is not saved, and stays in its field.
    page = browser.submit(HELP, {"sms.en": "Call us."})
    assert (page.status, page.one("#f-sms-en").get_text().strip()) == (422, "Call us.")
    assert clinic_of(site).reply_texts == {}


def test_back_to_the_words_as_shipped_and_back_again(site: Installation) -> None:
    browser = opened(site, HELP)
    browser.submit(HELP, {"sms.en": GOOD})
    page = browser.submit(f"{HELP}/shipped")
    assert page.toast.startswith("It reads as it was shipped again.")
    assert clinic_of(site).reply_texts == {}
    browser.undo()
    assert clinic_of(site).reply_texts == {"help.en": {"sms": GOOD}}


def test_two_people_at_once_overwrite_nothing(site: Installation) -> None:
    slow, quick = opened(site, HELP), opened(site, HELP)
    quick.submit(HELP, {"sms.en": GOOD})
    page = slow.submit(HELP, {"sms.en": f"{GOOD} Bye."})
    assert page.status == 409
    assert ADA in page.one('main [role="alert"]').get_text()
    assert page.one("#f-sms-en").get_text().strip().endswith("Bye.")
    assert clinic_of(site).reply_texts == {"help.en": {"sms": GOOD}}
    # What the other one saved is shown beside it, and saving again replaces it.
    assert [tag.get_text().strip() for tag in page.all("#changes-sms-en ins")] == ["Bye."]
    slow.submit(HELP)
    assert clinic_of(site).reply_texts["help.en"]["sms"].endswith("Bye.")


def test_the_first_text_is_switched_on_and_off(site: Installation) -> None:
    browser = opened(site, ALL)
    before = clinic_of(site).first_text
    browser.submit(f"{ALL}/first-text", {"first_text": "" if before else "1"})
    assert clinic_of(site).first_text is not before
    browser.undo()
    assert clinic_of(site).first_text is before


def test_a_phrase_is_added_after_its_warning_was_read_and_removed_again(site: Installation) -> None:
    browser = site.as_admin()

    def post(path: str, **more: str) -> Page:
        typed = {"phrase": "ok", "list": "urgent", "language": "en"}
        return browser.post(path, typed | {"base": str(clinic_of(site).version)} | more)

    def kept() -> object:
        return clinic_of(site).reply_words.get("urgent", {}).get("en")

    page = post(WORDS)
    assert (page.status, kept()) == (422, None)
    assert "everyday answers" in page.wrong()["phrase"]
    assert page.form(WORDS).keys() >= {"base", "phrase", "list", "language"}
    assert [box.get("name") for box in page.all("#lists [type=checkbox]")] == ["sure"]
    page = post(WORDS, sure="1")
    assert page.words("#list-urgent .mine") == ["ok Remove ok"]
    assert post(f"{WORDS}/remove", base="1").status == 409
    post(f"{WORDS}/remove")
    assert kept() == []
    browser.undo()
    assert kept() == ["ok"]


def test_a_sentence_is_tried_while_it_is_typed_and_without_scripts(site: Installation) -> None:
    browser = site.as_admin()
    page = live(browser, f"{ALL}/try", {"words": "no puedo respirar bien", "language": "es"})
    assert page.words(".tried .tag")[:1] == ["emergency"]
    assert page.words(".bubble")[0].startswith("Riverside Physio: Aviso")
    assert "nobody, because there is no alert contact" in page.text
    assert live(browser, f"{ALL}/try", {"words": "  "}).all(".tried") == []
    whole = browser.post(f"{ALL}/try", {"words": "about a 4", "asked": "1"})
    assert "score 4" in whole.words(".tried .tag")
    assert whole.one("#f-words").get_text() == "about a 4"

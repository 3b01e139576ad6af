from __future__ import annotations

import pytest

from notifier.models import Clinic
from tests.web.cast import Installation

PAGE = "/going-live"


def open_steps(site: Installation) -> list[str]:
    page = site.as_admin().get(PAGE)
    assert page.status == 200
    return [str(tag["id"]) for tag in page.all(".steps > li") if "Done:" not in tag.get_text()]


def test_each_step_says_why_what_to_do_and_where(site: Installation) -> None:
    page = site.as_admin().get(PAGE)
    hours = page.one("#hours")
    assert "Nobody has entered any" in hours.get_text()
    assert [str(a["href"]) for a in hours.select("a")] == ["/clinic#hours"]
    assert page.words("main .notice.warn a") == [
        "The texts of the plans are approved",
        "The automatic answers are approved",
        "Replies by SMS come in",
        "Alert contacts are tested",
        "SMS or e-mail is set up",
    ]
    assert page.words("nav[aria-label=Admin] .tag") == ["1 of 22 done"]
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        clinic.opening_hours = {"mon": [["09:00", "18:00"]]}
    assert "hours" not in open_steps(site)
    # The front desk has no use for it.
    assert site.as_desk().get("/today").all("nav[aria-label=Admin]") == []


def test_a_tick_is_kept_with_who_and_when_and_can_be_taken_back(site: Installation) -> None:
    browser = site.as_admin()
    browser.get(PAGE)
    page = browser.submit(f"{PAGE}/registered/done", {"on": "2026-02-01", "note": "CM1234"})
    assert page.path.startswith(PAGE)
    assert "Sun 1 Feb 2026, by Ada Okoye: CM1234" in " ".join(page.one("#registered").get_text(" ").split())
    assert page.words("nav[aria-label=Admin] .tag") == ["2 of 22 done"]
    page = browser.submit(f"{PAGE}/registered/undone")
    assert "registered" in open_steps(site)
    # Undoing that brings back the day and the note too.
    browser.page = page
    assert "CM1234" in browser.undo().one("#registered").get_text()


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"on": "2026-03-01"}, {"on-dns": "That day has not come yet."}),
        ({"on": "soon"}, {"on-dns": "Write the day like 2026-03-03."}),
        ({"note": "x" * 201}, {"note-dns": "Keep the note below 200 characters."}),
    ],
)
def test_a_tick_that_cannot_be_is_shown_again_with_what_was_typed(
    typed: dict[str, str], wrong: dict[str, str], site: Installation
) -> None:
    browser = site.as_admin()
    browser.get(PAGE)
    page = browser.submit(f"{PAGE}/dns/done", {"note": "my host"} | typed)
    assert (page.status, page.wrong()) == (422, wrong)
    assert page.one("#f-note-dns")["value"] == typed.get("note", "my host")
    assert page.one("#dns details").has_attr("open")


def test_nobody_ticks_what_the_program_sees_for_itself(site: Installation) -> None:
    assert site.as_admin().post(f"{PAGE}/plans/done").status == 404


def test_the_pack_is_made_of_the_clinics_own_words(site: Installation) -> None:
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        clinic.consent_wording = {"en": "May Riverside text you?"}
        clinic.reply_texts = {"help.en": {"sms": "{{ clinic.name }}: Call 911. STOP to end."}}
    page = site.as_admin().get(f"{PAGE}/pack")
    assert len({str(tag["id"]) for tag in page.all(".pasted")}) == len(page.all(".pasted"))
    text = {str(tag["id"]).removeprefix("piece-"): tag.get_text() for tag in page.all(".pasted")}
    assert text["help"] == "Riverside Physio: Call 911. STOP to end."
    assert "“May Riverside text you?”" in text["how-people-agree"]
    assert text["consent-en"].startswith("May Riverside text you?")
    assert text["sample-1"].startswith("Riverside Physio: Hi Alex.")
    assert sum(key.startswith("sample-") for key in text) == 4
    assert all("{{" not in words for words in text.values())
    # Every button has something to copy.
    assert {str(button["data-copy"]) for button in page.all("[data-copy]")} == {
        f"piece-{key}" for key in text
    }

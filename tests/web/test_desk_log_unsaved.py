"""What the log form answers before anything is saved: what is wrong, and what would be sent."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from notifier.models import AuditEntry, ConsentEntry, Message, MessageEvent, Patient, Treatment
from tests.web.browser import Browser, Page
from tests.web.cast import Installation
from tests.web.test_desk_log import NEW, YES, save, treatments

PREVIEW = "/log/preview"


@pytest.fixture(scope="module")
def desk_once(site_once: Installation) -> Browser:
    return site_once.as_desk()


def preview(desk: Browser, **typed: Any) -> Page:
    fields = desk.get("/").form("/log") | {"plan": "dry-needling"} | typed
    return desk.post(PREVIEW, fields, htmx=True)


WRONG = [
    ({"first_name": "", "who": "Dana"}, "who", "Choose a patient"),
    ({"phone": "12"}, "phone", "cannot be a phone number"),
    ({"phone": "", "email": "", "consent_sms": ""}, "phone", "cannot be reached"),
    ({"email": "dana@"}, "email", "has no domain"),
    ({"timezone": "Mars/Olympus"}, "timezone", "There is no time zone"),
    ({"ended_at": "half past"}, "ended_at", "write it like"),
    ({"next_visit": "2026-02-01T10:00"}, "next_visit", "has to be after"),
    ({"plan": "nothing"}, "plan", 'There is no plan "nothing"'),
    ({"practitioner": "x" * 121}, "practitioner", "Keep it below 120"),
    ({"consent_email": "yes"}, "consent_email", "Enter an e-mail address first"),
    ({"patient": "999"}, "who", "There is no patient 999"),
]


@pytest.mark.parametrize(("typed", "field", "words"), WRONG, ids=[words for *_, words in WRONG])
def test_what_is_wrong_stands_beside_its_field_and_all_else_is_kept(
    site_once: Installation, desk_once: Browser, typed: dict[str, str], field: str, words: str
) -> None:
    sent = NEW | YES | {"areas": "neck", "next_visit": "2026-02-20T10:00", "ended_at": "15:10"} | typed
    page = save(desk_once, **sent)
    assert page.status == 422
    assert words in page.wrong()[field]
    again = page.form("/log")
    for name in sent.keys() - {"who", "patient", "plan"}:
        assert again.get(name, "") == sent[name], name
    assert treatments(site_once) == 0


def test_the_preview_has_the_very_words_the_day_the_hour_and_the_price(desk_once: Browser) -> None:
    page = preview(desk_once, **NEW, **YES)
    assert page.words("h2") == ["What Dana will get"]
    assert page.words(".foreseen time")[:2] == ["Today 17:40", "Tomorrow 13:40"]
    assert page.words(".bubble")[0].startswith(
        "Riverside Physio: Hi Dana. A dull 'good hurt' and soreness for 24 to 48 hours are common"
    )
    assert "Day 0: what you may feel · 2 parts" in page.words(".what")[0]
    assert "Goes out only if the patient's latest score by then is 4 or more." in page.text
    assert page.words(".not-sent") == ["Not sent: no next visit is booked.", "Before next visit"]
    assert str(page.one("svg.line")["aria-label"]).startswith("Today 17:40, Day 0: what you may feel")


def test_the_preview_leaves_nothing_behind(site_once: Installation, desk_once: Browser) -> None:
    assert preview(desk_once, **NEW, **YES).all(".bubble")
    tables = (Patient, Treatment, Message, MessageEvent, ConsentEntry, AuditEntry)
    with site_once.look() as session:
        left = {table.__name__: session.scalar(select(func.count()).select_from(table)) for table in tables}
    # Of the set-up and of signing in; nothing about Dana.
    assert {name: left[name] for name in left if name != "AuditEntry"} == dict.fromkeys(
        ("Patient", "Treatment", "Message", "MessageEvent", "ConsentEntry"), 0
    )
    with site_once.look() as session:
        about = set(session.scalars(select(AuditEntry.subject)))
    assert about <= {"staff", "plan", "clinic"}


def test_the_preview_says_why_nothing_comes_and_offers_the_sheet(desk_once: Browser) -> None:
    page = preview(desk_once, **NEW)
    assert "Nothing will reach the patient. No consent to SMS is on record." in page.text
    assert page.one(".notice a")["href"] == "/sheet?plan=dry-needling&language=en"
    assert page.all(".bubble") == []


def test_the_preview_speaks_the_patients_language_to_whom_it_is_written(desk_once: Browser) -> None:
    page = preview(desk_once, **NEW | {"language": "es", "contact_name": "Paola Rossi"}, **YES)
    assert page.words(".bubble")[0].startswith("Riverside Physio: Hola Paola. Tras su visita")
    assert page.all(".bubble")[0]["lang"] == "es"


def test_the_preview_names_the_patients_zone_where_it_is_another(desk_once: Browser) -> None:
    page = preview(desk_once, **NEW, **YES, timezone="America/Los_Angeles")
    assert "Times below are the patient's: in Los Angeles" in page.text
    assert page.words(".foreseen time")[0] == "Today 14:40"


def test_with_nobody_named_the_preview_waits(desk_once: Browser) -> None:
    page = preview(desk_once)
    assert "Choose a patient, or enter a new one" in page.text
    assert page.one("a")["href"] == "/sheet?plan=dry-needling"


def test_what_is_wrong_so_far_is_said_quietly(desk_once: Browser) -> None:
    assert "'12' cannot be a phone number" in preview(desk_once, **NEW | {"phone": "12"}).text
    assert "There is no patient 999" in preview(desk_once, patient="999").text


def test_all_mistakes_are_shown_at_once(desk_once: Browser) -> None:
    page = save(desk_once, **NEW | {"phone": "12", "ended_at": "soon", "next_visit": "later"})
    assert page.wrong().keys() == {"phone", "ended_at", "next_visit"}

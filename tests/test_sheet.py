"""The sheet that patients take along on paper: of each shipped plan, and of a plan that lacks something."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier import clinics, plans, sheet
from notifier.models import Clinic, Treatment
from notifier.planfiles import Definition, read_folder, shipped_plans
from notifier.rules.groups import Group, groups
from notifier.rules.hours import parse_hours
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import parse_text
from notifier.sheet import Sheet, hours_in_words
from tests import cast
from tests.cast import ALICE, LOGGED, MIA

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
EVERY = [(folder.name, language) for folder in shipped_plans() for language in LANGUAGES]


def clinic_named(**changes: Any) -> Clinic:
    values = {
        "name": "Riverside Physio",
        "phone": "(212) 555-0100",
        "emergency_number": "911",
        "crisis_line": "",
        "timezone": cast.NEW_YORK,
        "language": "en",
        "opening_hours": {day: [["08:00", "18:00"]] for day in WEEKDAYS},
        "closed_dates": [],
    }
    return Clinic(**values | changes)


def definition(plan: str) -> Definition:
    return read_folder(next(folder for folder in shipped_plans() if folder.name == plan))


def made(plan: str, language: str = "en", **changes: Any) -> Sheet:
    return sheet.make(definition(plan), clinic_named(**changes), language, now=LOGGED)


def words(groups: list[Group]) -> str:
    return "\n".join(group.words for group in groups)


def all_words(page: Sheet) -> str:
    days = [words(day.groups) for day in page.days]
    return "\n".join([words(page.emergency), words(page.call_us), words(page.today), *days])


@pytest.mark.parametrize(("plan", "language"), EVERY)
def test_every_shipped_plan_says_when_to_call_whom(plan: str, language: str) -> None:
    page = made(plan, language)
    texts = definition(plan).texts
    has_words = any("emergency_number" in (text.email or "") for text in texts.values())
    assert page.emergency_number == "911"
    assert ("911" in words(page.emergency)) is has_words
    assert "(212) 555-0100" in words(page.call_us)
    assert page.today
    assert page.days
    assert page.notes == []


@pytest.mark.parametrize(("plan", "language"), EVERY)
def test_no_sentence_is_written_here_and_none_asks_for_a_reply(plan: str, language: str) -> None:
    """Word for word what the plan's e-mails say."""
    said = [line for line in all_words(made(plan, language)).splitlines() if line]
    source = " ".join(
        " ".join(group.words.split())
        for text in definition(plan).texts.values()
        if text.email
        for group in groups(
            re.sub(
                r"\{\{ *clinic\.(\w+)[^}]*\}\}",
                lambda found: {"phone": "(212) 555-0100", "emergency_number": "911"}[found[1]],
                re.sub(r"\{\{ *treatment\.date *\}\}", "3 Feb" if language == "en" else "3 feb", text.email),
            )
        )
    )
    for sentence in (part for line in said for part in re.split(r"(?<=[.!?]) ", line)):
        assert sentence in source, sentence
    assert not re.search(r"\b(Reply|reply|Responda|STOP|text message|mensaje de texto)\b", " ".join(said))


def test_an_instruction_is_not_maimed() -> None:
    """It begins like a command for replies, and is one for the patient."""
    assert "A sudden pop, or sudden sharp pain and weakness? Stop using the limb and call" in words(
        made("shockwave").call_us
    )


def test_the_parts_of_dry_needling() -> None:
    page = made("dry-needling")
    assert [group.heading for group in page.today] == ["", "What is common", "What helps"]
    assert [(day.number, day.title) for day in page.days] == [
        (1, "Soreness is common"),
        (2, ""),
        (3, "Back to your plan"),
    ]
    assert words(page.emergency).startswith("Get help now\nCall 911 if you have chest pain")
    assert "you cough up blood, or you faint" in words(page.emergency)
    # Only who answered the question is told this, and paper asks nothing.
    assert "You told us you were still sore" not in all_words(page)


def test_without_a_treatment_there_is_room_for_the_name() -> None:
    page = made("cupping")
    assert set(page.name) == {"_"}
    assert page.treated_on == "3 Feb"


def test_it_is_about_the_treatment(session: Session, clinic: Clinic) -> None:
    treatment = cast.log(session, clinic, MIA, practitioner="Dr Ruiz")
    page = of(treatment, clinic, "es")
    assert (page.name, page.treated_on, page.practitioner) == ("Mia Rossi", "3 feb", "Dr Ruiz")
    assert "Dr Ruiz" not in all_words(page)


def of(treatment: Treatment, clinic: Clinic, language: str = "en", **how: Any) -> Sheet:
    plan = plans.definition(treatment.plan_version)
    return sheet.make(plan, clinic, language, now=LOGGED, treatment=treatment, **how)


def test_what_names_the_treatment_is_for_who_wished_it(session: Session, clinic: Clinic) -> None:
    treatment = cast.log(session, clinic, ALICE)
    assert 5 not in [day.number for day in of(treatment, clinic).days]
    treatment.patient.name_treatment = True
    assert 5 in [day.number for day in of(treatment, clinic).days]


def test_a_clinic_without_an_emergency_number_prints_the_one_of_the_texts() -> None:
    page = made("dry-needling", emergency_number="")
    assert page.emergency_number == "911"
    assert "Call 911 if you have chest pain" in words(page.emergency)
    assert made("shockwave", emergency_number="").emergency_number == ""


def test_another_countrys_number_is_found_in_its_words() -> None:
    page = made("dry-needling", emergency_number="112")
    assert "Call 112 if you have chest pain" in words(page.emergency)


def test_words_that_cannot_be_made_are_named_and_the_rest_is_printed() -> None:
    plan = definition("cupping")
    source = "{% block subject %}A{% endblock %}{% block email %}See you {{ next_visit.date }}.{% endblock %}"
    broken = {("day1-skin-check", "en"): parse_text(source, file="day1-skin-check.en.j2")}
    page = sheet.make(replace(plan, texts={**plan.texts, **broken}), clinic_named(), "en", now=LOGGED)
    assert page.notes[0].startswith("Day 1: skin check is left out: The text needs next_visit.date")
    assert [day.number for day in page.days] == [7]


def test_what_has_no_translation_is_printed_in_english_and_says_so() -> None:
    plan = definition("cupping")
    texts = {key: text for key, text in plan.texts.items() if key != ("day7-marks-fading", "es")}
    page = sheet.make(replace(plan, texts=texts), clinic_named(), "es", now=LOGGED)
    assert page.notes == ["Day 7: marks fading has no text in this language."]
    assert "It is one week since your visit." in all_words(page)


@pytest.mark.parametrize(
    ("week", "language", "lines"),
    [
        ({day: [["08:00", "18:00"]] for day in WEEKDAYS}, "en", ["Mon–Fri 08:00–18:00"]),
        (
            {"mon": [["09:00", "12:00"], ["14:00", "18:00"]], "wed": [["09:00", "12:00"]]},
            "es",
            ["lun 09:00–12:00, 14:00–18:00", "mié 09:00–12:00"],
        ),
        ({}, "en", []),
    ],
)
def test_days_with_the_same_hours_are_one_line(week: Any, language: str, lines: list[str]) -> None:
    assert hours_in_words(parse_hours(week), language) == lines


def test_the_clinics_hours_are_on_it() -> None:
    assert made("cupping").hours == ["Mon–Fri 08:00–18:00"]
    assert not clinics.hours(clinic_named(opening_hours={}))

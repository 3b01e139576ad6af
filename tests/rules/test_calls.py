from __future__ import annotations

import pytest

from notifier.rules.calls import sort
from notifier.rules.groups import Group, groups

PHONE = "(212) 555-0100"


def sorted_words(source: str) -> dict[str, list[str]]:
    found = sort(groups(source), emergency_number="911", phone=PHONE)
    return {kind: [group.words.strip() for group in some] for kind, some in vars(found).items() if some}


# An e-mail taken apart


def test_a_bold_line_is_the_heading_of_what_stands_below_it() -> None:
    assert groups(
        "Hi,\n\n**Common**\n- an *ache*\n- a **dull** one\n\n**Help**\nCall.\nNow.\n\nBye,\nAna"
    ) == [
        Group(lines=("Hi,",)),
        Group("Common", (), ("an ache", "a dull one")),
        Group("Help", ("Call.", "Now.")),
        Group(lines=("Bye,", "Ana")),
    ]


def test_a_lead_in_keeps_its_list_and_a_lone_heading_takes_the_next_paragraph() -> None:
    assert groups("Call if\n- hot\n- red\n\n**Next**\n\nRest.") == [
        Group("", ("Call if",), ("hot", "red")),
        Group("Next", ("Rest.",)),
    ]


def test_bold_inside_a_sentence_is_no_heading() -> None:
    assert groups("**Rest** today.") == [Group(lines=("Rest today.",))]


# Whom to call


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        (
            "Call 911 if you faint. This is rare. Do not wait.",
            {"emergency": ["Call 911 if you faint. This is rare. Do not wait."]},
        ),
        (
            f"For pain call {PHONE}. Chest pain? Call 911.",
            {"clinic": [f"For pain call {PHONE}."], "emergency": ["Chest pain? Call 911."]},
        ),
        (
            f"A sudden pop? Stop using the limb and call {PHONE} right away.",
            {"clinic": [f"A sudden pop? Stop using the limb and call {PHONE} right away."]},
        ),
        ("**Call 911 if**\n- you faint", {"emergency": ["Call 911 if\nyou faint"]}),
        ("Never stop a medicine.", {"plain": ["Never stop a medicine."]}),
        ("Room 9110 or 1911.", {"plain": ["Room 9110 or 1911."]}),
    ],
)
def test_what_belongs_to_a_number_goes_with_it(source: str, kinds: dict[str, list[str]]) -> None:
    assert sorted_words(source) == kinds


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("It should be easing. Reply with one number.", {"plain": ["It should be easing."]}),
        (f"Reply with one number. If it is 7, call {PHONE}.", {}),
        ("**What your number means**\n- 0: fine", {}),
        ("Texte STOP para salir.", {}),
        ("Responda a nuestro mensaje de texto con un número.", {}),
    ],
)
def test_what_asks_for_a_reply_is_not_for_paper(source: str, kinds: dict[str, list[str]]) -> None:
    assert sorted_words(source) == kinds


def test_when_to_call_an_ambulance_is_never_left_out() -> None:
    source = "For chest pain do not send a number. Call 911."
    assert sorted_words(source) == {"emergency": [source]}


def test_without_numbers_all_is_plain() -> None:
    found = sort([Group(lines=("Call 911.",))], emergency_number="", phone="")
    assert found.plain == [Group(lines=("Call 911.",))]

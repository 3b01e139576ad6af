from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.planfiles import Content, read_content, shipped_plans
from notifier.rules.templating import BLOCKS, parse_text
from notifier.text_complaints import complaints
from notifier.text_editing import (
    Words,
    changed_languages,
    content_with,
    copied,
    source_of,
    template_of,
    tidied,
    words_in,
    words_of,
)
from notifier.text_sizes import sized
from tests.cast import DAY0, DAY5, SCORE

PLANS: list[Content] = [read_content(folder) for folder in shipped_plans()]
SHIPPED = {f"{plan['key']}/{name}": source for plan in PLANS for name, source in plan["texts"].items()}
NEEDLING = next(plan for plan in PLANS if plan["key"] == "dry-needling")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_text_survives_the_editor_to_the_letter(name: str) -> None:
    source = SHIPPED[name]
    words = tidied(words_of(source))
    assert source_of(words, source) == source
    # Written anew it is another file that says the same.
    assert words_of(source_of(words)) == words


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("name", SHIPPED)
def test_changing_one_block_leaves_the_others_as_they_were_written(name: str, block: str) -> None:
    source = SHIPPED[name]
    before = parse_text(source, file=name)
    if getattr(before, block) is None:
        return
    changed = replace(tidied(words_of(source)), **{block: "Quite other words."})
    after = parse_text(source_of(changed, source), file=name)
    for other in BLOCKS:
        said = getattr(after, other)
        assert said == (getattr(before, other) if other != block else said)
    assert words_of(source_of(changed, source)) == changed


plain = st.text(alphabet=st.characters(exclude_characters="{}\r", exclude_categories=["C"]), min_size=1)


@given(sms=plain, subject=plain, email=plain)
def test_whatever_is_typed_comes_back(sms: str, subject: str, email: str) -> None:
    words = tidied(Words(sms, subject, email))
    words = replace(words, sms=" ".join(words.sms.split()))
    if not (words.subject and words.email):
        words = replace(words, subject="", email="")
    source = source_of(words, SHIPPED["dry-needling/day0-what-you-may-feel.en"])
    assert words_of(source) == words
    assert source_of(words, source) == source


def test_a_comment_beside_the_blocks_stays() -> None:
    source = "{# for the first day #}\n{%- block sms -%} Hi {%- endblock -%}\n{# kept #}"
    assert source_of(Words(sms="Ho"), source) == source.replace("Hi", "Ho")


def test_a_block_is_added_and_taken_out() -> None:
    source = SHIPPED["dry-needling/day0-what-you-may-feel.en"]
    words = tidied(words_of(source))
    without = source_of(replace(words, subject="", email=""), source)
    assert parse_text(without, file="").email is None
    assert words_of(source_of(words, without)) == words
    assert source_of(Words(), source) == ""


def test_line_breaks_beside_an_if_are_shown_as_they_are() -> None:
    inner = "Hi{% if practitioner.name %}\nfrom {{ practitioner.name }}{% endif %}"
    assert words_of(f"{{% block sms %}}{inner}{{% endblock %}}").sms == inner


def test_a_new_content_has_the_changed_words_and_nothing_else_new() -> None:
    words = {language: tidied(said) for language, said in words_in(NEEDLING, DAY0).items()}
    assert content_with(NEEDLING, DAY0, words) == NEEDLING
    words["es"] = replace(words["es"], sms="Hola.")
    assert changed_languages(NEEDLING, DAY0, words) == ["es"]
    made = content_with(NEEDLING, DAY0, words)
    differing = [name for name, source in made["texts"].items() if source != NEEDLING["texts"][name]]
    assert differing == [f"{DAY0}.es"]


def test_english_is_a_start_for_what_is_missing_and_overwrites_nothing() -> None:
    words = {"en": Words("Hi", "Sub", "Body"), "es": Words(sms="Hola")}
    assert copied(words, "es")["es"] == Words("Hola", "Sub", "Body")


def found(step: str, words: Words, language: str = "en") -> dict[str, str]:
    return {each.field: each.message for each in complaints(NEEDLING, step, language, words)}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"sms": "{{ clinic.name }}: Hi {{ patient.name }}. STOP to end."}, "sms.en", "There is no variable"),
        ({"sms": "{{ clinic.name"}, "sms.en", "not a valid text"),
        ({"sms": "x{% endblock %}{% block email %}y"}, "sms.en", "Leave {% block %}"),
        ({"sms": "Hi. STOP to end."}, "sms.en", "does not begin with who writes"),
        ({"sms": "{{ clinic.name }}: Hi."}, "sms.en", "does not say how to stop"),
        ({"subject": ""}, "subject.en", "needs a subject"),
        ({"email": ""}, "email.en", "no e-mail"),
        ({"subject": "After dry needling"}, "subject.en", "tells whoever reads along"),
        ({"email": "Hi,\n\none\n\ntwo {{ nobody }}"}, "email.en", "Line 5: There is no variable"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(changes: dict[str, str], field: str, says: str) -> None:
    words = replace(tidied(words_of(NEEDLING["texts"][f"{DAY0}.en"])), **changes)
    assert says in found(DAY0, words)[field]


def test_mistakes_in_two_fields_are_both_said() -> None:
    assert set(found(DAY0, Words("{{ x }}", "{{ y }}", "z"))) == {"sms.en", "subject.en"}


def test_the_shipped_words_are_in_order() -> None:
    for step in (DAY0, SCORE, DAY5):
        for language in ("en", "es"):
            assert found(step, tidied(words_of(NEEDLING["texts"][f"{step}.{language}"])), language) == {}


def test_one_unreadable_field_does_not_hide_the_others() -> None:
    template = template_of(Words("{{ nobody }}", "Subject", "Body"))
    assert (template.sms, template.subject) == (None, "Subject")


@pytest.mark.parametrize(
    ("text", "segments", "why"),
    [
        ("x" * 160, 1, ""),
        ("x" * 161, 2, "161 characters are 1 over the 160 that fit into one part"),
        ("[" * 81, 2, "[ counts twice"),
        ("Hola 😀 " + "x" * 80, 2, "😀 (grinning face) is not in the plain SMS alphabet"),
        ("😀" * 3, 1, "still 1 part"),
        # The quotes alone would have been folded: only the Cyrillic letter is to blame.
        ("“Д”" + "x" * 70, 2, "Д (cyrillic capital letter de) is not in"),
    ],
)
def test_what_made_it_two_parts_is_named(text: str, segments: int, why: str) -> None:
    size = sized(text)
    assert size.size.segments == len(size.pieces) == segments
    assert (why in size.why) if why else size.why == ""


def test_what_goes_out_plainer_is_said() -> None:
    assert sized("It's...", "It’s…").swapped == "Sent plainer, to keep it cheap: ’ → ',  … → ..."
    assert sized("Hi", "Hi").swapped == ""


def test_what_a_step_cannot_use_is_no_text_for_it() -> None:
    plan = {**NEEDLING["plan"], "steps": [{**NEEDLING["plan"]["steps"][0], "channels": ["sms"]}]}
    only_mail = Words(subject="Hello", email="Hello.")
    (said,) = complaints({**NEEDLING, "plan": plan}, DAY0, "en", only_mail)
    assert (said.field, "no words for that" in said.message) == ("subject.en", True)
    # Words that are there and cannot be read are not called missing.
    (unread,) = complaints({**NEEDLING, "plan": plan}, DAY0, "en", replace(only_mail, sms="{{ x }}"))
    assert (unread.field, "There is no variable" in unread.message) == ("sms.en", True)


def test_a_missing_text_is_said_where_it_would_be_written() -> None:
    assert found(DAY0, Words(), "es") == {"sms.es": "There is no Spanish text yet. Write one."}


def test_an_unreadable_sms_does_not_hide_what_the_subject_gives_away() -> None:
    words = replace(tidied(words_of(NEEDLING["texts"][f"{DAY0}.en"])), sms="{{ x }}", subject="Dry needling")
    assert set(found(DAY0, words)) == {"sms.en", "subject.en"}

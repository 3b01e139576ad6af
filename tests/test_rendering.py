from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import resources
from notifier.errors import RenderError
from notifier.rendering import context, render, short_date, short_time
from notifier.rules.sms_text import SmsSize
from notifier.rules.templating import TextTemplate, parse_text, samples
from tests.rendering_cast import CLINIC, mail, maria, sms


def test_an_sms_is_folded_to_one_line_of_gsm_and_measured() -> None:
    source = "{{ clinic.name }}: Hi\n  {{ patient.first_name }} – “call”\n{{ clinic.phone }}.\n"
    rendered = render(TextTemplate(sms=source), maria(), channel="sms")
    assert rendered.text == 'Acland Physio: Hi Maria - "call" (212) 555-0100.'
    assert rendered.size == SmsSize("GSM-7", 1, 48)


def test_a_name_in_another_script_is_kept_and_costs_what_it_costs() -> None:
    rendered = render(
        TextTemplate(sms="Hi {{ patient.first_name }}, María"), maria(first_name="Олена"), channel="sms"
    )
    assert rendered.text == "Hi Олена, María"
    assert rendered.size.encoding == "UCS-2"


def test_markup_in_a_value_goes_into_an_sms_as_typed() -> None:
    assert sms("Hi {{ patient.first_name }}", maria(first_name="<b>*x*&")) == "Hi <b>*x*&"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Call {{ clinic.crisis_line | default('988') }}", "Call 988"),
        ("Call {{ clinic.emergency_number | default('112') }}", "Call 911"),
        ("{% if clinic.crisis_line %}a{% else %}b{% endif %}", "b"),
        ("{% if not next_visit.date %}none{% endif %}", "none"),
        ("{% if clinic.crisis_line == '988' %}a{% elif clinic.phone %}c{% endif %}", "c"),
        ("By {{ practitioner.name | default('us') }}", "By Dr Ana Ruiz"),
        ("On {{ treatment.date }}", "On 7 Mar"),
    ],
)
def test_a_value_that_may_be_missing_has_a_default_or_an_if(source: str, words: str) -> None:
    assert sms(source) == words


def test_a_missing_practitioner_renders_nothing_but_can_have_a_default() -> None:
    nobody = maria(practitioner=None)
    assert sms("Hi. {{ practitioner.name }}", nobody) == "Hi."
    assert sms("{{ practitioner.name | default('Your team') }}", nobody) == "Your team"
    assert sms("{% if practitioner.name %}a{% else %}b{% endif %}", nobody) == "b"


@pytest.mark.parametrize("name", ["clinic.crisis_line", "next_visit.date", "treatment.name"])
def test_a_needed_value_that_is_missing_is_an_error_that_names_it(name: str) -> None:
    words = f"The text needs {name}, which this message does not have."
    with pytest.raises(RenderError, match=re.escape(words)):
        sms(f"Hi {{{{ {name} }}}}")
    with pytest.raises(RenderError, match=re.escape(words)):
        mail(f"Hi {{{{ {name} }}}}")


def test_an_empty_value_counts_as_missing() -> None:
    with pytest.raises(RenderError, match=r"needs patient\.first_name"):
        sms("Hi {{ patient.first_name }}", maria(first_name=" \t "))


@pytest.mark.parametrize(
    "source", ["{{ clinic.name.__class__.__mro__ }}", "{{ 1 / 0 }}", "{{", "{{ clinic.name() }}"]
)
def test_an_expression_that_fails_is_an_error_in_words(source: str) -> None:
    with pytest.raises(RenderError, match=r"The text (cannot be rendered|needs)"):
        sms(source)


def test_a_text_that_comes_out_empty_is_not_sent() -> None:
    with pytest.raises(RenderError, match="The SMS comes out empty"):
        sms("{% if clinic.crisis_line %}Call{% endif %}")
    with pytest.raises(RenderError, match="The e-mail comes out empty"):
        mail("\n{% if clinic.crisis_line %}\nCall\n{% endif %}\n")


def test_a_text_without_words_for_the_channel_says_so() -> None:
    with pytest.raises(RenderError, match="This text has no words for email"):
        render(TextTemplate(sms="a"), maria(), channel="email")
    with pytest.raises(RenderError, match="This text has no words for sms"):
        render(TextTemplate(subject="a", email="b"), maria(), channel="sms")


def test_control_characters_in_values_are_dropped_and_line_breaks_become_spaces() -> None:
    odd = maria(first_name=" Ma\x00ría\r\nBcc:\u202e\ud800  x\u2028y ")
    assert sms("Hi {{ patient.first_name }}!", odd) == "Hi Maria Bcc: x y!"
    subject = render(
        TextTemplate(subject="Hi {{ patient.first_name }}", email="a"), odd, channel="email"
    ).subject
    assert subject == "Hi María Bcc: x y"


def test_a_misspelt_value_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match=r"no text may use clinic\.fone"):
        context(clinic={"fone": "1"})
    with pytest.raises(TypeError, match="local date"):
        context(clinic=CLINIC, treatment={"date": datetime(2026, 3, 7, tzinfo=UTC)})


@pytest.mark.parametrize(
    ("language", "day", "hour"),
    [
        ("en", "3 Mar", "6:30 PM"),
        ("es", "3 mar", "18:30"),
        ("es-MX", "3 mar", "18:30"),
        ("de", "3 Mar", "18:30"),
    ],
)
def test_dates_and_times_are_short_and_in_the_patients_language(language: str, day: str, hour: str) -> None:
    about = maria(language=language, next_visit={"date": date(2026, 3, 3), "time": time(18, 30)})
    assert sms("{{ next_visit.date }}, {{ next_visit.time }}", about) == f"{day}, {hour}"


@pytest.mark.parametrize(
    ("hour", "words"), [(0, "12:05 AM"), (9, "9:05 AM"), (12, "12:05 PM"), (23, "11:05 PM")]
)
def test_midnight_and_noon_are_twelve_in_english(hour: int, words: str) -> None:
    assert short_time(time(hour, 5), "en") == words


@given(st.dates(), st.sampled_from(["en", "es"]))
def test_a_short_date_has_at_most_eight_gsm_characters(day: date, language: str) -> None:
    assert len(short_date(day, language)) <= 8
    assert sms(
        "{{ treatment.date }}", context(language=language, clinic={}, treatment={"date": day})
    ).isascii()


def test_every_sample_makes_a_whole_message() -> None:
    text = parse_text(
        "{% block sms %}{{ clinic.opens_next }} {{ next_visit.time }} {{ treatment.name }}{% endblock %}"
        "{% block subject %}{{ treatment.date }}{% endblock %}"
        "{% block email %}{{ practitioner.name }}{% endblock %}",
        file="a.en.j2",
    )
    for long in (False, True):
        values: dict[str, dict[str, str]] = samples(long=long)
        about = context(language="en", **values)
        assert render(text, about, channel="sms").size.encoding == "GSM-7"
        assert values["practitioner"]["name"] in render(text, about, channel="email").text


def test_the_texts_that_are_shipped_render_in_both_languages_within_two_segments() -> None:
    files = sorted((resources.templates_dir() / "plans").rglob("*.j2"))
    assert files
    for file in files:
        text = parse_text(file.read_text("utf-8"), file=str(file))
        values: dict[str, dict[str, str]] = samples(long=True)
        about = context(language=file.suffixes[0][1:], **values)
        if text.sms:
            size = render(text, about, channel="sms").size
            assert (size.encoding, size.segments <= 2) == ("GSM-7", True), file
        if text.email:
            assert "*" not in render(text, about, channel="email").text, file

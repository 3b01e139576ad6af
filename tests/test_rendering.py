from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import resources
from notifier.errors import NotifierError, RenderError
from notifier.rendering import Context, RenderedEmail, Values, context, render, short_date, short_time
from notifier.rules.sms_text import SmsSize
from notifier.rules.templating import TextTemplate, parse_text, samples

CLINIC: Values = {"name": "Acland Physio", "phone": "(212) 555-0100", "emergency_number": "911"}


def maria(
    *,
    language: str = "en",
    clinic: Values = CLINIC,
    first_name: str = "María",
    practitioner: str | None = "Dr Ana Ruiz",
    next_visit: Values | None = None,
) -> Context:
    return context(
        language=language,
        clinic=clinic,
        patient={"first_name": first_name},
        practitioner={"name": practitioner},
        treatment={"date": date(2026, 3, 7)},
        next_visit=next_visit or {},
    )


def sms(source: str, about: Context | None = None) -> str:
    return render(TextTemplate(sms=source), about or maria(), channel="sms").text


def mail(source: str, about: Context | None = None, *, unsubscribe_url: str | None = None) -> RenderedEmail:
    template = TextTemplate(subject="After your visit", email=source)
    return render(template, about or maria(), channel="email", unsubscribe_url=unsubscribe_url)


def body(email: RenderedEmail) -> str:
    return email.text.rpartition("\n\n---\n")[0]


class _Words(HTMLParser):
    """What a reader sees of the HTML, and which tags it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(html[html.index("<table") :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.seen).split())


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


LETTER = """

Hi {{ patient.first_name }},

**What helps**
- Move *gently*.
- Call {{ clinic.phone }}.

1. Release.

2. Flush.


Get help now
Call {{ clinic.emergency_number }}. Not 9110 or 3911.
{% if practitioner.name %}

{{ practitioner.name }}
{% endif %}

"""


def test_the_plain_version_has_the_authors_lines_without_marks() -> None:
    assert body(mail(LETTER)) == (
        "Hi María,\n\nWhat helps\n- Move gently.\n- Call (212) 555-0100.\n\n1. Release.\n\n2. Flush.\n\n"
        "Get help now\nCall 911. Not 9110 or 3911.\n\nDr Ana Ruiz"
    )


def test_the_html_version_has_paragraphs_lists_and_bold() -> None:
    html = mail(LETTER).html
    plain = re.sub(r' style="[^"]*"', "", html)
    assert "<p><strong>What helps</strong></p>\n<ul>\n<li>Move <em>gently</em>.</li>" in plain
    assert "<ol>\n<li>\n<p>Release.</p>\n</li>" in plain
    assert "<p>Get help now<br>\nCall " in plain


def test_the_clinics_numbers_can_be_tapped_and_others_are_left_alone() -> None:
    words = _Words(mail(LETTER).html)
    assert words.links == ["tel:2125550100", "tel:911", "tel:911", "tel:2125550100"]  # two of the footer
    international = maria(clinic={**CLINIC, "phone": "+44 20 7946 0958", "emergency_number": "999"})
    assert "tel:+442079460958" in _Words(mail("Call {{ clinic.phone }}", international).html).links


def test_a_number_given_in_words_is_no_link() -> None:
    about = maria(clinic={**CLINIC, "emergency_number": "ask at the desk"})
    assert "tel:2125550100" in _Words(mail("Hi", about).html).links
    assert "ask at the desk" not in "".join(_Words(mail("Hi", about).html).links)


def test_without_a_practitioner_the_letter_ends_with_its_last_words() -> None:
    email = mail("Bye.\n\n{{ practitioner.name }}\n", maria(practitioner=None))
    assert body(email) == "Bye."
    assert re.search(r"<p[^>]*>Bye\.</p>\n</td>", email.html)


NASTY = [
    "<b>*x*",
    "**bold** _it_ `code` ~~no~~",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "<script>alert(1)</script>",
    "&lt;b&gt; &amp; &#60;",
    "- item",
    "1. item",
    "1) item",
    "# Title",
    "> quote",
    "+ plus",
    "--- ===",
    "back\\slash \\*",
    "{{ clinic.phone }} {% if %}",
    "a | b",
    "\"quotes\" 'single'",
    "x\\",
    "911",
]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize(
    "source",
    ["{{ patient.first_name }}", "Hi **{{ patient.first_name }}**, bye", "- {{ patient.first_name }}\n- b"],
)
def test_a_value_shows_as_typed_in_both_versions(source: str, name: str) -> None:
    email = mail(source, maria(first_name=name))
    words = _Words(email.html)
    assert name in body(email)
    assert name in words.text
    assert words.tags <= {"table", "tr", "td", "p", "a", "strong", "ul", "li"}
    assert all(link.startswith("tel:") for link in words.links)


@given(st.text(min_size=1, max_size=30))
def test_any_value_shows_as_typed_in_both_versions(name: str) -> None:
    shown = sms(
        "x{{ patient.first_name | default('') }}", maria(first_name=name)
    )  # its white space is folded
    email = mail("x {{ patient.first_name | default('') }} y", maria(first_name=name))
    assert shown
    plain = body(email)
    assert " ".join(plain.split()) == plain
    words = _Words(email.html)
    assert plain in words.text
    assert words.tags <= {"table", "tr", "td", "p", "a"}


def test_html_that_an_author_wrote_is_shown_not_obeyed() -> None:
    email = mail("<b>Hi</b> [x](https://example.com) <!-- a -->")
    assert "&lt;b&gt;Hi&lt;/b&gt; [x](https://example.com) &lt;!-- a --&gt;" in email.html


def test_the_subject_is_one_line_with_the_patients_own_spelling() -> None:
    template = TextTemplate(subject="\n María:  {{ treatment.date }}\n", email="a")
    assert render(template, maria(), channel="email").subject == "María: 7 Mar"
    assert "<title>María: 7 Mar</title>" in render(template, maria(), channel="email").html


def test_the_subject_is_escaped_in_the_page() -> None:
    template = TextTemplate(subject="{{ patient.first_name }}", email="a")
    assert (
        "<title>&lt;/title&gt;&lt;i&gt;</title>"
        in render(template, maria(first_name="</title><i>"), channel="email").html
    )


@pytest.mark.parametrize(
    ("language", "words", "lang", "link"),
    [
        (
            "en",
            "This message was sent automatically by Acland Physio.",
            "en",
            "Unsubscribe from these e-mails",
        ),
        (
            "es",
            "Este mensaje lo envió automáticamente Acland Physio.",
            "es",
            "Darse de baja de estos correos",
        ),
        (
            "es-MX",
            "Este mensaje lo envió automáticamente Acland Physio.",
            "es-MX",
            "Darse de baja de estos correos",
        ),
        (
            "de",
            "This message was sent automatically by Acland Physio.",
            "de",
            "Unsubscribe from these e-mails",
        ),
    ],
)
def test_the_footer_is_in_the_patients_language_in_both_versions(
    language: str, words: str, lang: str, link: str
) -> None:
    about = maria(language=language)
    url = "https://clinic.example/u/abc?x=1&y=2"
    email = mail("Hi", about, unsubscribe_url=url)
    assert f'<html lang="{lang}"' in email.html
    ending = email.text.partition("\n\n---\n")[2]
    assert ending.startswith(words)
    assert "911" in ending
    assert "(212) 555-0100" in ending
    assert ending.endswith(f"\n{link}: {url}\n")
    page = _Words(email.html)
    assert words in page.text
    assert link in page.text
    assert url in page.links
    without = mail("Hi", about)
    assert link not in without.text + without.html


def test_the_footer_needs_no_emergency_number_but_the_clinics_phone() -> None:
    about = maria(clinic={"name": "Acland", "phone": "555-0100"})
    assert "In an emergency call 911." in mail("Hi", about).text
    with pytest.raises(RenderError, match=r"The text needs clinic\.phone"):
        mail("Hi", maria(clinic={"name": "Acland"}))


def test_one_clinics_footer_is_not_shown_to_another_clinics_patient() -> None:
    first, second = mail("Hi"), mail("Hi", maria(clinic={**CLINIC, "name": "Bay Sports"}))
    assert "automatically by Acland Physio" in first.text
    assert "automatically by Bay Sports" in second.text
    assert "Acland" not in second.text + second.html


def test_the_preview_line_is_what_follows_the_greeting() -> None:
    def preview(source: str) -> str:
        html = mail(source).html
        return html.partition('mso-hide:all">')[2].partition("&#847;")[0]

    assert (
        preview("Hi {{ patient.first_name }},\n\nThank you & well done.\n\nMore.")
        == "Thank you &amp; well done."
    )
    assert preview("Only this.") == "Only this."
    assert preview("Hola {{ patient.first_name }}:\n\n" + "palabra " * 40) == "palabra " * 13 + "…"


def test_every_sample_makes_a_whole_message() -> None:
    text = parse_text(
        "{% block sms %}{{ clinic.opens_next }} {{ next_visit.time }} {{ treatment.name }}{% endblock %}"
        "{% block subject %}{{ treatment.date }}{% endblock %}{% block email %}{{ practitioner.name }}{% endblock %}",
        file="a.en.j2",
    )
    for long in (False, True):
        values: dict[str, dict[str, str]] = samples(long=long)
        about = context(language="en", **values)  # type: ignore[arg-type]  # language is given besides
        assert render(text, about, channel="sms").size.encoding == "GSM-7"
        assert values["practitioner"]["name"] in render(text, about, channel="email").text


def test_the_texts_that_are_shipped_render_in_both_languages_within_two_segments() -> None:
    files = sorted((resources.templates_dir() / "plans").rglob("*.j2"))
    assert files
    for file in files:
        text = parse_text(file.read_text("utf-8"), file=str(file))
        values: dict[str, dict[str, str]] = samples(long=True)
        about = context(language=file.suffixes[0][1:], **values)  # type: ignore[arg-type]  # as above
        if text.sms:
            size = render(text, about, channel="sms").size
            assert (size.encoding, size.segments <= 2) == ("GSM-7", True), file
        if text.email:
            assert render(text, about, channel="email").html.count("<td") == 4


def test_resources_are_found_beside_the_package_in_a_checkout() -> None:
    assert (resources.templates_dir() / "email" / "layout.html.j2").is_file()
    assert resources.migrations_dir().is_dir()
    assert resources.example_config().is_file()


def test_resources_that_were_shipped_inside_the_package_come_first(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "notifier"
    (package / "_shipped" / "templates").mkdir(parents=True)
    (package.parent / "templates").mkdir()
    assert resources._find("templates", package) == package / "_shipped" / "templates"


def test_an_installation_without_its_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotifierError, match=r"incomplete: 'templates' is missing\. Install"):
        resources._find("templates", tmp_path / "notifier")

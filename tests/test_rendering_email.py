from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import RenderError
from notifier.rendering import render
from notifier.rules.templating import TextTemplate
from tests.rendering_cast import CLINIC, Words, body, mail, maria

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
    words = Words(mail(LETTER).html)
    assert words.links == ["tel:2125550100", "tel:911", "tel:911", "tel:2125550100"]  # two of the footer
    international = maria(clinic={**CLINIC, "phone": "+44 20 7946 0958", "emergency_number": "999"})
    assert "tel:+442079460958" in Words(mail("Call {{ clinic.phone }}", international).html).links


def test_a_number_given_in_words_is_no_link() -> None:
    about = maria(clinic={**CLINIC, "emergency_number": "ask at the desk"})
    assert "tel:2125550100" in Words(mail("Hi", about).html).links
    assert "ask at the desk" not in "".join(Words(mail("Hi", about).html).links)


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
    words = Words(email.html)
    assert name in body(email)
    assert name in words.text
    assert words.tags <= {"table", "tr", "td", "p", "a", "strong", "ul", "li"}
    assert all(link.startswith("tel:") for link in words.links)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=30))
def test_any_value_shows_as_typed_in_both_versions(name: str) -> None:
    email = mail("x {{ patient.first_name | default('') }} y", maria(first_name=name))
    as_typed = " ".join(f"x {name} y".split())
    words = Words(email.html)
    assert " ".join(body(email).split()) == as_typed
    assert as_typed in words.text
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
    page = Words(email.html)
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

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.errors import PlanError
from notifier.rules.templating import VARIABLES, TextTemplate, parse_text, samples

FILE = "day0.en.j2"
WHOLE = """\
{# approved in March #}
{% block sms %}{{ clinic.name }}: Hi {{ patient.first_name }}.
Call {{ clinic.emergency_number | default('911') }}.{% endblock %}

{% block subject %}After {{ treatment.date }}{% endblock %}

{% block email %}
Hi {{ patient.first_name }},
{% if practitioner.name %}
{{ practitioner.name }}
{% elif not clinic.crisis_line or treatment.name == 'cupping' and clinic.phone %}
The team
{% else %}
{{ clinic.phone }}
{% endif %}
{% endblock %}
"""


def sms(inner: str) -> str:
    return "{% block sms %}" + inner + "{% endblock %}"


def parse(source: str) -> TextTemplate:
    return parse_text(source, file=FILE)


def refusal(source: str) -> PlanError:
    with pytest.raises(PlanError) as refused:
        parse(source)
    return refused.value


def test_a_whole_text_is_cut_into_its_blocks() -> None:
    text = parse(WHOLE)
    assert text.sms is not None
    assert text.sms.startswith("{{ clinic.name }}: Hi {{ patient.first_name }}.\nCall ")
    assert text.sms.endswith("{{ clinic.emergency_number | default('911') }}.")
    assert text.subject == "After {{ treatment.date }}"
    assert text.email is not None
    assert text.email.startswith("\nHi {{ patient.first_name }},\n{% if practitioner.name %}\n")
    assert text.email.endswith("{% endif %}\n")
    assert text.lines == {"sms": 2, "subject": 5, "email": 7}


def test_every_variable_is_listed_with_the_line_that_first_uses_it() -> None:
    assert parse(WHOLE).variables == {
        "clinic.name": 2,
        "patient.first_name": 2,
        "clinic.emergency_number": 3,
        "treatment.date": 5,
        "practitioner.name": 9,
        "clinic.crisis_line": 11,
        "treatment.name": 11,
        "clinic.phone": 11,
    }


@pytest.mark.parametrize(
    ("source", "inner"),
    [
        (sms("a"), "a"),
        ("{%- block sms -%}\n  a  \n{%- endblock -%}", "a"),
        ("{%block sms%}a{%endblock sms%}", "a"),
        (sms("{# {% endblock %} #}a"), "{# {% endblock %} #}a"),
        (
            sms("{{ clinic.name | default('{% endblock %}') }}"),
            "{{ clinic.name | default('{% endblock %}') }}",
        ),
        (
            sms("a{{clinic.name}}b{%if clinic.name%}c{%endif%}"),
            "a{{clinic.name}}b{%if clinic.name%}c{%endif%}",
        ),
    ],
)
def test_a_block_is_cut_out_as_jinja_reads_it(source: str, inner: str) -> None:
    assert parse(source).sms == inner


def test_a_text_for_sms_alone_has_no_email() -> None:
    assert parse(sms("Hi")) == TextTemplate(sms="Hi")


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("{{ clinic.name() }}", "'a call (…)' is not among them"),
        ("{{ clinic['name'] }}", "'[…]' is not among them"),
        ("{{ clinic.name[0] }}", "'[…]' is not among them"),
        ("{{ 'a' * 10**9 }}", "'*' is not among them"),
        ("{{ clinic.name + 'a' }}", "'+' is not among them"),
        ("{{ clinic.name ~ 'a' }}", "'~' is not among them"),
        ("{{ -clinic.name }}", "'-' is not among them"),
        ("{{ 'a' }}", "'a bare value' is not among them"),
        ("{{ [clinic.name] }}", "'list' is not among them"),
        ("{{ clinic.name if clinic.name }}", "is not among them"),
        ("{{ ''.__class__ }}", "is not among them"),
        ("{{ clinic.name | upper }}", "the filter 'upper' is not among them"),
        ("{{ clinic.name | default('a') | upper }}", "the filter 'upper' is not among them"),
        ("{{ clinic.name | default(911) }}", "default with one text in quotes"),
        ("{{ clinic.name | default(clinic.phone) }}", "default with one text in quotes"),
        ("{{ clinic.name | default('a' * 9) }}", "default with one text in quotes"),
        ("{{ clinic.name | default }}", "default with one text in quotes"),
        ("{{ clinic.name | default('a', true) }}", "default with one text in quotes"),
        ("{{ clinic.name | default(*'a') }}", "default with one text in quotes"),
        ("{{ 'a' | default('b') }}", "'a bare value' is not among them"),
        ("{% for a in clinic.name %}a{% endfor %}", "'for' is not among them"),
        ("{% set a = 1 %}", "'set' is not among them"),
        ("{% set a %}b{% endset %}", "'set' is not among them"),
        ("{% include 'a' %}", "'include' is not among them"),
        ("{% import 'a' as b %}", "'import' is not among them"),
        ("{% from 'a' import b %}", "is not among them"),
        ("{% macro a() %}b{% endmacro %}", "'macro' is not among them"),
        ("{% call clinic.name() %}b{% endcall %}", "'call' is not among them"),
        ("{% filter upper %}b{% endfilter %}", "'filter' is not among them"),
        ("{% with %}b{% endwith %}", "'with' is not among them"),
        ("{% raw %}{{ b }}{% endraw %}", "'raw' is not among them"),
        ("{% autoescape false %}b{% endautoescape %}", "'autoescape' is not among them"),
        ("{% block more %}b{% endblock %}", "'block inside a block' is not among them"),
        ("{% extends 'a' %}", "'extends' is not among them"),
        ("{% if clinic.name is defined %}b{% endif %}", "'is …' is not among them"),
        ("{% if clinic.name > 'a' %}b{% endif %}", "Compare a variable with a text in quotes"),
        ("{% if clinic.name == clinic.phone %}b{% endif %}", "Compare a variable with a text in quotes"),
        ("{% if clinic.name == 'a' == 'b' %}b{% endif %}", "Compare a variable with a text in quotes"),
        ("{% if 'a' == 'a' %}b{% endif %}", "'a bare value' is not among them"),
        ("{% if clinic.name and 2**99 %}b{% endif %}", "'**' is not among them"),
        ("{% if clinic.name %}{{ 7 * 7 }}{% endif %}", "'*' is not among them"),
        ("{% if clinic.name %}{% elif 7 %}b{% endif %}", "'a bare value' is not among them"),
        ("{% if clinic.name %}{% else %}{{ 7 }}{% endif %}", "'a bare value' is not among them"),
    ],
)
def test_what_is_not_a_variable_default_or_if_is_refused(inner: str, words: str) -> None:
    error = refusal("\n" + sms("\nwords " + inner))
    assert words in error.plain
    assert (error.file, error.line) in ((FILE, 3), (FILE, None))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("phone", "Did you mean clinic.phone?"),
        ("patient.firstname", "Did you mean patient.first_name?"),
        ("clinic.fone", "Did you mean clinic.phone?"),
        ("clinic.__class__", "Did you mean"),
        ("clinic.name.first", "Did you mean clinic.name?"),
        ("xyzzy", "There are: clinic.name, clinic.phone,"),
        ("self", "There are: clinic.name,"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(name: str, hint: str) -> None:
    for inner in (
        f"{{{{ {name} }}}}",
        f"{{% if {name} %}}a{{% endif %}}",
        f"{{{{ {name} | default('a') }}}}",
    ):
        error = refusal(sms("a\nb\n" + inner))
        assert f"There is no variable '{name}'." in error.plain
        assert hint in error.plain
        assert error.line == 3


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("", 1, "There is no block here"),
        ("{# nothing #}\n", 1, "There is no block here"),
        ("Hi\n" + sms("a"), 1, "Words must stand inside a block"),
        (sms("a") + "\n\n\nBye", 4, "Words must stand inside a block"),
        ("\n{{ clinic.name }}" + sms("a"), 2, "Words must stand inside a block"),
        ("{% if clinic.name %}" + sms("a") + "{% endif %}", 1, "Words must stand inside a block"),
        (sms(" \n "), 1, "The sms block is empty"),
        (sms("{# later #}"), 1, "The sms block is empty"),
        (sms("a") + "\n" + sms("b"), 2, "There are two sms blocks"),
        ("\n{% block subject %}a{% endblock %}", 2, "The subject block has no email block"),
        (sms("a") + "\n{% block email %}a{% endblock %}", 2, "The email block has no subject block"),
        (
            "{% block body %}a{% endblock %}",
            1,
            "There is no block 'body'; the blocks are sms, subject, email.",
        ),
        ("{% block sms scoped %}a{% endblock %}", 1, "with nothing after the name"),
        ("\n{% block sms %}a", 2, "This is not a valid text"),
        ("\n\n" + sms("{{ clinic.name "), 3, "This is not a valid text"),
        (sms("{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}"), 1, "nested too deeply"),
        (sms("{{ " + "9" * 5000 + " }}"), 1, "nested too deeply"),
        (sms("a" * 50_000), 1, "longer than 50000 characters"),
    ],
)
def test_a_file_in_disorder_is_refused_with_its_line(source: str, line: int, words: str) -> None:
    error = refusal(source)
    assert words in error.plain
    assert error.line == line
    assert str(error).startswith(f"{FILE}:{line}: ")


PIECES = ["{{", "}}", "{%", "%}", "{#", "#}", "block", "endblock", "sms", "if", "endif", "raw", "endraw"]
PIECES += ["clinic.name", "default", "a", "|", "'", "(", "*", "-", ".", " ", "\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_whatever_is_written_is_a_text_or_a_refusal(words: list[str]) -> None:
    for source in ("".join(words), sms("".join(words)), sms(" ".join(words))):
        try:
            text = parse(source)
        except PlanError:
            continue
        assert text.sms is not None
        assert text.sms.strip()


def test_the_samples_cover_every_variable_and_the_long_ones_reach_the_limits_of_the_content() -> None:
    for long in (False, True):
        groups = samples(long=long)
        assert {f"{group}.{name}" for group, named in groups.items() for name in named} == set(VARIABLES)
    limits = {"clinic.name": 26, "patient.first_name": 12, "practitioner.name": 24, "treatment.date": 8}
    assert {name: len(VARIABLES[name].long) for name in limits} == limits
    assert len(VARIABLES["clinic.phone"].long) == 17

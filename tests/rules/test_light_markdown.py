from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.light_markdown import escape, parse, to_html, to_plain


def bare_html(source: str) -> str:
    return re.sub(r' style="[^"]*"', "", to_html(parse(source))).replace("\n", "")


@pytest.mark.parametrize(
    ("source", "html", "plain"),
    [
        ("one\n\n\n\ntwo", "<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one\ntwo", "<p>one<br>two</p>", "one\ntwo"),
        ("one  \ntwo", "<p>one<br>two</p>", "one\ntwo"),
        ("lead\n- a\n- b", "<p>lead</p><ul><li>a</li><li>b</li></ul>", "lead\n- a\n- b"),
        (
            "lead\n\n- a\n\n- b",
            "<p>lead</p><ul><li><p>a</p></li><li><p>b</p></li></ul>",
            "lead\n\n- a\n\n- b",
        ),
        ("* a\n* b", "<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>', "3. a\n4. b"),
        ("- a\n  b\n- c", "<ul><li>a<br>b</li><li>c</li></ul>", "- a\n  b\n- c"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("- a\n\n  more", "<ul><li><p>a</p><p>more</p></li></ul>", "- a\n\n  more"),
        ("**a** b", "<p><strong>a</strong> b</p>", "a b"),
        (r"\*\*a\*\*", "<p>**a**</p>", "**a**"),
        ("# a", "<p># a</p>", "# a"),
        ("> a", "<p>&gt; a</p>", "> a"),
        ("    a", "<p>a</p>", "a"),
        ("`a` [b](https://c.example)", "<p>`a` [b](https://c.example)</p>", "`a` [b](https://c.example)"),
        ("a\n---", "<p>a<br>---</p>", "a\n---"),
        ("&amp; <b>", "<p>&amp;amp; &lt;b&gt;</p>", "&amp; <b>"),
        ("", "", ""),
    ],
)
def test_light_markdown_reads_as_written(source: str, html: str, plain: str) -> None:
    assert bare_html(source) == html
    assert to_plain(parse(source)) == plain


@pytest.mark.parametrize("source", ["lead\n- a", "**lead**\n\nwords"])
def test_a_line_that_leads_in_stands_close_to_what_follows(source: str) -> None:
    assert to_html(parse(source)).startswith('<p style="margin:0 0 4px">')


@pytest.mark.parametrize("source", ["lead\n\n- a", "**lead** on\n\nwords", "**a** b **c**\n\nwords", "words"])
def test_other_paragraphs_keep_their_distance(source: str) -> None:
    assert to_html(parse(source)).startswith('<p style="margin:0 0 16px">')


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=40))
def test_an_escaped_value_is_never_markdown_wherever_it_stands(value: str) -> None:
    for before, after in (("", ""), ("- ", "\n- b"), ("x ", " **y**"), ("line\n", "\nline")):
        marked = before + value + after.replace("**", "")
        assert to_plain(parse(before + escape(value) + after)) == marked


def test_phones_are_linked_by_their_digits() -> None:
    html = to_html(parse(r"Call \+1 \(212\) 555\-0100 <now>."), phones=re.compile(r"(\+1 \(212\) 555-0100)"))
    assert re.sub(r' style="[^"]*"', "", html) == (
        '<p>Call <a href="tel:+12125550100">+1 (212) 555-0100</a> &lt;now&gt;.</p>'
    )


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[str] = []

    def work(word: str) -> None:
        for _ in range(50):
            if (
                bare_html(f"**{word}**\n- {word}")
                != f"<p><strong>{word}</strong></p><ul><li>{word}</li></ul>"
            ):
                wrong.append(word)

    threads = [threading.Thread(target=work, args=(str(number) * 3,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

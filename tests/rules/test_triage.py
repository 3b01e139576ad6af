"""The triage against messages as patients write them, and what must never happen whatever the lists say."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.rules.triage import Triage, classify
from notifier.rules.triage_folding import fold

SETS = Path(__file__).resolve().parent.parent / "triage"


@cache
def read(text: str, asked: bool = False) -> Triage:
    return classify(text, language="en", score_asked=asked)


@cache
def said(name: str) -> dict[str, Any]:
    return tomllib.loads((SETS / f"{name}.toml").read_text("utf-8"))


def messages(name: str) -> list[str]:
    return [*said(name)["en"], *said(name)["es"]]


@pytest.mark.parametrize(("kind", "least"), [("emergency", 0.98), ("urgent", 0.95), ("crisis", 1.0)])
def test_finds(kind: str, least: float) -> None:
    missed = [text for text in messages(kind) if kind not in read(text).red_flags]
    assert len(missed) <= (1 - least) * len(messages(kind)), missed


def test_hears_a_stop() -> None:
    missed = [text for text in messages("opt_out") if not read(text).opt_out]
    assert len(missed) <= 0.02 * len(messages("opt_out")), missed


@pytest.mark.parametrize(("name", "most"), [("harmless", 0.03), ("ordinary", 0.02)])
def test_leaves_alone(name: str, most: float) -> None:
    alarmed = [text for text in messages(name) if read(text).red_flags]
    assert len(alarmed) <= most * len(messages(name)), alarmed


def test_never_takes_a_harmless_message_for_a_stop_or_a_score() -> None:
    assert [t for t in messages("harmless") if read(t).opt_out or read(t).score is not None] == []


def test_reads_scores() -> None:
    cases = said("scores")["cases"]
    wrong = [c for c in cases if read(c["text"], c["asked"]).score != c.get("score")]
    assert len(wrong) <= 0.03 * len(cases), wrong


@pytest.mark.parametrize(
    ("text", "intent", "flags"),
    [
        ("stop. my chest hurts", "opt_out", {"emergency"}),
        ("cancel my appointment", "other", set()),
        ("no chest pain", "red_flag", {"emergency"}),
        ("can't stop coughing", "red_flag", {"emergency"}),
        ("todos bien", "other", set()),
        ("see you next week", "other", set()),
        ("is my child allowed in", "other", set()),
        ("YES", "opt_in", set()),
        ("HELP!!", "help", set()),
        ("SORE", "keyword", set()),
        ("MENOS", "essentials", set()),
        ("no soy Ana", "wrong_number", set()),
        ("", "other", set()),
    ],
)
def test_says_what_is_asked_for(text: str, intent: str, flags: set[str]) -> None:
    found = read(text)
    assert (found.intent, set(found.red_flags)) == (intent, flags)


def test_negation_lowers_and_hides_nothing() -> None:
    assert read("no fever, no chest pain").negated
    assert not read("no fever but my chest hurts").negated


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_reads_anything_and_folds_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert read(text, asked=True).intent


@pytest.mark.parametrize("word", ["pain ", "no ", "at 5 ", "1", "feeling good ", "chest "])
def test_one_word_again_and_again_comes_to_an_end(word: str) -> None:
    """A pattern that tries every way of splitting it would not."""
    assert read((word * 10_000)[:10_000], asked=True).intent

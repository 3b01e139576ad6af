"""The shipped plans, texts and replies as a contract: plain files, read without the code that loads them."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined, nodes

ROOT = Path(__file__).parents[1]
PLANS = ROOT / "templates" / "plans"
REPLIES = ROOT / "templates" / "replies"
LANGUAGES = ("en", "es")

GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWO_SEGMENTS = 2 * 153

# As long as the product promises to fit.
LONG = {
    "clinic": {
        "name": "Northside Physio and Sport",
        "phone": "+44 20 7946 09581",
        "emergency_number": "112",
        "crisis_line": "116 123",
        "opens_next": "Wed 30 Sep 10:30 AM",
        "reply_address": "aftercare@northside-physio.example",
    },
    "patient": {"first_name": "Maximilianus"},
    "practitioner": {"name": "Dr Alexandria Montgomery"},
    "treatment": {"date": "30 Sept."},
}
KNOWN = {f"{group}.{name}" for group, names in LONG.items() for name in names}

# What a text would give away on a lock screen, or in an e-mail to somebody who did not ask for it.
GIVES_AWAY = {
    "dry-needling": r"needl|acupun|punci[oó]n|agujas?\b",
    "sports-massage": r"massage|masaje",
    "cupping": r"cupping|ventosa",
    "shockwave": r"shock ?wave|ondas? de choque",
}
SHOUTED = {"AUTOMATIC", "REPLY", "NOW"}  # in capitals for weight, not words to answer with


@dataclass(frozen=True)
class Text:
    """One text file; `blocks` are its parts as Jinja sees them."""

    path: Path
    blocks: dict[str, nodes.Block]

    def literal(self, block: str) -> str:
        """The words themselves, and what stands in for a missing value; no variables."""
        parts = self.blocks[block].find_all((nodes.TemplateData, nodes.Const))
        return "".join(_words_in(part) for part in parts)

    def variables(self, block: str) -> set[str]:
        return {_dotted(node) for node in self.blocks[block].find_all(nodes.Getattr)}

    def filled(self, block: str) -> str:
        template = ENVIRONMENT.from_string(self.path.read_text(encoding="utf-8"))
        return " ".join("".join(template.blocks[block](template.new_context(LONG))).split())


ENVIRONMENT = Environment(undefined=StrictUndefined, autoescape=False)


def _words_in(part: nodes.Node) -> str:
    if isinstance(part, nodes.TemplateData):
        return part.data
    return str(part.value) if isinstance(part, nodes.Const) else ""


def _dotted(node: nodes.Getattr) -> str:
    assert isinstance(node.node, nodes.Name), "texts use group.name, nothing deeper"
    return f"{node.node.name}.{node.attr}"


def _text(path: Path) -> Text:
    tree = ENVIRONMENT.parse(path.read_text(encoding="utf-8"))
    return Text(path, {block.name: block for block in tree.find_all(nodes.Block)})


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


PLAN_TABLES = {path.parent.name: _toml(path) for path in sorted(PLANS.glob("*/plan.toml"))}
REPLY_TABLE = _toml(REPLIES / "replies.toml")
STEPS = [(plan, step) for plan, table in PLAN_TABLES.items() for step in table["steps"]]
PLAN_TEXTS = [_text(path) for path in sorted(PLANS.glob("*/*.j2"))]
REPLY_TEXTS = [_text(path) for path in sorted(REPLIES.glob("*.j2"))]

each_plan = pytest.mark.parametrize("plan", PLAN_TABLES)
each_step = pytest.mark.parametrize(("plan", "step"), STEPS, ids=[f"{p}/{s['key']}" for p, s in STEPS])


def each(texts: list[Text]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("text", texts, ids=[str(t.path.relative_to(PLANS.parent)) for t in texts])


def _walk(table: Any, key: str) -> Iterator[Any]:
    """Every value under `key`, however deep."""
    if isinstance(table, dict):
        for name, value in table.items():
            if name == key:
                yield value
            yield from _walk(value, key)
    elif isinstance(table, list):
        for item in table:
            yield from _walk(item, key)


def _folded(words: str) -> str:
    letters = unicodedata.normalize("NFKD", words.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def test_the_four_plans_are_shipped_as_drafts() -> None:
    assert set(PLAN_TABLES) == {"dry-needling", "sports-massage", "cupping", "shockwave"}
    reviews = [table["review"] for table in [*PLAN_TABLES.values(), REPLY_TABLE]]
    assert all(review == {"by": "", "on": ""} for review in reviews)


@each_plan
def test_a_plan_is_named_in_both_languages_and_its_folder_is_its_treatment(plan: str) -> None:
    table = PLAN_TABLES[plan]
    assert table["name"]
    assert table["name_es"]
    assert table["treatment"] == plan


@each_plan
def test_every_step_has_its_texts_in_both_languages_and_no_text_is_left_over(plan: str) -> None:
    keys = [step["key"] for step in PLAN_TABLES[plan]["steps"]]
    assert len(keys) == len(set(keys))
    expected = {f"{key}.{language}.j2" for key in keys for language in LANGUAGES}
    assert {path.name for path in (PLANS / plan).glob("*.j2")} == expected


@each_plan
def test_a_plan_begins_with_one_safety_step_on_the_day_itself(plan: str) -> None:
    safety = [step for step in PLAN_TABLES[plan]["steps"] if step.get("safety")]
    assert safety == PLAN_TABLES[plan]["steps"][:1]
    timing = {
        key: safety[0][key] for key in ("after", "not_before", "useful_for", "outside_window", "audience")
    }
    assert timing == {
        "after": "2h",
        "not_before": "15m",
        "useful_for": "18h",
        "outside_window": "earlier",
        "audience": "every",
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_text_after_needling_says_whom_to_call_in_an_emergency(language: str) -> None:
    text = _text(PLANS / "dry-needling" / f"day0-what-you-may-feel.{language}.j2")
    assert "clinic.emergency_number" in text.variables("sms")
    assert "clinic.emergency_number" in text.variables("email")


@each_step
def test_a_step_that_asks_for_a_score_names_the_scale_and_says_how_long_an_answer_counts(
    plan: str, step: dict[str, Any]
) -> None:
    asks = step.get("ask") == "score"
    assert ("answer_within" in step) is asks
    for language in LANGUAGES:
        words = _text(PLANS / plan / f"{step['key']}.{language}.j2").literal("sms")
        assert bool(re.search(r"\b0\s\(.*\b10\s\(", words, re.DOTALL)) is asks


@each(PLAN_TEXTS)
def test_a_plan_text_has_an_sms_and_an_email(text: Text) -> None:
    assert list(text.blocks) == ["sms", "subject", "email"]


@each(PLAN_TEXTS)
def test_a_planned_sms_begins_with_who_writes_and_says_how_to_stop(text: Text) -> None:
    assert text.filled("sms").startswith(f"{LONG['clinic']['name']}:")
    assert re.search(r"\bSTOP\b", text.literal("sms"))


@each(PLAN_TEXTS)
def test_a_plan_text_does_not_give_the_treatment_away(text: Text) -> None:
    plan, step = text.path.parent.name, text.path.name.split(".")[0]
    details = next(s.get("detail", {}) for p, s in STEPS if (p, s["key"]) == (plan, step))
    for block in ("sms", "subject") if details.get("email") == "treatment" else text.blocks:
        assert not re.search(GIVES_AWAY[plan], text.literal(block), re.IGNORECASE)


@each(REPLY_TEXTS)
def test_a_reply_is_an_sms_that_gives_no_treatment_away(text: Text) -> None:
    assert list(text.blocks) == ["sms"]
    assert not re.search("|".join(GIVES_AWAY.values()), text.literal("sms"), re.IGNORECASE)


@each(PLAN_TEXTS + REPLY_TEXTS)
def test_an_sms_is_written_in_gsm_7_and_carries_no_link(text: Text) -> None:
    assert set(text.literal("sms")) - GSM_7 == set()
    assert not re.search(r"https?:|www\.", text.literal("sms"))


@each(PLAN_TEXTS + REPLY_TEXTS)
def test_an_sms_takes_two_segments_at_most_when_the_names_are_long(text: Text) -> None:
    assert len(text.filled("sms")) <= TWO_SEGMENTS


@each(PLAN_TEXTS + REPLY_TEXTS)
def test_a_text_uses_known_variables_only(text: Text) -> None:
    used = {variable for block in text.blocks for variable in text.variables(block)}
    assert used <= KNOWN


@each([text for text in PLAN_TEXTS + REPLY_TEXTS if text.path.name.endswith(".en.j2")])
def test_both_languages_give_the_same_numbers_to_call(text: Text) -> None:
    spanish = _text(text.path.with_name(text.path.name.replace(".en.j2", ".es.j2")))
    for block in text.blocks:
        assert _numbers(text, block) == _numbers(spanish, block)


def _numbers(text: Text, block: str) -> set[str]:
    return text.variables(block) & {"clinic.phone", "clinic.emergency_number", "clinic.crisis_line"}


@each(PLAN_TEXTS + REPLY_TEXTS)
def test_a_word_that_a_patient_is_told_to_reply_is_understood(text: Text) -> None:
    understood = {
        word
        for name in ("keywords", "undo_keywords", "match")
        for value in _walk(REPLY_TABLE, name)
        for word in _words(value)
    }
    offered = set(re.findall(r"\b[A-Z]{3,}\b", text.literal("sms"))) - SHOUTED
    assert {_folded(word) for word in offered} <= understood


def _words(value: Any) -> Iterator[str]:
    """Folded words out of a list of them, or lists by language."""
    if isinstance(value, list):
        yield from (_folded(word) for word in value if isinstance(word, str))
    elif isinstance(value, dict):
        for words in value.values():
            yield from _words(words)


def test_every_reply_has_its_words_in_both_languages_and_none_is_left_over() -> None:
    named = {name for key in ("text", "undo_text") for name in _walk(REPLY_TABLE, key)}
    expected = {f"{name}.{language}.j2" for name in named for language in LANGUAGES}
    assert {text.path.name for text in REPLY_TEXTS} == expected


def test_no_word_has_two_meanings() -> None:
    meanings = {
        name: set(_words(table["keywords"])) for name, table in REPLY_TABLE.items() if _has_words(table)
    }
    meanings["more"] = set(_words(REPLY_TABLE["essentials"]["undo_keywords"]))
    meanings |= {keyword["id"]: set(_words(keyword["match"])) for keyword in REPLY_TABLE["keywords"]}
    meanings |= {flag["id"]: set(_words(flag["phrases"])) for flag in REPLY_TABLE["red_flags"]}
    assert [(one, other) for one, other in combinations(meanings, 2) if meanings[one] & meanings[other]] == []


def _has_words(table: Any) -> bool:
    return isinstance(table, dict) and "keywords" in table


def test_the_bands_give_every_score_one_answer() -> None:
    bands = REPLY_TABLE["score"]["bands"]
    low, high = REPLY_TABLE["score"]["range"]
    answered = [score for band in bands for score in range(band["min"], band["max"] + 1)]
    assert answered == list(range(low, high + 1))


def test_a_red_flag_or_a_bad_score_holds_the_plan_and_calls_a_person_today() -> None:
    score = REPLY_TABLE["score"]
    grave = [*REPLY_TABLE["red_flags"], score["bands"][-1], score["rising"]]
    assert [flag["id"] for flag in REPLY_TABLE["red_flags"]] == ["emergency", "crisis", "urgent"]
    assert {answer["plan"] for answer in grave} == {"pause"}
    assert {answer["staff_task"]["kind"] for answer in grave} == {"call_back"}
    assert {answer["staff_task"]["due"] for answer in grave} == {"immediate", "same_day"}


@each(
    [text for text in REPLY_TEXTS if text.path.name.startswith(("red-flag-", "score-", "help", "fallback"))]
)
def test_an_answer_to_somebody_unwell_names_the_emergency_number(text: Text) -> None:
    assert "clinic.emergency_number" in text.variables("sms")


def test_every_source_of_a_step_or_a_reply_is_explained_to_the_clinician() -> None:
    explained = set(re.findall(r"^\| ([A-Z0-9-]+) \|", _evidence(), re.MULTILINE))
    named = {
        source for table in [PLAN_TABLES, REPLY_TABLE] for ids in _walk(table, "sources") for source in ids
    }
    assert named
    assert named <= explained


def test_every_step_rests_on_a_source() -> None:
    assert [step["key"] for _, step in STEPS if not step.get("sources")] == []


def _evidence() -> str:
    return (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")

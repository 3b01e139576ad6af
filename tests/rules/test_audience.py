"""Who a step is for, for every score there could be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.audience import ALWAYS, SCORES, Facts, Score, parse_audience
from tests.rules.strategies import PROPERTY

NEVER: frozenset[Score] = frozenset()
HIGH: frozenset[Score] = frozenset(range(4, 11))  # score>=4: 4, 5 … 10
LOW_OR_SILENT = ALWAYS - HIGH  # no answer, 0, 1, 2, 3

NEWCOMER = Facts(first=True)
REGULAR = Facts(first=False)
BOOKED = Facts(next_visit=True)
NECK = Facts(areas=frozenset({"neck"}))
REGULAR_NECK_BOOKED = Facts(first=False, next_visit=True, areas=frozenset({"neck", "jaw"}))

MATCHES = [
    ("every", REGULAR, ALWAYS),
    ("not every", REGULAR, NEVER),
    ("first", NEWCOMER, ALWAYS),
    ("first", REGULAR, NEVER),
    ("not first", REGULAR, ALWAYS),
    ("next_visit_booked", BOOKED, ALWAYS),
    ("next_visit_booked", NEWCOMER, NEVER),
    ("not next_visit_booked", NEWCOMER, ALWAYS),
    ("score>=4", NEWCOMER, HIGH),
    ("score>=0", NEWCOMER, ALWAYS - {None}),  # somebody who never answered has no score
    ("score>=10", NEWCOMER, frozenset({10})),
    ("not score>=4", NEWCOMER, LOW_OR_SILENT),
    ("not not score>=4", NEWCOMER, HIGH),
    ("areas:neck", NECK, ALWAYS),
    ("areas:neck", NEWCOMER, NEVER),
    ("areas:shoulder,upper_back", NECK, NEVER),
    ("areas:shoulder,neck,upper_back", NECK, ALWAYS),  # any one of them
    ("areas:shoulder , neck", NECK, ALWAYS),
    ("not areas:neck", NECK, NEVER),
    ("first and not score>=4", NEWCOMER, LOW_OR_SILENT),
    ("first and not score>=4", REGULAR, NEVER),
    ("score>=4 and not score>=7", NEWCOMER, frozenset({4, 5, 6})),
    ("score>=4 and not score>=4", NEWCOMER, NEVER),
    ("score>=4 or not score>=4", NEWCOMER, ALWAYS),
    ("  first   or\tscore>=4 ", REGULAR, HIGH),
    # "and" binds closer than "or": (first and booked) or score>=4
    ("first and next_visit_booked or score>=4", NEWCOMER, HIGH),
    ("score>=4 or first and next_visit_booked", BOOKED, ALWAYS),
    ("not first and areas:jaw and next_visit_booked", REGULAR_NECK_BOOKED, ALWAYS),
]


@pytest.mark.parametrize(("text", "facts", "scores"), MATCHES)
def test_an_audience_matches_with_these_scores(text: str, facts: Facts, scores: frozenset[Score]) -> None:
    audience = parse_audience(text)
    assert audience.scores(facts) == scores
    assert {score for score in SCORES if audience.matches(facts, score)} == scores


def test_a_sore_patient_and_a_newcomer_who_is_not_sore_exclude_each_other() -> None:
    easing, sore = parse_audience("first and not score>=4"), parse_audience("score>=4")
    assert easing.scores(NEWCOMER).isdisjoint(sore.scores(NEWCOMER))
    assert easing.scores(NEWCOMER) | sore.scores(NEWCOMER) == ALWAYS


def test_the_text_is_kept_with_single_spaces() -> None:
    assert parse_audience("  first  and  areas:neck , jaw ").text == "first and areas:neck,jaw"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("every", set()),
        ("first and not score>=4", {"first", "score"}),
        ("not areas:neck or next_visit_booked", {"areas", "next_visit_booked"}),
    ],
)
def test_it_knows_what_its_answer_depends_on(text: str, words: set[str]) -> None:
    audience = parse_audience(text)
    assert {w for w in ("first", "score", "areas", "next_visit_booked") if audience.asks_about(w)} == words


HELP = (
    "Write every, first, score>=4, areas:neck,shoulder or next_visit_booked, joined by and, or, not; "
    'for example "first and not score>=4".'
)
WRONG = [
    ("", HELP),
    ("   ", HELP),
    ("first and", '"first and": something is missing beside "and".'),
    ("and first", '"and first": something is missing beside "and".'),
    ("first or", '"first or": something is missing beside "or".'),
    ("or", '"or": something is missing beside "or".'),
    ("first or and every", '"first or and every": something is missing beside "and".'),
    ("first and or every", '"first and or every": something is missing beside "and".'),
    ("not", f'"not": nothing is not an audience. {HELP}'),
    ("first not", f'"first not": first not is not an audience. {HELP}'),
    ("first every", f'"first every": first every is not an audience. {HELP}'),
    ("everyone", f'"everyone": everyone is not an audience. {HELP}'),
    ("First", f'"First": First is not an audience. {HELP}'),
    ("score>4", f'"score>4": score>4 is not an audience. {HELP}'),
    ("score>=11", f'"score>=11": score>=11 is not an audience. {HELP}'),
    ("score>=-1", f'"score>=-1": score>=-1 is not an audience. {HELP}'),
    ("score >= 4", f'"score >= 4": score >= 4 is not an audience. {HELP}'),
    ("areas:", f'"areas:": areas: is not an audience. {HELP}'),
    ("areas:neck,", f'"areas:neck,": areas:neck, is not an audience. {HELP}'),
    ("(first or every) and first", f'"(first or every) and first": (first is not an audience. {HELP}'),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_what_is_not_an_audience_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_audience(text)
    # In "(first or every)" it is the alternative before "or" that is looked at first.
    assert str(refused.value) == sentence


_atoms = st.sampled_from(
    [
        "every",
        "first",
        "next_visit_booked",
        "score>=0",
        "score>=4",
        "score>=7",
        "areas:neck",
        "areas:jaw,neck",
        "areas:knee",
    ]
)
_facts = st.builds(
    Facts, st.booleans(), st.booleans(), st.frozensets(st.sampled_from(("neck", "jaw", "knee", "hip")))
)


@st.composite
def _expressions(draw: st.DrawFn) -> str:
    words = []
    for index in range(draw(st.integers(1, 6))):
        if index:
            words.append(draw(st.sampled_from(("and", "or"))))
        words += ["not"] * draw(st.integers(0, 2)) + [draw(_atoms)]
    return " ".join(words)


def _by_python(text: str, facts: Facts, score: Score) -> bool:
    """Python happens to read `and`, `or`, `not` with the same precedence, so it can judge the whole."""

    def truth(atom: re.Match[str]) -> str:
        word = atom[0]
        if word in ("and", "or", "not"):
            return word
        known = {"every": True, "first": facts.first, "next_visit_booked": facts.next_visit}
        if word in known:
            return str(known[word])
        name, _, value = word.replace(">=", ":").partition(":")
        if name == "score":
            return str(score is not None and score >= int(value))
        return str(any(area in facts.areas for area in value.split(",")))

    return bool(eval(re.sub(r"\S+", truth, text)))


@PROPERTY
@given(_expressions(), _facts)
def test_and_or_and_not_mean_what_they_mean_in_python(text: str, facts: Facts) -> None:
    audience = parse_audience(text)
    assert audience.scores(facts) == {score for score in SCORES if _by_python(text, facts, score)}


@PROPERTY
@given(_expressions(), _facts)
def test_an_audience_read_back_from_its_text_is_the_same(text: str, facts: Facts) -> None:
    audience = parse_audience(text)
    assert parse_audience(audience.text) == audience
    if not audience.asks_about("score"):
        assert audience.scores(facts) in (ALWAYS, NEVER)

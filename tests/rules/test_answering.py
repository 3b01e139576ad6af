"""What one reply brings about: as a table of cases, and as properties that hold whatever is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.answering import Circumstances, Decision, Rank, decide, is_loop
from notifier.rules.triage import Triage

FLAGS = st.frozensets(st.sampled_from(["emergency", "urgent", "crisis"]))
INTENTS = (
    *("opt_out", "red_flag", "help", "opt_in", "score", "wrong_number"),
    *("essentials", "essentials_undo", "keyword", "other"),
)


def triages() -> st.SearchStrategy[Triage]:
    return st.builds(
        Triage,
        intent=st.sampled_from(INTENTS),
        red_flags=FLAGS,
        opt_out=st.booleans(),
        score=st.none() | st.integers(0, 10),
        keyword=st.none() | st.sampled_from(["sore", "call", "how"]),
        negated=st.booleans(),
        maybe_meant_the_visit=st.booleans(),
        unclear_score=st.booleans(),
    )


def known() -> st.SearchStrategy[Circumstances]:
    return st.builds(
        Circumstances,
        band=st.sampled_from(["", "low", "medium", "high"]),
        answered_lately=st.integers(0, 9),
        **dict.fromkeys(
            (
                *("rising", "asked", "asked_again", "concern", "stopped"),
                *("robot", "fallback_lately", "provider_answers"),
            ),
            st.booleans(),
        ),
    )


def flagged(*classes: Any, **more: Any) -> Triage:
    return Triage("opt_out" if more.get("opt_out") else "red_flag", red_flags=frozenset(classes), **more)


HIGH = Circumstances(band="high")
CONCERN = Circumstances(concern=True)

# What was read, what is known, and: rank, task, answer, alert, severity.
CASES = {
    "an emergency": (
        flagged("emergency"),
        Circumstances(),
        (0, "call_back", "red-flag-emergency", "red_flag", "emergency"),
    ),
    "which outranks what is urgent": (
        flagged("urgent", "emergency"),
        Circumstances(),
        (0, "call_back", "red-flag-emergency", "red_flag", "emergency"),
    ),
    "as something that is not there": (
        flagged("emergency", negated=True),
        Circumstances(),
        (1, "call_back", "red-flag-emergency", "red_flag", "urgent"),
    ),
    "what is urgent": (
        flagged("urgent"),
        Circumstances(),
        (1, "call_back", "red-flag-urgent", "red_flag", "urgent"),
    ),
    "what is urgent, and is not there": (
        flagged("urgent", negated=True),
        Circumstances(),
        (2, "call_back", "red-flag-urgent", "red_flag", "normal"),
    ),
    "a crisis is never lowered": (
        flagged("crisis", negated=True),
        Circumstances(),
        (0, "call_back", "red-flag-crisis", "crisis", "emergency"),
    ),
    "a warning inside a stop": (
        flagged("emergency", opt_out=True),
        Circumstances(),
        (0, "call_back", "red-flag-emergency", "red_flag", "emergency"),
    ),
    "a warning from who had said no before": (
        flagged("emergency"),
        Circumstances(stopped=True),
        (0, "call_back", "", "red_flag", "emergency"),
    ),
    "a warning by a robot": (
        flagged("urgent"),
        Circumstances(robot=True),
        (1, "call_back", "", "red_flag", "urgent"),
    ),
    "a warning after many answers": (
        flagged("emergency"),
        Circumstances(answered_lately=9),
        (0, "call_back", "red-flag-emergency", "red_flag", "emergency"),
    ),
    "a stop": (Triage("opt_out", opt_out=True), Circumstances(), (9, "", "opt-out", "", "")),
    "a stop that the provider has confirmed": (
        Triage("opt_out", opt_out=True),
        Circumstances(provider_answers=True),
        (9, "", "", "", ""),
    ),
    "a second stop": (
        Triage("opt_out", opt_out=True),
        Circumstances(stopped=True),
        (9, "", "", "", ""),
    ),
    "CANCEL": (
        Triage("opt_out", opt_out=True, maybe_meant_the_visit=True),
        Circumstances(),
        (2, "check_visit", "opt-out", "", ""),
    ),
    "START after a stop": (Triage("opt_in"), Circumstances(stopped=True), (9, "", "opt-in", "", "")),
    "YES when nothing was stopped": (Triage("opt_in"), Circumstances(), (3, "read", "fallback", "", "")),
    "HELP": (Triage("help"), Circumstances(), (3, "read", "help", "", "")),
    "HELP, which the provider answers": (
        Triage("help"),
        Circumstances(provider_answers=True),
        (3, "read", "", "", ""),
    ),
    "a low score": (Triage("score", score=2), Circumstances(band="low"), (9, "", "score-low", "", "")),
    "a low score while a warning is open": (
        Triage("score", score=2),
        Circumstances(band="low", concern=True),
        (3, "read", "red-flag-urgent", "", ""),
    ),
    "a medium score": (
        Triage("score", score=5),
        Circumstances(band="medium"),
        (3, "review", "score-medium", "", ""),
    ),
    "a high score": (
        Triage("score", score=8),
        HIGH,
        (1, "call_back", "score-high", "score", "urgent"),
    ),
    "a score that rises": (
        Triage("score", score=5),
        Circumstances(band="medium", rising=True),
        (1, "call_back", "score-rising", "score", "urgent"),
    ),
    "a high score that is asked for nothing else": (
        Triage("score", score=9),
        Circumstances(band="high", provider_answers=True),
        (1, "call_back", "score-high", "score", "urgent"),
    ),
    "an answer that cannot be read": (
        Triage("other", unclear_score=True),
        Circumstances(asked=True),
        (3, "review", "score-unclear", "", ""),
    ),
    "and the second one": (
        Triage("other", unclear_score=True),
        Circumstances(asked=True, asked_again=True),
        (3, "read", "fallback", "", ""),
    ),
    "a wrong number": (
        Triage("wrong_number"),
        Circumstances(),
        (2, "check_number", "wrong-number", "", ""),
    ),
    "LESS": (Triage("essentials"), Circumstances(), (9, "", "essentials", "", "")),
    "MORE": (Triage("essentials_undo"), Circumstances(), (9, "", "opt-in", "", "")),
    "SORE": (Triage("keyword", keyword="sore"), Circumstances(), (9, "", "keyword-sore", "", "")),
    "SORE while a warning is open": (
        Triage("keyword", keyword="sore"),
        CONCERN,
        (3, "read", "red-flag-urgent", "", ""),
    ),
    "CALL": (
        Triage("keyword", keyword="call"),
        Circumstances(),
        (2, "call_back", "keyword-call", "", ""),
    ),
    "anything else": (Triage("other"), Circumstances(), (3, "read", "fallback", "", "")),
    "anything else again": (
        Triage("other"),
        Circumstances(fallback_lately=True),
        (3, "read", "", "", ""),
    ),
    "the sixth within an hour": (
        Triage("keyword", keyword="sore"),
        Circumstances(answered_lately=5),
        (9, "", "", "", ""),
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_follows(case: str) -> None:
    triage, circumstances, expected = CASES[case]
    found = decide(triage, circumstances)
    assert (found.rank, found.task, found.answer, found.alert, found.severity) == expected


def reassures(found: Decision) -> bool:
    return found.answer in ("score-low", "score-medium") or (
        found.answer.startswith("keyword-") and found.answer != "keyword-call"
    )


@given(triages(), known())
def test_a_warning_always_reaches_a_person_and_pauses(triage: Triage, circumstances: Circumstances) -> None:
    found = decide(triage, circumstances)
    if triage.red_flags:
        assert found.alert
        assert found.pause
        assert found.rank <= Rank.SOON
        assert found.answer in ("", "red-flag-emergency", "red-flag-crisis", "red-flag-urgent")
    if triage.red_flags & {"emergency", "crisis"} and not triage.negated:
        assert (found.rank, found.severity) == (Rank.EMERGENCY, "emergency")


@given(triages(), known())
def test_nothing_reassures_while_a_warning_is_open(triage: Triage, circumstances: Circumstances) -> None:
    found = decide(triage, circumstances)
    if circumstances.concern or triage.red_flags:
        assert not reassures(found)


@given(triages(), known())
def test_no_robot_and_nobody_who_said_no_before_is_answered(
    triage: Triage, circumstances: Circumstances
) -> None:
    found = decide(triage, circumstances)
    if circumstances.robot or (circumstances.stopped and triage.intent != "opt_in"):
        assert found.answer == ""
    # Only the very reply that asks to stop, or says that it is the wrong number, may be answered there.
    if found.through:
        assert triage.opt_out or triage.intent in ("opt_out", "wrong_number")


@given(triages(), known())
def test_what_needs_a_person_has_a_task(triage: Triage, circumstances: Circumstances) -> None:
    found = decide(triage, circumstances)
    assert (found.rank == Rank.NOBODY) == (found.task == "")


@pytest.mark.parametrize(
    ("body", "earlier", "loops"),
    [
        ("ok", [], False),
        ("ok", ["ok"], False),
        ("OK ", ["ok", "ok"], True),
        ("ok", ["ok", "thanks"], False),
    ],
)
def test_the_same_words_again_and_again(body: str, earlier: list[str], loops: bool) -> None:
    assert is_loop(body, earlier) is loops

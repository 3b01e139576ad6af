"""What follows from one reply: the one automatic answer, who is told, and what is paused. Pure.

A warning outranks everything; one answer goes out at most; and while a warning is open none reassures.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifier.rules.triage import Triage

FALLBACK_EVERY = timedelta(hours=12)
MOST_AN_HOUR = 5
# The same words this often within an hour are a machine's, or a pocket's.
SAME_WORDS = 3

_HIGH = "high"


class Rank(IntEnum):
    """How serious a reply is to a person at the clinic; lower comes first."""

    EMERGENCY = 0
    URGENT = 1
    SOON = 2
    READ = 3
    NOBODY = 9


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the words. `band` and `rising` are of the score, where one was read."""

    band: str = ""
    rising: bool = False
    asked: bool = False  # a score was asked for, and this may be its answer
    asked_again: bool = False  # it was said once already that the answer could not be read
    concern: bool = False  # a warning of this patient is open: nothing may reassure
    stopped: bool = False  # the address had been stopped before this reply
    robot: bool = False
    answered_lately: int = 0  # automatic answers to this address within an hour
    fallback_lately: bool = False  # within FALLBACK_EVERY
    provider_answers: bool = False  # the provider answers this very word by itself


@dataclass(frozen=True, slots=True)
class Decision:
    """`answer` names a text; empty: none. `through`: it may go to an address that this reply stops."""

    rank: Rank
    task: str = ""
    answer: str = ""
    through: bool = False
    urgent: bool = False  # the answer goes before everything else
    alert: str = ""  # its kind
    severity: str = ""
    pause: str = ""  # why planned messages are paused


def decide(triage: Triage, known: Circumstances) -> Decision:
    found = _warned(triage) or _by_intent(triage, known)
    return _within_limits(found, triage, known)


_CLASSES = ("emergency", "crisis", "urgent")
_LOWER = {"emergency": "urgent", "urgent": "normal"}


def _warned(triage: Triage) -> Decision | None:
    """The class that ranks first has the answer; negation lowers how loudly people are called, no more."""
    first = next((name for name in _CLASSES if name in triage.red_flags), None)
    if first is None:
        return None
    severity = "urgent" if first == "urgent" else "emergency"
    rank = Rank.URGENT if first == "urgent" else Rank.EMERGENCY
    if triage.negated and first != "crisis":
        severity, rank = _LOWER[severity], Rank(rank + 1)
    return Decision(
        rank,
        "call_back",
        f"red-flag-{first}",
        through=triage.opt_out,
        urgent=True,
        alert="crisis" if first == "crisis" else "red_flag",
        severity=severity,
        pause="a reply may be a warning sign",
    )


def _by_intent(triage: Triage, known: Circumstances) -> Decision:
    match triage.intent:
        case "opt_out":
            return _opted_out(triage)
        case "opt_in" if known.stopped:
            return Decision(Rank.NOBODY, answer="opt-in")
        case "help":
            return Decision(Rank.READ, "read", "help")
        case "score" if known.band:
            return _scored(known)
        case "wrong_number":
            return Decision(Rank.SOON, "check_number", "wrong-number", through=True)
        case "essentials":
            return Decision(Rank.NOBODY, answer="essentials")
        case "essentials_undo":
            return Decision(Rank.NOBODY, answer="opt-in")
        case "keyword" if triage.keyword:
            return _asked_for(triage.keyword, known)
        case _:
            return _unclear(triage, known)


def _opted_out(triage: Triage) -> Decision:
    if triage.maybe_meant_the_visit:
        return Decision(Rank.SOON, "check_visit", "opt-out", through=True)
    return Decision(Rank.NOBODY, answer="opt-out", through=True)


def _scored(known: Circumstances) -> Decision:
    if known.band == _HIGH or known.rising:
        answer = "score-high" if known.band == _HIGH else "score-rising"
        return Decision(
            Rank.URGENT,
            "call_back",
            answer,
            urgent=True,
            alert="score",
            severity="urgent",
            pause="the soreness score is high" if known.band == _HIGH else "the soreness score went up",
        )
    answer = "red-flag-urgent" if known.concern else f"score-{known.band}"
    if known.band == "low":
        return Decision(Rank.READ if known.concern else Rank.NOBODY, "read" if known.concern else "", answer)
    return Decision(Rank.READ, "review", answer)


def _asked_for(keyword: str, known: Circumstances) -> Decision:
    if keyword == "call":
        return Decision(Rank.SOON, "call_back", "keyword-call")
    if known.concern:
        return Decision(Rank.READ, "read", "red-flag-urgent")
    return Decision(Rank.NOBODY, answer=f"keyword-{keyword}")


def _unclear(triage: Triage, known: Circumstances) -> Decision:
    if known.asked and triage.unclear_score and not known.asked_again:
        return Decision(Rank.READ, "review", "red-flag-urgent" if known.concern else "score-unclear")
    return Decision(Rank.READ, "read", "fallback")


def _within_limits(found: Decision, triage: Triage, known: Circumstances) -> Decision:
    """No answer to a robot, in a loop, to a stopped address, or to what the provider has answered."""
    if found.answer and _is_too_much(found, triage, known):
        return _without_answer(found)
    return found


def _is_too_much(found: Decision, triage: Triage, known: Circumstances) -> bool:
    if known.robot:
        return True
    if known.stopped and triage.intent != "opt_in":
        # It said no before: even a warning is answered by a person, with a call.
        return True
    if known.answered_lately >= MOST_AN_HOUR and not found.urgent:
        return True
    if found.answer == "fallback" and known.fallback_lately:
        return True
    return known.provider_answers and not found.urgent


def _without_answer(found: Decision) -> Decision:
    return Decision(
        found.rank,
        found.task,
        alert=found.alert,
        severity=found.severity,
        pause=found.pause,
    )


def is_loop(body: str, earlier: Collection[str]) -> bool:
    """Whether this reply only says again what the same address has said again and again within an hour."""
    said = body.strip().casefold()
    return sum(other.strip().casefold() == said for other in earlier) >= SAME_WORDS - 1

"""Who is told of an alert, and when: in the order of the contacts, round and round until somebody takes it.

An emergency crosses the night. Anything else waits until the clinic is open, unless somebody is on call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.rules.hours import DAYS, Hours, Span

# Letters and digits that nobody takes for one another, and that make no word, no score and no keyword.
CODE_LETTERS, CODE_DIGITS = "CDFHJKMPQRTVWXY", "34679"
_PAUSE = r"[\s.\-]*"
_CODE = re.compile(
    r"(?<![a-z0-9])" + _PAUSE.join((f"([{CODE_LETTERS}])", f"([{CODE_DIGITS}])") * 2) + r"(?![a-z0-9])", re.I
)
# More words than these around a code are a letter of their own.
_MOST_WORDS = 5

DEFAULT_AFTER = timedelta(minutes=5)

# Times the waiting time of an emergency: a quarter of an hour and an hour, as a rule.
_SLOWER = {"emergency": 1, "urgent": 3, "normal": 12}
# An emergency is rung as set so often, for an hour as a rule, then more slowly, but at least half-hourly.
_CALLS_AS_SET, _SLOWEST = 12, 6
_A_DAY = timedelta(days=1)
# Where nobody has entered opening hours, people are not woken all the same.
_BY_DAY = {day: (Span(8 * 60, 20 * 60),) for day in DAYS}


class Severity(StrEnum):
    EMERGENCY = "emergency"
    URGENT = "urgent"
    NORMAL = "normal"


_ORDER = (Severity.NORMAL, Severity.URGENT, Severity.EMERGENCY)


def worse(one: str, other: str) -> str:
    return max(one, other, key=lambda each: _ORDER.index(Severity(each)))


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is, counted from 0, and in which round."""

    contact: int
    round: int


def codes_in(text: str) -> tuple[str, ...]:
    """The codes in a short message that is about nothing else: "k7q4", "Code K7 Q4", "ok, k7q4 on my way"."""
    found = tuple("".join(match.groups()).upper() for match in _CODE.finditer(text))
    return found if len(beside_codes(text)) <= _MOST_WORDS else ()


def beside_codes(text: str) -> list[str]:
    """The words that are no code."""
    return _CODE.sub(" ", text).split()


def waking_hours(hours: Hours) -> Hours:
    """Those that were entered; else by day."""
    return hours if hours else Hours(_BY_DAY, hours.closed, hours.tz)


def turn(severity: str, on_call: Sequence[bool], at: Turn, *, is_open: bool) -> Turn | None:
    """The next whose turn it is from `at` on and who may be told now. None: nobody before it opens.

    `on_call`: of each contact in their order.
    """
    for step in range(len(on_call)):
        rounds, contact = divmod(at.contact + step, len(on_call))
        if severity == Severity.EMERGENCY or is_open or on_call[contact]:
            return Turn(contact, at.round + rounds)
    return None


def waits(severity: str, at: Turn, after: timedelta, calls: int = 0) -> timedelta:
    """How long after the one before `at` is told; `after` is the time set for emergencies.

    `calls`: how many were made since the patient wrote last.
    """
    if severity == Severity.NORMAL and at.contact == 0:
        return _A_DAY  # everybody has been told of something that can wait
    pause = after * _SLOWER[severity]
    if severity == Severity.EMERGENCY:
        pause *= min(_SLOWEST, 2 ** min(calls // _CALLS_AS_SET, 3))
    return pause


def next_turn(told: Turn, contacts: int) -> Turn:
    """Who follows, the first again after the last."""
    rounds, contact = divmod(told.contact + 1, max(contacts, 1))
    return Turn(contact, told.round + rounds)


def not_before(severity: str, on_call: Sequence[bool], due: datetime, hours: Hours) -> datetime:
    """When that can happen: at once, or when it opens."""
    if severity == Severity.EMERGENCY or any(on_call) or hours.is_open(due):
        return due
    return hours.next_opening(due) or due + _A_DAY


def read_by(received: datetime, hours: Hours) -> datetime:
    """An hour after a reply came, or after the clinic opened: nobody has to read at night."""
    since = received if hours.is_open(received) else hours.next_opening(received) or received
    return since + timedelta(hours=1)

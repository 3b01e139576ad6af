"""What people read about a message: its state, why, and what its step is called. Every page says the same."""

from __future__ import annotations

import re
from typing import Protocol

from notifier.rules.delivery import Status

# Words that may follow a colon in small letters; a name or an abbreviation keeps its capital.
_SMALL = re.compile(
    r"(A|After|An|Another|Consent|For|It|Its|Kept|Logged|Messages|Moved|No|Not|One|Only|Outside|Sent"
    r"|Staff|That|The|This|Tried|Waits) "
)

# host:process:chance
_WORKER = re.compile(r":\d+:\w+$")


class Told(Protocol):
    """A message, or what is known of one."""

    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def reason_code(self) -> str: ...
    @property
    def attempts(self) -> int: ...


_WORDS = {
    Status.SCHEDULED: "Will be sent",
    Status.HELD: "Waits for a person",
    Status.SENDING: "Being sent",
    Status.ACCEPTED: "Handed over",
    Status.SENT: "Sent",
    Status.DELIVERED: "Delivered",
    Status.UNDELIVERED: "Not delivered",
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Not known whether it arrived",
    Status.SKIPPED: "Not sent",
    Status.CANCELLED: "Cancelled",
}


def of_status(status: str) -> str:
    """For lists and filters, where there is no message to look at."""
    return _WORDS[Status(status)]


def of_message(message: Told) -> str:
    if message.status == Status.SCHEDULED and message.attempts:
        return "Will be tried again"
    if message.status == Status.HELD and message.reason_code == "paused":
        return "Paused"
    return of_status(message.status)


def sentence(message: Told) -> str:
    """The state and the reason in one: "Not sent: the number is a landline, which cannot receive SMS."."""
    label = of_message(message)
    return f"{label}: {uncapitalised(message.reason)}" if message.reason else label


def outcome(word: str) -> str:
    """What one try came to."""
    if word in _WORDS:
        return of_status(word)
    return "Not handed over" if word == "released" else "Under way"


def moved(what: str) -> str:
    """A move of a message's story: "scheduled → cancelled" is "Will be sent → Cancelled"."""
    parts = what.removeprefix("planned: ").removesuffix(", changed").split(" → ")
    if not all(part in _WORDS for part in parts):
        return what[:1].upper() + what[1:]
    said = " → ".join(of_status(part) for part in parts)
    return f"{said}, changed" if what.endswith(", changed") else said


def who(actor: str) -> str:
    """Who did something to a message; a worker's own name says nothing at a desk."""
    return "the program" if _WORKER.search(actor) else actor


def uncapitalised(sentence: str) -> str:
    """As it reads after a colon."""
    return sentence[:1].lower() + sentence[1:] if _SMALL.match(sentence) else sentence


def step_name(key: str | None) -> str:
    """The key of a step as people read it: "day2-soreness-score" is "Day 2: soreness score"."""
    if not key:
        return ""
    first, _, rest = key.partition("-")
    if first.startswith("day") and first[3:].isdigit():
        day = f"Day {first[3:]}"
        return f"{day}: {rest.replace('-', ' ')}" if rest else day
    words = key.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


_KINDS = {
    "answer": "Automatic answer",
    "staff": "From the clinic",
    "alert": "Alert to staff",
    "test": "Test message",
}


def title(kind: str, step: str | None) -> str:
    """What a message is, in a few words."""
    return step_name(step) or _KINDS.get(kind, "Message")


def channel_name(channel: str) -> str:
    return "SMS" if channel == "sms" else "e-mail"

"""What a task is: how serious, what is asked of the person, and about whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from notifier.models import Patient


class Rank(IntEnum):
    """How serious: lower comes first."""

    ALERT = 0
    NOTHING_GOES = 1
    REPLY = 2
    DECIDE = 3
    NOT_REACHED = 4
    ADDRESS = 5
    TO_READ = 6
    UNCOVERED = 7
    NOTHING_LOGGED = 8
    NONE_TODAY = 9


class Do(StrEnum):
    """What the person is asked to do; pages know where."""

    LOOK = "look"
    READ = "read"
    WAIT = "wait"
    DECIDE = "decide"
    RESUME = "resume"
    CALL = "call"
    CORRECT = "correct"
    CONSENT = "consent"
    SHEET = "sheet"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Task:
    """`what` is the matter in a sentence, `why` what is known about it."""

    key: str
    rank: Rank
    do: Do
    what: str
    why: str
    at: datetime
    patient: Patient | None = None
    treatment_id: int | None = None
    message_id: int | None = None
    alert_id: int | None = None
    reply_id: int | None = None


def name_of(patient: Patient) -> str:
    return f"{patient.first_name} {patient.last_name}".strip()

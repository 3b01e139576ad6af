"""A message's life: its statuses, the table of legal moves, which checks bind it, and what follows an error.

Pure: `now` and chance are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    SCHEDULED = "scheduled"  # waiting for due_at, also between retries
    HELD = "held"  # this one message needs a person
    SENDING = "sending"  # claimed; committed before the provider is called
    ACCEPTED = "accepted"  # the provider took it and gave its id
    SENT = "sent"  # the provider handed it on (an SMTP 250 is this)
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNKNOWN = "unknown"  # we cannot tell whether the provider took it
    SKIPPED = "skipped"  # never sent: a rule said so
    CANCELLED = "cancelled"  # never sent: a person, or a newer treatment, said so


class Kind(StrEnum):
    PLANNED = "planned"
    ANSWER = "answer"
    STAFF = "staff"
    ALERT = "alert"
    TEST = "test"


class Priority:
    """Lower goes first. Alerts and safety answers overtake everything that is due."""

    ALERT = 0
    ANSWER = 1
    PLANNED = 2
    ALL = (ALERT, ANSWER, PLANNED)


class ErrorClass(StrEnum):
    OPT_OUT = "opt_out"  # the provider says this address opted out
    ADDRESS = "address"  # this address cannot be reached on this channel
    CONTENT = "content"  # the words were refused
    TRANSIENT = "transient"  # definitely not taken, may well be taken later
    FEW_TRIES = "few_tries"  # the handset or carrier did not take it; at most twice more, hours apart
    CONFIGURATION = "configuration"  # our account or set-up: stops the sender, not the message
    AMBIGUOUS = "ambiguous"  # it may have been taken
    UNLISTED = "unlisted"  # the provider said something this table does not know


class Check(StrEnum):
    """What is looked at again at the moment of sending."""

    CONSENT = "consent"
    SUPPRESSION = "suppression"
    TREATMENT = "treatment"  # not void
    STEP = "step"  # still in the plan, its audience still matches
    WINDOW = "window"
    PACE = "pace"  # gap and caps of the address
    USEFUL = "useful"
    PAUSED = "paused"


CHECKS: dict[Kind, frozenset[Check]] = {
    Kind.PLANNED: frozenset(Check),
    # The patient has just written: the answer is welcome at any hour and counts against no gap. A safety
    # answer is let through a suppression once, by the capability that creates it.
    Kind.ANSWER: frozenset({Check.SUPPRESSION, Check.USEFUL}),
    # A person at the clinic wrote it to a patient, by hand.
    Kind.STAFF: frozenset({Check.SUPPRESSION, Check.CONSENT, Check.USEFUL}),
    # Goes to staff, who are not patients: only a full opt-out known to the provider can stop it.
    Kind.ALERT: frozenset(),
    Kind.TEST: frozenset({Check.SUPPRESSION}),
}


def checks_of(kind: Kind, *, answers: bool) -> frozenset[Check]:
    """What is looked at again for this one. `answers`: it answers a reply; else nobody asked for it."""
    if kind is Kind.ANSWER and not answers:
        return CHECKS[kind] | {Check.CONSENT}
    return CHECKS[kind]


S = Status
_AFTER_PROVIDER = {S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED}

MOVES: dict[Status, frozenset[Status]] = {
    # Straight to sent or delivered: it waits for another try, and a late report says that one got through.
    S.SCHEDULED: frozenset({S.SCHEDULED, S.SENDING, S.HELD, S.SKIPPED, S.CANCELLED, S.SENT, S.DELIVERED}),
    S.HELD: frozenset({S.SCHEDULED, S.SKIPPED, S.CANCELLED, S.SENT, S.DELIVERED}),
    # Back to scheduled: released before the call, or a definite refusal that will be tried again.
    S.SENDING: frozenset(_AFTER_PROVIDER | {S.SCHEDULED, S.UNKNOWN, S.HELD, S.SKIPPED}),
    # A late outcome, a report or a look-up settles it; asked and absent, it is sent again.
    S.UNKNOWN: frozenset(_AFTER_PROVIDER | {S.SCHEDULED, S.HELD, S.SKIPPED}),
    S.ACCEPTED: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.SCHEDULED}),
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED, S.SCHEDULED}),
    # Carriers correct themselves: "undelivered" may be followed by the handset's own receipt.
    S.UNDELIVERED: frozenset({S.DELIVERED, S.SCHEDULED}),
    S.FAILED: frozenset({S.SCHEDULED, S.DELIVERED}),
    S.DELIVERED: frozenset(),
    # Only rows that were never attempted and are still useful; see `may_revive`.
    S.SKIPPED: frozenset({S.SCHEDULED, S.CANCELLED, S.SKIPPED}),
    S.CANCELLED: frozenset({S.SCHEDULED, S.SKIPPED, S.CANCELLED}),
}

# Reports come late, twice and out of order; a lower rank never overwrites a higher one.
RANK: dict[Status, int] = {
    S.SCHEDULED: 0,
    S.HELD: 0,
    S.SENDING: 0,
    S.UNKNOWN: 1,
    S.ACCEPTED: 2,
    S.SENT: 3,
    S.UNDELIVERED: 4,
    S.FAILED: 4,
    S.DELIVERED: 5,
}

NEEDS_REASON = frozenset({S.FAILED, S.UNDELIVERED, S.HELD, S.UNKNOWN, S.SKIPPED, S.CANCELLED})
NEVER_SENT = frozenset({S.SCHEDULED, S.HELD, S.SKIPPED, S.CANCELLED})
# An attempt in one of these is not known to have failed, so a step with one is done.
MAY_HAVE_ARRIVED = frozenset({S.SENDING, S.UNKNOWN, S.ACCEPTED, S.SENT, S.DELIVERED})


def may_move(old: Status, new: Status) -> bool:
    """Whether the table of legal moves has this one."""
    return new in MOVES[old]


def report_applies(old: Status, new: Status) -> bool:
    """Whether a provider's later word about the current attempt changes the row.

    Legal by the table and higher in rank; the same word again, or an older one, changes nothing.
    """
    return old in RANK and new in RANK and may_move(old, new) and RANK[new] > RANK[old]


def may_revive(status: Status, *, attempts: int) -> bool:
    """Whether an undo may bring this row back: never attempted, and stopped rather than finished."""
    return attempts == 0 and status in (S.SKIPPED, S.CANCELLED)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`base` doubles with every attempt up to `longest`; chance spreads it over the upper half."""

    base: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)
    few_tries_gap: timedelta = timedelta(hours=3)
    few_tries: int = 2


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    status: Status


@dataclass(frozen=True, slots=True)
class StopSender:
    """The sender's breaker opens; the message itself waits as it was."""


After = Retry | GiveUp | StopSender


def after_error(
    error_class: ErrorClass,
    *,
    attempt: int,
    now: datetime,
    useful_until: datetime | None,
    policy: RetryPolicy,
    chance: float,
    retry_after: float | None = None,
) -> After:
    """What follows when a provider did not take attempt number `attempt` (1 is the first).

    `chance` is in [0, 1). Never later than the message is useful: then it fails now rather than late.
    """
    match error_class:
        case ErrorClass.CONFIGURATION:
            return StopSender()
        case ErrorClass.AMBIGUOUS:
            return GiveUp(S.UNKNOWN)
        case ErrorClass.TRANSIENT:
            wait = min(policy.longest, policy.base * 2 ** min(attempt - 1, 20))
            wait = wait / 2 + wait / 2 * chance
            if retry_after is not None:
                wait = max(wait, timedelta(seconds=retry_after))
        case ErrorClass.FEW_TRIES if attempt <= policy.few_tries:
            wait = policy.few_tries_gap
        case _:
            return GiveUp(S.FAILED)
    at = now + wait
    if useful_until is not None and at > useful_until:
        return GiveUp(S.FAILED)
    return Retry(at)

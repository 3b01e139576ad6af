"""The moment of sending: everything that was true when the message was planned is looked at again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from notifier import reach
from notifier.cases import Case
from notifier.errors import NotifierError, RenderError
from notifier.plan_in_words import audience_in_words
from notifier.planning import step_obstacle
from notifier.rules import timing
from notifier.rules.audience import Facts
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Check, Kind, Status, checks_of
from notifier.rules.pacing import LONGEST_WAIT, next_free
from notifier.rules.plan import Step
from notifier.step_fit import not_for
from notifier.wording import Ready, ready

ERASED = "The patient's data were erased."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stop:
    """Not sent at all. `fallback`: the other channel may take over, where the step allows it."""

    status: Status
    code: str
    reason: str
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    at: datetime
    reason: str


Verdict = Ready | Stop | Hold | Move


def judge(case: Case, now: datetime) -> Verdict:
    """What happens to this message now, by the checks that bind its kind.

    Whatever is wrong with one message holds that one, and the others go on.
    """
    if case.problem:
        return Hold("broken", case.problem)
    try:
        return _looked_at(case, now) or ready(case, now)
    except RenderError as error:
        return Hold("render", f"The text could not be made: {error}")
    except NotifierError as error:
        return Hold("broken", f"It could not be prepared: {error}")
    except Exception as error:
        log.exception("message %s cannot be prepared", case.message.id)
        return Hold("broken", f"It could not be prepared ({type(error).__name__}); the log says more.")


def _looked_at(case: Case, now: datetime) -> Verdict | None:
    if not case.message.to:
        return Stop(Status.CANCELLED, "erased", ERASED)
    binding = checks_of(Kind(case.message.kind), answers=case.message.reply_id is not None)
    for check, look in _LOOKS:
        if check in binding and (verdict := look(case, now)) is not None:
            return verdict
    return None


def _treatment(case: Case, now: datetime) -> Verdict | None:
    if case.treatment is None or case.treatment.voided_at is not None:
        return Stop(Status.CANCELLED, "void", "The treatment was voided.")
    return None


def _step(case: Case, now: datetime) -> Verdict | None:
    step, patient, treatment = case.step, case.patient, case.treatment
    if step is None or patient is None or treatment is None:
        return Stop(Status.CANCELLED, "replanned", case.why_no_step)
    if case.replaced is not None and case.replaced.status in MAY_HAVE_ARRIVED:
        return Stop(Status.SKIPPED, "replanned", "The message it was to stand in for arrived after all.")
    if patient.essentials and not step.safety:
        return Stop(Status.SKIPPED, "essentials", "This patient gets safety messages only.")
    facts = Facts(not case.received, treatment.next_visit_at is not None, frozenset(treatment.areas))
    if not step.audience.matches(facts, case.score):
        return Stop(Status.SKIPPED, "audience", _not_for(step, facts, case.score))
    return None


def _not_for(step: Step, facts: Facts, score: int | None) -> str:
    if step.audience.asks_about("score"):
        said = "No score came." if score is None else f"The latest score is {score}."
        return f"Not for this patient. Who gets it: {audience_in_words(step.audience)}. {said}"
    return not_for(step, facts)


def _paused(case: Case, now: datetime) -> Verdict | None:
    if case.patient is not None and case.patient.paused_at is not None:
        why = case.patient.paused_reason or "staff have to look first"
        return Hold("paused", f"This patient's planned messages are paused: {why}.")
    return None


def _useful(case: Case, now: datetime) -> Verdict | None:
    until = case.message.useful_until
    if until is not None and now > until:
        return Stop(
            Status.SKIPPED,
            "too_late",
            f"It was useful until {timing.say(until, case.tz)} and could not leave before.",
        )
    return None


def _suppression(case: Case, now: datetime) -> Verdict | None:
    # The one answer to the very reply that asked to stop may still go there.
    if case.suppressed and not (case.message.kind == Kind.ANSWER and case.message.safety):
        return Stop(Status.SKIPPED, "opt_out", "This address opted out.", fallback=True)
    return None


def _consent(case: Case, now: datetime) -> Verdict | None:
    message, patient = case.message, case.patient
    if patient is None:
        return None
    if patient.erased_at is None and message.to != reach.address_of(patient, message.channel):
        return Stop(Status.CANCELLED, "replanned", "The patient's address changed.", fallback=True)
    obstacle = case.reach.obstacle(patient, message.channel)
    if obstacle is None and case.step is not None and case.definition is not None:
        obstacle = step_obstacle(case.definition, case.step, patient, message.channel)
    return None if obstacle is None else Stop(Status.SKIPPED, "unreachable", obstacle, fallback=True)


def _window(case: Case, now: datetime) -> Verdict | None:
    if timing.may_still_leave(now, case.plan.window, case.tz):
        return None
    opening = timing.next_opening(now, case.plan.window, case.tz)
    return _later(case, now, opening, f"Outside the sending window {case.plan.window}.")


def _pace(case: Case, now: datetime) -> Verdict | None:
    if case.message.safety:
        return None
    plan = case.plan
    free = next_free(now, pace=plan.pace, window=plan.window, neighbours=case.neighbours, tz=case.tz)
    return None if free == now else _later(case, now, free, "To keep messages apart.")


def _later(case: Case, now: datetime, at: datetime, why: str) -> Verdict:
    until = case.message.useful_until
    if until is not None and at > until:
        return Stop(
            Status.SKIPPED,
            "pace",
            f"{why} It could leave {timing.say(at, case.tz)}, "
            f"and was useful until {timing.say(until, case.tz)}.",
        )
    if at - now > LONGEST_WAIT:
        days = LONGEST_WAIT.days
        return Stop(Status.SKIPPED, "pace", f"{why} There is no place for it in the next {days} days.")
    return Move(at, f"{why} Moved to {timing.say(at, case.tz)}.")


# In this order: what ends a message for good comes before what only delays it.
_LOOKS = (
    (Check.TREATMENT, _treatment),
    (Check.USEFUL, _useful),
    (Check.STEP, _step),
    (Check.SUPPRESSION, _suppression),
    (Check.CONSENT, _consent),
    (Check.PAUSED, _paused),
    (Check.WINDOW, _window),
    (Check.PACE, _pace),
)

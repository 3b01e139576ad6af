"""One treatment with its plan at hand, and what its steps are to the others and to the writer."""

from __future__ import annotations

from dataclasses import dataclass

from notifier.models import Patient, Treatment
from notifier.planfiles import Definition
from notifier.planning_memo import PlanMemo, memo_of
from notifier.planning_rows import Desired
from notifier.rules import pacing
from notifier.rules.audience import Score
from notifier.rules.delivery import Status
from notifier.rules.plan import Plan, Step
from notifier.rules.timing import Due, Occasion, Skip, SkipCode
from notifier.step_fit import words_missing

_CANCELS = frozenset({SkipCode.VOID, SkipCode.SUPERSEDED})


def step_obstacle(definition: Definition, step: Step, patient: Patient, channel: str) -> str | None:
    """Why the words of this step cannot go to this patient on this channel; None: they can."""
    return words_missing(
        definition, step, channel, language=patient.language, name_treatment=patient.name_treatment
    )


@dataclass(slots=True)
class Course:
    """One treatment with its plan at hand."""

    treatment: Treatment
    definition: Definition
    plan: Plan
    memo: PlanMemo
    occasion: Occasion
    areas: tuple[str, ...]


def course_of(treatment: Treatment, definition: Definition) -> Course:
    occasion = Occasion(treatment.ended_at, treatment.logged_at, treatment.next_visit_at)
    areas = tuple(treatment.areas)
    return Course(treatment, definition, definition.plan, memo_of(definition), occasion, areas)


def candidate_of(
    course: Course, step: Step, due: Due, scores: frozenset[Score], order: int
) -> pacing.Candidate:
    plan = course.plan
    return pacing.Candidate(
        course.treatment.id, step.key, due, plan.pace, plan.window, step.safety, scores, order
    )


def row_of(course: Course, step: Step, channel: str, outcome: Due | Skip) -> Desired:
    if isinstance(outcome, Due):
        return Desired(
            *(course.treatment, step, channel, Status.SCHEDULED, outcome.at, outcome.useful_until),
            reason=outcome.note,
            nominal=outcome.nominal,
        )
    status = Status.CANCELLED if outcome.code in _CANCELS else Status.SKIPPED
    return Desired(
        course.treatment, step, channel, status, None, outcome.useful_until, outcome.code, outcome.reason
    )

"""Whether a step of a plan fits a patient, and if not, why: by the plan alone, without a database."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from notifier.plan_in_words import audience_in_words
from notifier.planfiles import Definition
from notifier.rules.audience import ALWAYS, Facts, Score
from notifier.rules.plan import Step


def words_missing(
    definition: Definition, step: Step, channel: str, *, language: str, name_treatment: bool
) -> str | None:
    """Why the words of this step cannot go to such a patient on this channel; None: they can."""
    if not definition.speaks(step, channel, language):
        return f"The step has no text for {'SMS' if channel == 'sms' else 'e-mail'}."
    if step.detail_on(channel) == "treatment" and not name_treatment:
        return "The words name the treatment, and the patient has not asked for that."
    return None


def not_for(step: Step, facts: Facts) -> str:
    """Why the step's audience is not met, whatever score the patient gives."""
    if step.audience.text == "first":
        return "Only for a first treatment, and the patient received it within 90 days."
    if step.audience.text == "next_visit_booked":
        return "No next visit is booked."
    return f"Not for this patient. Who gets it: {audience_in_words(step.audience)}."


def hangs_on_score(scores: Collection[Score]) -> str:
    """The sentence about a step that only some answers of the patient let out; empty where all do."""
    if frozenset(scores) == ALWAYS:
        return ""
    numbers = [score for score in range(11) if score in scores]
    if None not in scores:
        if len(numbers) == 11:
            return "Goes out only if the patient has given a score by then."
        return f"Goes out only if the patient's latest score by then is {_ranges(numbers)}."
    others = [score for score in range(11) if score not in scores]
    if not numbers:
        return "Goes out only if the patient has given no score by then."
    return f"Goes out unless the patient's latest score by then is {_ranges(others)}."


def _ranges(numbers: list[int]) -> str:
    """4 or more; 3 or less; 2, 4 to 6."""
    ends = [
        numbers[0],
        *(n for pair in pairwise(numbers) if pair[1] - pair[0] > 1 for n in pair),
        numbers[-1],
    ]
    parts = [_range(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True)]
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    if high == 10:
        return f"{low} or more"
    return f"{high} or less" if low == 0 else f"{low} to {high}"

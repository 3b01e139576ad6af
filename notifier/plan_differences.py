"""What one content of a plan says otherwise than another, in words for people who choose between them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from notifier.plan_in_words import (
    CHANNEL_NAMES,
    audience_in_words,
    channels_in_words,
    pace_in_words,
    until_in_words,
    when_in_words,
)
from notifier.planfiles import Content, Definition, define
from notifier.rules.plan import LANGUAGES, Plan, Step
from notifier.rules.templating import BLOCKS

PLAN = "plan"
LANGUAGE_NAMES = {"en": "English", "es": "Spanish"}
_PARTS = {"sms": "SMS text", "subject": "e-mail subject", "email": "e-mail text"}
Part = Literal["sms", "subject", "email"]


@dataclass(frozen=True, slots=True)
class Segment:
    kind: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True)
class TextChange:
    """The segments that are not added are the old words together, those that are not removed the new ones."""

    step: str
    language: str
    part: Part
    old: str
    new: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """`subject` is the step's key, or "plan"; `what` is a sentence without it."""

    subject: str
    what: str
    text: TextChange | None = None


def compare(old_content: Content, new_content: Content) -> list[Difference]:
    """Of the plan first, then of the steps in the new order. Raises PlanError for what is no plan."""
    old, new = define(old_content), define(new_content)
    result = list(_of_the_plan(old.plan, new.plan))
    before, after = _steps(old.plan), _steps(new.plan)
    for key, step in after.items():
        result += _of_a_step(before.get(key), step)
        result += _of_the_texts(key, old if key in before else None, new)
    result += [Difference(key, "removed.") for key in before if key not in after]
    return result


def _steps(plan: Plan) -> dict[str, Step]:
    """With those that are switched off."""
    return {step.key: step for step in (*plan.steps, *plan.off)}


def _changed(name: str, old: str, new: str) -> str:
    return f"{name}: {old} → {new}."


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_OF_THE_PLAN: dict[str, Callable[[Plan], str]] = {
    "name": lambda plan: plan.name["en"],
    "Spanish name": lambda plan: plan.name.get("es", "none"),
    "treatment": lambda plan: plan.treatment,
    "sending window": lambda plan: str(plan.window),
    "pace": lambda plan: pace_in_words(plan.pace),
    "caution": lambda plan: str(plan.caution),
    "when a newer treatment comes": lambda plan: _superseded(plan.supersede),
}


def _superseded(what: str | None) -> str:
    says = {"cancel": "what is pending is cancelled", "keep": "what is pending is kept"}
    return says.get(what or "", "as the plan says")


_OF_A_STEP: dict[str, Callable[[Step], str]] = {
    "when": when_in_words,
    "not before": lambda step: f"{int(step.not_before.total_seconds() // 60)} minutes after logging",
    "outside the window": lambda step: (
        "the last close" if step.outside_window == "earlier" else "the next opening"
    ),
    "useful": until_in_words,
    "for": lambda step: audience_in_words(step.audience),
    "by": channels_in_words,
    "safety message": lambda step: _yes(step.safety),
    "when a newer treatment comes": lambda step: _superseded(step.supersede),
    "asks for a score": lambda step: _yes(step.ask is not None),
    "waits for the answer": lambda step: _hours(step),
    "names the treatment": lambda step: _detail(step),
    "sources": lambda step: ", ".join(step.sources) or "none",
}


def _hours(step: Step) -> str:
    if step.answer_within is None:
        return "as usual"
    return f"{step.answer_within.total_seconds() / 3600:g} hours"


def _detail(step: Step) -> str:
    named = [CHANNEL_NAMES[channel] for channel, detail in step.detail.items() if detail == "treatment"]
    return f"in the {' and the '.join(named)}" if named else "no"


def _of_the_plan(old: Plan, new: Plan) -> Iterator[Difference]:
    for name, say in _OF_THE_PLAN.items():
        if say(old) != say(new):
            yield Difference(PLAN, _changed(name, say(old), say(new)))
    kept = [step.key for step in old.steps if new.step(step.key)]
    if kept != [step.key for step in new.steps if old.step(step.key)]:
        order = ", ".join(step.key for step in new.steps)
        yield Difference(PLAN, f"the steps come in another order: {order}.")


def _of_a_step(old: Step | None, new: Step) -> Iterator[Difference]:
    if old is None:
        off = "" if new.on else " It is switched off."
        yield Difference(new.key, f"new: {when_in_words(new)}, for {audience_in_words(new.audience)}.{off}")
        return
    if old.on != new.on:
        yield Difference(new.key, "switched on." if new.on else "switched off.")
    for name, say in _OF_A_STEP.items():
        if say(old) != say(new):
            yield Difference(new.key, _changed(name, say(old), say(new)))


def _of_the_texts(key: str, old: Definition | None, new: Definition) -> Iterator[Difference]:
    for language in LANGUAGES:
        for part in BLOCKS:
            before, after = _words(old, key, language, part), _words(new, key, language, part)
            if before == after:
                continue
            name = f"the {_PARTS[part]} ({LANGUAGE_NAMES.get(language, language)})"
            what = f"{name} {'is new' if not before else 'was removed' if not after else 'changed'}."
            segments = tuple(word_segments(before, after))
            yield Difference(key, what, TextChange(key, language, part, before, after, segments))  # type: ignore[arg-type]


def _words(definition: Definition | None, key: str, language: str, part: str) -> str:
    text = definition.texts.get((key, language)) if definition is not None else None
    words: str = (getattr(text, part) or "") if text is not None else ""
    return words.strip()


def word_segments(old: str, new: str) -> Iterator[Segment]:
    """Word by word, with white space, so that nothing is lost."""
    before, after = re.findall(r"\s+|\S+", old), re.findall(r"\s+|\S+", new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            yield Segment("same", "".join(before[i:j]))
            continue
        if i < j:
            yield Segment("removed", "".join(before[i:j]))
        if k < m:
            yield Segment("added", "".join(after[k:m]))

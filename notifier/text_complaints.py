"""What is wrong with the words of a step in the editor, each finding with the field that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from notifier.errors import PlanError
from notifier.plan_check_texts import text_remarks
from notifier.plan_check_words import Severity
from notifier.plan_differences import LANGUAGE_NAMES
from notifier.planfiles import Content
from notifier.rules.plan import CHANNELS, Plan, Step, read_plan
from notifier.rules.templating import BLOCKS, TextTemplate
from notifier.text_editing import Words, complaint_of_block, template_of

_DEAR = "cannot be sent in the plain SMS alphabet"
_MISSING_PART = {
    "subject": "An e-mail needs a subject too.",
    "email": "A subject alone is no e-mail: write its words, or clear the subject.",
}


@dataclass(frozen=True, slots=True)
class TextComplaint:
    """`field`: the name in the form, such as sms.en."""

    field: str
    severity: Severity
    message: str


def plan_with(content: Content, step: str) -> tuple[Plan, Step] | None:
    """The plan as if this step were in use, so that its words can be judged; None where it cannot be read."""
    tables = deepcopy(dict(content["plan"]))
    for table in tables["steps"]:
        if table.get("key") == step:
            table["on"] = True
    try:
        plan = read_plan(content["key"], tables)
    except PlanError:
        return None
    found = plan.step(step)
    return None if found is None else (plan, found)


def complaints(content: Content, step: str, language: str, words: Words) -> list[TextComplaint]:
    """As `plan check` has them; the errors first in each field."""
    if words.is_empty:
        name = LANGUAGE_NAMES[language]
        return [TextComplaint(f"sms.{language}", "error", f"There is no {name} text yet. Write one.")]
    broken = list(_unreadable(language, words))
    fields = {complaint.field for complaint in broken}
    remarks = [each for each in _remarks(content, step, language, words) if each.field not in fields]
    return sorted([*broken, *remarks], key=lambda complaint: complaint.severity != "error")


def _unreadable(language: str, words: Words) -> Iterator[TextComplaint]:
    for block in BLOCKS:
        said = words.part(block)
        error = complaint_of_block(block, said) if said else None
        if error is not None:
            message = _at_line(error.plain, error.line or 1, said)
            yield TextComplaint(f"{block}.{language}", "error", message)
    for block, other in (("subject", "email"), ("email", "subject")):
        if words.part(other) and not words.part(block):
            yield TextComplaint(f"{block}.{language}", "error", _MISSING_PART[block])


def _remarks(content: Content, step: str, language: str, words: Words) -> Iterator[TextComplaint]:
    known = plan_with(content, step)
    template = template_of(words)
    if known is None or _is_hidden(known[1], words, template):
        return
    for block, remark in text_remarks(*known, language, template):
        if _DEAR in remark.message:
            continue  # said beside the counter, with the figures of the sample that is shown
        said = words.part(block)
        message = _at_line(remark.message, 1 + said.count("\n", 0, remark.at), said)
        yield TextComplaint(f"{block}.{language}", remark.severity, message)


def _is_hidden(step: Step, words: Words, template: TextTemplate) -> bool:
    """Whether the words that the step needs are there and only cannot be read: nothing else is to be said."""
    needed = step.channels or CHANNELS
    silent = all(getattr(template, channel) is None for channel in needed)
    return silent and any(words.part(channel) for channel in needed)


def _at_line(message: str, line: int, said: str) -> str:
    return f"Line {line}: {message}" if said.count("\n") > 2 else message

"""Steps added to a plan in the editor, copied, moved, removed and kept after all. Nothing is saved here."""

from __future__ import annotations

import re
from collections.abc import Collection

from notifier.errors import InputError
from notifier.plan_editing import Draft, StepDraft, shown_step

_NEW = {"key": "", "after": "1d", "useful_for": "2d"}


def add(draft: Draft, used: Collection[str]) -> StepDraft:
    """A day after the treatment, with words to begin with."""
    step = StepDraft(_free_row(draft), _free_key("new-message", draft, used), shown_step(_NEW))
    draft.steps.append(step)
    return step


def copy(draft: Draft, row: str, used: Collection[str]) -> StepDraft:
    """Behind the step that it is a copy of, with the same words."""
    step = _step(draft, row)
    key = _free_key(f"{step.key}-copy", draft, used)
    made = StepDraft(_free_row(draft), key, dict(step.fields), words_of=step.was or step.words_of)
    draft.steps.insert(draft.steps.index(step) + 1, made)
    return made


def move(draft: Draft, row: str, by: int) -> StepDraft:
    """Earlier or later among the steps that stay; at either end it stays where it is."""
    step = _step(draft, row)
    left = draft.left
    to = left.index(step) + by if step in left else -1
    if 0 <= to < len(left):
        place = draft.steps.index(left[to])
        draft.steps.remove(step)
        draft.steps.insert(place, step)
    return step


def remove(draft: Draft, row: str) -> StepDraft:
    """One that was never saved is away at once; another is marked, and is gone when the plan is saved."""
    step = _step(draft, row)
    if draft.left == [step]:
        raise InputError("A plan needs at least one step. To end the whole plan, archive it.")
    if step.is_new:
        draft.steps.remove(step)
    else:
        step.gone = True
    return step


def keep(draft: Draft, row: str) -> StepDraft:
    step = _step(draft, row)
    step.gone = False
    return step


def _step(draft: Draft, row: str) -> StepDraft:
    step = draft.step(row)
    if step is None:
        raise InputError("This step is not in the form any more.")
    return step


def _free_row(draft: Draft) -> str:
    numbers = [int(step.row[1:]) for step in draft.steps if re.fullmatch(r"s[0-9]{1,6}", step.row)]
    return f"s{max(numbers, default=-1) + 1}"


def _free_key(wish: str, draft: Draft, used: Collection[str]) -> str:
    taken = {step.key for step in draft.steps} | set(used)
    number = 2
    key = wish
    while key in taken:
        key, number = f"{wish}-{number}", number + 1
    return key

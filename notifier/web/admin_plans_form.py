"""The editor of a plan as a page shows it: what is saved, what was typed, what is wrong, what would be."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import plans
from notifier.errors import InputError, PlanError
from notifier.models import PlanRow, PlanVersion, Retiming
from notifier.plan_complaints import Checked, check_draft, readable
from notifier.plan_editing import PLAN_FIELDS, STEP_FIELDS, Draft, draft_from, draft_of, has_starter_words
from notifier.plan_in_words import audience_in_words, step_in_words
from notifier.planfiles import Content, define, digest_of
from notifier.rules.plan import Plan
from notifier.rules.zones import to_local
from notifier.web import admin_plans_what_if as what_if
from notifier.web.admin_plans_axis import Axis, axis
from notifier.web.admin_plans_what_if import Answer, Preset, Question
from notifier.web.forms import Fields, Problems
from notifier.web.visit import Visit


@dataclass(frozen=True)
class Saved:
    """The plan as it is in the database. `used`: the keys of all steps that it ever had.

    `start`: a content that is edited in the place of the version's own and is yet to be saved over it.
    """

    row: PlanRow
    version: PlanVersion
    used: frozenset[str]
    start: Content | None = None

    @property
    def key(self) -> str:
        return self.row.key

    @property
    def content(self) -> Content:
        return self.start or self.version.content


def saved(session: Session, visit: Visit, key: str, number: int | None = None) -> Saved:
    """The current version, or the one with this number."""
    row = plans.find(session, visit.clinic(session), key)
    chosen = session.scalar(
        select(PlanVersion).where(PlanVersion.plan_id == row.id, PlanVersion.number == (number or 0))
    ) or plans.current_version(session, row)
    assert chosen.approvals is not None  # read now, for the templates
    return Saved(row, chosen, _keys_ever_used(session, row))


# By digest, which says what a version says: a plan with many versions is read once, not at every key typed.
_KEYS: dict[str, frozenset[str]] = {}


def _keys_ever_used(session: Session, row: PlanRow) -> frozenset[str]:
    digests = session.scalars(select(PlanVersion.digest).where(PlanVersion.plan_id == row.id)).all()
    unread = set(digests) - set(_KEYS)
    if unread:
        query = select(PlanVersion.digest, PlanVersion.content).where(PlanVersion.plan_id == row.id)
        for digest, content in session.execute(query.where(PlanVersion.digest.in_(unread))):
            _KEYS[digest] = frozenset(table["key"] for table in content["plan"]["steps"])
    return frozenset().union(*(_KEYS[digest] for digest in digests))


@dataclass(frozen=True)
class Editor:
    """All that the form and its picture show."""

    base: Saved
    draft: Draft
    checked: Checked
    question: Question
    presets: list[Preset]
    problems: Problems
    answer: Answer | None
    axis: Axis
    plan: Plan
    open_row: str = ""
    note: str = ""

    @property
    def changed(self) -> bool:
        return digest_of(self.checked.content) != self.base.version.digest

    @property
    def places(self) -> list[str]:
        """Where something may be said about a field."""
        of_steps = (*STEP_FIELDS, "texts")
        names = [f"{step.row}-{name}" for step in self.draft.left for name in of_steps]
        names += [f"{step.row}-key" for step in self.draft.left if step.is_new]
        return ["steps", "opens", "closes", "window", *PLAN_FIELDS, *names]

    def sentence(self, key: str) -> str:
        """A step's timing in words, as far as it can be read."""
        step = next((s for s in (*self.plan.steps, *self.plan.off) if s.key == key), None)
        return "" if step is None else step_in_words(self.plan, step)

    def audience(self, key: str) -> str:
        step = next((s for s in (*self.plan.steps, *self.plan.off) if s.key == key), None)
        return "" if step is None else audience_in_words(step.audience).capitalize() + "."

    def is_starter(self, key: str) -> bool:
        return has_starter_words(self.checked.content, key)


def editor(
    visit: Visit,
    base: Saved,
    draft: Draft,
    question: Question | None = None,
    *,
    open_row: str = "",
    note: str = "",
) -> Editor:
    used = base.used - {step.was for step in draft.steps}
    checked = check_draft(draft, base.content, used)
    definition = define(readable(checked.sound))
    choices = what_if.presets(visit.tz, to_local(visit.now(), visit.tz).date())
    asked = question or Question.of(choices[0])
    problems = Problems()
    found = what_if.moments(asked, problems)
    occasion, tz = found or (what_if.sample(visit.tz), visit.tz)
    keys = [table["key"] for table in checked.sound["plan"]["steps"]]
    rows = [(step.row, key) for step, key in zip(draft.left, keys, strict=True)]
    return Editor(
        base,
        draft,
        checked,
        asked,
        choices,
        Problems({f"what-{field}": words for field, words in problems.items()}),
        what_if.answer(definition, asked, occasion, tz, visit.clinic_name) if found else None,
        axis(definition.plan, rows, occasion, tz),
        definition.plan,
        open_row,
        note,
    )


def typed(posted: Fields) -> tuple[Draft, Question]:
    return draft_from(posted.values, posted.many("step")), Question.typed(posted.values)


def edited(session: Session, visit: Visit, key: str, posted: Fields) -> Saved:
    """What the form that was posted edits: a version, by its number, and what it started from."""
    return replace(saved(session, visit, key, posted.whole("base")), start=carried(posted, "start"))


def carried(posted: Fields, name: str = "content") -> Content | None:
    """A whole content that a page of ours carries along."""
    text = posted.raw(name)
    if not text:
        return None
    try:
        content = json.loads(text)
    except ValueError:
        raise InputError("What this page carried along is damaged, so nothing was changed.") from None
    if not _is_content(content):
        raise InputError("What this page carried along is no plan, so nothing was changed.")
    return dict(content)


def _is_content(content: Any) -> bool:
    if not isinstance(content, dict) or set(content) != {"key", "plan", "texts"}:
        return False
    plan, texts = content["plan"], content["texts"]
    steps = plan.get("steps") if isinstance(plan, dict) else None
    return (
        isinstance(texts, dict)
        and all(isinstance(words, str) for words in texts.values())
        and isinstance(steps, list)
        and all(isinstance(step, dict) and isinstance(step.get("key"), str) for step in steps)
    )


def read(content: Content) -> Plan | None:
    """The plan, where it is one."""
    try:
        return define(content).plan
    except PlanError:
        return None


def show(visit: Visit, shown: Editor, *, status: int = 200, retiming: Retiming | None = None) -> Response:
    """The whole page, or only the form where HTMX asked."""
    if visit.is_fragment:
        return visit.fragment("_plan_form.html", status=status, e=shown)
    return visit.page("plans_edit.html", status=status, e=shown, retiming=retiming)


def fresh(visit: Visit, base: Saved, start: Content | None = None, *, note: str = "") -> Editor:
    """The form of what is saved, or of a content that is yet to be saved over it."""
    edited = base if start is None else replace(base, start=start)
    return editor(visit, edited, draft_of(edited.content), note=note)

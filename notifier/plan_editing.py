"""A plan in the editor: its content as the fields of a form, and the fields as content again.

What is not changed in the form stays in the content as it was written, so that a plan that was only looked
at has the digest that it had.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from notifier.planfiles import Content
from notifier.rules.plan import CHANNELS, LANGUAGES

Table = dict[str, Any]


def _text(typed: str) -> str | None:
    return " ".join(typed.split()) or None


def _duration(typed: str) -> str | None:
    return "".join(typed.split()).lower() or None


def _clock(typed: str) -> str | None:
    return f"0{typed}" if re.fullmatch(r"[0-9]:[0-9]{2}", typed) else typed or None


def _count(typed: str) -> int | str | None:
    """What is no number is kept as it was typed, to be complained about."""
    return int(typed) if typed.isdecimal() and typed.isascii() else typed or None


def _list(typed: str) -> list[str] | None:
    return [part.strip() for part in typed.split(",") if part.strip()] or None


def _detail(typed: str) -> str | dict[str, str] | None:
    return {typed: "treatment"} if typed in CHANNELS else typed or None


def _shown_list(raw: Any) -> str:
    return ", ".join(map(str, raw)) if isinstance(raw, list) else str(raw)


def _shown_detail(raw: Any) -> str:
    if not isinstance(raw, Mapping):
        return str(raw)
    named = [channel for channel, detail in raw.items() if detail == "treatment"]
    return "minimal" if not named else "treatment" if len(named) > 1 else named[0]


@dataclass(frozen=True, slots=True)
class _Field:
    """One setting: its default, what the form shows for it, and what is meant by what was typed there."""

    default: Any
    read: Callable[[str], Any] = _text
    show: Callable[[Any], str] = str

    def shown(self, table: Mapping[str, Any], name: str) -> str:
        raw = table.get(name, self.default)
        return "" if raw is None else self.show(raw)

    def put(self, table: Table, name: str, typed: str) -> None:
        if typed == self.shown(table, name):
            return
        raw = self.read(typed)
        if raw is None or raw == self.default:
            table.pop(name, None)
        else:
            table[name] = raw


def _switch(default: bool) -> _Field:
    return _Field(default, bool, lambda raw: "1" if raw else "")


PLAN_FIELDS: Mapping[str, _Field] = {
    "name": _Field(None),
    "name_es": _Field(None),
    "treatment": _Field(None),
    "min_gap": _Field("12h", _duration),
    "max_per_day": _Field(1, _count),
    "max_per_week": _Field(5, _count),
    "caution": _Field(0, _count),
    "supersede": _Field("cancel"),
}
STEP_FIELDS: Mapping[str, _Field] = {
    "after": _Field(None, _duration),
    "anchor": _Field("treatment_end"),
    "at": _Field(None, _clock),
    "outside_window": _Field("later"),
    "not_before": _Field("15m", _duration),
    "useful_for": _Field(None, _duration),
    "audience": _Field("every"),
    "channels": _Field(None, _list, _shown_list),
    "deliver": _Field("first"),
    "safety": _switch(False),
    "supersede": _Field(None),
    "ask": _Field(None),
    "answer_within": _Field(None, _duration),
    "detail": _Field("minimal", _detail, _shown_detail),
    "on": _switch(True),
}
SWITCHES = frozenset({"safety", "on"})


@dataclass
class StepDraft:
    """`row` is its name in the form and stays while steps move; `was` is its key in the version that is
    edited, empty for a new one; `words_of` is the step whose texts a new one begins with."""

    row: str
    key: str
    fields: dict[str, str]
    was: str = ""
    words_of: str = ""
    gone: bool = False

    @property
    def is_new(self) -> bool:
        return not self.was


@dataclass
class Draft:
    """`plan` also has `opens` and `closes`, the two ends of the window."""

    plan: dict[str, str]
    steps: list[StepDraft] = field(default_factory=list)

    @property
    def left(self) -> list[StepDraft]:
        return [step for step in self.steps if not step.gone]

    def step(self, row: str) -> StepDraft | None:
        return next((step for step in self.steps if step.row == row), None)


def draft_of(content: Content) -> Draft:
    """What the form shows of a plan."""
    plan = content["plan"]
    shown = {name: setting.shown(plan, name) for name, setting in PLAN_FIELDS.items()}
    shown["treatment"] = shown["treatment"] or content["key"]
    shown["opens"], shown["closes"] = _window(plan)
    steps = [
        StepDraft(f"s{index}", table["key"], shown_step(table), was=table["key"])
        for index, table in enumerate(plan["steps"])
    ]
    return Draft(shown, steps)


def shown_step(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: setting.shown(table, name) for name, setting in STEP_FIELDS.items()}


def _window(plan: Mapping[str, Any]) -> tuple[str, str]:
    opens, closes = (*plan.get("window", ("09:00", "20:00")), "", "")[:2]
    return str(opens), str(closes)


def draft_from(values: Mapping[str, str], rows: Iterable[str]) -> Draft:
    """What was typed: the plan's fields by their names, a step's as `s3-after`; `rows` in their order."""
    plan = {name: values.get(name, "").strip() for name in (*PLAN_FIELDS, "opens", "closes")}
    return Draft(plan, [_step_from(values, row) for row in dict.fromkeys(rows)])


def _step_from(values: Mapping[str, str], row: str) -> StepDraft:
    def typed(name: str) -> str:
        return values.get(f"{row}-{name}", "").strip()

    was = typed("was")
    fields = {name: typed(name) for name in STEP_FIELDS}
    return StepDraft(row, was or typed("key"), fields, was, typed("words_of"), bool(typed("gone")))


def content_of(draft: Draft, base: Content) -> dict[str, Any]:
    """The content that the form means, made from the version that is edited. Unchecked."""
    plan = deepcopy(dict(base["plan"]))
    for name, setting in PLAN_FIELDS.items():
        shown = base["key"] if name == "treatment" and name not in plan else None
        if draft.plan[name] != shown:
            setting.put(plan, name, draft.plan[name])
    if (draft.plan["opens"], draft.plan["closes"]) != _window(plan):
        plan["window"] = [_clock(draft.plan["opens"]) or "", _clock(draft.plan["closes"]) or ""]
    known = {table["key"]: table for table in base["plan"]["steps"]}
    plan["steps"] = [_table(step, known) for step in draft.left]
    return {"key": base["key"], "plan": plan, "texts": _texts(draft, base["texts"])}


def _table(step: StepDraft, known: Mapping[str, Mapping[str, Any]]) -> Table:
    table = deepcopy(dict(known.get(step.was or step.words_of, {}))) | {"key": step.key}
    for name, setting in STEP_FIELDS.items():
        setting.put(table, name, step.fields[name])
    return table


def _texts(draft: Draft, texts: Mapping[str, str]) -> dict[str, str]:
    """Those of the steps that stay. A new step begins with a copy, or with the starter's words."""
    kept: dict[str, str] = {}
    for step in draft.left:
        source = step.was or step.words_of
        own = {name: words for name, words in texts.items() if source and name.rpartition(".")[0] == source}
        if not own and step.is_new:
            own = {f".{language}": STARTER[language] for language in LANGUAGES}
        kept |= {f"{step.key}.{name.rpartition('.')[2]}": words for name, words in own.items()}
    return kept


def has_starter_words(content: Content, key: str) -> bool:
    """Whether nobody has written the words of this step yet."""
    return any(content["texts"].get(f"{key}.{language}") == STARTER[language] for language in LANGUAGES)


# Words that may go out as they are, until somebody has written better ones.
STARTER = {
    "en": (
        "{% block sms %}{{ clinic.name }}: Hi {{ patient.first_name }}. We hope you are well after your "
        "visit. Questions? Call {{ clinic.phone }}. STOP to end.{% endblock %}\n\n"
        "{% block subject %}After your visit on {{ treatment.date }}{% endblock %}\n\n"
        "{% block email %}\nHi {{ patient.first_name }},\n\n"
        "We hope you are well after your visit. If you have questions, call us: {{ clinic.phone }}.\n\n"
        "{{ clinic.name }}\n{% endblock %}\n"
    ),
    "es": (
        "{% block sms %}{{ clinic.name }}: Hola {{ patient.first_name }}. Esperamos que esté bien después de "
        "su visita. ¿Preguntas? Llame al {{ clinic.phone }}. STOP para salir.{% endblock %}\n\n"
        "{% block subject %}Después de su visita del {{ treatment.date }}{% endblock %}\n\n"
        "{% block email %}\nHola {{ patient.first_name }}:\n\n"
        "Esperamos que esté bien después de su visita. Si tiene preguntas, llámenos: {{ clinic.phone }}.\n\n"
        "{{ clinic.name }}\n{% endblock %}\n"
    ),
}

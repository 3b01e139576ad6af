"""What is wrong with a plan in the editor, each finding with the field of the form that it is about."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from notifier.errors import PlanError
from notifier.plan_check_words import Severity
from notifier.plan_checks import Finding, check_content
from notifier.plan_editing import Draft, content_of
from notifier.planfiles import Content
from notifier.rules.plan import read_plan
from notifier.rules.templating import parse_text

_LANGUAGES = {"en": "English", "es": "Spanish"}
# More mistakes than a form has fields: by then something is wrong with the mending itself.
_MOST = 500


@dataclass(frozen=True, slots=True)
class Complaint:
    """`field`: the name in the form, such as s3-after or min_gap; s3-texts for the words of a step."""

    field: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """`content` is what the form means; `sound` the same, with what cannot be read put as it was before."""

    content: dict[str, Any]
    sound: dict[str, Any]
    complaints: tuple[Complaint, ...]

    @property
    def errors(self) -> int:
        return sum(complaint.severity == "error" for complaint in self.complaints)

    @property
    def warnings(self) -> int:
        return len(self.complaints) - self.errors

    def about(self, field: str) -> list[Complaint]:
        return [complaint for complaint in self.complaints if complaint.field == field]

    def of_step(self, row: str, severity: Severity) -> int:
        return sum(c.field.startswith(f"{row}-") and c.severity == severity for c in self.complaints)


def check_draft(draft: Draft, base: Content, used: Collection[str] = ()) -> Checked:
    """`used`: the keys of all steps that the plan ever had; a new step may not take one of them."""
    content = content_of(draft, base)
    rows = [step.row for step in draft.left]
    sound, found = _mended(content, base, rows)
    for step in draft.left:
        if step.is_new and step.key in used:
            words = "Was the key of a step before, and what was sent hangs on it. Choose another."
            found.append(Complaint(f"{step.row}-key", "error", words))
    found += [_complaint(finding, sound, rows) for finding in _findings(json.dumps(sound))]
    return Checked(content, sound, tuple(dict.fromkeys(found)))


def readable(content: Content) -> Content:
    """Without texts that cannot be read, so that the timing can be looked at all the same."""
    texts = {name: words for name, words in content["texts"].items() if _is_readable(words)}
    return {**content, "texts": texts}


@lru_cache(maxsize=1024)
def _is_readable(words: str) -> bool:
    try:
        parse_text(words, file="")
    except PlanError:
        return False
    return True


@lru_cache(maxsize=64)
def _findings(content: str) -> tuple[Finding, ...]:
    """Every page of an editor asks, and mostly about the same content."""
    return tuple(check_content(json.loads(content)))


def _mended(
    content: dict[str, Any], base: Content, rows: list[str]
) -> tuple[dict[str, Any], list[Complaint]]:
    """All that cannot be read, not only the first of it: each is put back, and the rest is read again."""
    sound, found = deepcopy(content), []
    for _ in range(_MOST):
        try:
            read_plan(sound["key"], sound["plan"])
        except PlanError as error:
            step, key = error.place or (None, "")
            table = sound["plan"] if step is None else sound["plan"]["steps"][step]
            words = _plain(error.plain, table.get("key") or f"step {(step or 0) + 1}", key)
            found.append(Complaint(_field(step, key, rows), "error", words))
            _mend(sound, base, step, key)
        else:
            break
    return sound, found


def _mend(content: dict[str, Any], base: Content, step: int | None, key: str) -> None:
    if step is None:
        if key == "steps":
            content["plan"]["steps"][0]["on"] = True
        elif key in ("by", "on"):
            content["plan"].pop("review", None)
        else:
            content["plan"].pop(key, None)
            if key == "name":
                content["plan"]["name"] = base["plan"].get("name") or base["key"]
        return
    table = content["plan"]["steps"][step]
    tried = table.pop(key, None)
    if key == "key":
        _rename(content, step, tried if isinstance(tried, str) else "")
    elif key == "after":
        before = _table_of(base, table["key"]).get("after", "1d")
        table["after"] = before if before != tried else "1d"


def _rename(content: dict[str, Any], step: int, old: str) -> None:
    """So that the rest can be checked; the words go along, unless they are those of a twin."""
    new = f"step-{step + 1}-without-a-name"
    content["plan"]["steps"][step]["key"] = new
    for name, words in list(content["texts"].items()):
        if name.rpartition(".")[0] == old:
            content["texts"][f"{new}.{name.rpartition('.')[2]}"] = words
            if all(table["key"] != old for table in content["plan"]["steps"]):
                del content["texts"][name]


def _table_of(content: Content, key: str) -> Mapping[str, Any]:
    return next((table for table in content["plan"]["steps"] if table["key"] == key), {})


def _field(step: int | None, key: str, rows: list[str]) -> str:
    return key if step is None else f"{rows[step]}-{key}"


def _complaint(finding: Finding, content: Content, rows: list[str]) -> Complaint:
    tables = content["plan"]["steps"]
    if "." in finding.key:
        step, _, language = finding.key.rpartition(".")
        row = next((row for row, table in zip(rows, tables, strict=True) if table["key"] == step), "")
        words = f"{_LANGUAGES.get(language, language)}: {finding.message}"
        return Complaint(f"{row}-texts", finding.severity, words)
    key = "texts" if finding.step is not None and finding.key == "key" else finding.key
    name = "" if finding.step is None else tables[finding.step]["key"]
    return Complaint(
        _field(finding.step, key, rows), finding.severity, _plain(finding.message, name, finding.key)
    )


def _plain(message: str, *said: str) -> str:
    """Without what a place beside the field says already."""
    for name in said:
        message = message.removeprefix(f"{name}: ")
    return message[:1].upper() + message[1:]

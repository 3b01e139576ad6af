"""What is wrong with a plan before anybody gets a message of it: each finding with its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from notifier.errors import PlanError
from notifier.plan_check_texts import text_remarks
from notifier.plan_check_times import timing_remarks
from notifier.plan_check_words import Severity
from notifier.planfiles import Content, line_of, read_content
from notifier.rules.plan import LANGUAGES, Plan, Step, read_plan
from notifier.rules.templating import TextTemplate, parse_text

_LANGUAGE_NAMES = {"en": "English", "es": "Spanish"}


@dataclass(frozen=True, slots=True)
class Finding:
    """An error misleads a patient, breaks a promise or keeps a message from going out; a warning does not.

    `line` is None only where there is no file to have one. `step` is the place of the step that is meant, or
    None for the plan as a whole; `key` is the setting, or the name of the text, such as day1-soreness.en.
    """

    severity: Severity
    file: str
    line: int | None
    message: str
    step: int | None = None
    key: str = ""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.severity}: {self.message}"


def check(folder: Path) -> list[Finding]:
    """Everything found in a plan's folder, by file and line."""
    try:
        content = read_content(folder)
    except PlanError as error:
        return [Finding("error", str(error.file), error.line or 1, error.plain)]
    return _Check(content, folder, (folder / "plan.toml").read_text("utf-8")).findings()


def check_content(content: Content) -> list[Finding]:
    """As `check`, for what an editor holds; its plan.toml is no file and has no lines."""
    return _Check(content, Path(content["key"]), None).findings()


class _Check:
    """One plan, with the places of its files."""

    def __init__(self, content: Content, folder: Path, source: str | None) -> None:
        self.content, self.folder, self.source = content, folder, source
        self.found: list[Finding] = []
        self.texts: dict[tuple[str, str], TextTemplate] = {}
        self.places: dict[str, int] = {}

    def findings(self) -> list[Finding]:
        self._parse_texts()
        try:
            plan = read_plan(self.content["key"], self.content["plan"])
        except PlanError as error:
            self._in_plan("error", *(error.place or (None, "")), error.plain)
        else:
            # Steps that are switched off are in the file, and keep their place there.
            self.places = {table["key"]: index for index, table in enumerate(self.content["plan"]["steps"])}
            self._names(plan)
            for remark in timing_remarks(plan):
                place = None if remark.step is None else self.places[plan.steps[remark.step].key]
                self._in_plan(remark.severity, place, remark.key, remark.message)
            for step, language in product(plan.steps, LANGUAGES):
                self._text(plan, step, language)
        return sorted(self.found, key=lambda finding: (finding.file, finding.line or 0))

    def _parse_texts(self) -> None:
        for name, source in self.content["texts"].items():
            step, _, language = name.rpartition(".")
            try:
                self.texts[step, language] = parse_text(source, file=self._file(name))
            except PlanError as error:
                self._in_text("error", name, error.line or 1, error.plain)

    def _names(self, plan: Plan) -> None:
        for name in self.content["texts"]:
            step, _, language = name.rpartition(".")
            if step not in self.places:
                steps = ", ".join(self.places)
                words = f'There is no step "{step or name}" in this plan; its steps are {steps}.'
                self._in_text("error", name, 1, words)
            elif language not in LANGUAGES:
                words = f'Nobody is written to in "{language}"; the languages are {", ".join(LANGUAGES)}.'
                self._in_text("error", name, 1, words)

    def _text(self, plan: Plan, step: Step, language: str) -> None:
        name = f"{step.key}.{language}"
        if name not in self.content["texts"]:
            words = f"{step.key}: there is no {_LANGUAGE_NAMES[language]} text; write {name}.j2."
            self._in_plan("error", self.places[step.key], "key", words)
            return
        text = self.texts.get((step.key, language))
        if text is None:
            return  # it cannot be read, which is a finding of its own
        for block, remark in text_remarks(plan, step, language, text):
            line = text.lines[block] + getattr(text, block).count("\n", 0, remark.at)
            self._in_text(remark.severity, name, line, remark.message)

    def _file(self, name: str) -> str:
        return str(self.folder / f"{name}.j2")

    def _in_plan(self, severity: Severity, step: int | None, key: str, message: str) -> None:
        line = None if self.source is None else line_of(self.source, step, key) or 1
        self.found.append(Finding(severity, str(self.folder / "plan.toml"), line, message, step, key))

    def _in_text(self, severity: Severity, name: str, line: int, message: str) -> None:
        self.found.append(Finding(severity, self._file(name), line, message, None, name))

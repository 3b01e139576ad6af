"""All texts of a plan at a glance: which there are, how long, what is wrong, and what a month costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from notifier import plans, rendering, text_complaints, text_cost, text_editing, text_samples
from notifier.errors import RenderError
from notifier.models import Clinic, PlanRow, PlanVersion
from notifier.plan_in_words import when_in_words
from notifier.rendering import Context
from notifier.rules.plan import LANGUAGES
from notifier.status_words import step_name
from notifier.text_complaints import plan_with
from notifier.text_cost import Cost, Volume, money
from notifier.text_editing import Words
from notifier.web.visit import Visit


@dataclass(frozen=True)
class Cell:
    """One step in one language."""

    language: str
    words: Words
    parts: int
    long_parts: int
    errors: int
    warnings: int
    cost: Cost


@dataclass(frozen=True)
class Line:
    key: str
    name: str
    when: str
    is_off: bool
    cells: tuple[Cell, ...]

    @property
    def count(self) -> int:
        return sum(cell.cost.volume.count for cell in self.cells)

    @property
    def amount(self) -> float:
        return sum(cell.cost.amount for cell in self.cells)


@dataclass(frozen=True)
class Overview:
    row: PlanRow
    version: PlanVersion
    clinic: Clinic
    lines: tuple[Line, ...]

    @property
    def missing(self) -> list[Cell]:
        return [cell for line in self.lines for cell in line.cells if cell.words.is_empty]

    def say(self, amount: float) -> str:
        return money(amount, self.clinic.currency)

    @property
    def total(self) -> float:
        return sum(line.amount for line in self.lines)


def overview(session: Session, visit: Visit, key: str) -> Overview:
    clinic = visit.clinic(session)
    row = plans.find(session, clinic, key)
    version = plans.current_version(session, row)
    assert version.approvals is not None  # read now, for the templates
    volumes = text_cost.volumes(session, clinic, row, now=visit.now())
    return Overview(row, version, clinic, tuple(_lines(session, visit, clinic, version, volumes)))


def _lines(
    session: Session, visit: Visit, clinic: Clinic, version: PlanVersion, volumes: text_cost.Volumes
) -> Iterator[Line]:
    for table in version.content["plan"]["steps"]:
        known = plan_with(version.content, table["key"])
        if known is None:
            continue
        plan, step = known
        cells = []
        for language in LANGUAGES:
            contexts = [
                text_samples.made_up(session, clinic, plan, language, now=visit.now(), long=long)
                for long in (False, True)
            ]
            volume = volumes.get((step.key, language), Volume())
            cells.append(_cell(clinic, version, step.key, language, contexts, volume))
        is_off = not table.get("on", True)
        yield Line(step.key, step_name(step.key), when_in_words(step), is_off, tuple(cells))


def _cell(
    clinic: Clinic, version: PlanVersion, step: str, language: str, contexts: list[Context], volume: Volume
) -> Cell:
    words = text_editing.words_in(version.content, step)[language]
    found = text_complaints.complaints(version.content, step, language, words)
    errors = sum(complaint.severity == "error" for complaint in found)
    parts, long_parts = (_parts(words, context) for context in contexts)
    return Cell(
        language,
        words,
        parts,
        long_parts,
        errors,
        len(found) - errors,
        Cost(volume, parts, parts, clinic.sms_price, clinic.currency),
    )


def _parts(words: Words, context: Context) -> int:
    template = text_editing.template_of(words)
    if template.sms is None:
        return 0
    try:
        return rendering.render(template, context, channel="sms").size.segments
    except RenderError:
        return 0

"""What a new content of a plan would do to pending messages, counted message by message; nothing is saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import plans
from notifier.models import Clinic, Patient
from notifier.planfiles import Content, Definition, define
from notifier.planning_alike import Likeness, Likenesses, holds_until
from notifier.planning_columns import Assumed, read
from notifier.planning_world import World
from notifier.retiming_batches import Batch, batches, waiting
from notifier.retiming_findings import Finding, Findings, compare
from notifier.retiming_samples import Example, Samples

Progress = Callable[[int, int], None]

# As no version has it.
_NEW = 0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much messages move; negative is sooner."""

    earliest: timedelta
    median: timedelta
    latest: timedelta

    @property
    def words(self) -> tuple[str, str]:
        """The two ends."""
        return shift_in_words(self.earliest), shift_in_words(self.latest)


def shift_in_words(shift: timedelta) -> str:
    """2 h 30 min later; 1 d sooner."""
    minutes = round(abs(shift).total_seconds() / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return f"{' '.join(parts) or 'less than a minute'} {'sooner' if shift < timedelta(0) else 'later'}"


@dataclass(slots=True)
class Counts:
    """Messages. What is pending moves, stays, is skipped or cancelled; the rest comes on top."""

    pending: int = 0
    moved: int = 0
    at_once: int = 0  # of those: their new time is over already, so they leave as soon as they may
    stay: int = 0
    skipped: int = 0
    too_late: int = 0  # of those
    cancelled: int = 0
    added: int = 0
    missed: int = 0  # of a new step, but too late or not for this treatment
    returned: int = 0  # skipped so far, and would go out
    untouched: int = 0  # attempted already
    shifts: Counter[timedelta] = field(default_factory=Counter)

    @property
    def shift(self) -> Shift | None:
        """None: nothing moves."""
        if not self.shifts:
            return None
        ordered = sorted(self.shifts)
        half = self.shifts.total() / 2
        seen = 0
        for median in ordered:
            seen += self.shifts[median]
            if seen >= half:
                break
        return Shift(ordered[0], median, ordered[-1])

    def count(self, finding: Finding, times: int) -> None:
        match finding.what:
            case "untouched" | "added" | "missed" | "returned":
                pass
            case "moved" | "at_once":
                self.pending += times
                self.moved += times
                self.at_once += times * (finding.what == "at_once")
                self.shifts[finding.shift] += times
                return
            case "skipped":
                self.pending += times
                self.too_late += times * finding.too_late
            case _:
                self.pending += times
        name = "stay" if finding.what == "stays" else finding.what
        setattr(self, name, getattr(self, name) + times)

    def add(self, other: Counts) -> None:
        for name in self.__slots__:
            if name == "shifts":
                self.shifts.update(other.shifts)
            else:
                setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class StepEffect:
    key: str
    state: Literal["kept", "new", "gone"]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Effect:
    """`elsewhere`: messages of the same patients' other treatments that move to keep messages apart."""

    treatments: int
    total: Counts
    steps: tuple[StepEffect, ...]
    elsewhere: int
    examples: tuple[Example, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing is pending, and nothing would be: there is nothing to choose."""
        return not (self.total.pending or self.total.added or self.total.returned)


def effect(
    session: Session,
    clinic: Clinic,
    plan_key: str,
    new_content: Content,
    *,
    now: datetime,
    progress: Progress | None = None,
) -> Effect:
    """Reckoned as a retiming would, for all treatments with something pending.

    `progress` is told the treatments done and their total. Raises PlanError, NotFoundError.
    """
    definition = define(new_content)
    plan = plans.find(session, clinic, plan_key)
    before = plans.definition(plans.current_version(session, plan))
    reckoning = _Reckoning(session, definition, now)
    total = session.scalar(select(func.count()).select_from(waiting(plan.id, _NEW, now).subquery())) or 0
    done, cursor = 0, 0
    look = partial(batches, session, plan.id, _NEW, now=now, size=_AT_ONCE, seen=reckoning.treatments)
    while found := look(after=cursor):
        for batch in found:
            reckoning.take(batch)
            done, cursor = done + len(batch.treatments), batch.cursor
            if progress is not None:
                progress(min(done, total), total)
    return reckoning.result(before)


@dataclass(slots=True)
class _Pattern:
    """What was found for one patient, and for how many who are like them it holds."""

    findings: list[Finding]
    times: int = 0


class _Reckoning:
    def __init__(self, session: Session, definition: Definition, now: datetime) -> None:
        self.session, self.definition, self.now = session, definition, now
        self.treatments: set[int] = set()
        self.steps: dict[str, Counts] = {}
        self.patterns: dict[Hashable, _Pattern] = {}
        self.elsewhere = 0
        self.samples = Samples()

    def take(self, batch: Batch) -> None:
        if not batch.treatments:
            return
        self.treatments |= batch.treatments
        assumed = Assumed(batch.treatments, _NEW)
        patients, world = read(
            self.session, batch.patients, self.now, {_NEW: self.definition}, assumed=assumed
        )
        first, others = Likenesses(world, self.now).split(patients, lambda like: like.key in self.patterns)
        self._look(world, first, batch.treatments)
        rest: list[tuple[Patient, Likeness | None]] = []
        for patient, like in others:
            pattern = self.patterns.get(like.key)
            if pattern is None:
                rest.append((patient, None))
            else:
                pattern.times += 1
                self.samples.offer(world, patient, pattern.findings, like.treatment.id)
        self._look(world, rest, batch.treatments)

    def _look(
        self, world: World, patients: Sequence[tuple[Patient, Likeness | None]], treatments: frozenset[int]
    ) -> None:
        found = compare(world, [patient for patient, _ in patients], treatments, self.now)
        self.elsewhere += found.elsewhere
        for patient, like in patients:
            for treatment_id, findings in found.of(patient.id).items():
                self.samples.offer(world, patient, findings, treatment_id)
                if like is not None and self._holds(like, found, world):
                    self.patterns[like.key] = _Pattern(findings, 1)
                else:
                    self._count(findings, 1)

    def _holds(self, like: Likeness, found: Findings, world: World) -> bool:
        return holds_until(like, found.wanted[like.treatment.id], world, self.now) is not None

    def _count(self, findings: list[Finding], times: int) -> None:
        for finding in findings:
            self.steps.setdefault(finding.step, Counts()).count(finding, times)

    def result(self, before: Definition) -> Effect:
        for pattern in self.patterns.values():
            self._count(pattern.findings, pattern.times)
        new = [step.key for step in self.definition.plan.steps]
        old = [step.key for step in before.plan.steps]
        gone = [key for key in dict.fromkeys([*old, *self.steps]) if key not in new]
        steps = [
            StepEffect(
                key,
                "gone" if key in gone else "kept" if key in old else "new",
                self.steps.get(key, Counts()),
            )
            for key in [*new, *gone]
        ]
        total = Counts()
        for step in steps:
            total.add(step.counts)
        return Effect(len(self.treatments), total, tuple(steps), self.elsewhere, self.samples.chosen())

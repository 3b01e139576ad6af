"""What a new content of a plan would do to pending messages, counted message by message; nothing is saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import plans
from notifier.models import Clinic, Message, Patient
from notifier.planfiles import Content, Definition, define
from notifier.planning import desired
from notifier.planning_columns import Assumed, read
from notifier.planning_rows import Desired, by_key, dropped
from notifier.planning_world import World
from notifier.retiming import Batch, batches, waiting
from notifier.retiming_samples import Example, Samples, Standing, What
from notifier.rules.delivery import Status
from notifier.rules.timing import SkipCode

Progress = Callable[[int, int], None]

# As no version has it.
_NEW = 0
_AT_ONCE = 500
_PENDING = (Status.SCHEDULED, Status.HELD)


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


class _Reckoning:
    def __init__(self, session: Session, definition: Definition, now: datetime) -> None:
        self.session, self.definition, self.now = session, definition, now
        self.treatments: set[int] = set()
        self.steps: dict[str, Counts] = {}
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
        _Comparison(self, world, batch.treatments, patients).run()

    def of(self, step: str) -> Counts:
        return self.steps.setdefault(step, Counts())

    def result(self, before: Definition) -> Effect:
        new = [step.key for step in self.definition.plan.steps]
        old = [step.key for step in before.plan.steps]
        gone = [key for key in dict.fromkeys([*old, *self.steps]) if key not in new]
        steps = [
            StepEffect(key, "gone" if key in gone else "kept" if key in old else "new", self.of(key))
            for key in [*new, *gone]
        ]
        total = Counts()
        for step in steps:
            total.add(step.counts)
        return Effect(len(self.treatments), total, tuple(steps), self.elsewhere, self.samples.chosen())


class _Comparison:
    """The rows of some patients as they are, and as they would be."""

    def __init__(
        self, reckoning: _Reckoning, world: World, treatments: frozenset[int], patients: list[Patient]
    ) -> None:
        self.reckoning, self.world, self.treatments = reckoning, world, treatments
        self.patients = {patient.id: patient for patient in patients}
        self.existing = by_key(world)
        self.wanted = desired(world, patients, reckoning.now)
        self.stopped = {message.id: why for message, why in dropped(world, self.existing, self.wanted)}
        self.after: dict[int, Desired] = {}
        self.new: list[tuple[Patient, Desired]] = []

    def run(self) -> None:
        for patient, row in self.wanted:
            message = row.row or self.existing.get((row.treatment.id, row.step.key, row.channel))
            if message is None:
                self.new.append((patient, row))
            else:
                self.after[message.id] = row
        for rows in self.world.messages.values():
            for message in rows:
                if message.treatment_id in self.treatments:
                    self._count(message)
                else:
                    self.reckoning.elsewhere += self._moves(message)
        for patient, row in self.new:
            self._count_new(patient, row)

    def _moves(self, message: Message) -> bool:
        after = self.after.get(message.id)
        return after is not None and (message.status, message.due_at) != (after.status, after.due_at)

    def _count(self, message: Message) -> None:
        counts = self.reckoning.of(message.step or "")
        if message.attempts:
            counts.untouched += 1
            return
        after = self.after.get(message.id)
        pending = message.status in _PENDING
        counts.pending += pending
        if message.id in self.stopped:
            counts.cancelled += 1
            self._sample("cancelled", message, Standing("cancelled", None, self.stopped[message.id]))
        elif pending:
            self._count_pending(counts, message, after)
        elif after is not None and after.status == Status.SCHEDULED:
            counts.returned += 1
            self._sample("returned", message, _standing(after))

    def _count_pending(self, counts: Counts, message: Message, after: Desired | None) -> None:
        if after is None or (after.status, after.due_at) == (message.status, message.due_at):
            counts.stay += 1
            self._sample("stays", message, _as_it_is(message))
        elif after.due_at is not None and message.due_at is not None:
            at_once = after.nominal is not None and after.nominal < self.reckoning.now
            counts.moved += 1
            counts.at_once += at_once
            counts.shifts[after.due_at - message.due_at] += 1
            self._sample("at_once" if at_once else "moved", message, _standing(after))
        elif after.status == Status.CANCELLED:
            counts.cancelled += 1
            self._sample("cancelled", message, _standing(after))
        else:
            counts.skipped += 1
            counts.too_late += after.code in (SkipCode.TOO_LATE, SkipCode.PACE)
            self._sample("skipped", message, _standing(after))

    def _count_new(self, patient: Patient, row: Desired) -> None:
        if row.treatment.id not in self.treatments:
            return
        counts = self.reckoning.of(row.step.key)
        goes_out = row.status == Status.SCHEDULED
        if goes_out:
            counts.added += 1
        else:
            counts.missed += 1
        self._keep(
            "added" if goes_out else "missed", patient, row.treatment.id, row.step.key, None, _standing(row)
        )

    def _sample(self, what: What, message: Message, after: Standing) -> None:
        patient = self.patients[message.patient_id or 0]
        self._keep(what, patient, message.treatment_id or 0, message.step or "", _as_it_is(message), after)

    def _keep(
        self,
        what: What,
        patient: Patient,
        treatment_id: int,
        step: str,
        before: Standing | None,
        after: Standing,
    ) -> None:
        self.reckoning.samples.offer(
            what,
            step,
            patient.id,
            lambda: Example(
                patient.id,
                f"{patient.first_name} {patient.last_name}".strip(),
                treatment_id,
                step,
                self.world.zones[patient.id],
                what,
                before,
                after,
            ),
        )


def _as_it_is(message: Message) -> Standing:
    return Standing(message.status, message.due_at, message.reason)


def _standing(row: Desired) -> Standing:
    return Standing(str(row.status), row.due_at, row.reason)

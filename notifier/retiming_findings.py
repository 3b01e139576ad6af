"""What would become of each message of some patients, told one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from notifier.models import Message, Patient
from notifier.planning import desired
from notifier.planning_rows import Desired, by_key, dropped
from notifier.planning_world import World
from notifier.rules.delivery import Status
from notifier.rules.timing import SkipCode

What = Literal[
    "moved", "skipped", "added", "cancelled", "at_once", "returned", "missed", "stays", "untouched"
]
_PENDING = (Status.SCHEDULED, Status.HELD)
_UNMOVED = timedelta(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a message stands: waiting for a time, or not to be sent and why."""

    status: str
    due_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`before` is None for a message that there is not yet, `after` for one that is out of reach."""

    what: What
    step: str
    before: Standing | None
    after: Standing | None
    shift: timedelta = _UNMOVED
    too_late: bool = False


@dataclass
class Findings:
    """By patient and treatment. `wanted`: what planning says, by treatment. `elsewhere`: messages of other
    treatments that move."""

    wanted: dict[int, list[Desired]] = field(default_factory=lambda: defaultdict(list))
    elsewhere: int = 0
    _of: dict[int, dict[int, list[Finding]]] = field(default_factory=dict)

    def of(self, patient_id: int) -> dict[int, list[Finding]]:
        return self._of.get(patient_id, {})

    def add(self, patient_id: int, treatment_id: int, finding: Finding) -> None:
        self._of.setdefault(patient_id, {}).setdefault(treatment_id, []).append(finding)


def compare(
    world: World, patients: Sequence[Patient], treatments: Collection[int], now: datetime
) -> Findings:
    """The messages of these treatments as they are, and as planning would have them."""
    found = Findings()
    existing = by_key(world, patients)
    wanted = desired(world, patients, now)
    stopped = {message.id: why for message, why in dropped(world, existing, wanted)}
    after: dict[int, Desired] = {}
    for patient, row in wanted:
        found.wanted[row.treatment.id].append(row)
        message = row.row or existing.get((row.treatment.id, row.step.key, row.channel))
        if message is not None:
            after[message.id] = row
        elif row.treatment.id in treatments:
            found.add(patient.id, row.treatment.id, _of_a_new(row))
    for patient in patients:
        for message in world.messages[patient.id]:
            then = after.get(message.id)
            if message.treatment_id not in treatments:
                found.elsewhere += then is not None and not _is_as_before(message, then)
            elif (finding := _of(message, then, stopped.get(message.id), now)) is not None:
                found.add(patient.id, message.treatment_id or 0, finding)
    return found


def _is_as_before(message: Message, after: Desired) -> bool:
    return (after.status, after.due_at) == (message.status, message.due_at)


def _of_a_new(row: Desired) -> Finding:
    goes_out = row.status == Status.SCHEDULED
    return Finding("added" if goes_out else "missed", row.step.key, None, _standing(row))


def _of(message: Message, after: Desired | None, stopped: str | None, now: datetime) -> Finding | None:
    step = message.step or ""
    before = Standing(message.status, message.due_at, message.reason)
    if message.attempts:
        return Finding("untouched", step, before, None)
    if stopped is not None:
        return Finding("cancelled", step, before, Standing(str(Status.CANCELLED), None, stopped))
    if message.status in _PENDING:
        return _of_a_pending(message, step, before, after, now)
    if after is not None and after.status == Status.SCHEDULED:
        return Finding("returned", step, before, _standing(after))
    return None


def _of_a_pending(
    message: Message, step: str, before: Standing, after: Desired | None, now: datetime
) -> Finding:
    if after is None or _is_as_before(message, after):
        return Finding("stays", step, before, before)
    if after.due_at is not None and message.due_at is not None:
        at_once = after.nominal is not None and after.nominal < now
        shift = after.due_at - message.due_at
        return Finding("at_once" if at_once else "moved", step, before, _standing(after), shift)
    if after.status == Status.CANCELLED:
        return Finding("cancelled", step, before, _standing(after))
    too_late = after.code in (SkipCode.TOO_LATE, SkipCode.PACE)
    return Finding("skipped", step, before, _standing(after), too_late=too_late)


def _standing(row: Desired) -> Standing:
    return Standing(str(row.status), row.due_at, row.reason)

"""A few patients that show different things a retiming would do, rather than the first few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from notifier.models import Patient
from notifier.planning_world import World
from notifier.retiming_findings import Finding, Standing, What

MOST = 5
# In this order they are worth showing.
_ORDER: tuple[What, ...] = (
    *("moved", "skipped", "added", "cancelled", "at_once", "returned", "missed", "stays"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """`before` is None for a message that there is not yet. Times are the patient's, in `tz`."""

    patient_id: int
    patient: str
    treatment_id: int
    step: str
    tz: ZoneInfo
    what: What
    before: Standing | None
    after: Standing | None


class Samples:
    """Offered everybody, it keeps as many of each sort as could be chosen."""

    def __init__(self) -> None:
        self._kept: dict[tuple[What, str], dict[int, Example]] = defaultdict(dict)

    def offer(self, world: World, patient: Patient, findings: Iterable[Finding], treatment_id: int) -> None:
        for finding in findings:
            kept = self._kept[finding.what, finding.step]
            if len(kept) < MOST and finding.what in _ORDER:
                kept[patient.id] = Example(
                    patient.id,
                    f"{patient.first_name} {patient.last_name}".strip(),
                    treatment_id,
                    finding.step,
                    world.zones[patient.id],
                    finding.what,
                    finding.before,
                    finding.after,
                )

    def chosen(self) -> tuple[Example, ...]:
        """One of each sort, then others of each, with another patient every time."""
        steps: dict[What, list[dict[int, Example]]] = defaultdict(list)
        for (what, _), kept in self._kept.items():
            steps[what].append(kept)
        chosen: dict[int, Example] = {}
        for turn in range(MOST):
            for what in _ORDER:
                sorts = steps[what]
                if not sorts or len(chosen) == MOST:
                    continue
                fresh = [it for it in sorts[turn % len(sorts)].values() if it.patient_id not in chosen]
                # What stays is shown where nothing else happens.
                if fresh and (what != "stays" or not chosen or turn):
                    chosen[fresh[0].patient_id] = fresh[0]
        return tuple(sorted(chosen.values(), key=lambda it: _ORDER.index(it.what)))

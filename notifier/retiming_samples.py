"""A few patients that show different things a retiming would do, rather than the first few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

# In this order they are worth showing.
What = Literal["moved", "skipped", "added", "cancelled", "at_once", "returned", "missed", "stays"]

MOST = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """How a message stands: waiting for a time, or not to be sent and why."""

    status: str
    due_at: datetime | None
    reason: str


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
    """Offered every message, it keeps as many of each sort as could be chosen."""

    def __init__(self) -> None:
        self._kept: dict[tuple[What, str], dict[int, Example]] = defaultdict(dict)

    def offer(self, what: What, step: str, patient_id: int, make: Callable[[], Example]) -> None:
        kept = self._kept[what, step]
        if len(kept) < MOST and patient_id not in kept:
            kept[patient_id] = make()

    def chosen(self) -> tuple[Example, ...]:
        """One of each sort, then others of each, with another patient every time."""
        steps: dict[What, list[dict[int, Example]]] = defaultdict(list)
        for (what, _), kept in self._kept.items():
            steps[what].append(kept)
        chosen: dict[int, Example] = {}
        for turn in range(MOST):
            for what in get_args(What):
                sorts = steps[what]
                if not sorts or len(chosen) == MOST:
                    continue
                fresh = [it for it in sorts[turn % len(sorts)].values() if it.patient_id not in chosen]
                # What stays is shown where nothing else happens.
                if fresh and (what != "stays" or not chosen or turn):
                    chosen[fresh[0].patient_id] = fresh[0]
        return tuple(sorted(chosen.values(), key=lambda it: get_args(What).index(it.what)))

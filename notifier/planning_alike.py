"""Patients who are alike, so that what planning says of one of them holds for all.

Most of those whose plan changes have one treatment, which ended on some minute of some day, and nothing else
that could matter. Who is not that simple is like nobody, and is planned by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from notifier import reach
from notifier.models import Patient, Treatment
from notifier.planning_columns import MessageRow
from notifier.planning_memo import Wishes, memo_of
from notifier.planning_rows import Desired
from notifier.planning_world import World
from notifier.rules import timing
from notifier.rules.delivery import Status
from notifier.rules.plan import CHANNELS
from notifier.rules.timing import Occasion, SkipCode

# For these a message is skipped whatever the time is.
_AT_ANY_TIME = frozenset({SkipCode.AUDIENCE, SkipCode.NO_VISIT, SkipCode.ESSENTIALS, SkipCode.VOID})
_HOLDS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Likeness:
    """`key`: all that planning looks at, but the time. `rows`: the messages, in an order that the key has."""

    key: Hashable
    treatment: Treatment
    rows: Sequence[MessageRow]


class Likenesses:
    """Of the patients of one world whose rows are bare columns, at one moment."""

    def __init__(self, world: World, now: datetime) -> None:
        self._world, self._now = world, now
        self._waits = {
            version_id: max((step.not_before for step in definition.plan.steps), default=timedelta(0))
            for version_id, definition in world.definitions.items()
        }
        self._senders = tuple((key, sender.id) for key, sender in sorted(world.reach.senders.items()))

    def of(self, patient: Patient) -> Likeness | None:
        treatments = self._world.treatments[patient.id]
        if len(treatments) != 1 or patient.id in self._world.sharers:
            return None
        (treatment,) = treatments
        # Logged so long ago that it no longer matters when exactly.
        if treatment.logged_at + self._waits[treatment.plan_version_id] > self._now:
            return None
        rows = sorted(cast(list[MessageRow], self._world.messages[patient.id]))
        signatures = [row.signature(reach.address_of(patient, row.channel)) for row in rows]
        key = (
            treatment.plan_version_id,
            treatment.ended_at,
            treatment.next_visit_at,
            treatment.voided_at,
            treatment.voided_reason,
            self._world.zones[patient.id].key,
            patient.essentials,
            *self._fit(patient, treatment),
            self._senders,
            *signatures,
        )
        return Likeness(key, treatment, rows)

    def _fit(self, patient: Patient, treatment: Treatment) -> tuple[Hashable, ...]:
        """How the steps fit the patient; and what stands in the way, where it is said of any of them."""
        order = reach.preferred_order(patient)
        obstacles = {channel: self._world.reach.obstacle(patient, channel) for channel in CHANNELS}
        fits = memo_of(self._world.definitions[treatment.plan_version_id]).fits(
            (True, treatment.next_visit_at is not None, tuple(treatment.areas)),
            order,
            tuple(channel for channel in order if obstacles[channel] is None),
            Wishes(patient.language, patient.name_treatment),
        )
        if fits.is_clear:
            return (fits,)  # whatever else is true of the patient made no difference
        return (fits, order, patient.language, patient.name_treatment, *obstacles.values())

    def split(
        self, patients: Iterable[Patient], knows: Callable[[Likeness], bool]
    ) -> tuple[list[tuple[Patient, Likeness | None]], list[tuple[Patient, Likeness]]]:
        """Those who have to be planned; and those who are like one of them, or like somebody known."""
        first: list[tuple[Patient, Likeness | None]] = []
        others: list[tuple[Patient, Likeness]] = []
        seen: set[Hashable] = set()
        for patient in patients:
            like = self.of(patient)
            if like is None or not (like.key in seen or knows(like)):
                first.append((patient, like))
            else:
                others.append((patient, like))
            if like is not None:
                seen.add(like.key)
        return first, others


def holds_until(like: Likeness, wanted: Iterable[Desired], world: World, now: datetime) -> datetime | None:
    """Until when planning says the same of everybody with this likeness; None: only of this moment.

    The time plays a part where a row becomes due or useless, and in when a step is due. Of that the rules are
    asked again for a little later: what they say then as well, they say in between.
    """
    until = later = now + _HOLDS
    for row in like.rows:
        limit = row.due_at if row.status == Status.SCHEDULED else row.useful_until
        if not row.attempts and limit is not None and (limit > now or row.status == Status.SCHEDULED):
            until = min(until, limit)
    treatment = like.treatment
    occasion = Occasion(treatment.ended_at, treatment.logged_at, treatment.next_visit_at)
    ask = partial(
        timing.due,
        occasion=occasion,
        window=world.plan(treatment).window,
        tz=world.zones[treatment.patient_id],
    )
    for desired in wanted:
        if desired.code in _AT_ANY_TIME:
            continue
        if desired.row is not None or ask(desired.step, not_before=now) != ask(
            desired.step, not_before=later
        ):
            return None
    return until if until > now else None

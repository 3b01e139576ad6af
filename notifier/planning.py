"""From a patient's treatments to message rows: the rules are asked, and the rows follow.

One way for everything that may change what a patient gets: a treatment logged, voided or corrected, a visit
booked, consent given or withdrawn, a new number, a retimed plan. Rows ever attempted are never touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from notifier import reach
from notifier.models import Message, Patient, Treatment
from notifier.planfiles import Definition
from notifier.planning_rows import REPLANNED, Changes, Desired, write
from notifier.planning_world import World
from notifier.rules import pacing, timing
from notifier.rules.audience import Facts
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.plan import Step
from notifier.rules.timing import Due, Occasion, Skip, SkipCode
from notifier.rules.zones import zone
from notifier.step_fit import not_for, words_missing

RECEIVED_WITHIN = timedelta(days=90)
# Stopped for good: no undo brings these back by itself.
FINAL_CODES = frozenset({"person", "opt_out"})


def replan(session: Session, patients: Collection[Patient], *, now: datetime, actor: str) -> Changes:
    """Make the unsent rows of these patients what the rules say today."""
    session.flush()
    if not patients:
        return Changes()
    world = World.load(session, patients, now)
    desired: list[tuple[Patient, Desired]] = []
    wishes = [_PatientPlan(world, patient, now) for patient in sorted(patients, key=lambda p: p.id)]
    for wish in wishes:
        for message in wish.unmoved():
            world.stand(message)
    for wish in wishes:
        rows = wish.desired()
        world.remember(wish.patient, rows)
        desired += [(wish.patient, row) for row in rows]
    return write(session, world, desired, now=now, actor=actor)


class _PatientPlan:
    """What one patient ought to get, by the rules."""

    def __init__(self, world: World, patient: Patient, now: datetime) -> None:
        self.world, self.patient, self.now = world, patient, now
        self.tz = zone(patient.timezone or world.clinics[patient.clinic_id].timezone)
        self.treatments = world.treatments[patient.id]
        self.obstacles: dict[str, str | None] = {}
        self.rows: dict[tuple[int, str], list[Message]] = defaultdict(list)
        for message in world.messages[patient.id]:
            assert message.treatment_id is not None
            assert message.step is not None
            self.rows[message.treatment_id, message.step].append(message)
        live = [self._treated(treatment) for treatment in self.treatments if treatment.voided_at is None]
        self.newer = pacing.superseded_by(live)
        speaking = [t for t in live if t.spoke or t.id not in self.newer]
        self.speaker = pacing.spoken_for(speaking)
        by_id = {treatment.id: treatment for treatment in self.treatments}
        self.settled = {
            place: stay
            for place, rows in self.rows.items()
            if (stay := [row for row in rows if self._stays(row, by_id[place[0]])])
        }

    def unmoved(self) -> list[Message]:
        return [row for rows in self.settled.values() for row in rows]

    def _treated(self, treatment: Treatment) -> pacing.Treated:
        plan = self.world.plan(treatment)
        first_day = [step.key for step in plan.steps if step.opens_the_aftercare]
        spoke = any(
            message.status in MAY_HAVE_ARRIVED
            for key in first_day
            for message in self.rows[treatment.id, key]
        )
        return pacing.Treated(
            treatment.id, plan.key, treatment.ended_at, plan.caution, spoke=spoke, order=treatment.id
        )

    def desired(self) -> list[Desired]:
        """One row for each step, or one for each channel where the step goes by each."""
        result: list[Desired] = []
        candidates: list[pacing.Candidate] = []
        channels: dict[tuple[Any, str], tuple[Treatment, Step, list[str]]] = {}
        fixed = [n for row in self.unmoved() if (n := self.world.neighbour(row)) is not None]
        for treatment in self.treatments:
            for step in self.world.plan(treatment).steps:
                if (treatment.id, step.key) in self.settled:
                    result += self._waiting_beside(treatment, step)
                    continue
                outcome, ways = self._judge(treatment, step)
                if isinstance(outcome, Skip):
                    result += [self._row(treatment, step, channel, outcome) for channel in ways]
                else:
                    result += self._blocked(treatment, step, ways)
                    channels[treatment.id, step.key] = (treatment, step, ways)
                    candidates.append(self._candidate(treatment, step, outcome, len(candidates)))
        placed = pacing.schedule(candidates, fixed + self._beside(), self.tz)
        for place, outcome in placed.items():
            treatment, step, ways = channels[place]
            result += [self._row(treatment, step, channel, outcome) for channel in ways]
        return sorted(result, key=self._in_order_of_the_plan)

    def _in_order_of_the_plan(self, row: Desired) -> tuple[datetime, int, int]:
        """So that new rows are numbered as people read them."""
        steps = self.world.plan(row.treatment).steps
        return row.treatment.ended_at, row.treatment.id, steps.index(row.step)

    def _blocked(self, treatment: Treatment, step: Step, ways: list[str]) -> list[Desired]:
        """Where a step goes by each channel, the rows of those that are not possible any more."""
        if step.deliver != "each":
            return []
        rows = [row for row in self.rows[treatment.id, step.key] if row.channel not in ways]
        whys = [self._obstacle(treatment, step, row.channel) for row in rows]
        return [
            self._row(treatment, step, row.channel, Skip(SkipCode.UNREACHABLE, why, row.useful_until))
            for row, why in zip(rows, whys, strict=True)
            if why is not None
        ]

    def _waiting_beside(self, treatment: Treatment, step: Step) -> list[Desired]:
        """Rows of a settled step that wait on another channel: they keep their time, but heed a stop."""
        place = treatment.id, step.key
        result = []
        for row in self.rows[place]:
            if row in self.settled[place] or row.status not in (Status.SCHEDULED, Status.HELD):
                continue
            stop = self._stopped(treatment, step)
            if stop is None and (obstacle := self._obstacle(treatment, step, row.channel)):
                stop = Skip(SkipCode.UNREACHABLE, obstacle, row.useful_until)
            kept = Desired(
                treatment, step, row.channel, Status(row.status), row.due_at, row.useful_until, "", row.reason
            )
            wanted = kept if stop is None else self._row(treatment, step, row.channel, stop)
            result.append(replace(wanted, row=row))
        return result

    def _stays(self, row: Message, treatment: Treatment) -> bool:
        """Whether this row is out of a replan's reach, so that its step is settled."""
        if row.attempts or row.reason_code in FINAL_CODES:
            return True
        if treatment.voided_at is not None:
            return False
        if row.status == Status.HELD:
            return True
        if row.status == Status.SKIPPED:
            return self._is_over(row, treatment)
        # Due already: whether it may still leave is judged at dispatch, a moment from now.
        overdue = row.due_at is not None and row.due_at <= self.now
        return row.status == Status.SCHEDULED and overdue and self._undisturbed(row, treatment)

    def _is_over(self, row: Message, treatment: Treatment) -> bool:
        """Too late for anything to bring it back: the reason it has is why it was not sent, and stays."""
        step = self.world.plan(treatment).step(row.step or "")
        if step is None or row.useful_until is None or row.useful_until >= self.now:
            return False
        return self._due(treatment, step).useful_until == row.useful_until

    def _undisturbed(self, row: Message, treatment: Treatment) -> bool:
        step = self.world.plan(treatment).step(row.step or "")
        if step is None or row.plan_version_id != treatment.plan_version_id:
            return False
        return (
            row.to == reach.address_of(self.patient, row.channel)
            and self._stopped(treatment, step) is None
            and self._obstacle(treatment, step, row.channel) is None
        )

    def _judge(self, treatment: Treatment, step: Step) -> tuple[Due | Skip, list[str]]:
        """Whether and when by itself, and on which channels."""
        ways, obstacle = self._ways(treatment, step)
        stopped = self._stopped(treatment, step)
        if stopped is not None:
            return stopped, ways
        facts = self._facts(treatment, step)
        if not step.audience.scores(facts):
            return Skip(SkipCode.AUDIENCE, not_for(step, facts)), ways
        due = self._due(treatment, step)
        if isinstance(due, Due) and obstacle:
            return Skip(SkipCode.UNREACHABLE, obstacle, due.useful_until), ways
        return due, ways

    def _due(self, treatment: Treatment, step: Step) -> Due | Skip:
        plan = self.world.plan(treatment)
        occasion = Occasion(treatment.ended_at, treatment.logged_at, treatment.next_visit_at)
        return timing.due(step, occasion, window=plan.window, tz=self.tz, not_before=self.now)

    def _stopped(self, treatment: Treatment, step: Step) -> Skip | None:
        if treatment.voided_at is not None:
            return Skip(SkipCode.VOID, f"The treatment was voided. {treatment.voided_reason}".strip())
        plan = self.world.plan(treatment)
        newer = self.newer.get(treatment.id)
        if newer is not None and not plan.survives_newer_treatment(step):
            when = timing.say(newer.ended_at, self.tz)
            return Skip(SkipCode.SUPERSEDED, f"The newer treatment of {when} takes over.")
        speaker = self.speaker.get(treatment.id)
        if speaker is not None and step.opens_the_aftercare:
            name = self.world.plan(self.world.treatment_of[int(str(speaker.id))]).name_in("en")
            return Skip(SkipCode.SAME_VISIT, f"One visit, one first-day message: {name} speaks for it.")
        if self.patient.essentials and not step.safety:
            return Skip(SkipCode.ESSENTIALS, "This patient gets safety messages only.")
        return None

    def _ways(self, treatment: Treatment, step: Step) -> tuple[list[str], str | None]:
        """The channels this step takes; or the first one, and why none is possible."""
        order = step.channels or reach.preferred_order(self.patient)
        obstacles = {channel: self._obstacle(treatment, step, channel) for channel in order}
        free = [channel for channel in order if obstacles[channel] is None]
        if not free:
            # The row that is there says why, rather than one for each channel in turn.
            standing = [row for row in self.rows[treatment.id, step.key] if row.reason_code != REPLANNED]
            channel = standing[0].channel if standing else order[0]
            return [channel], " ".join(dict.fromkeys(str(obstacles[channel]) for channel in order))
        return (free if step.deliver == "each" else free[:1]), None

    def _obstacle(self, treatment: Treatment, step: Step, channel: str) -> str | None:
        definition = self.world.definitions[treatment.plan_version_id]
        # The same for every step, and asked for each: looked up once, it halves the time of an import.
        if channel not in self.obstacles:
            self.obstacles[channel] = self.world.reach.obstacle(self.patient, channel)
        return step_obstacle(definition, step, self.patient, channel) or self.obstacles[channel]

    def _facts(self, treatment: Treatment, step: Step) -> Facts:
        return Facts(
            first=not self._received(treatment, step),
            next_visit=treatment.next_visit_at is not None,
            areas=frozenset(treatment.areas),
        )

    def _received(self, treatment: Treatment, step: Step) -> bool:
        since = treatment.ended_at - RECEIVED_WITHIN
        plan = self.world.plan(treatment).key
        return any(
            message.status in MAY_HAVE_ARRIVED
            and message.claimed_at is not None
            and message.claimed_at > since
            for other in self.treatments
            if other.id != treatment.id and self.world.plan(other).key == plan
            for message in self.rows[other.id, step.key]
        )

    def _candidate(self, treatment: Treatment, step: Step, due: Due, order: int) -> pacing.Candidate:
        plan = self.world.plan(treatment)
        return pacing.Candidate(
            treatment=treatment.id,
            key=step.key,
            due=due,
            pace=plan.pace,
            window=plan.window,
            safety=step.safety,
            scores=step.audience.scores(self._facts(treatment, step)),
            order=order,
        )

    def _beside(self) -> list[pacing.Neighbour]:
        return [
            neighbour
            for address in {self.patient.phone, self.patient.email} - {None}
            for patient_id, neighbour in self.world.beside.get(str(address), ())
            if patient_id != self.patient.id
        ]

    def _row(self, treatment: Treatment, step: Step, channel: str, outcome: Due | Skip) -> Desired:
        if isinstance(outcome, Due):
            return Desired(
                treatment,
                step,
                channel,
                Status.SCHEDULED,
                outcome.at,
                outcome.useful_until,
                reason=outcome.note,
            )
        status = Status.CANCELLED if outcome.code in _CANCELS else Status.SKIPPED
        return Desired(
            treatment, step, channel, status, None, outcome.useful_until, outcome.code, outcome.reason
        )


_CANCELS = frozenset({SkipCode.VOID, SkipCode.SUPERSEDED})


def step_obstacle(definition: Definition, step: Step, patient: Patient, channel: str) -> str | None:
    """Why the words of this step cannot go to this patient on this channel; None: they can."""
    return words_missing(
        definition, step, channel, language=patient.language, name_treatment=patient.name_treatment
    )

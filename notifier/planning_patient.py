"""What one patient ought to get: the rules asked for each step of each treatment, and what is out of reach.

Reads rows by their attributes only, so that they may be entities or bare columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from notifier import reach
from notifier.models import Message, Patient
from notifier.planning_course import Course, candidate_of, course_of, row_of
from notifier.planning_memo import Fit, Wishes
from notifier.planning_rows import REPLANNED, Desired
from notifier.planning_world import World
from notifier.rules import pacing, timing
from notifier.rules.audience import Facts
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.plan import Step
from notifier.rules.timing import Due, Skip, SkipCode
from notifier.step_fit import not_for

RECEIVED_WITHIN = timedelta(days=90)
# Stopped for good: no undo brings these back by itself.
FINAL_CODES = frozenset({"person", "opt_out"})
_SCHEDULED, _HELD, _SKIPPED = Status.SCHEDULED, Status.HELD, Status.SKIPPED


class PatientPlan:
    """What one patient ought to get, by the rules."""

    def __init__(self, world: World, patient: Patient, now: datetime) -> None:
        self.world, self.patient, self.now = world, patient, now
        self.tz = world.zones[patient.id]
        self.courses = {
            it.id: course_of(it, world.definitions[it.plan_version_id]) for it in world.treatments[patient.id]
        }
        self.order = reach.preferred_order(patient)
        self.wishes = Wishes(patient.language, patient.name_treatment)
        # The same for every step, and asked for each: looked up once, it halves the time of an import.
        self.obstacles = {channel: world.reach.obstacle(patient, channel) for channel in self.order}
        self.free = tuple(channel for channel in self.order if self.obstacles[channel] is None)
        self.rows: dict[tuple[int, str], list[Message]] = defaultdict(list)
        for message in world.messages[patient.id]:
            assert message.treatment_id is not None
            assert message.step is not None
            self.rows[message.treatment_id, message.step].append(message)
        self.newer, self.speaker = self._others()
        self.settled = {
            place: stay
            for place, rows in self.rows.items()
            if (stay := [row for row in rows if self._stays(row, self.courses[place[0]])])
        }

    def _others(self) -> tuple[dict[Any, pacing.Treated], dict[Any, pacing.Treated]]:
        """By treatment: the newer one that took over, and the one of the same visit that speaks for it."""
        if len(self.courses) < 2:
            return {}, {}
        live = [self._treated(it) for it in self.courses.values() if it.treatment.voided_at is None]
        newer = pacing.superseded_by(live)
        return newer, pacing.spoken_for([it for it in live if it.spoke or it.id not in newer])

    def _treated(self, course: Course) -> pacing.Treated:
        plan, treatment = course.plan, course.treatment
        first_day = [step.key for step in plan.steps if step.opens_the_aftercare]
        spoke = any(
            message.status in MAY_HAVE_ARRIVED
            for key in first_day
            for message in self.rows[treatment.id, key]
        )
        return pacing.Treated(
            treatment.id, plan.key, treatment.ended_at, plan.caution, spoke=spoke, order=treatment.id
        )

    def unmoved(self) -> list[Message]:
        return [row for rows in self.settled.values() for row in rows]

    def desired(self) -> list[Desired]:
        """One row for each step, or one for each channel where the step goes by each; in the plan's order.

        New rows are numbered like that, as people read them.
        """
        result: list[list[Desired]] = []
        candidates: list[pacing.Candidate] = []
        chosen: list[tuple[Course, Step, Sequence[str], list[Desired]]] = []
        for course in self.courses.values():
            fits = self._fits(course)
            for step in course.plan.steps:
                if (course.treatment.id, step.key) in self.settled:
                    result.append(self._waiting_beside(course, step))
                    continue
                fit = fits(step)
                outcome, ways = self._judge(course, step, fit)
                if isinstance(outcome, Skip):
                    result.append([row_of(course, step, channel, outcome) for channel in ways])
                else:
                    result.append(self._blocked(course, step, ways))
                    candidates.append(candidate_of(course, step, outcome, fit.scores, len(candidates)))
                    chosen.append((course, step, ways, result[-1]))
        placed = self._placed(candidates)
        for candidate, (course, step, ways, rows) in zip(candidates, chosen, strict=True):
            rows += [row_of(course, step, channel, placed[candidate.place]) for channel in ways]
        return [row for rows in result for row in rows]

    def _placed(self, candidates: list[pacing.Candidate]) -> dict[pacing.Place, Due | Skip]:
        fixed = [n for row in self.unmoved() if (n := self.world.neighbour(row)) is not None]
        others = fixed + self._beside()
        if others or len(self.courses) != 1:
            return pacing.schedule(candidates, others, self.tz)
        # Alone, what the steps do to each other hangs on nothing but how far apart they are.
        (course,) = self.courses.values()
        return course.memo.schedule(candidates, self.tz)

    def _fits(self, course: Course) -> Callable[[Step], Fit]:
        """How each step of this plan fits the patient."""

        def fits(*, first: bool) -> Mapping[str, Fit]:
            facts = first, course.occasion.next_visit is not None, course.areas
            return course.memo.fits(facts, self.order, self.free, self.wishes).by_step

        anew = fits(first=True)
        if len(self.courses) == 1:
            return lambda step: anew[step.key]
        again = fits(first=False)
        return lambda step: (again if self._received(course, step) else anew)[step.key]

    def _blocked(self, course: Course, step: Step, ways: Sequence[str]) -> list[Desired]:
        """Where a step goes by each channel, the rows of those that are not possible any more."""
        if step.deliver != "each":
            return []
        rows = [row for row in self.rows[course.treatment.id, step.key] if row.channel not in ways]
        whys = [self._obstacle(course, step, row.channel) for row in rows]
        return [
            row_of(course, step, row.channel, Skip(SkipCode.UNREACHABLE, why, row.useful_until))
            for row, why in zip(rows, whys, strict=True)
            if why is not None
        ]

    def _waiting_beside(self, course: Course, step: Step) -> list[Desired]:
        """Rows of a settled step that wait on another channel: they keep their time, but heed a stop.

        And those that are due already, with their time, but with the words of today.
        """
        place = course.treatment.id, step.key
        result = []
        for row in self.rows[place]:
            overdue = row.status == _SCHEDULED and not row.attempts and self._is_behind(row, course)
            stays = row in self.settled[place] and not overdue
            if stays or row.status not in (_SCHEDULED, _HELD):
                continue
            stop = self._stopped(course, step)
            if stop is None and (obstacle := self._obstacle(course, step, row.channel)):
                stop = Skip(SkipCode.UNREACHABLE, obstacle, row.useful_until)
            kept = Desired(
                *(course.treatment, step, row.channel, Status(row.status), row.due_at, row.useful_until),
                reason=row.reason,
            )
            wanted = kept if stop is None else row_of(course, step, row.channel, stop)
            result.append(replace(wanted, row=row))
        return result

    def _stays(self, row: Message, course: Course) -> bool:
        """Whether this row is out of a replan's reach, so that its step is settled."""
        if row.attempts or row.reason_code in FINAL_CODES:
            return True
        if course.treatment.voided_at is not None:
            return False
        if row.status == _HELD:
            return True
        if row.status == _SKIPPED:
            return self._is_over(row, course)
        # Due already: whether it may still leave is judged at dispatch, a moment from now.
        overdue = row.due_at is not None and row.due_at <= self.now
        return overdue and row.status == _SCHEDULED and self._undisturbed(row, course)

    def _is_over(self, row: Message, course: Course) -> bool:
        """Too late for anything to bring it back: the reason it has is why it was not sent, and stays."""
        if row.useful_until is None or row.useful_until >= self.now:
            return False
        step = course.plan.step(row.step or "")
        return step is not None and timing.useful_until(step, course.occasion, self.tz) == row.useful_until

    def _undisturbed(self, row: Message, course: Course) -> bool:
        step = course.plan.step(row.step or "")
        if step is None or (self._is_behind(row, course) and not self._keeps_time(row, course, step)):
            return False
        return (
            row.to == reach.address_of(self.patient, row.channel)
            and self._stopped(course, step) is None
            and self._obstacle(course, step, row.channel) is None
        )

    def _is_behind(self, row: Message, course: Course) -> bool:
        """Planned by another version than the treatment follows now."""
        return row.plan_version_id != course.treatment.plan_version_id

    def _keeps_time(self, row: Message, course: Course, step: Step) -> bool:
        due = timing.due(step, course.occasion, window=course.plan.window, tz=self.tz)
        return isinstance(due, Due) and due.at == row.due_at

    def _judge(self, course: Course, step: Step, fit: Fit) -> tuple[Due | Skip, Sequence[str]]:
        """Whether and when by itself, and on which channels."""
        ways, obstacle = (fit.ways, None) if fit.ways else self._no_way(course, step)
        stopped = self._stopped(course, step)
        if stopped is not None:
            return stopped, ways
        if not fit.scores:
            return Skip(SkipCode.AUDIENCE, not_for(step, self._facts(course, step))), ways
        due = self._due(course, step)
        if isinstance(due, Due) and obstacle:
            return Skip(SkipCode.UNREACHABLE, obstacle, due.useful_until), ways
        return due, ways

    def _due(self, course: Course, step: Step) -> Due | Skip:
        return timing.due(step, course.occasion, window=course.plan.window, tz=self.tz, not_before=self.now)

    def _stopped(self, course: Course, step: Step) -> Skip | None:
        treatment = course.treatment
        if treatment.voided_at is not None:
            return Skip(SkipCode.VOID, f"The treatment was voided. {treatment.voided_reason}".strip())
        newer = self.newer.get(treatment.id)
        if newer is not None and not course.plan.survives_newer_treatment(step):
            when = timing.say(newer.ended_at, self.tz)
            return Skip(SkipCode.SUPERSEDED, f"The newer treatment of {when} takes over.")
        speaker = self.speaker.get(treatment.id)
        if speaker is not None and step.opens_the_aftercare:
            name = self.courses[int(str(speaker.id))].plan.name_in("en")
            return Skip(SkipCode.SAME_VISIT, f"One visit, one first-day message: {name} speaks for it.")
        if self.patient.essentials and not step.safety:
            return Skip(SkipCode.ESSENTIALS, "This patient gets safety messages only.")
        return None

    def _no_way(self, course: Course, step: Step) -> tuple[Sequence[str], str]:
        """The channel whose row says why none is possible, and why."""
        order = step.channels or self.order
        obstacles = [str(self._obstacle(course, step, channel)) for channel in order]
        # The row that is there says why, rather than one for each channel in turn.
        rows = self.rows[course.treatment.id, step.key]
        standing = [row for row in rows if row.reason_code != REPLANNED]
        return [standing[0].channel if standing else order[0]], " ".join(dict.fromkeys(obstacles))

    def _obstacle(self, course: Course, step: Step, channel: str) -> str | None:
        return course.memo.words_missing(step, channel, self.wishes) or self.obstacles[channel]

    def _facts(self, course: Course, step: Step) -> Facts:
        return Facts(
            first=not self._received(course, step),
            next_visit=course.occasion.next_visit is not None,
            areas=frozenset(course.areas),
        )

    def _received(self, course: Course, step: Step) -> bool:
        since = course.treatment.ended_at - RECEIVED_WITHIN
        return any(
            message.status in MAY_HAVE_ARRIVED
            and message.claimed_at is not None
            and message.claimed_at > since
            for other in self.courses.values()
            if other is not course and other.plan.key == course.plan.key
            for message in self.rows[other.treatment.id, step.key]
        )

    def _beside(self) -> list[pacing.Neighbour]:
        """What goes to the same addresses but to other patients."""
        sharers = self.world.sharers.get(self.patient.id)
        if not sharers:
            return []
        return [
            neighbour
            for address in {self.patient.phone, self.patient.email} - {None}
            for patient_id, neighbour in self.world.beside.get(str(address), ())
            if patient_id in sharers
        ]

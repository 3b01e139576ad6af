"""The course of one treatment: its messages in the order of time, and what they come to in a few words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import known_plans, status_words
from notifier.messages import Listed, leading
from notifier.models import Clinic, Message, Patient, Treatment
from notifier.planfiles import Definition
from notifier.rules import timing
from notifier.rules.audience import Facts
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.plan import Step
from notifier.rules.timing import SkipCode
from notifier.rules.zones import zone
from notifier.step_fit import hangs_on_score

_OF_ONE_STEP = frozenset({SkipCode.NO_VISIT, SkipCode.AUDIENCE})
_BAD = frozenset({Status.FAILED, Status.UNDELIVERED, Status.HELD, Status.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Placed:
    """A message with its place in time: when it left, is due, or would have been.

    `has_time` is False where it would have been before a visit that nobody has booked; `condition` is what
    it hangs on beside its time, in a sentence.
    """

    message: Message
    at: datetime
    has_time: bool = True
    condition: str = ""

    @property
    def title(self) -> str:
        return status_words.title(self.message.kind, self.message.step)

    @property
    def label(self) -> str:
        return status_words.of_message(self.message)

    @property
    def why(self) -> str:
        """Everything there is to know beside the state."""
        return " ".join(filter(None, [self.message.reason, self.condition]))

    @property
    def sentence(self) -> str:
        return status_words.sentence(self.message)


@dataclass(frozen=True)
class Course:
    treatment: Treatment
    patient: Patient
    plan_name: str
    tz: ZoneInfo  # the patient's
    placed: Sequence[Placed]

    @cached_property
    def sent(self) -> list[Placed]:
        return [item for item in self.placed if item.message.status in MAY_HAVE_ARRIVED]

    @property
    def last(self) -> Placed | None:
        return max(self.sent, key=lambda item: item.at, default=None)

    @property
    def next(self) -> Placed | None:
        waiting = [item for item in self.placed if item.message.status == Status.SCHEDULED]
        return min(waiting, key=lambda item: item.at, default=None)

    @property
    def coming(self) -> int:
        return sum(item.message.status == Status.SCHEDULED for item in self.placed)

    @property
    def trouble(self) -> Placed | None:
        """The latest message that went wrong or waits for a person, where nothing took its place."""
        served = {item.message.step for item in self.sent} | {
            item.message.step for item in self.placed if item.message.status == Status.SCHEDULED
        }
        wrong = [
            item
            for item in self.placed
            if item.message.status in _BAD
            and (item.message.status in (Status.HELD, Status.UNKNOWN) or item.message.step not in served)
        ]
        return max(wrong, key=lambda item: item.at, default=None)

    @property
    def nothing_because(self) -> str:
        """Where nothing was sent and nothing will be: why; else empty."""
        if self.treatment.voided_at is not None or any(
            item.message.status not in (Status.SKIPPED, Status.CANCELLED) for item in self.placed
        ):
            return ""
        # What binds every step says more than what binds one of them.
        told = sorted(self.placed, key=lambda item: item.message.reason_code in _OF_ONE_STEP)
        reason = next((item.message.reason for item in told), "The plan has no messages.")
        # Said of the treatment rather than beside the message, "it" would be the treatment.
        return f"The first message {reason[3:]}" if reason.startswith("It was useful ") else reason


def courses(
    session: Session, clinic: Clinic, treatments: Sequence[Treatment], patients: Iterable[Patient]
) -> list[Course]:
    """In the order of `treatments`, in two queries."""
    by_id = {patient.id: patient for patient in patients}
    plans = known_plans.definitions(session, {treatment.plan_version_id for treatment in treatments})
    rows: dict[int, list[Message]] = defaultdict(list)
    found = session.scalars(
        select(Message)
        .where(Message.treatment_id.in_([treatment.id for treatment in treatments]))
        .order_by(Message.id)
    )
    for message in found:
        rows[message.treatment_id or 0].append(message)
    return [
        _course(clinic, treatment, by_id[treatment.patient_id], plans[treatment.plan_version_id], rows)
        for treatment in treatments
    ]


def _course(
    clinic: Clinic,
    treatment: Treatment,
    patient: Patient,
    definition: Definition,
    rows: dict[int, list[Message]],
) -> Course:
    tz = zone(patient.timezone or clinic.timezone)
    listed = [Listed(message, treatment.external_id, []) for message in rows[treatment.id]]
    placed = [_placed(item.message, treatment, definition, tz) for item in leading(listed)]
    return Course(
        treatment,
        patient,
        definition.plan.name_in("en"),
        tz,
        sorted(placed, key=lambda item: (not item.has_time, item.at, item.message.id)),
    )


def _placed(message: Message, treatment: Treatment, definition: Definition, tz: ZoneInfo) -> Placed:
    """What was never due stands where its plan would have had it."""
    known = message.claimed_at or message.due_at
    step = definition.plan.step(message.step or "")
    if known is not None or step is None:
        return Placed(message, known or message.created_at, condition=_condition(message, step, treatment))
    anchor = treatment.next_visit_at if step.anchor == "next_visit" else treatment.ended_at
    if anchor is None:
        return Placed(message, message.created_at, has_time=False)
    return Placed(message, timing.shift(anchor, step.after, tz, step.at))


def _condition(message: Message, step: Step | None, treatment: Treatment) -> str:
    """Two messages may stand at one time, of which the patient's answer lets only one out."""
    if step is None or message.status != Status.SCHEDULED or not step.audience.asks_about("score"):
        return ""
    booked, areas = treatment.next_visit_at is not None, frozenset(treatment.areas)
    return hangs_on_score(step.audience.scores(Facts(True, booked, areas)))

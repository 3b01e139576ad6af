"""What logging a treatment would lead to, found out by logging it for real and taking it back.

`foresee` runs inside a transaction that the entry point rolls back; `Foreseen.told` needs no database any
more, so that nobody waits for its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy.orm import Session

from notifier import known_plans, planned_words, treatments, wording
from notifier.course import Course, Placed, courses
from notifier.models import Clinic, Patient, Treatment
from notifier.planfiles import Definition
from notifier.planned_words import PlannedWords
from notifier.rules.delivery import Status
from notifier.rules.timing import SkipCode
from notifier.rules.zones import to_local
from notifier.treatments import Entry


@dataclass(frozen=True)
class Foreseen:
    """`is_new` is False where the treatment is logged already; then it is told as it stands."""

    clinic: Clinic
    patient: Patient
    treatment: Treatment
    definition: Definition
    course: Course
    is_new: bool

    @cached_property
    def told(self) -> Sequence[Told]:
        """Every message in the order of time, with its words."""
        about = wording.context_of(
            self.clinic, self.patient, self.treatment, self.definition.plan, self.course.tz
        )
        return [
            Told(
                placed,
                planned_words.words_of(
                    self.definition, placed.message.step or "", placed.message.channel, about
                ),
            )
            for placed in self.course.placed
        ]


@dataclass(frozen=True, slots=True)
class Told:
    placed: Placed
    words: PlannedWords

    @property
    def is_stopped(self) -> bool:
        return self.placed.message.status in (Status.SKIPPED, Status.CANCELLED)


def look(session: Session, clinic: Clinic, treatment: Treatment, *, is_new: bool = False) -> Foreseen:
    """A treatment as it stands, complete, so that it can be told after the session is gone."""
    session.flush()
    patient = treatment.patient
    (course,) = courses(session, clinic, [treatment], [patient])
    version_id = treatment.plan_version_id
    definition = known_plans.definitions(session, [version_id])[version_id]
    return Foreseen(clinic, patient, treatment, definition, course, is_new)


def foresee(session: Session, clinic: Clinic, entry: Entry, *, now: datetime, actor: str) -> Foreseen:
    """Raises NotifierError for what could not be logged. The caller rolls the transaction back."""
    recorded, _ = treatments.record(session, clinic, entry, now=now, actor=actor)
    foreseen = look(session, clinic, recorded.treatment, is_new=recorded.is_new)
    session.expunge_all()
    return foreseen


def why_a_sheet(course: Course, now: datetime) -> str:
    """Why the patient should take the aftercare along on paper; empty where a message comes today."""
    if course.treatment.voided_at is not None:
        return ""
    coming = course.next
    if coming is None:
        if course.sent or any(item.message.reason_code == SkipCode.SUPERSEDED for item in course.placed):
            return ""  # a newer treatment speaks for this one
        return course.nothing_because or "Nothing more will be sent for this treatment."
    today = to_local(now, course.tz).date()
    came_today = any(to_local(item.at, course.tz).date() == today for item in course.sent)
    if came_today or to_local(coming.at, course.tz).date() == today:
        return ""
    return "No message goes out today."

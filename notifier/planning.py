"""From a patient's treatments to message rows: the rules are asked, and the rows follow.

One way for everything that may change what a patient gets: a treatment logged, voided or corrected, a visit
booked, consent given or withdrawn, a new number, a retimed plan. Rows ever attempted are never touched.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.models import Patient
from notifier.planning_course import step_obstacle as step_obstacle
from notifier.planning_patient import FINAL_CODES as FINAL_CODES
from notifier.planning_patient import RECEIVED_WITHIN as RECEIVED_WITHIN
from notifier.planning_patient import PatientPlan
from notifier.planning_rows import Changes, Desired, Writer
from notifier.planning_world import World


def replan(session: Session, patients: Collection[Patient], *, now: datetime, actor: str) -> Changes:
    """Make the unsent rows of these patients what the rules say today."""
    session.flush()
    if not patients:
        return Changes()
    world = World.load(session, patients, now)
    writer = Writer(session, world, now, actor)
    writer.take(patients, desired(world, patients, now))
    return writer.finish()


def desired(world: World, patients: Collection[Patient], now: datetime) -> list[tuple[Patient, Desired]]:
    """What these patients ought to get; who shares an address with an earlier one gives way."""
    wishes = [PatientPlan(world, patient, now) for patient in sorted(patients, key=lambda p: p.id)]
    for wish in wishes:
        for message in wish.unmoved():
            world.stand(message)
    result: list[tuple[Patient, Desired]] = []
    for wish in wishes:
        rows = wish.desired()
        world.remember(wish.patient, rows)
        result += [(wish.patient, row) for row in rows]
    return result

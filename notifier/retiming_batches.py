"""Whose pending messages a retiming is for, and which of them are planned together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from notifier.db_bulk import among
from notifier.models import Message, Patient, Treatment
from notifier.planning import FINAL_CODES
from notifier.planning_world import HORIZON
from notifier.rules.delivery import Kind, Status

# So many treatments are looked for at once, to be planned in smaller batches.
LOOK_AHEAD = 2_000
# A void is undone sooner than this, if at all; then the treatment follows the version of today.
UNDONE_WITHIN = timedelta(days=14)


def is_pending(now: datetime) -> ColumnElement[bool]:
    """Of messages: those that a retiming is for. Never attempted, and waiting or still of use.

    A step without a limit of usefulness is for ever of use, so by itself it keeps no old treatment here.
    """
    stopped = Message.status.in_([str(Status.SKIPPED), str(Status.CANCELLED)])
    return and_(
        Message.kind == str(Kind.PLANNED),
        Message.attempts == 0,
        or_(
            Message.status.in_([str(Status.SCHEDULED), str(Status.HELD)]),
            and_(stopped, Message.useful_until >= now, Message.reason_code.not_in(FINAL_CODES)),
        ),
    )


def is_behind(version_id: int, now: datetime) -> ColumnElement[bool]:
    """Of treatments of a plan: on another version than this, with something pending; or voided lately."""
    undone = and_(Treatment.voided_at.is_not(None), Treatment.ended_at > now - UNDONE_WITHIN)
    # The offset keeps PostgreSQL from reading all messages there are, rather than those of a few treatments.
    pending = select(Message.id).where(Message.treatment_id == Treatment.id, is_pending(now)).offset(0)
    return and_(
        Treatment.plan_version_id != version_id,
        Treatment.ended_at > now - HORIZON,
        or_(undone, pending.exists()),
    )


def waiting(plan_id: int, version_id: int, now: datetime) -> Select[int, int]:
    """The treatments of the plan that a retiming is for, and their patients."""
    return select(Treatment.id, Treatment.patient_id).where(
        Treatment.plan_id == plan_id, is_behind(version_id, now)
    )


_Place = tuple[int, str]  # clinic, address


@dataclass(frozen=True, slots=True)
class Batch:
    """Patients planned together, with their treatments that wait; and after which the next one begins."""

    patients: frozenset[int]
    treatments: frozenset[int]
    cursor: int


def batches(
    session: Session,
    plan_id: int,
    version_id: int,
    *,
    now: datetime,
    after: int,
    size: int,
    seen: Collection[int] = (),
) -> list[Batch]:
    """The next ones after this treatment, of about `size` treatments each; none: nothing waits any more.

    Whoever shares an address is in one batch: who of them gives way must not hang on where a batch ends.
    `seen`: treatments that were in a batch before, for who only looks.
    """
    wait = waiting(plan_id, version_id, now)
    query = wait.where(Treatment.id > after).order_by(Treatment.id).limit(LOOK_AHEAD)
    found = [(row.id, row.patient_id) for row in session.execute(query)]
    if not found:
        return []
    new = [(treatment_id, patient_id) for treatment_id, patient_id in found if treatment_id not in seen]
    # Others of theirs, by the patient: an index of the plan would lead through all its treatments.
    elsewhere = select(Treatment.id, Treatment.patient_id).where(
        Treatment.plan_id + 0 == plan_id,
        or_(Treatment.id <= after, Treatment.id > found[-1][0]),
        is_behind(version_id, now),
    )
    groups = _Groups(session, new, elsewhere)
    result: list[Batch] = []
    patients: set[int] = set()
    treatments: set[int] = set()
    done: set[int] = set()
    for treatment_id, patient_id in new:
        if treatment_id in done:
            continue
        if len(treatments) >= size:
            result.append(Batch(frozenset(patients), frozenset(treatments), treatment_id - 1))
            patients, treatments = set(), set()
        for together in groups.around(patient_id):
            patients.add(together)
            treatments |= groups.treatments[together]
            done |= groups.treatments[together]
    return [*result, Batch(frozenset(patients), frozenset(treatments), found[-1][0])]


class _Groups:
    """Who shares an address with whom, also by way of others, among those who have a treatment waiting."""

    def __init__(
        self, session: Session, found: Iterable[tuple[int, int]], elsewhere: Select[int, int]
    ) -> None:
        self.treatments: dict[int, set[int]] = defaultdict(set)
        self._places: dict[int, set[_Place]] = {}
        self._at: dict[_Place, set[int]] = defaultdict(set)
        for treatment_id, patient_id in found:
            self.treatments[patient_id].add(treatment_id)
        new = set(self.treatments)
        while new:
            for row in session.execute(elsewhere.where(among(session, Treatment.patient_id, new))):
                self.treatments[row.patient_id].add(row.id)
            # Who has nothing waiting is not moved, and so ties nobody together.
            new = self._meet(session, new & set(self.treatments))

    def _meet(self, session: Session, patient_ids: Collection[int]) -> set[int]:
        """Take these in, and find those at the same addresses who are not known yet."""
        row = Patient
        rows = session.execute(
            select(row.id, row.clinic_id, row.phone, row.email).where(among(session, row.id, patient_ids))
        ).all()
        for patient_id, clinic_id, *addresses in rows:
            self._places[patient_id] = {(clinic_id, address) for address in addresses if address}
            for place in self._places[patient_id]:
                self._at[place].add(patient_id)
        found: set[int] = set()
        clinics = {row.clinic_id for row in rows}
        for column, values in (
            (Patient.phone, {row.phone for row in rows} - {None}),
            (Patient.email, {row.email for row in rows} - {None}),
        ):
            there = select(Patient.id).where(Patient.clinic_id.in_(clinics), among(session, column, values))
            found |= set(session.scalars(there)) if values else set()
        return found - set(self._places)

    def around(self, patient_id: int) -> set[int]:
        found, new = {patient_id}, {patient_id}
        while new:
            at_home = [self._at[place] for one in new for place in self._places.get(one, ())]
            new = set().union(*at_home) - found
            found |= new
        return found

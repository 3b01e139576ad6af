"""Bringing a new version of a plan to what is still pending, batch by batch; resumes where it stopped.

What becomes of each message is what planning says of the patient's treatments with the new version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from notifier import audit, plans
from notifier.errors import NotFoundError
from notifier.models import Clinic, Message, Patient, PlanRow, PlanVersion, Retiming, Treatment
from notifier.planfiles import Definition
from notifier.planning import FINAL_CODES, desired
from notifier.planning_columns import ColumnWriter, read
from notifier.planning_world import HORIZON
from notifier.rules import timing
from notifier.rules.delivery import Kind, Status

# So many treatments are looked for at once, to be brought over in smaller batches.
LOOK_AHEAD = 2_000
# A void is undone sooner than this, if at all; then the treatment follows the version of today.
UNDONE_WITHIN = timedelta(days=14)


def begin(
    session: Session, clinic: Clinic, plan: PlanRow, version: PlanVersion, *, now: datetime, actor: str
) -> Retiming:
    """Have this version brought to pending messages. An older retiming of the plan ends where it is.

    What it had not come to yet is on an old version still, so this one brings it over.
    """
    for unfinished in running(session, clinic):
        if unfinished.plan_id == plan.id:
            unfinished.finished_at = now
    total = session.scalar(select(func.count()).select_from(waiting(plan.id, version.id, now).subquery()))
    retiming = Retiming(
        clinic_id=clinic.id,
        plan_id=plan.id,
        to_version_id=version.id,
        total=total or 0,
        started_at=now,
        started_by=actor,
        finished_at=None if total else now,
    )
    session.add(retiming)
    session.flush()
    _note(session, retiming, "plan.retiming", now, number=version.number, treatments=retiming.total)
    return retiming


def _note(session: Session, retiming: Retiming, action: str, now: datetime, **detail: int) -> None:
    audit.note(
        session,
        clinic_id=retiming.clinic_id,
        at=now,
        actor=retiming.started_by,
        action=action,
        subject="plan",
        subject_id=retiming.plan_id,
        **detail,
    )


def running(session: Session, clinic: Clinic) -> list[Retiming]:
    """Those of the clinic that have not finished, oldest first."""
    return list(
        session.scalars(
            select(Retiming)
            .where(Retiming.clinic_id == clinic.id, Retiming.finished_at.is_(None))
            .order_by(Retiming.id)
        )
    )


def latest(session: Session, plan: PlanRow) -> Retiming | None:
    """The plan's last retiming, finished or not."""
    return session.scalar(
        select(Retiming).where(Retiming.plan_id == plan.id).order_by(Retiming.id.desc()).limit(1)
    )


def unfinished(session: Session) -> list[int]:
    """Of all clinics, for whoever resumes them."""
    return list(
        session.scalars(select(Retiming.id).where(Retiming.finished_at.is_(None)).order_by(Retiming.id))
    )


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


def _is_waiting(plan_id: int, version_id: int, now: datetime) -> ColumnElement[bool]:
    """Of treatments: on another version of this plan, with something pending; or voided lately."""
    undone = and_(Treatment.voided_at.is_not(None), Treatment.ended_at > now - UNDONE_WITHIN)
    return and_(
        Treatment.plan_id == plan_id,
        Treatment.plan_version_id != version_id,
        Treatment.ended_at > now - HORIZON,
        or_(undone, exists().where(Message.treatment_id == Treatment.id, is_pending(now))),
    )


def waiting(plan_id: int, version_id: int, now: datetime) -> Any:
    return select(Treatment.id, Treatment.patient_id).where(_is_waiting(plan_id, version_id, now))


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
    groups = _Groups(session, wait, {patient_id for _, patient_id in new})
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

    def __init__(self, session: Session, wait: Any, patient_ids: Collection[int]) -> None:
        self.treatments: dict[int, set[int]] = defaultdict(set)
        self._places: dict[int, set[_Place]] = {}
        self._at: dict[_Place, set[int]] = defaultdict(set)
        new = set(patient_ids)
        while new:
            for treatment_id, patient_id in session.execute(wait.where(Treatment.patient_id.in_(new))):
                self.treatments[patient_id].add(treatment_id)
            # Who has nothing waiting is not moved, and so ties nobody together.
            new = self._meet(session, new & set(self.treatments))

    def _meet(self, session: Session, patient_ids: Collection[int]) -> set[int]:
        """Take these in, and find those at the same addresses who are not known yet."""
        row = Patient
        rows = session.execute(
            select(row.id, row.clinic_id, row.phone, row.email).where(row.id.in_(patient_ids))
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
            there = select(Patient.id).where(Patient.clinic_id.in_(clinics), column.in_(values))
            found |= set(session.scalars(there)) if values else set()
        return found - set(self._places)

    def around(self, patient_id: int) -> set[int]:
        found, new = {patient_id}, {patient_id}
        while new:
            at_home = [self._at[place] for one in new for place in self._places.get(one, ())]
            new = set().union(*at_home) - found
            found |= new
        return found


@dataclass(frozen=True, slots=True)
class Target:
    """What is brought about: the same for all batches of a retiming."""

    retiming_id: int
    plan_id: int
    version_id: int
    actor: str
    because: str
    definitions: dict[int, Definition]


def target(session: Session, retiming_id: int) -> Target:
    retiming = session.get(Retiming, retiming_id)
    if retiming is None:
        raise NotFoundError(f"There is no retiming {retiming_id}.")
    version = session.get_one(PlanVersion, retiming.to_version_id)
    definition = plans.definition(version)
    name = definition.plan.name_in("en")
    return Target(
        retiming.id,
        retiming.plan_id,
        version.id,
        retiming.started_by,
        f"{name} was changed (version {version.number}).",
        {version.id: definition},
    )


def advance(session: Session, aim: Target, batch: Batch, *, now: datetime) -> int:
    """Bring one batch over. Returns how many messages changed.

    What somebody else brought over meanwhile, or what has nothing pending any more, is left as it is.
    """
    patients = _bring_over(session, aim, batch, now)
    changed = _follow(session, aim, patients, now) if patients else 0
    done = len(batch.treatments)
    session.execute(
        update(Retiming)
        .where(Retiming.id == aim.retiming_id)
        .values(done=Retiming.done + done, changed=Retiming.changed + changed, cursor=batch.cursor)
    )
    return changed


def _bring_over(session: Session, aim: Target, batch: Batch, now: datetime) -> set[int]:
    """Put the treatments on the new version, before the patients are locked: as the desk does.

    Their `version` stays: nothing that a form shows has changed.
    """
    waits = _is_waiting(aim.plan_id, aim.version_id, now)
    moved = (
        update(Treatment)
        .where(Treatment.patient_id.in_(batch.patients), waits)
        .values(plan_version_id=aim.version_id)
        .returning(Treatment.patient_id)
        .execution_options(synchronize_session=False)
    )
    return set(session.scalars(moved))


def _follow(session: Session, aim: Target, patient_ids: Collection[int], now: datetime) -> int:
    patients, world = read(session, patient_ids, now, aim.definitions)
    writer = _Writer(session, world, now, aim.actor, aim.because)
    changes = writer.write(desired(world, patients, now))
    return changes.added + writer.moved


class _Writer(ColumnWriter):
    """Says in each event when the message would have been due, since the row itself no longer knows."""

    moved = 0

    def apply(self, message: Message, moved: dict[str, Any]) -> None:
        """Counts what goes out at another time or no longer; of the rest only the reason is another."""
        self.moved += "status" in moved or ("due_at" in moved and message.status == Status.SCHEDULED)
        super().apply(message, moved)

    def told(self, message: Message, moved: dict[str, Any]) -> str:
        reason = super().told(message, moved)
        if "due_at" not in moved or message.due_at is None:
            return reason
        tz = self.world.zones[message.patient_id or 0]
        return f"{reason} It was due {timing.say(message.due_at, tz)}."


def finish(session: Session, retiming_id: int, *, now: datetime, left: int = 0) -> None:
    """Nothing waits any more but what could not be brought over, which is `left` treatments."""
    retiming = session.get_one(Retiming, retiming_id, with_for_update={"key_share": True})
    if retiming.finished_at is None:
        retiming.finished_at, retiming.total = now, retiming.done
        _note(
            session,
            retiming,
            "plan.retimed",
            now,
            treatments=retiming.done,
            messages=retiming.changed,
            left=left,
        )

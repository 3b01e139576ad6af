"""What a replan needs to know about some patients, fetched in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import plans, reach
from notifier.models import Clinic, Message, Patient, PlanVersion, Treatment
from notifier.planfiles import Definition
from notifier.planning_rows import Desired
from notifier.reach import Reach
from notifier.rules import pacing
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Status
from notifier.rules.plan import Plan

# A treatment older than this has nothing left to send, but for a visit booked far ahead.
HORIZON = timedelta(days=400)
# What the session saw before the rows were locked may be old.
_FRESH = {"populate_existing": True}


@dataclass
class World:
    clinics: dict[int, Clinic]
    reach: Reach
    treatments: dict[int, list[Treatment]] = field(default_factory=lambda: defaultdict(list))
    definitions: dict[int, Definition] = field(default_factory=dict)
    messages: dict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    treatment_of: dict[int, Treatment] = field(default_factory=dict)
    # What goes to the same addresses but to other patients: families share phones.
    beside: dict[str, list[tuple[int, pacing.Neighbour]]] = field(default_factory=lambda: defaultdict(list))
    standing: set[int] = field(default_factory=set)

    @classmethod
    def load(cls, session: Session, patients: Collection[Patient], now: datetime) -> World:
        ids = {patient.id for patient in patients}
        _lock(session, ids)
        clinic_ids = {patient.clinic_id for patient in patients}
        clinics = session.scalars(select(Clinic).where(Clinic.id.in_(clinic_ids)))
        world = cls({clinic.id: clinic for clinic in clinics}, reach.load(session, patients))
        sharing = _sharing(session, patients) - ids
        rows = session.scalars(
            select(Treatment)
            .where(Treatment.patient_id.in_(ids | sharing), Treatment.ended_at > now - HORIZON)
            .order_by(Treatment.ended_at, Treatment.id),
            execution_options=_FRESH,
        )
        for treatment in rows:
            world.treatment_of[treatment.id] = treatment
            if treatment.patient_id in ids:
                world.treatments[treatment.patient_id].append(treatment)
        world._load_versions(session)
        world._load_messages(session, ids, sharing)
        return world

    def _load_versions(self, session: Session) -> None:
        wanted = {treatment.plan_version_id for treatment in self.treatment_of.values()}
        versions = session.scalars(select(PlanVersion).where(PlanVersion.id.in_(wanted)))
        self.definitions = {version.id: plans.definition(version) for version in versions}

    def _load_messages(self, session: Session, ids: set[int], sharing: set[int]) -> None:
        if not self.treatment_of:
            return
        rows = session.scalars(
            select(Message).where(
                Message.kind == str(Kind.PLANNED), Message.treatment_id.in_(list(self.treatment_of))
            ),
            execution_options=_FRESH,
        )
        for message in rows:
            assert message.patient_id is not None
            if message.patient_id in sharing:
                self.stand(message)
            else:
                self.messages[message.patient_id].append(message)

    def stand(self, message: Message) -> None:
        """This message is not moved, and whoever shares its address gives way to it."""
        self.standing.add(message.id)
        neighbour = self.neighbour(message)
        if neighbour is not None:
            assert message.patient_id is not None
            self.beside[message.to].append((message.patient_id, neighbour))

    def plan(self, treatment: Treatment) -> Plan:
        return self.definitions[treatment.plan_version_id].plan

    def neighbour(self, message: Message) -> pacing.Neighbour | None:
        """What this message means to others: it left, or it is going to."""
        assert message.treatment_id is not None
        treatment = self.treatment_of[message.treatment_id]
        at = place_in_time(message)
        return None if at is None else pacing.Neighbour(at, self.plan(treatment).pace, treatment=treatment.id)

    def remember(self, patient: Patient, rows: Iterable[Desired]) -> None:
        """Whoever shares an address with this patient, later in the same batch, gives way to these rows."""
        for row in rows:
            address = reach.address_of(patient, row.channel)
            if row.status is Status.SCHEDULED and row.due_at is not None and address is not None:
                neighbour = pacing.Neighbour(
                    row.due_at, self.plan(row.treatment).pace, treatment=row.treatment.id
                )
                self.beside[address].append((patient.id, neighbour))


def _lock(session: Session, patient_ids: Collection[int]) -> None:
    """Keep other replans of these patients, and claims of their unsent rows, waiting until this one is done.

    On SQLite whoever writes is alone anyway, and these are plain look-ups.
    """
    patients = select(Patient.id).where(Patient.id.in_(patient_ids)).order_by(Patient.id)
    session.execute(patients.with_for_update(key_share=True))
    unsent = select(Message.id).where(
        Message.patient_id.in_(patient_ids),
        Message.kind == str(Kind.PLANNED),
        # Rows that are being sent or settled are not ours to change, so not ours to wait for.
        Message.attempts == 0,
    )
    session.execute(unsent.order_by(Message.id).with_for_update(key_share=True))


def place_in_time(message: Message) -> datetime | None:
    """When a planned message left or will leave; None where it counts for nobody."""
    if message.status in MAY_HAVE_ARRIVED:
        return message.claimed_at
    return message.due_at if message.status == Status.SCHEDULED else None


def _sharing(session: Session, patients: Collection[Patient]) -> set[int]:
    found: set[int] = set()
    clinic_ids = {patient.clinic_id for patient in patients}
    for column, values in (
        (Patient.phone, {patient.phone for patient in patients} - {None}),
        (Patient.email, {patient.email for patient in patients} - {None}),
    ):
        if values:
            found |= set(
                session.scalars(
                    select(Patient.id).where(Patient.clinic_id.in_(clinic_ids), column.in_(values))
                )
            )
    return found

"""What planning needs to know about some patients, fetched in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from notifier import plans, reach
from notifier.db_bulk import among
from notifier.models import Clinic, Message, Patient, PlanVersion, Treatment
from notifier.planfiles import Definition
from notifier.planning_rows import Desired
from notifier.reach import Reach
from notifier.rules import pacing
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Status
from notifier.rules.plan import Plan
from notifier.rules.zones import zone

# A treatment older than this has nothing left to send, but for a visit booked far ahead.
HORIZON = timedelta(days=400)
# What the session saw before the rows were locked may be old.
_FRESH = {"populate_existing": True}


@dataclass
class World:
    """Its rows are read by their attributes only: they may be entities, or bare columns."""

    clinics: dict[int, Clinic]
    reach: Reach
    zones: dict[int, ZoneInfo] = field(default_factory=dict)  # by patient
    treatments: dict[int, list[Treatment]] = field(default_factory=lambda: defaultdict(list))
    definitions: dict[int, Definition] = field(default_factory=dict)
    messages: dict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    treatment_of: dict[int, Treatment] = field(default_factory=dict)
    # Families share phones: for each patient, the others at one of their addresses.
    sharers: dict[int, set[int]] = field(default_factory=dict)
    # What goes to these addresses, and whose it is.
    beside: dict[str, list[tuple[int, pacing.Neighbour]]] = field(default_factory=lambda: defaultdict(list))
    standing: set[int] = field(default_factory=set)

    @classmethod
    def load(cls, session: Session, patients: Collection[Patient], now: datetime) -> World:
        """With the patients and their unsent rows locked, as entities that may be changed."""
        ids = {patient.id for patient in patients}
        lock(session, ids)
        world = cls.around(session, patients)
        treatments = session.scalars(world.treatments_wanted(ids, now), execution_options=_FRESH)
        world.take_treatments(treatments, ids)
        world.load_definitions(session)
        if world.treatment_of:
            messages = session.scalars(world.messages_wanted(), execution_options=_FRESH)
            world.take_messages(messages, ids)
        return world

    @classmethod
    def around(cls, session: Session, patients: Collection[Patient]) -> World:
        """What is known of the patients themselves; what was planned for them is still to be taken in."""
        clinic_ids = {patient.clinic_id for patient in patients}
        clinics = session.scalars(select(Clinic).where(Clinic.id.in_(clinic_ids)))
        world = cls({clinic.id: clinic for clinic in clinics}, reach.load(session, patients))
        for patient in patients:
            world.zones[patient.id] = zone(patient.timezone or world.clinics[patient.clinic_id].timezone)
        world.sharers = _sharers(session, patients)
        return world

    def treatments_wanted(self, ids: Collection[int], now: datetime) -> Select[Treatment]:
        everybody = set(ids).union(*self.sharers.values())
        return (
            select(Treatment)
            .where(Treatment.patient_id.in_(everybody), Treatment.ended_at > now - HORIZON)
            .order_by(Treatment.ended_at, Treatment.id)
        )

    def take_treatments(self, rows: Iterable[Treatment], ids: Collection[int]) -> None:
        for treatment in rows:
            self.treatment_of[treatment.id] = treatment
            if treatment.patient_id in ids:
                self.treatments[treatment.patient_id].append(treatment)

    def load_definitions(self, session: Session, known: Mapping[int, Definition] | None = None) -> None:
        """Of all versions that the treatments name; `known`: some that need not be fetched."""
        self.definitions = dict(known or {})
        wanted = {treatment.plan_version_id for treatment in self.treatment_of.values()}
        missing = wanted - set(self.definitions)
        if missing:
            versions = session.scalars(select(PlanVersion).where(PlanVersion.id.in_(missing)))
            self.definitions |= {version.id: plans.definition(version) for version in versions}

    def messages_wanted(self) -> Select[Message]:
        return select(Message).where(
            Message.kind == str(Kind.PLANNED), Message.treatment_id.in_(list(self.treatment_of))
        )

    def take_messages(self, rows: Iterable[Message], ids: Collection[int]) -> None:
        for message in rows:
            assert message.patient_id is not None
            if message.patient_id in ids:
                self.messages[message.patient_id].append(message)
            else:
                self.stand(message)

    def stand(self, message: Message) -> None:
        """This message is not moved, and whoever shares its address gives way to it."""
        self.standing.add(message.id)
        assert message.patient_id is not None
        if message.patient_id not in self.sharers:
            return
        neighbour = self.neighbour(message)
        if neighbour is not None:
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
        if patient.id not in self.sharers:
            return
        for row in rows:
            address = reach.address_of(patient, row.channel)
            if row.status is Status.SCHEDULED and row.due_at is not None and address is not None:
                neighbour = pacing.Neighbour(
                    row.due_at, self.plan(row.treatment).pace, treatment=row.treatment.id
                )
                self.beside[address].append((patient.id, neighbour))


def lock(session: Session, patient_ids: Collection[int]) -> None:
    """Keep other replans of these patients, and claims of their unsent rows, waiting until this one is done.

    On SQLite whoever writes is alone anyway, and nothing has to be locked.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    patients = select(Patient.id).where(among(session, Patient.id, patient_ids)).order_by(Patient.id)
    session.execute(patients.with_for_update(key_share=True))
    unsent = select(Message.id).where(
        among(session, Message.patient_id, patient_ids),
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


def _sharers(session: Session, patients: Collection[Patient]) -> dict[int, set[int]]:
    """For whoever shares an address with one of these patients, and for them: all the others there."""
    at_home: dict[tuple[int, str], set[int]] = defaultdict(set)
    clinic_ids = {patient.clinic_id for patient in patients}
    for column, values in (
        (Patient.phone, {patient.phone for patient in patients} - {None}),
        (Patient.email, {patient.email for patient in patients} - {None}),
    ):
        if values:
            found = select(Patient.id, Patient.clinic_id, column).where(
                Patient.clinic_id.in_(clinic_ids), among(session, column, values)
            )
            for patient_id, clinic_id, address in session.execute(found):
                assert address is not None
                at_home[clinic_id, address].add(patient_id)
    sharers: dict[int, set[int]] = defaultdict(set)
    for together in at_home.values():
        if len(together) > 1:
            for patient_id in together:
                sharers[patient_id] |= together - {patient_id}
    return dict(sharers)

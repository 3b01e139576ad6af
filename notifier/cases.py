"""One message and all that is looked at again when it is about to be sent, fetched for some at once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import known_plans, reach, sealing
from notifier.errors import NotifierError
from notifier.links import Links
from notifier.models import (
    Clinic,
    Message,
    Patient,
    PlanVersion,
    Reply,
    ScoreRow,
    Sender,
    Suppression,
    Treatment,
)
from notifier.planfiles import Definition
from notifier.planning import RECEIVED_WITHIN
from notifier.reach import Reach
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind
from notifier.rules.pacing import WEEK, Neighbour
from notifier.rules.plan import Pace, Plan, Step
from notifier.rules.zones import zone

log = logging.getLogger(__name__)

# Longer than any gap that a plan can ask for between two messages that still know of each other.
_RECENT = WEEK + timedelta(days=1)
_ARRIVED = [str(status) for status in MAY_HAVE_ARRIVED]


@dataclass(slots=True)
class Case:
    """One message and all that its checks look at."""

    message: Message
    clinic: Clinic
    sender: Sender
    reach: Reach
    links: Links | None = None
    patient: Patient | None = None
    treatment: Treatment | None = None
    definition: Definition | None = None
    score: int | None = None
    received: bool = False  # this step, from an earlier treatment, within 90 days
    neighbours: list[Neighbour] = field(default_factory=list)
    replaced: Message | None = None
    suppressed: bool = False
    problem: str = ""  # why it cannot be judged at all
    reply_address: str = ""  # where replies by e-mail are read
    answers: Reply | None = None  # what the patient wrote, where this is an answer to it

    @property
    def tz(self) -> ZoneInfo:
        own = self.patient.timezone if self.patient is not None else None
        return zone(own or self.clinic.timezone)

    @property
    def step(self) -> Step | None:
        return self.definition.plan.step(self.message.step or "") if self.definition else None

    @property
    def why_no_step(self) -> str:
        return self.plan.why_not(self.message.step or "") if self.definition else "Its plan is not known."

    @property
    def plan(self) -> Plan:
        assert self.definition is not None
        return self.definition.plan


def gather(
    session: Session,
    messages: Sequence[Message],
    now: datetime,
    links: Links | None = None,
    reply_address: str = "",
) -> list[Case]:
    """A case for each message, in their order; one that cannot be looked at stops no other."""
    clinics = _by_id(session, Clinic, {m.clinic_id for m in messages})
    senders = _by_id(session, Sender, {m.sender_id for m in messages})
    patients = _by_id(session, Patient, {m.patient_id for m in messages if m.patient_id is not None})
    treatments = _by_id(session, Treatment, {m.treatment_id for m in messages if m.treatment_id is not None})
    replaced = _by_id(session, Message, {m.fallback_of_id for m in messages if m.fallback_of_id is not None})
    versions = {m.plan_version_id for m in messages if m.plan_version_id is not None}
    replies = _by_id(session, Reply, {m.reply_id for m in messages if m.reply_id is not None})
    known = reach.load(session, list(patients.values())) if patients else Reach()
    suppressed = _suppressed(session, messages)
    recent = _Recent.load(session, messages, treatments.values(), now)
    definitions, unreadable = _definitions(session, versions | recent.versions)
    scores = _scores(session, treatments, definitions)
    return [
        Case(
            message,
            clinics[message.clinic_id],
            senders[message.sender_id],
            known,
            links,
            patients.get(message.patient_id or 0),
            treatments.get(message.treatment_id or 0),
            definitions.get(message.plan_version_id or 0),
            scores.get(message.treatment_id or 0),
            recent.received(message, treatments.get(message.treatment_id or 0)),
            recent.neighbours(message, definitions),
            replaced.get(message.fallback_of_id or 0),
            (message.sender_id, message.to) in suppressed,
            unreadable.get(message.plan_version_id or 0, ""),
            reply_address,
            replies.get(message.reply_id or 0),
        )
        for message in messages
    ]


def _definitions(session: Session, ids: Collection[int]) -> tuple[dict[int, Definition], dict[int, str]]:
    """Plan versions ready for use, and why the others are not."""
    definitions: dict[int, Definition] = {}
    unreadable: dict[int, str] = {}
    columns = PlanVersion.id, PlanVersion.number, PlanVersion.digest
    for version in session.execute(select(*columns).where(PlanVersion.id.in_(ids))).all():
        try:
            definitions[version.id] = known_plans.definition(session, version.id, version.digest)
        except Exception as error:
            # Written by another version of this program, or by hand: its messages wait, the others go on.
            log.exception("plan version %s cannot be read", version.id)
            said = str(error) if isinstance(error, NotifierError) else type(error).__name__
            unreadable[version.id] = f"Version {version.number} of its plan cannot be read: {said}"
    return definitions, unreadable


_Row = TypeVar("_Row", Clinic, Sender, Patient, Treatment, Message, Reply)


def _by_id(session: Session, table: type[_Row], ids: Collection[int]) -> dict[int, _Row]:
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(select(table).where(table.id.in_(ids)))}


def _suppressed(session: Session, messages: Sequence[Message]) -> set[tuple[int, str]]:
    spelled = sealing.load(session).read({(message.channel, message.to) for message in messages})
    rows = session.execute(
        select(Suppression.sender_id, Suppression.address).where(
            Suppression.sender_id.in_({message.sender_id for message in messages}),
            Suppression.address.in_(spelled),
            Suppression.lifted_at.is_(None),
        )
    )
    return {(row.sender_id, spelled[row.address]) for row in rows}


def _scores(
    session: Session, treatments: dict[int, Treatment], definitions: dict[int, Definition]
) -> dict[int, int]:
    """The latest score of each treatment, where its plan asks at all."""
    asking = [
        treatment.id
        for treatment in treatments.values()
        if (definition := definitions.get(treatment.plan_version_id)) is None
        or any(step.audience.asks_about("score") for step in definition.plan.steps)
    ]
    if not asking:
        return {}
    rows = session.execute(
        select(ScoreRow.treatment_id, ScoreRow.value)
        .where(ScoreRow.treatment_id.in_(asking), ScoreRow.withdrawn_at.is_(None))
        .order_by(ScoreRow.at, ScoreRow.id)
    )
    return {row.treatment_id: row.value for row in rows}


@dataclass(frozen=True, slots=True)
class _Left:
    """A planned message that left, or may have."""

    id: int
    patient_id: int
    address_id: int | None
    step: str
    treatment_id: int
    plan_id: int
    version_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class _Recent:
    """What has lately gone to these patients and addresses."""

    rows: Sequence[_Left]
    now: datetime

    @classmethod
    def load(
        cls, session: Session, messages: Sequence[Message], treatments: Iterable[Treatment], now: datetime
    ) -> _Recent:
        planned = [message for message in messages if message.kind == Kind.PLANNED]
        if not planned:
            return cls([], now)
        since = min((treatment.ended_at for treatment in treatments), default=now)
        patients = {message.patient_id for message in planned}
        addresses = {message.address_id for message in planned if message.address_id is not None}
        left = (
            select(
                Message.id,
                Message.patient_id,
                Message.address_id,
                Message.step,
                Message.treatment_id,
                Treatment.plan_id,
                Message.plan_version_id.label("version_id"),
                Message.claimed_at.label("at"),
            )
            .join(Treatment, Treatment.id == Message.treatment_id)
            .where(Message.kind == str(Kind.PLANNED), Message.status.in_(_ARRIVED))
        )
        to_patient = left.where(
            Message.patient_id.in_(patients), Message.claimed_at > since - RECEIVED_WITHIN
        )
        to_address = left.where(Message.address_id.in_(addresses), Message.claimed_at > now - _RECENT)
        found = {
            row.id: _Left(**row._asdict())
            for query in (to_patient, to_address)
            for row in session.execute(query)
        }
        return cls(list(found.values()), now)

    @property
    def versions(self) -> set[int]:
        return {row.version_id for row in self.rows if row.at > self.now - _RECENT}

    def received(self, message: Message, treatment: Treatment | None) -> bool:
        return treatment is not None and any(
            row.patient_id == message.patient_id
            and row.step == message.step
            and row.plan_id == treatment.plan_id
            and row.treatment_id != treatment.id
            and row.at > treatment.ended_at - RECEIVED_WITHIN
            for row in self.rows
        )

    def neighbours(self, message: Message, definitions: dict[int, Definition]) -> list[Neighbour]:
        return [
            Neighbour(row.at, _pace(definitions.get(row.version_id)), treatment=row.treatment_id)
            for row in self.rows
            if row.id != message.id
            and row.at > self.now - _RECENT
            and (row.patient_id == message.patient_id or row.address_id == message.address_id)
            # The same step by the other channel is not another message.
            and (row.treatment_id, row.step) != (message.treatment_id, message.step)
        ]


def _pace(definition: Definition | None) -> Pace:
    return definition.plan.pace if definition is not None else Pace()

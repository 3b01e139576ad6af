"""Message rows as planning wants them, and the one writer that makes them so, with their events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, insert, literal, select
from sqlalchemy.orm import Session

from notifier import reach
from notifier.db import wake_workers
from notifier.errors import ConflictError
from notifier.models import Message, MessageEvent, Patient, Treatment
from notifier.rules.delivery import Kind, Priority, Status
from notifier.rules.plan import Step

if TYPE_CHECKING:
    from notifier.planning_world import World


# What is due later than this, idle workers find by themselves.
WORTH_A_CALL = timedelta(seconds=15)


# Why a row was cancelled: its step goes another way now, or no longer exists.
REPLANNED = "replanned"


@dataclass(slots=True)
class Desired:
    """How one row ought to be."""

    treatment: Treatment
    step: Step
    channel: str
    status: Status
    due_at: datetime | None
    useful_until: datetime | None
    code: str = ""
    reason: str = ""
    # When its step would be due if nothing were in the way.
    nominal: datetime | None = None
    # The row that is meant, where a step has several on one channel: one sent again by a person.
    row: Message | None = None


@dataclass
class Changes:
    """What a replan did, in numbers, and the earliest moment at which something is now due."""

    added: int = 0
    changed: int = 0
    next_due: datetime | None = None

    def due(self, at: datetime | None) -> None:
        if at is not None:
            self.next_due = at if self.next_due is None else min(self.next_due, at)


Wanted = Sequence[tuple[Patient, Desired]]
Key = tuple[int | None, str | None, str]  # treatment, step, channel


def by_key(world: World, patients: Iterable[Patient]) -> dict[Key, Message]:
    """Their rows as they are; where a step has several on one channel, the last."""
    rows = (message for patient in patients for message in world.messages[patient.id])
    return {(row.treatment_id, row.step, row.channel): row for row in rows}


def dedup_key(treatment_id: int, step: str, channel: str) -> str:
    """No two planned messages of a clinic have the same."""
    return f"plan:{treatment_id}:{step}:{channel}"


_CHANGEABLE = (
    *("status", "due_at", "useful_until", "reason", "reason_code", "plan_version_id"),
    *("safety", "to", "sender_id", "address_id"),
)
_current = attrgetter(*_CHANGEABLE)
_WORTH_AN_EVENT = frozenset({"status", "due_at", "to", "reason"})


class Writer:
    """Turns what ought to be into rows and their events. `because` goes before the reason of each event."""

    def __init__(self, session: Session, world: World, now: datetime, actor: str, because: str = "") -> None:
        self.session, self.world, self.now, self.actor = session, world, now, actor
        self.because = because
        self.changes = Changes()
        self.events: list[dict[str, Any]] = []
        self.new: list[dict[str, Any]] = []
        self.addresses: dict[tuple[int, str, str], int] = {}
        self.senders: dict[tuple[int, str], int] = {}

    def take(self, patients: Collection[Patient], desired: Wanted) -> None:
        """Work out what changes for these patients; all of it is written by `finish`."""
        existing = by_key(self.world, patients)
        self.addresses |= self._addresses(desired)
        for patient, row in desired:
            values = self._values(patient, row)
            message = row.row or existing.get((row.treatment.id, row.step.key, row.channel))
            if message is None:
                self.new.append(dict(zip(_CHANGEABLE, values, strict=True)) | self._birth(patient, row))
            else:
                self._change(message, values)
        for message, reason in dropped(self.world, existing, desired):
            self._drop(message, reason)

    def finish(self) -> Changes:
        self.flush()
        if self.changes.next_due is not None and self.changes.next_due <= self.now + WORTH_A_CALL:
            wake_workers(self.session)
        return self.changes

    def _addresses(self, desired: Wanted) -> dict[tuple[int, str, str], int]:
        wanted = {
            (patient.clinic_id, row.channel, address)
            for patient, row in desired
            if row.status is Status.SCHEDULED and (address := reach.address_of(patient, row.channel))
        }
        return reach.address_ids(self.session, wanted)

    def _values(self, patient: Patient, row: Desired) -> tuple[Any, ...]:
        """The columns that a replan may change, as `_CHANGEABLE` names them."""
        to = reach.address_of(patient, row.channel) or ""
        return (
            str(row.status),
            row.due_at,
            row.useful_until,
            row.reason,
            str(row.code),
            row.treatment.plan_version_id,
            row.step.safety,
            to,
            self._sender_id(patient, row.channel),
            self.addresses.get((patient.clinic_id, row.channel, to)),
        )

    def _sender_id(self, patient: Patient, channel: str) -> int:
        """The channel's sender. A row that cannot be sent for want of one names another of the clinic's."""
        key = patient.clinic_id, channel
        if key not in self.senders:
            senders = self.world.reach.senders
            of_clinic = [sender for (clinic, _), sender in senders.items() if clinic == patient.clinic_id]
            if not of_clinic:
                raise ConflictError(
                    "The clinic has no sender in use, so nothing can be planned. Add one first."
                )
            self.senders[key] = senders.get(key, of_clinic[0]).id
        return self.senders[key]

    def _birth(self, patient: Patient, row: Desired) -> dict[str, Any]:
        return {
            "clinic_id": patient.clinic_id,
            "kind": str(Kind.PLANNED),
            "dedup_key": dedup_key(row.treatment.id, row.step.key, row.channel),
            "priority": Priority.PLANNED,
            "channel": row.channel,
            "patient_id": patient.id,
            "treatment_id": row.treatment.id,
            "step": row.step.key,
            "attempts": 0,
            "created_at": self.now,
        }

    def _change(self, message: Message, values: tuple[Any, ...]) -> None:
        current = _current(message)
        # The address row is only made for what will be sent; its absence alone is no change.
        if current[:-1] == values[:-1]:
            return
        moved = {
            name: value
            for name, value, before in zip(_CHANGEABLE, values, current, strict=True)
            if value != before
        }
        if not moved.keys().isdisjoint(_WORTH_AN_EVENT):
            self.event(message, moved)
        self.apply(message, moved)
        self.changes.changed += 1
        self.changes.due(values[1])

    def _drop(self, message: Message, reason: str) -> None:
        moved = {
            "status": str(Status.CANCELLED),
            "reason": reason,
            "reason_code": REPLANNED,
            "due_at": None,
        }
        self.event(message, moved)
        self.apply(message, moved)
        self.changes.changed += 1

    def apply(self, message: Message, moved: dict[str, Any]) -> None:
        for name, value in moved.items():
            setattr(message, name, value)

    def event(self, message: Message, moved: dict[str, Any]) -> None:
        """Before the message is changed."""
        self.events.append(
            {
                "message_id": message.id,
                "at": self.now,
                "from_status": message.status,
                "to_status": moved.get("status", message.status),
                "reason": self.told(message, moved),
                "actor": self.actor,
            }
        )

    def told(self, message: Message, moved: dict[str, Any]) -> str:
        """The event's words."""
        return f"{self.because} {moved.get('reason', message.reason)}".strip()

    def flush(self) -> None:
        if self.events:
            self.session.execute(insert(MessageEvent), self.events)
        self.insert_new()

    def insert_new(self) -> None:
        new = self.new
        if not new:
            return
        # With its nulls written out every row has the same columns, and all of them are one statement.
        self.session.execute(insert(Message).execution_options(render_nulls=True), new)
        self.changes.added += len(new)
        for row in new:
            self.changes.due(row["due_at"])
        treatments = {row["treatment_id"] for row in new}
        born = select(
            Message.id,
            literal(self.now, MessageEvent.at.type),
            literal(""),
            Message.status,
            func.trim(literal(self.because) + " " + Message.reason),
            literal(self.actor),
        ).where(
            Message.treatment_id.in_(treatments),
            Message.attempts == 0,
            ~exists().where(MessageEvent.message_id == Message.id),
        )
        self.session.execute(
            insert(MessageEvent).from_select(
                ["message_id", "at", "from_status", "to_status", "reason", "actor"], born
            )
        )


_WAITING = (Status.SCHEDULED, Status.HELD)


def dropped(world: World, existing: dict[Key, Message], desired: Wanted) -> Iterator[tuple[Message, str]]:
    """Rows whose step now goes by another channel, or is no longer in the plan; and why they do not go."""
    wanted = {(row.treatment.id, row.step.key, row.channel) for _, row in desired}
    steps = {(row.treatment.id, row.step.key): row for _, row in desired}
    for key, message in existing.items():
        waits = message.status in _WAITING and not message.attempts
        if key in wanted or not waits or message.id in world.standing:
            continue
        treatment_id, step, _ = key
        instead = steps.get((treatment_id or 0, step or ""))
        plan = world.plan(world.treatment_of[treatment_id or 0])
        if instead is not None:
            yield message, f"It goes by {'SMS' if instead.channel == 'sms' else 'e-mail'} instead."
        elif plan.step(step or "") is None:
            yield message, plan.why_not(step or "")

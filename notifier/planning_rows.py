"""Message rows as a replan wants them, and the one writer that makes them so, with their events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, insert, literal, select
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


@dataclass(frozen=True, slots=True)
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


def write(
    session: Session, world: World, desired: list[tuple[Patient, Desired]], *, now: datetime, actor: str
) -> Changes:
    return _Writer(session, world, now, actor).write(desired)


class _Writer:
    """Turns what ought to be into rows and their events."""

    def __init__(self, session: Session, world: World, now: datetime, actor: str) -> None:
        self.session, self.world, self.now, self.actor = session, world, now, actor
        self.changes = Changes()
        self.events: list[dict[str, Any]] = []
        self.existing = {
            (m.treatment_id, m.step, m.channel): m for rows in world.messages.values() for m in rows
        }

    def write(self, desired: list[tuple[Patient, Desired]]) -> Changes:
        addresses = self._addresses(desired)
        new: list[dict[str, Any]] = []
        wanted: set[tuple[int | None, str | None, str]] = set()
        for patient, row in desired:
            key = (row.treatment.id, row.step.key, row.channel)
            wanted.add(key)
            values = self._values(patient, row, addresses)
            message = row.row or self.existing.get(key)
            if message is None:
                new.append(values | self._birth(patient, row))
            else:
                self._change(message, values)
        self._drop_the_rest(desired, wanted)
        self._insert(new)
        if self.changes.next_due is not None and self.changes.next_due <= self.now + WORTH_A_CALL:
            wake_workers(self.session)
        return self.changes

    def _addresses(self, desired: list[tuple[Patient, Desired]]) -> dict[tuple[int, str, str], Any]:
        wanted = {
            (patient.clinic_id, row.channel, address)
            for patient, row in desired
            if row.status is Status.SCHEDULED and (address := reach.address_of(patient, row.channel))
        }
        return reach.addresses_of(self.session, wanted)

    def _values(self, patient: Patient, row: Desired, addresses: dict[Any, Any]) -> dict[str, Any]:
        """The columns that a replan may change."""
        to = reach.address_of(patient, row.channel) or ""
        address = addresses.get((patient.clinic_id, row.channel, to))
        return {
            "sender_id": self._sender_id(patient, row.channel),
            "status": str(row.status),
            "reason": row.reason,
            "reason_code": str(row.code),
            "due_at": row.due_at,
            "useful_until": row.useful_until,
            "to": to,
            "address_id": address.id if address is not None else None,
            "plan_version_id": row.treatment.plan_version_id,
            "safety": row.step.safety,
        }

    def _sender_id(self, patient: Patient, channel: str) -> int:
        """The channel's sender. A row that cannot be sent for want of one names another of the clinic's."""
        senders = self.world.reach.senders
        of_clinic = [sender for (clinic, _), sender in senders.items() if clinic == patient.clinic_id]
        if not of_clinic:
            raise ConflictError("The clinic has no sender in use, so nothing can be planned. Add one first.")
        return senders.get((patient.clinic_id, channel), of_clinic[0]).id

    def _birth(self, patient: Patient, row: Desired) -> dict[str, Any]:
        return {
            "clinic_id": patient.clinic_id,
            "kind": str(Kind.PLANNED),
            "dedup_key": f"plan:{row.treatment.id}:{row.step.key}:{row.channel}",
            "priority": Priority.PLANNED,
            "channel": row.channel,
            "patient_id": patient.id,
            "treatment_id": row.treatment.id,
            "step": row.step.key,
            "attempts": 0,
            "created_at": self.now,
        }

    def _change(self, message: Message, values: dict[str, Any]) -> None:
        before = message.status
        moved = {key: value for key, value in values.items() if getattr(message, key) != value}
        # The address row is only made for what will be sent; its absence alone is no change.
        if not moved.keys() - {"address_id"}:
            return
        for key, value in moved.items():
            setattr(message, key, value)
        self.changes.changed += 1
        self.changes.due(message.due_at)
        if moved.keys() & {"status", "due_at", "to", "reason"}:
            self._event(message, before, values["reason"])

    def _drop_the_rest(
        self, desired: list[tuple[Patient, Desired]], wanted: set[tuple[int | None, str | None, str]]
    ) -> None:
        """A step that now goes by another channel, or is no longer in the plan."""
        steps = {(row.treatment.id, row.step.key): row for _, row in desired}
        for (treatment_id, step, channel), message in self.existing.items():
            waits = message.status in (Status.SCHEDULED, Status.HELD) and not message.attempts
            settled = message.id in self.world.standing
            if (treatment_id, step, channel) in wanted or settled or not waits:
                continue
            instead = steps.get((treatment_id or 0, step or ""))
            plan = self.world.plan(self.world.treatment_of[treatment_id or 0])
            if instead is not None:
                reason = f"It goes by {'SMS' if instead.channel == 'sms' else 'e-mail'} instead."
            elif plan.step(step or "") is None:
                reason = plan.why_not(step or "")
            else:
                continue
            before = message.status
            message.status, message.reason, message.reason_code = Status.CANCELLED, reason, REPLANNED
            message.due_at = None
            self.changes.changed += 1
            self._event(message, before, reason)

    def _event(self, message: Message, before: str, reason: str) -> None:
        self.events.append(
            {
                "message_id": message.id,
                "at": self.now,
                "from_status": before,
                "to_status": message.status,
                "reason": reason,
                "actor": self.actor,
            }
        )

    def _insert(self, new: list[dict[str, Any]]) -> None:
        if self.events:
            self.session.execute(insert(MessageEvent), self.events)
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
            Message.reason,
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

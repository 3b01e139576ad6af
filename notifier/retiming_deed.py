"""One batch of a retiming: treatments on the new version, and what planning then says of their messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from notifier import plans, reach
from notifier.db_bulk import among
from notifier.errors import NotFoundError
from notifier.models import Message, Patient, PlanVersion, Retiming, Treatment
from notifier.planfiles import Definition
from notifier.planning import desired
from notifier.planning_alike import Likeness, Likenesses, holds_until
from notifier.planning_columns import ColumnWriter, read
from notifier.planning_rows import Desired, dedup_key
from notifier.planning_world import World
from notifier.retiming_batches import Batch, is_behind
from notifier.rules import timing
from notifier.rules.delivery import Status

# Of these, and not more, it is remembered what became of patients like them.
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a batch wrote for one patient, to be written for others like them while `until` is not reached.

    By the places of the messages among the patient's; new ones without what is the patient's own.
    """

    until: datetime
    changes: Sequence[tuple[int, dict[str, Any]]]
    events: Sequence[tuple[int, Mapping[str, Any]]]
    births: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is brought about: the same for all batches of a retiming."""

    retiming_id: int
    plan_id: int
    version_id: int
    actor: str
    because: str
    definitions: dict[int, Definition]
    patterns: dict[Hashable, _Pattern] = field(default_factory=dict)


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


def advance(session: Session, aim: Target, batch: Batch, *, now: datetime) -> None:
    """Bring one batch over.

    What somebody else brought over meanwhile, or what has nothing pending any more, is left as it is.
    """
    changed = _follow(session, aim, _bring_over(session, aim, batch, now), now)
    session.execute(
        update(Retiming)
        .where(Retiming.id == aim.retiming_id)
        .values(
            done=Retiming.done + len(batch.treatments),
            changed=Retiming.changed + changed,
            cursor=batch.cursor,
        )
    )


def _bring_over(session: Session, aim: Target, batch: Batch, now: datetime) -> set[int]:
    """Put the treatments on the new version, before the patients are locked: as the desk does.

    Their `version` stays: nothing that a form shows has changed.
    """
    moved = (
        update(Treatment)
        .where(among(session, Treatment.id, batch.treatments), is_behind(aim.version_id, now))
        .values(plan_version_id=aim.version_id)
        .returning(Treatment.patient_id)
        .execution_options(synchronize_session=False)
    )
    return set(session.scalars(moved))


def _follow(session: Session, aim: Target, patient_ids: Collection[int], now: datetime) -> int:
    """Let their messages follow: of patients who are alike, one is planned for all. How many changed."""
    if not patient_ids:
        return 0
    patients, world = read(session, patient_ids, now, aim.definitions)
    writer = _Writer(session, world, now, aim)
    first, others = Likenesses(world, now).split(patients, writer.knows)
    writer.plan([patient for patient, _ in first], [like for _, like in first if like is not None])
    writer.plan([patient for patient, like in others if not writer.repeat(patient, like)])
    return writer.finish().added + writer.moved


_OF_THE_EVENT = frozenset({"message_id", "at"})
# Of a new message, what is the patient's own.
_OWN = frozenset({"to", "address_id", "patient_id", "treatment_id", "dedup_key", "created_at"})


class _Writer(ColumnWriter):
    """Says in each event when the message would have been due, since the row itself no longer knows.

    Of patients who are alike it plans one, and repeats for the others what it did for them.
    """

    def __init__(self, session: Session, world: World, now: datetime, aim: Target) -> None:
        super().__init__(session, world, now, aim.actor, aim.because)
        self.patterns = aim.patterns
        # What goes out at another time or no longer; of other changes nobody is told.
        self.moved = 0

    def apply(self, message: Message, moved: dict[str, Any]) -> None:
        self.moved += _moves(message.status, moved)
        super().apply(message, moved)

    def told(self, message: Message, moved: dict[str, Any]) -> str:
        reason = super().told(message, moved)
        if "due_at" not in moved or message.due_at is None:
            return reason
        tz = self.world.zones[message.patient_id or 0]
        return f"{reason} It was due {timing.say(message.due_at, tz)}."

    def plan(self, patients: Collection[Patient], likes: Sequence[Likeness] = ()) -> None:
        """By the rules; `likes`: of those of them to be remembered."""
        wanted = desired(self.world, patients, self.now)
        self.take(patients, wanted)
        self._learn(wanted, likes)

    def knows(self, like: Likeness) -> bool:
        pattern = self.patterns.get(like.key)
        return pattern is not None and pattern.until > self.now

    def repeat(self, patient: Patient, like: Likeness) -> bool:
        """Do for this patient what was done for another like them; False: they have to be planned."""
        if not self.knows(like):
            return False
        pattern = self.patterns[like.key]
        births = [self._born_like(birth, patient, like) for birth in pattern.births]
        if None in births:
            return False
        self.new += [birth for birth in births if birth is not None]
        for place, moved in pattern.changes:
            self.updates.append((like.rows[place].id, moved))
            self.moved += _moves(like.rows[place].status, moved)
            self.changes.changed += 1
            self.changes.due(moved.get("due_at"))
        for place, event in pattern.events:
            self.events.append({"message_id": like.rows[place].id, "at": self.now, **event})
        return True

    def _born_like(self, birth: Mapping[str, Any], patient: Patient, like: Likeness) -> dict[str, Any] | None:
        to, channel = reach.address_of(patient, birth["channel"]) or "", birth["channel"]
        known = (row.address_id for row in like.rows if (row.channel, row.to) == (channel, to))
        address_id = next((known_id for known_id in known if known_id is not None), None)
        if address_id is None:
            return None
        return {
            **birth,
            "to": to,
            "address_id": address_id,
            "patient_id": patient.id,
            "treatment_id": like.treatment.id,
            "dedup_key": dedup_key(like.treatment.id, birth["step"], channel),
            "created_at": self.now,
        }

    def _learn(self, wanted: Sequence[tuple[Patient, Desired]], likes: Sequence[Likeness]) -> None:
        if not likes:
            return
        if len(self.patterns) + len(likes) > _REMEMBERED:
            self.patterns.clear()
        moved = dict(self.updates)
        events = {event["message_id"]: event for event in self.events}
        of_treatment: dict[int, list[Desired]] = defaultdict(list)
        births: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for _, row in wanted:
            of_treatment[row.treatment.id].append(row)
        for birth in self.new:
            births[birth["treatment_id"]].append(birth)
        for like in likes:
            until = holds_until(like, of_treatment[like.treatment.id], self.world, self.now)
            changes = [(place, moved[row.id]) for place, row in enumerate(like.rows) if row.id in moved]
            if until is None or any(values.keys() & {"to", "address_id"} for _, values in changes):
                continue
            self.patterns[like.key] = _Pattern(
                until,
                changes,
                [
                    (place, _but(events[row.id], _OF_THE_EVENT))
                    for place, row in enumerate(like.rows)
                    if row.id in events
                ],
                [_but(birth, _OWN) for birth in births[like.treatment.id]],
            )


def _moves(status: str, moved: Mapping[str, Any]) -> bool:
    return "status" in moved or ("due_at" in moved and status == Status.SCHEDULED)


def _but(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}

"""Planning for thousands of patients at once: rows are read as bare columns and written in few statements.

The rules are asked in the same way as ever; only the entities are left out, which cost more than all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, case, select
from sqlalchemy.orm import Session

from notifier.db_bulk import among, insert_rows, update_rows
from notifier.models import Message, MessageEvent, Patient, Treatment
from notifier.planfiles import Definition
from notifier.planning_rows import Writer
from notifier.planning_world import HORIZON, World, lock
from notifier.rules.delivery import Kind

# The tables rather than the entities: a query of an entity's attributes takes twice as long to read.
_P, _T, _M, _E = (cast(Table, entity.__table__) for entity in (Patient, Treatment, Message, MessageEvent))


class PatientRow(NamedTuple):
    id: int
    clinic_id: int
    first_name: str
    last_name: str
    timezone: str | None
    language: str
    name_treatment: bool
    phone: str | None
    email: str | None
    phone_problem: str
    email_problem: str
    erased_at: datetime | None
    essentials: bool
    preferred_channel: str
    created_at: datetime


class TreatmentRow(NamedTuple):
    id: int
    patient_id: int
    plan_version_id: int
    ended_at: datetime
    logged_at: datetime
    next_visit_at: datetime | None
    areas: list[str]
    voided_at: datetime | None
    voided_reason: str


class MessageRow(NamedTuple):
    id: int
    patient_id: int
    treatment_id: int
    step: str
    channel: str
    attempts: int
    claimed_at: datetime | None
    status: str
    due_at: datetime | None
    useful_until: datetime | None
    reason: str
    reason_code: str
    plan_version_id: int
    safety: bool
    to: str
    sender_id: int
    address_id: int | None

    def signature(self, address: str | None) -> tuple[object, ...]:
        """All that planning looks at but whose it is; `address`: where the patient is reached today."""
        return *self[3:14], self.to == (address or ""), self.sender_id, self.address_id is None


class Assumed(NamedTuple):
    treatments: Collection[int]
    version_id: int


def read(
    session: Session,
    patient_ids: Collection[int],
    now: datetime,
    definitions: Mapping[int, Definition],
    *,
    assumed: Assumed | None = None,
) -> tuple[list[Patient], World]:
    """As `World.load`; what comes back has the entities' attributes, but cannot be changed.

    `assumed`: only looked at, without a lock, and as if these treatments followed another version.
    """
    ids = set(patient_ids)
    if assumed is None:
        lock(session, ids)
    people = select(*_columns(_P, PatientRow)).where(among(session, _P.c.id, ids))
    patients = cast(list[Patient], [*map(PatientRow._make, session.execute(people).all())])
    world = World.around(session, patients)
    everybody = ids.union(*world.sharers.values())
    treatments = (
        select(*_treatment_columns(assumed))
        .where(among(session, _T.c.patient_id, everybody), _T.c.ended_at > now - HORIZON)
        .order_by(_T.c.ended_at, _T.c.id)
    )
    found = map(TreatmentRow._make, session.execute(treatments).all())
    world.take_treatments(cast(Iterable[Treatment], found), ids)
    world.load_definitions(session, definitions)
    if world.treatment_of:
        messages = select(*_columns(_M, MessageRow)).where(
            _M.c.kind == str(Kind.PLANNED), among(session, _M.c.treatment_id, world.treatment_of)
        )
        rows = map(MessageRow._make, session.execute(messages).all())
        world.take_messages(cast(Iterable[Message], rows), ids)
    return patients, world


def _treatment_columns(assumed: Assumed | None) -> list[Any]:
    columns = _columns(_T, TreatmentRow)
    if assumed is None:
        return columns
    version = case((_T.c.id.in_(assumed.treatments), assumed.version_id), else_=_T.c.plan_version_id)
    return [version if column is _T.c.plan_version_id else column for column in columns]


def _columns(table: Table, row: Any) -> list[Any]:
    return [table.c[name] for name in row._fields]


class ColumnWriter(Writer):
    """Collects what changes, and writes it in one statement for all rows of which the same columns change."""

    def __init__(self, session: Session, world: World, now: datetime, actor: str, because: str = "") -> None:
        super().__init__(session, world, now, actor, because)
        self.updates: list[tuple[int, dict[str, Any]]] = []

    def apply(self, message: Message, moved: dict[str, Any]) -> None:
        self.updates.append((message.id, moved))

    def flush(self) -> None:
        # The events first: PostgreSQL makes sure of the rows they name, and until those change it holds them.
        insert_rows(self.session, _E, self.events)
        update_rows(self.session, _M, self.updates)
        self.insert_new()

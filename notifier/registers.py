"""A clinic's patients, treatments, messages and replies, page by page, for programs that read through all.

The oldest first, so that whoever reads on from the last cursor meets what came later. A page costs the same
wherever it lies.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, SQLColumnExpression, and_, func, or_, select, text
from sqlalchemy.orm import Session, joinedload

from notifier import patients
from notifier.errors import InputError
from notifier.models import Clinic, Message, Patient, PlanRow, Reply, Treatment

Row = TypeVar("Row", Patient, Treatment, Message, Reply)
MOST = 200
# Few among many, so they have an index of their own, which serves where its condition stands word for word.
_FOR_A_PERSON = frozenset({"held", "unknown", "failed", "undelivered"})
_HAS_AN_INDEX = text("messages.status IN ('held', 'unknown', 'failed', 'undelivered')")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`next` is the cursor of the page after this one; empty: this is the last one."""

    rows: list[Row]
    next: str


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, and before `until`."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Leg:
    """Rows that one index finds, in the order of a place; equal places are told apart by the id."""

    query: Select[Any]
    place: SQLColumnExpression[Any]


def of_patients(session: Session, clinic: Clinic, words: str, *, cursor: str, limit: int) -> Page[Patient]:
    """By name. `words`: as `patients.search` takes them; empty: all."""
    query = select(Patient).where(Patient.clinic_id == clinic.id, Patient.erased_at.is_(None))
    if words.strip():
        query = query.where(patients.matching(clinic, words))
    return _page(session, [_Leg(query, Patient.folded_name)], Patient, "p", cursor, limit)


def of_treatments(
    session: Session,
    clinic: Clinic,
    period: Period,
    *,
    patient_id: int | None = None,
    external_id: str = "",
    plan: str = "",
    cursor: str,
    limit: int,
) -> Page[Treatment]:
    """By when they ended."""
    query = select(Treatment).options(joinedload(Treatment.patient), joinedload(Treatment.plan))
    query = query.options(joinedload(Treatment.plan_version))
    if patient_id is None:
        query = query.where(Treatment.clinic_id == clinic.id)
    else:
        # By the patient's own index: the sum keeps SQLite from walking through everybody's treatments.
        query = query.where((Treatment.clinic_id + 0) == clinic.id, Treatment.patient_id == patient_id)
    if external_id:
        query = query.where(Treatment.external_id == external_id)
    if plan:
        of_clinic = select(PlanRow.id).where(PlanRow.clinic_id == clinic.id, PlanRow.key == plan)
        query = query.where(Treatment.plan_id.in_(of_clinic))
    legs = [_within(_Leg(query, Treatment.ended_at), period)]
    return _page(session, legs, Treatment, "t", cursor, limit)


def of_messages(
    session: Session,
    clinic: Clinic,
    period: Period,
    *,
    statuses: Sequence[str] = (),
    patient_id: int | None = None,
    treatment_id: int | None = None,
    cursor: str,
    limit: int,
) -> Page[Message]:
    """By when they are or were due; what was never to be sent stands where that was found."""
    query = select(Message)
    if statuses:
        query = query.where(Message.status.in_(statuses))
    if statuses and set(statuses) <= _FOR_A_PERSON:
        query = query.where(_HAS_AN_INDEX)
    if patient_id is None and treatment_id is None:
        mine = Message.clinic_id == clinic.id
        legs = [
            _Leg(query.where(mine, Message.due_at.is_not(None)), Message.due_at),
            _Leg(query.where(mine, Message.due_at.is_(None)), Message.created_at),
        ]
    else:
        query = query.where((Message.clinic_id + 0) == clinic.id)
        if patient_id is not None:
            query = query.where(Message.patient_id == patient_id)
        if treatment_id is not None:
            query = query.where(Message.treatment_id == treatment_id)
        legs = [_Leg(query, func.coalesce(Message.due_at, Message.created_at))]
    return _page(session, [_within(leg, period) for leg in legs], Message, "m", cursor, limit)


def of_replies(
    session: Session,
    clinic: Clinic,
    period: Period,
    *,
    patient_id: int | None = None,
    cursor: str,
    limit: int,
) -> Page[Reply]:
    """By when they were received."""
    if patient_id is None:
        query = select(Reply).where(Reply.clinic_id == clinic.id)
    else:
        query = select(Reply).where((Reply.clinic_id + 0) == clinic.id, Reply.patient_id == patient_id)
    return _page(session, [_within(_Leg(query, Reply.received_at), period)], Reply, "r", cursor, limit)


def _within(leg: _Leg, period: Period) -> _Leg:
    query = leg.query
    if period.since is not None:
        query = query.where(leg.place >= period.since)
    if period.until is not None:
        query = query.where(leg.place < period.until)
    return _Leg(query, leg.place)


def _page(
    session: Session, legs: Sequence[_Leg], table: type[Row], name: str, cursor: str, limit: int
) -> Page[Row]:
    found: list[tuple[Any, int, Row]] = []
    for leg in legs:
        query = leg.query.add_columns(leg.place.label("place"))
        if cursor:
            query = query.where(_after(leg.place, table.id, *_read(cursor, name)))
        rows = session.execute(query.order_by(leg.place, table.id).limit(limit + 1))
        found += [(place, row.id, row) for row, place in rows]
    found.sort(key=lambda item: item[:2])
    shown = found[:limit]
    more = len(found) > limit
    return Page([row for _, _, row in shown], _write(name, *shown[-1][:2]) if more else "")


def _after(place: SQLColumnExpression[Any], number: SQLColumnExpression[int], at: Any, last: int) -> Any:
    """The first condition is what an index can begin at."""
    return and_(place >= at, or_(place > at, number > last))


def _write(name: str, place: datetime | str, number: int) -> str:
    said = place.isoformat() if isinstance(place, datetime) else place
    words = json.dumps([name, said, number], separators=(",", ":"))
    return base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")


def _read(cursor: str, name: str) -> tuple[datetime | str, int]:
    """Raises InputError where it is not one that this list gave."""
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        kind, place, number = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if kind != name or not isinstance(place, str) or type(number) is not int or abs(number) >= 2**63:
            raise ValueError
        return place if name == "p" else datetime.fromisoformat(place).astimezone(UTC), number
    except (ValueError, OverflowError):
        raise InputError(
            "This cursor is not one that this list gave. Begin again without one.", field="cursor"
        ) from None

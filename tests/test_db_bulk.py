"""Many rows in one statement: what goes in comes out, on either database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from notifier.db_bulk import among, insert_rows, update_rows
from notifier.models import AlertContact, Clinic

CONTACTS = cast(Table, AlertContact.__table__)
NOON = datetime(2026, 3, 3, 17, tzinfo=UTC)
NAMES = ("plain", 'a "quoted" name', "back\\slash", "{braces}, and 'more'", "NULL", "", "María ☎", "100 % %s")


def rows(clinic: Clinic, **constant: Any) -> list[dict[str, Any]]:
    return [
        {"clinic_id": clinic.id, "position": number, "name": name, "on_call": number % 2 == 0, **constant}
        for number, name in enumerate(NAMES)
    ]


def contacts(session: Session) -> list[AlertContact]:
    session.expire_all()
    return list(session.scalars(select(AlertContact).order_by(AlertContact.position)))


def test_rows_come_out_as_they_went_in(session: Session, clinic: Clinic) -> None:
    insert_rows(session, CONTACTS, rows(clinic, phone=None, tested_at=NOON))
    found = contacts(session)
    assert tuple(row.name for row in found) == NAMES
    assert [row.on_call for row in found] == [number % 2 == 0 for number in range(len(NAMES))]
    assert {(row.phone, row.tested_at) for row in found} == {(None, NOON)}


@pytest.mark.parametrize("count", [1, 3])
def test_each_row_gets_its_own_change(session: Session, clinic: Clinic, count: int) -> None:
    insert_rows(session, CONTACTS, rows(clinic, tested_at=NOON))
    before = contacts(session)
    later = [NOON + timedelta(hours=number, microseconds=number) for number in range(count)]
    changes: list[tuple[int, dict[str, Any]]] = [
        (row.id, {"tested_at": at, "email": "one@example.com"})
        for row, at in zip(before, later, strict=False)
    ]
    update_rows(session, CONTACTS, [*changes, (before[-1].id, {"tested_at": None})])
    found = contacts(session)
    assert [row.tested_at for row in found[:count]] == later
    assert {row.email for row in found[:count]} == {"one@example.com"}
    assert (found[-1].tested_at, found[-1].email) == (None, None)
    assert found[count].tested_at == NOON


def test_nothing_to_write_is_nothing_written(session: Session, clinic: Clinic) -> None:
    insert_rows(session, CONTACTS, [])
    update_rows(session, CONTACTS, [])
    assert contacts(session) == []


def test_among_finds_words_and_numbers(session: Session, clinic: Clinic) -> None:
    insert_rows(session, CONTACTS, rows(clinic))
    for names in (set(NAMES), set(NAMES[1:3]), {"nobody"}, set()):
        query = select(AlertContact.name).where(among(session, AlertContact.name, names))
        assert set(session.scalars(query)) == names & set(NAMES)
    positions = select(AlertContact.position).where(among(session, AlertContact.position, {2, 5, 77}))
    assert set(session.scalars(positions)) == {2, 5}

"""Registers: every row once and in order, whatever the size of a page, and only this clinic's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier import registers
from notifier.errors import InputError
from notifier.models import Clinic, Message
from notifier.registers import Page, Period
from tests import cast

Read = Callable[[str, int], Page[Any]]


@pytest.fixture
def readers(session: Session, clinic: Clinic) -> dict[str, Read]:
    """Of a clinic where several things ended at one moment, and some messages were never due."""
    for patient in (cast.ALICE, cast.BOB, cast.MIA, cast.LEO, cast.EDWARD):
        cast.log(session, clinic, patient)
    cast.log(session, clinic, cast.ALICE, "cupping", ended_at=cast.ENDED - timedelta(days=1))
    always = Period()
    return {
        "patients": lambda cursor, limit: registers.of_patients(
            session, clinic, "", cursor=cursor, limit=limit
        ),
        "treatments": lambda cursor, limit: registers.of_treatments(
            session, clinic, always, cursor=cursor, limit=limit
        ),
        "messages": lambda cursor, limit: registers.of_messages(
            session, clinic, always, cursor=cursor, limit=limit
        ),
    }


@pytest.mark.parametrize("name", ["patients", "treatments", "messages"])
@pytest.mark.parametrize("limit", [1, 4])
def test_pages_show_each_row_once_and_in_order(readers: dict[str, Read], name: str, limit: int) -> None:
    whole = [row.id for row in readers[name]("", 500).rows]
    paged, cursor = [], ""
    while True:
        page = readers[name](cursor, limit)
        assert 0 < len(page.rows) <= limit
        paged += [row.id for row in page.rows]
        if not page.next:
            break
        cursor = page.next
    assert paged == whole
    assert len(whole) >= 5


def test_messages_stand_where_they_are_due_or_where_it_was_found_that_they_never_are(
    readers: dict[str, Read],
) -> None:
    rows: list[Message] = readers["messages"]("", 500).rows
    places = [row.due_at or row.created_at for row in rows]
    assert places == sorted(places)
    assert any(row.due_at is None for row in rows)


def test_what_comes_later_is_met_by_reading_on(
    session: Session, clinic: Clinic, readers: dict[str, Read]
) -> None:
    cursor = readers["treatments"]("", 5).next
    late = cast.log(session, clinic, cast.BOB, "cupping", ended_at=cast.ENDED + timedelta(days=1))
    assert [row.id for row in readers["treatments"](cursor, 5).rows][-1] == late.id


@pytest.mark.parametrize("statuses", [["held"], ["held", "scheduled"], ["failed", "unknown"]])
def test_statuses_are_all_that_is_shown(session: Session, clinic: Clinic, statuses: list[str]) -> None:
    rows = list(cast.messages(session, cast.log(session, clinic)).values())
    for row, status in zip(rows, ("held", "failed", "unknown", "delivered"), strict=False):
        row.status = status
    session.flush()
    page = registers.of_messages(session, clinic, Period(), statuses=statuses, cursor="", limit=50)
    assert sorted(row.id for row in page.rows) == sorted(row.id for row in rows if row.status in statuses)


def test_the_other_clinic_has_none_of_it(
    session: Session, clinic: Clinic, other_clinic: Clinic, readers: dict[str, Read]
) -> None:
    alice = readers["patients"]("", 1).rows[0].id
    for patient_id in (None, alice):
        for register in (registers.of_treatments, registers.of_messages):
            page: Page[Any] = register(
                session, other_clinic, Period(), patient_id=patient_id, cursor="", limit=50
            )
            assert page.rows == []
    assert registers.of_patients(session, other_clinic, "", cursor="", limit=50).rows == []


def test_a_cursor_serves_only_the_list_that_gave_it(readers: dict[str, Read]) -> None:
    for name, cursor in (
        ("treatments", readers["patients"]("", 1).next),
        ("messages", "x"),
        ("patients", "W10"),
    ):
        with pytest.raises(InputError) as refused:
            readers[name](cursor, 1)
        assert refused.value.field == "cursor"

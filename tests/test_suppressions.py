"""A sender may not write to an address any more: what waits for it goes, and nothing else does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from notifier import claiming, db, suppressions
from notifier.models import AuditEntry, Clinic, Message, Suppression
from notifier.rules.delivery import Kind
from tests import cast
from tests.cast import on_postgresql
from tests.worker_cast import Shift, is_honest, sender_of

PHONE = "+12125550101"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def stop(shift: Shift, *, channel: str = "sms", address: str = PHONE) -> list[int]:
    with shift.change() as session:
        cancelled = suppressions.suppress(
            session,
            sender_of(session, shift.clinic, channel),
            address,
            reason="Replied STOP.",
            now=shift.clock.now(),
            actor="inbox",
        )
        return [message.id for message in cancelled]


def test_what_waits_for_the_address_is_cancelled_with_the_reason(shift: Shift) -> None:
    treatment = shift.log()
    waiting = [
        row.id for row in shift.rows(treatment).values() if row.status == "scheduled" and row.to == PHONE
    ]
    assert sorted(stop(shift)) == sorted(waiting)
    for message_id in waiting:
        row = shift.message(message_id)
        assert (row.status, row.reason, row.reason_code) == ("cancelled", "Replied STOP.", "opt_out")
        assert shift.moves(message_id) == ["scheduled → cancelled"]
    assert shift.drain("2026-02-03 17:30") == []
    is_honest(shift.engine)


@pytest.mark.parametrize(
    ("kind", "columns", "goes"),
    [
        (Kind.STAFF, {"status": "held", "reason": "Look at it."}, True),
        (Kind.ANSWER, {}, True),
        (Kind.ALERT, {}, False),
        (Kind.TEST, {}, False),
        (Kind.STAFF, {"status": "sending"}, False),
        (Kind.STAFF, {"status": "delivered"}, False),
        (Kind.STAFF, {"to": "+12125550102"}, False),
        (Kind.STAFF, {"channel": "email", "to": "alice@example.com"}, False),
    ],
)
def test_only_what_waits_for_patients_there_is_touched(
    shift: Shift, kind: Kind, columns: dict[str, Any], goes: bool
) -> None:
    message_id = shift.write(kind, **{"to": PHONE, **columns})
    before = shift.message(message_id).status
    assert stop(shift) == ([message_id] if goes else [])
    assert shift.message(message_id).status == ("cancelled" if goes else before)


def test_saying_it_twice_is_saying_it_once(shift: Shift) -> None:
    shift.log()
    assert stop(shift)
    assert stop(shift) == []
    with shift.look() as session:
        assert session.scalar(select(func.count(Suppression.id))) == 1
        # Both are worth a line in the audit trail, without the number.
        details = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "address.suppressed"))
        assert details.all() == [{"reason": "Replied STOP."}] * 2


def test_it_counts_for_everybody_who_uses_the_address(shift: Shift) -> None:
    mia, leo = shift.log(cast.MIA), shift.log(cast.LEO)
    stop(shift, address="+12125550104")
    for treatment in (mia, leo):
        assert {row.status for row in shift.rows(treatment).values()} <= {"cancelled", "skipped"}


@on_postgresql
def test_a_row_that_is_being_claimed_at_that_moment_is_not_called_never_sent(shift: Shift) -> None:
    """The opt-out waits for the claim, and then finds the row on its way."""
    message_id = shift.write(Kind.ANSWER, to=PHONE)
    cancelled: list[int] = []
    opting_out = threading.Thread(target=lambda: cancelled.extend(stop(shift)))
    with db.transaction(shift.engine) as session:
        claim = claiming.claim_due(session, shift.terms(), now=shift.clock.now(), limit=1)
        opting_out.start()
        opting_out.join(0.3)
        assert opting_out.is_alive()
    opting_out.join(10)
    assert [claimed.outbound.message_id for claimed in claim.messages] == [message_id]
    assert cancelled == []
    assert shift.message(message_id).status == "sending"
    with shift.look() as session:
        assert session.scalars(select(Suppression.address)).all() == [PHONE]
        assert session.scalars(select(Message.status)).all() == ["sending"]

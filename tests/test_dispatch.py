"""The moment of sending: what was true when a message was planned is looked at again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from notifier import consent, plans
from notifier.models import Clinic, Message, Patient, PlanVersion, ScoreRow, Suppression, Treatment
from notifier.planfiles import find_folder, read_content
from notifier.rules.delivery import Kind
from tests import cast
from tests.worker_cast import Shift, is_honest, sender_of

Change = Callable[[Session], Any]
DAY0 = "day0-what-you-may-feel"  # Tuesday 17:30, a safety step, useful until Wednesday 09:30
DAY1 = "day1-soreness-is-normal"  # Wednesday 13:30, for a first treatment
DAY5 = "day5-how-it-works"  # Sunday 15:30, useful until Tuesday 15:30

@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def test_a_message_leaves_when_it_is_due(shift: Shift) -> None:
    treatment = shift.log()
    assert shift.drain("2026-02-03 17:29") == []
    (kept,) = shift.drain("2026-02-03 17:30")
    row = shift.rows(treatment)[DAY0]
    (attempt,) = shift.attempts(row.id)
    assert kept["to"] == "+12125550101" == attempt.address
    assert kept["text"] == attempt.words
    print(kept, row.status, shift.moves(row.id), [ (r.status, r.reason, r.due_at) for r in shift.rows(treatment).values()])
    is_honest(shift.engine)

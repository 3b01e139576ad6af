"""A retimed database is the one that planning makes of the same treatments on the new version."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from notifier import retiming_effect
from notifier.models import Clinic
from notifier.retiming_batches import waiting
from tests import retiming_cast as cast
from tests.cast import (
    ALICE,
    CAROL,
    EDWARD,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    attempted,
    log,
    messages,
    on_sqlite,
)
from tests.retiming_cast import CHANGES, both_ways, check_effect, later
from tests.test_planning_properties import Action, Desk, actions

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@on_sqlite
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions,
    st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=3, unique=True),
    st.sampled_from(["dry-needling", "cupping"]),
    st.integers(0, 30),
    st.sampled_from([1, 2, 100]),
)
def test_whatever_happened_before_and_whatever_changes(
    session: Session,
    clinic: Clinic,
    actions: list[Action],
    names: list[str],
    key: str,
    hours: int,
    size: int,
) -> None:
    savepoint = session.begin_nested()
    desk = Desk(session, clinic)
    for action in (("log", 0, 0), ("log", 1, 1), *actions):
        desk.do(action)
    now = desk.now + hours * HOUR
    before = cast.all_rows(session)
    content = cast.changed(session, clinic, *(CHANGES[name] for name in names), key=key)
    foreseen = retiming_effect.effect(session, clinic, key, content, now=now)
    version = cast.save(session, clinic, *(CHANGES[name] for name in names), now=now, key=key)
    planned, retimed = both_ways(session, clinic, version, now, size)
    assert retimed == planned
    check_effect(
        foreseen,
        before,
        retimed,
        {id for id, _ in session.execute(waiting(version.plan_id, version.id, now))},
    )
    savepoint.rollback()


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_on_both_databases(session: Session, clinic: Clinic, name: str) -> None:
    """A family on one phone, several treatments, a visit, and messages that have left."""
    week_ago = log(session, clinic, CAROL, ended_at=ENDED - 3 * DAY, next_visit=ENDED + 5 * DAY)
    attempted(messages(session, week_ago)["day0-what-you-may-feel"])
    for patient in (ALICE, MIA, LEO, EDWARD):
        log(session, clinic, patient)
    log(session, clinic, ALICE, "cupping", ended_at=ENDED + HOUR)
    log(session, clinic, MIA, "sports-massage", ended_at=ENDED + 2 * HOUR)
    log(session, clinic, CAROL, ended_at=ENDED + HOUR)
    now = LOGGED + 3 * HOUR
    version = cast.save(session, clinic, CHANGES[name], now=now)
    planned, retimed = both_ways(session, clinic, version, now, 1)
    assert retimed == planned


def test_it_is_not_simply_the_same_as_before(session: Session, clinic: Clinic) -> None:
    """Of the comparison above: a change that moves something shows in it."""
    log(session, clinic)
    before = cast.all_rows(session)
    version = cast.save(session, clinic, later("day1-soreness-is-normal", "24h"), now=LOGGED)
    planned, _ = both_ways(session, clinic, version, LOGGED, 1)
    assert planned != before

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from notifier import consent
from notifier.models import Clinic, Patient
from tests.cast import ALICE, BOB, DESK, ENDED, LOGGED, log

DAY = timedelta(days=1)


@pytest.fixture
def alice(session: Session, clinic: Clinic) -> Patient:
    return log(session, clinic, ALICE, consents=()).patient


@pytest.fixture
def bob(session: Session, clinic: Clinic) -> Patient:
    return log(session, clinic, BOB).patient


def enter(session: Session, patient: Patient, granted: bool, when: datetime, *, channel: str = "sms") -> bool:
    return consent.record(
        session,
        patient,
        channel,
        granted=granted,
        at=when,
        now=LOGGED,
        method="form",
        wording="You may text me.",
        actor=DESK,
    )


def allowed(session: Session, patient: Patient, channel: str = "sms") -> bool | None:
    session.flush()
    standing = consent.standings(session, [patient.id]).get((patient.id, channel))
    return None if standing is None else standing.granted


def test_who_never_said_anything_has_no_standing(session: Session, bob: Patient) -> None:
    assert consent.standings(session, [bob.id]) == {}
    assert consent.standings(session, []) == {}


@pytest.mark.parametrize(
    ("lines", "granted"),
    [
        ([(True, 0)], True),
        ([(True, 0), (False, 1)], False),
        ([(True, 0), (False, 1), (True, 2)], True),
        # Entered in another order than said: an old form found later does not undo a withdrawal.
        ([(False, 1), (True, 0)], False),
        ([(True, 2), (False, 1), (True, 0)], True),
        # At the same instant, no wins, whichever was entered first.
        ([(True, 0), (False, 0)], False),
        ([(False, 0), (True, 0)], False),
        ([(False, 0), (True, 0), (True, 1)], True),
    ],
)
def test_the_latest_word_counts_whenever_it_was_entered(
    session: Session, alice: Patient, lines: list[tuple[bool, int]], granted: bool
) -> None:
    for said, days in lines:
        assert enter(session, alice, said, ENDED + days * DAY)
    assert allowed(session, alice) is granted
    standing = consent.standings(session, [alice.id])[alice.id, "sms"]
    assert standing.at == ENDED + max(days for _, days in lines) * DAY


def test_each_channel_and_each_patient_has_a_standing_of_its_own(
    session: Session, alice: Patient, bob: Patient
) -> None:
    enter(session, alice, True, ENDED)
    enter(session, alice, False, ENDED + DAY, channel="email")
    enter(session, bob, False, ENDED)
    assert (allowed(session, alice), allowed(session, alice, "email")) == (True, False)
    assert (allowed(session, bob), allowed(session, bob, "email")) == (False, None)
    assert len(consent.standings(session, [alice.id, bob.id])) == 3


def test_the_same_line_is_added_once(session: Session, alice: Patient) -> None:
    assert enter(session, alice, True, ENDED)
    session.flush()
    assert not enter(session, alice, True, ENDED)
    # The same instant, said in another zone.
    assert not enter(session, alice, True, ENDED.astimezone(timezone(timedelta(hours=5, minutes=45))))
    assert enter(session, alice, True, ENDED, channel="email")
    session.flush()
    assert len(consent.history(session, alice)) == 2


def test_the_same_line_said_twice_at_once_is_added_once(session: Session, alice: Patient) -> None:
    said = [(alice, consent.ConsentGiven("sms", True, ENDED))] * 2
    assert consent.record_all(session, said, now=LOGGED, actor="import") == 1
    assert consent.record_all(session, said, now=LOGGED, actor="import") == 0


def test_the_ledger_keeps_every_line_with_how_and_by_whom(session: Session, alice: Patient) -> None:
    enter(session, alice, True, ENDED - DAY)
    enter(session, alice, False, ENDED)
    session.flush()
    newest, oldest = consent.history(session, alice)
    assert (newest.granted, newest.at) == (False, ENDED)
    assert (oldest.granted, oldest.at, oldest.recorded_at) == (True, ENDED - DAY, LOGGED)
    assert (oldest.method, oldest.wording, oldest.recorded_by) == ("form", "You may text me.", DESK)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=8))
def test_the_order_of_entering_never_matters(
    session: Session, alice: Patient, said: Sequence[tuple[bool, int]]
) -> None:
    latest = max(days for _, days in said)
    with session.begin_nested() as savepoint:
        for granted, days in said:
            enter(session, alice, granted, ENDED + days * DAY)
        assert allowed(session, alice) is all(granted for granted, days in said if days == latest)
        savepoint.rollback()

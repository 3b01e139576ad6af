"""Who waits for a person, in which order, and what dealing with it does."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import conversation, db, inbox, inbox_handling, staff
from notifier.errors import ConflictError, NotFoundError
from notifier.inbox import Show, Waiting
from notifier.models import Alert, Clinic, Patient, Reply
from tests.cast import ALICE, BOB, CAROL, DESK, LOGGED, log, on_postgresql, on_sqlite
from tests.query_plans import asked
from tests.replies_cast import EMERGENCY, WROTE, rings, wrote

MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice(session: Session, clinic: Clinic) -> Patient:
    return log(session, clinic, ALICE).patient


def test_people_stand_once_the_most_serious_first_then_the_oldest(
    session: Session, clinic: Clinic, other_clinic: Clinic, alice: Patient
) -> None:
    carol = log(session, clinic, CAROL).patient
    bob = log(session, clinic, BOB).patient
    wrote(session, clinic, carol, "Later", when=WROTE + MINUTE)
    wrote(session, clinic, alice, "May I run?", when=WROTE)
    wrote(session, clinic, bob, "3", rank=9)
    wrote(session, clinic, carol, "My arm is swollen", when=WROTE + 2 * MINUTE, rank=1)
    wrote(session, other_clinic, None, "Hello?")
    found = inbox.entries(session, clinic, staff_id=1, now=WROTE)
    assert [(entry.patient, entry.reply.rank, entry.more) for entry in found] == [
        (carol, 1, 1),
        (alice, 3, 0),
    ]
    assert inbox.waiting(session, clinic.id) == Waiting(2, is_serious=True)
    assert inbox.open_count(session, other_clinic.id) == 1


def test_dealing_with_it_takes_all_that_was_on_the_screen_and_the_alert(
    session: Session, clinic: Clinic, alice: Patient
) -> None:
    first = wrote(session, clinic, alice, "I cant breathe", **EMERGENCY)
    second = wrote(session, clinic, alice, "Help", when=WROTE + MINUTE)
    alert = rings(session, clinic, first)
    unseen = wrote(session, clinic, alice, "Wait", when=WROTE + 2 * MINUTE)
    done = inbox_handling.done(session, first, how="called", now=WROTE, actor=DESK, through=second.id)
    assert done == [first, second]
    assert (unseen.handled_at, first.handled_by, second.handled_how) == (None, DESK, "called")
    assert (alert.acknowledged_by, alert.acknowledged_how) == (DESK, "inbox")
    assert inbox_handling.reopen(session, second, now=WROTE, actor=DESK) == [first, second]
    assert session.get_one(Alert, alert.id).acknowledged_at is not None
    with pytest.raises(ConflictError, match="on the list already"):
        inbox_handling.reopen(session, second, now=WROTE, actor=DESK)


def test_it_is_given_to_somebody_who_works_here(
    session: Session, clinic: Clinic, other_clinic: Clinic, alice: Patient
) -> None:
    def hired(at: Clinic, email: str) -> int:
        given = {"name": email[:3], "role": "front_desk", "password": None, "now": LOGGED, "actor": DESK}
        return staff.add(session, at, email=email, **given).id  # type: ignore[arg-type]

    fern, hugo = hired(clinic, "fern@riverside.example"), hired(other_clinic, "hugo@harbour.example")
    reply = wrote(session, clinic, alice, "May I run?")
    assert inbox_handling.assign(session, reply, fern, now=WROTE, actor=DESK) is None

    def shown(show: Show, who: int) -> list[str]:
        return [entry.assigned for entry in inbox.entries(session, clinic, show, staff_id=who, now=WROTE)]

    assert (shown(Show.MINE, fern), shown(Show.MINE, hugo), shown(Show.UNASSIGNED, fern)) == (["fer"], [], [])
    with pytest.raises(NotFoundError):
        inbox_handling.assign(session, reply, hugo, now=WROTE, actor=DESK)
    assert inbox_handling.assign(session, reply, None, now=WROTE, actor=DESK) == fern


@on_sqlite
def test_no_look_walks_through_all_replies_or_messages(
    session: Session, clinic: Clinic, alice: Patient
) -> None:
    reply, stranger = wrote(session, clinic, alice, "May I run?"), wrote(session, clinic, None, "Hello?")
    with asked(session) as found:
        inbox.waiting(session, clinic.id)
        inbox.entries(session, clinic, staff_id=1, now=WROTE)
        inbox_handling.open_alerts(session, reply)
        inbox.open_of(session, reply)
        inbox.entries(session, clinic, Show.DONE, staff_id=1, now=WROTE)
        conversation.of_reply(session, clinic, reply)
        conversation.of_reply(session, clinic, stranger)
    assert sum("ix_replies_open" in plan for plan in found.plans) >= 2
    assert found.scans == []


@on_postgresql
def test_of_two_who_deal_with_it_at_the_same_moment_one_is_told(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        reply_id = wrote(session, clinic, None, "Hello?").id
    said: list[str] = []
    together = threading.Barrier(2)

    def deal(actor: str) -> None:
        try:
            with db.transaction(engine) as session:
                reply = session.get_one(Reply, reply_id)
                together.wait()
                inbox_handling.done(session, reply, how="answered", now=WROTE, actor=actor)
            said.append("done")
        except ConflictError as error:
            said.append(str(error))

    people = [threading.Thread(target=deal, args=(f"{name}@riverside.example",)) for name in ("ada", "fern")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert "done" in said
    (told,) = (words for words in said if words != "done")
    assert "has dealt with it already, Tue 3 Feb 19:00: answered." in told

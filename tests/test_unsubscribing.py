"""A no by the link in an e-mail, while the desk is at work on somebody else at the same address."""

from __future__ import annotations

import threading
from dataclasses import replace

from sqlalchemy import Engine, select

from notifier import db, unsubscribing
from notifier.models import Clinic, Message, Patient, Suppression
from notifier.patient_edits import lock
from tests.cast import ALICE, LOGGED, log, on_postgresql

# They have one address between them, and prefer it.
MAILED = replace(ALICE, preferred_channel="email")
ANNA = replace(MAILED, first_name="Anna", phone="(212) 555-0106")


@on_postgresql
def test_it_waits_for_a_desk_that_then_looks_at_messages(engine: Engine, clinic: Clinic) -> None:
    """Each would otherwise wait for the other, and the database end one of the two: perhaps the no."""
    with db.transaction(engine) as session:
        mine = session.get_one(Clinic, clinic.id)
        alice = log(session, mine, MAILED).patient_id
        sister = log(session, mine, ANNA).patient_id
    failed: list[Exception] = []

    def by_the_link() -> None:
        try:
            with db.transaction(engine) as session:
                at, patient = session.get_one(Clinic, clinic.id), session.get_one(Patient, alice)
                unsubscribing.stop(session, at, patient, "email", now=LOGGED)
        except Exception as error:
            failed.append(error)

    link = threading.Thread(target=by_the_link)
    with db.transaction(engine) as session:
        lock(session, session.get_one(Patient, sister))
        link.start()
        link.join(0.5)
        assert link.is_alive()
        session.execute(select(Message.id).where(Message.patient_id == sister).with_for_update())
    link.join(10)
    assert failed == []
    with db.reading(engine) as session:
        assert session.scalars(select(Suppression.address)).all() == ["alice@example.com"]

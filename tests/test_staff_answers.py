"""What the desk writes back: to whom it may go, what it costs, and that it goes once, or not at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import quick_answers, staff_answers
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Clinic, Message, Patient, Reply, Treatment
from notifier.rules import sms_text
from tests.cast import ALICE, BOB, DAY0, DESK, EDWARD, MIA, log, messages, on_sqlite, stop
from tests.replies_cast import EMERGENCY, WROTE, rings, wrote
from tests.worker_cast import Shift

LATER = WROTE + timedelta(seconds=10)


def write(session: Session, clinic: Clinic, patient: Patient | None, **how: Any) -> Message:
    given: dict[str, Any] = {"channel": "sms", "words": "Yes, you may.", "now": WROTE, "actor": DESK} | how
    channel, words = given.pop("channel"), given.pop("words")
    return staff_answers.write(session, clinic, patient, channel, words, **given)


def test_one_click_is_one_message_that_leaves_in_ten_seconds(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic, ALICE).patient
    reply = wrote(session, clinic, alice, "May I run?")
    message = write(session, clinic, alice, reply=reply, token="a1")
    assert write(session, clinic, alice, reply=reply, token="a1") is message
    assert (message.kind, message.to, message.due_at, message.reply_id) == (
        "staff", "+12125550101", LATER, reply.id,
    )  # fmt: skip
    mail = write(session, clinic, alice, channel="email")
    assert (mail.to, mail.subject) == ("alice@example.com", "Riverside Physio")
    staff_answers.take_back(session, clinic, message.id, now=WROTE, actor=DESK)
    assert message.status == "cancelled"
    planned = messages(session, session.scalars(select(Treatment)).one())[DAY0]
    with pytest.raises(NotFoundError):
        staff_answers.take_back(session, clinic, planned.id, now=WROTE, actor=DESK)


@pytest.mark.parametrize(
    ("words", "says"), [("  ", "Write what you want to say"), ("word " * 260, "8 are the most")]
)
@on_sqlite
def test_words_that_cannot_go(session: Session, clinic: Clinic, words: str, says: str) -> None:
    alice = log(session, clinic, ALICE).patient
    with pytest.raises(InputError, match=says):
        write(session, clinic, alice, words=words)


def test_who_said_no_is_not_written_to(session: Session, clinic: Clinic) -> None:
    alice, bob = log(session, clinic, ALICE).patient, log(session, clinic, BOB).patient
    reply = wrote(session, clinic, alice, "STOP")
    stop(session, alice, WROTE)
    with pytest.raises(ConflictError, match=r"opted out on 2026-02-0\d. Call instead."):
        write(session, clinic, alice, reply=reply)
    ways = staff_answers.ways(session, clinic, alice, reply)
    assert [(way.channel, bool(way.obstacle)) for way in ways] == [("sms", True), ("email", False)]
    with pytest.raises(ConflictError, match="No consent to SMS is on record"):
        write(session, clinic, bob)
    with pytest.raises(ConflictError, match="no address for SMS"):
        write(session, clinic, log(session, clinic, EDWARD).patient)


def test_a_number_that_wrote_is_answered_unless_somebody_there_said_no(
    session: Session, clinic: Clinic
) -> None:
    stranger = wrote(session, clinic, None, "Hello?", sender="+12125550188")
    assert write(session, clinic, None, reply=stranger).to == "+12125550188"
    mia = log(session, clinic, MIA).patient
    shared = wrote(session, clinic, None, "Who?", sender=mia.phone or "")
    assert write(session, clinic, None, reply=shared).patient_id is None
    stop(session, mia, WROTE)
    with pytest.raises(ConflictError, match="opted out"):
        write(session, clinic, None, reply=shared, token="b")


@on_sqlite
def test_consent_is_looked_at_again_as_it_leaves(engine: Engine, clinic: Clinic, tmp_path: Path) -> None:
    shift = Shift(engine, clinic, tmp_path, now=WROTE)
    shift.log(ALICE, ended_at=WROTE - timedelta(hours=3))
    shift.drain()
    with shift.change() as session:
        alice = session.scalars(select(Patient)).one()
        reply = wrote(session, session.get_one(Clinic, clinic.id), alice, "May I {run}?")
        first = write(session, session.get_one(Clinic, clinic.id), alice, reply=reply, words="Yes, {run}…").id
    assert shift.drain() == []
    shift.clock.jump(LATER)
    assert [entry["text"] for entry in shift.drain()] == ["Yes, {run}..."]
    assert shift.attempts(first)[0].segments == 1
    with shift.change() as session:
        alice = session.get_one(Patient, alice.id)
        second = write(session, session.get_one(Clinic, clinic.id), alice, now=LATER).id
        stop(session, alice, LATER)
    shift.clock.jump(LATER + timedelta(minutes=1))
    assert shift.drain() == []
    stopped = shift.message(second)
    assert (stopped.status, stopped.reason) == ("skipped", "This address opted out.")


def test_beside_a_warning_no_answer_reassures(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic, ALICE).patient
    calm = wrote(session, clinic, alice, "Still stiff")

    def worried(reply: Reply = calm) -> bool:
        return staff_answers.is_worrying(session, [alice], reply)

    assert not worried()
    warned = wrote(session, clinic, alice, "I cant breathe", **EMERGENCY)
    assert worried()
    warned.handled_at, warned.handled_by = WROTE, DESK
    session.flush()
    assert not worried()
    alert = rings(session, clinic, warned)
    assert worried()
    alert.acknowledged_at, alice.paused_at = WROTE, WROTE
    session.flush()
    assert worried()


@pytest.mark.parametrize("language", ["en", "es"])
@on_sqlite
def test_the_answers_that_are_ready(session: Session, clinic: Clinic, language: str) -> None:
    def keys(**how: Any) -> list[str]:
        return [each.key for each in quick_answers.offered(clinic, language, **({"now": WROTE} | how))]

    everything = ["call-today", "please-call", "keep-moving", "noted", "appointment"]
    assert keys(worried=False) == everything
    assert keys(worried=True) == ["call-today", "please-call"]
    clinic.opening_hours = {"wed": [["09:00", "18:00"]]}
    assert keys(worried=True) == ["call-next", "please-call"]
    clinic.opening_hours = {"tue": [["09:00", "20:00"]]}
    for quick in quick_answers.offered(clinic, language, worried=False, now=WROTE):
        size = sms_text.measure(quick.words)
        assert size.segments <= 2, quick.words
        assert "{{" not in quick.words
    with pytest.raises(ConflictError, match="does not fit any more"):
        quick_answers.find(clinic, "noted", language, worried=True, now=WROTE)

"""What is older than it is kept goes by itself, in small pieces; what is still open stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, messages, retention, timeline
from notifier.config import Settings
from notifier.models import Attempt, AuditEntry, Clinic, Message, Reply
from tests.cast import DAY0, DAY1, DESK, LOGGED, attempted, log
from tests.cast import messages as rows_of
from tests.replies_cast import EMERGENCY, rings, wrote

DAYS = {"words": timedelta(days=90), "replies": timedelta(days=30), "audit": timedelta(days=365)}
SETTINGS = Settings().model_copy(
    update={"retention": Settings().retention.model_copy(update=DAYS)},
)
IN_A_DAY, SOON = timedelta(days=1), timedelta(minutes=1)


def after(**span: float) -> datetime:
    return LOGGED + timedelta(**span)


def run(session: Session, now: datetime) -> timedelta:
    """Until it is content for the day; how long it then waits."""
    for _ in range(50):
        wait = retention.blank_old(session, SETTINGS, now) - now
        session.expire_all()
        if wait > SOON:
            return wait
    raise AssertionError("It never ends.")


def sent(session: Session, clinic: Clinic, step: str = DAY0, **columns: Any) -> Message:
    known = session.scalars(select(Message).where(Message.step == step)).first()
    message = known or rows_of(session, log(session, clinic))[step]
    attempted(message)
    message.words = message.subject = "Hi Alice"
    session.add(
        Attempt(
            message_id=message.id,
            number=1,
            channel="sms",
            address=message.to,
            subject="Hi",
            words="Hi Alice",
            claimed_at=message.claimed_at or LOGGED,
        )
    )
    for name, value in columns.items():
        setattr(message, name, value)
    session.flush()
    return message


def said(session: Session, message: Message) -> tuple[str, str, str, str]:
    attempt = session.scalars(select(Attempt).where(Attempt.message_id == message.id)).one()
    return message.words, message.subject, attempt.words, attempt.subject


def test_words_go_with_age_and_the_row_stays(session: Session, clinic: Clinic) -> None:
    message = sent(session, clinic)
    assert run(session, after(days=89)) == IN_A_DAY
    assert said(session, message) == ("Hi Alice", "Hi Alice", "Hi Alice", "Hi")
    assert run(session, after(days=91)) == IN_A_DAY
    assert said(session, message) == ("", "", "", "")
    assert (message.status, message.to) == ("sent", "+12125550101")
    detail = timeline.detail(session, clinic, message.id, after(days=91))
    assert detail.words.is_gone
    assert messages.story(session, messages.get(session, clinic, message.id))


@pytest.mark.parametrize("status", ["held", "unknown", "sending"])
def test_what_a_person_or_a_worker_still_needs_stays_until_it_is_settled(
    session: Session, clinic: Clinic, status: str
) -> None:
    waiting, other = sent(session, clinic, status=status), sent(session, clinic, DAY1)
    run(session, after(days=120))
    assert said(session, waiting)[2] == "Hi Alice"
    assert said(session, other)[2] == ""
    waiting.status = "sent"
    session.flush()
    run(session, after(days=121))
    assert said(session, waiting)[2] == ""


def test_replies_go_but_not_one_that_nobody_has_dealt_with(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic).patient
    done = wrote(session, clinic, alice, "Thanks", handled_at=LOGGED, note="Called her", matched=["thanks"])
    noise = wrote(session, clinic, alice, "ok", rank=9)
    unread = wrote(session, clinic, alice, "Is that normal?")
    alarming = wrote(session, clinic, alice, "I cannot breathe", handled_at=LOGGED, **EMERGENCY)
    alert = rings(session, clinic, alarming)
    run(session, after(days=60))
    assert [row.body for row in (done, noise, unread, alarming)] == [
        *("", "", "Is that normal?", "I cannot breathe")
    ]
    assert (done.note, done.matched, done.intent, done.patient_id) == ("", [], "other", alice.id)
    unread.handled_at = alert.acknowledged_at = after(days=60)
    session.flush()
    run(session, after(days=61))
    assert session.scalars(select(Reply.body)).all() == [""] * 4


def test_a_message_that_tells_of_an_open_alert_stays(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic).patient
    alert = rings(session, clinic, wrote(session, clinic, alice, "Help", **EMERGENCY))
    message = sent(session, clinic, kind="alert", alert_id=alert.id)
    run(session, after(days=120))
    assert said(session, message)[2] == "Hi Alice"


def test_the_audit_trail_ends_where_its_age_does(session: Session, clinic: Clinic) -> None:
    for days in (0, 10, 200):
        audit.viewed(session, clinic_id=clinic.id, patient_id=1, now=after(days=days), actor=DESK)
    run(session, after(days=380))
    assert session.scalars(select(AuditEntry.at)).all() == [after(days=200)]


def test_it_is_done_in_small_pieces_with_pauses(
    session: Session, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    alice = log(session, clinic).patient
    for number in range(5):
        wrote(session, clinic, alice, f"No. {number}", handled_at=LOGGED)
    now = after(days=60)
    left: list[int] = []
    for _ in range(3):
        retention.blank_old(session, SETTINGS, now)
        left.append(len(session.scalars(select(Reply.id).where(Reply.body != "")).all()))
    assert left == [3, 1, 0]

"""What a sender can no longer send in time is skipped with the reason, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier.db import RealTime
from notifier.models import Clinic, Message, Sender
from tests import cast
from tests.worker_cast import Shift


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def stop_sender(shift: Shift, channel: str, reason: str) -> None:
    with shift.change() as session:
        sender = session.scalars(select(Sender).where(Sender.channel == channel)).one()
        sender.stopped_at, sender.stopped_reason = shift.clock.now(), reason
        sender.probe_at = RealTime(3600)


def a_week_later(shift: Shift) -> dict[str, Message]:
    shift.clock.jump(shift.clock.now() + timedelta(days=8))
    dispatcher = shift.dispatcher()
    assert dispatcher.drain() == 0
    dispatcher.close()
    with shift.change() as session:
        rows = session.scalars(select(Message).where(Message.step.is_not(None))).all()
        session.expunge_all()
    return {row.step or "": row for row in rows}


def test_what_a_stopped_sender_could_not_send_in_time_is_skipped_and_says_why(shift: Shift) -> None:
    shift.log(cast.ALICE)
    stop_sender(shift, "sms", "Twilio refused the account (20003).")
    row = a_week_later(shift)["day1-soreness-is-normal"]
    assert (row.status, row.attempts) == ("skipped", 0)
    assert "Twilio refused the account (20003)." in row.reason
    with shift.change() as session:
        moves = cast.events(session, row)
    assert [(move.from_status, move.to_status) for move in moves][-1] == ("scheduled", "skipped")
    assert moves[-1].reason == row.reason


def test_what_waits_for_a_channel_that_is_not_set_up_ends_too(shift: Shift) -> None:
    shift.log(cast.ALICE)
    del shift.channels["sms"]
    assert "SMS is not set up" in a_week_later(shift)["day1-soreness-is-normal"].reason


def test_what_may_still_be_useful_goes_on_waiting(shift: Shift) -> None:
    shift.log(cast.ALICE)
    stop_sender(shift, "sms", "Twilio refused the account (20003).")
    dispatcher = shift.dispatcher()
    shift.clock.jump(shift.clock.now() + timedelta(hours=3))  # day 0 is due and useful for 18 hours
    dispatcher.drain()
    dispatcher.close()
    with shift.change() as session:
        statuses = session.scalars(select(Message.status).where(Message.due_at.is_not(None))).all()
    assert set(statuses) == {"scheduled"}

"""Messages whose time no rule says: sent again by a person, or in the place of one that failed.

Whatever the desk does to them, they wait for a moment that comes, or say why they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from notifier import fallback, message_actions, pausing, resending, treatments
from notifier.cases import gather
from notifier.errors import ConflictError
from notifier.models import Clinic, Message, Treatment
from tests.cast import DAY0, DAY1, DESK, LOGGED, at, attempted, log, messages, plan_of
from tests.retiming_cast import retimed, without

NOW = at("2026-02-03 18:00")
HOUR = timedelta(hours=1)
Make = Callable[[Session, Clinic, Message], Message]


def sent_again(session: Session, clinic: Clinic, failed: Message) -> Message:
    failed = message_actions.get(session, clinic, failed.id)
    return resending.resend(session, clinic, failed, "", now=NOW, actor=DESK)[0]


def stand_in(session: Session, clinic: Clinic, failed: Message) -> Message:
    (case,) = gather(session, [failed], NOW)
    message = fallback.take_over(session, case, now=NOW, actor="w1")
    assert message is not None
    return message


@pytest.fixture
def treatment(session: Session, clinic: Clinic) -> Treatment:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0], "failed", on=at("2026-02-03 17:30"))
    return treatment


@pytest.fixture(params=[sent_again, stand_in])
def message(
    request: pytest.FixtureRequest, session: Session, clinic: Clinic, treatment: Treatment
) -> Message:
    make: Make = request.param
    return make(session, clinic, messages(session, treatment)[DAY0])


def test_it_goes_on_when_a_pause_ends(session: Session, treatment: Treatment, message: Message) -> None:
    pausing.pause(session, treatment.patient, "", now=NOW, actor=DESK)
    message.status, message.reason, message.reason_code = "held", "Paused.", "paused"
    effect = pausing.resume(session, treatment.patient, now=NOW + HOUR, actor=DESK)
    assert (message.status, message.due_at) == ("scheduled", NOW + HOUR)
    assert message in effect.moved
    assert plan_of(session, treatment)[DAY1] == "2026-02-04 13:30"


def test_it_cannot_be_put_back_where_it_never_was(session: Session, message: Message) -> None:
    with pytest.raises(ConflictError, match="does not say when it was due"):
        message_actions.put_back(session, message, now=NOW, actor=DESK)


def test_it_is_restored_after_a_cancel(session: Session, message: Message) -> None:
    message_actions.cancel(session, message, now=NOW, actor=DESK)
    assert message_actions.restore(session, [message], now=NOW + HOUR, actor=DESK) == [message]
    assert (message.status, message.due_at) == ("scheduled", NOW + HOUR)


def test_it_is_not_restored_over_a_void(session: Session, treatment: Treatment, message: Message) -> None:
    message_actions.cancel(session, message, now=NOW, actor=DESK)
    treatments.void(session, treatment, reason="", now=NOW, actor=DESK)
    assert message_actions.restore(session, [message], now=NOW, actor=DESK) == []
    assert (message.status, message.reason) == ("cancelled", "The treatment was voided.")


def test_what_is_in_the_plan_no_more_is_not_restored(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    message = messages(session, treatment)[DAY1]
    message_actions.cancel(session, message, now=LOGGED, actor=DESK)
    retimed(session, clinic, without(DAY1), now=LOGGED)
    assert message_actions.restore(session, [message], now=LOGGED, actor=DESK) == []
    assert message.status == "cancelled"

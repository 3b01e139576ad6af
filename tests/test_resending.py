"""Sending a message again to an address that was put right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import message_actions, resending, treatments
from notifier.cases import gather
from notifier.dispatch import judge
from notifier.errors import ConflictError, NeedsConfirmation
from notifier.models import Clinic, Message, Treatment
from notifier.wording import Ready
from tests.cast import (
    DAY0,
    DAY1,
    DESK,
    at,
    attempted,
    events,
    log,
    messages,
    plan_of,
    replanned,
    stop,
)

RIGHT, NUMBER = "(212) 555-0177", "+12125550177"
NOW = at("2026-02-03 18:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def treatment(session: Session, clinic: Clinic) -> Treatment:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0], "undelivered", on=at("2026-02-03 17:30"))
    treatment.patient.phone_problem = "The number is not in use."
    return treatment


def first(session: Session, clinic: Clinic, treatment: Treatment, step: str = DAY0) -> Message:
    """The message that went wrong, taken in hand."""
    session.flush()
    planned = select(Message.id).where(Message.dedup_key == f"plan:{treatment.id}:{step}:sms")
    return message_actions.get(session, clinic, session.scalars(planned).one())


def again(session: Session, clinic: Clinic, treatment: Treatment, to: str = RIGHT) -> Message:
    message = first(session, clinic, treatment)
    return resending.resend(session, clinic, message, to, now=NOW, actor=DESK)[0]


def test_the_number_is_put_right_and_a_new_message_goes_there(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = again(session, clinic, treatment)
    assert (message.to, message.status, message.due_at, message.step) == (NUMBER, "scheduled", NOW, DAY0)
    assert resending.replaced_id(message) == first(session, clinic, treatment).id
    assert message.reason == f"Sent again to {NUMBER}; the first went to +12125550101."
    assert (treatment.patient.phone, treatment.patient.phone_problem) == (NUMBER, "")
    (born,) = events(session, message)
    assert (born.from_status, born.to_status, born.actor) == ("", "scheduled", DESK)
    # What is still planned goes there too, and dispatch would let the new one out.
    assert {row.to for row in messages(session, treatment).values() if row.status == "scheduled"} == {NUMBER}
    assert isinstance(judge(gather(session, [message], NOW)[0], NOW), Ready)


def test_what_the_first_became_is_history(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    message = again(session, clinic, treatment)
    before = first(session, clinic, treatment)
    message.due_at = at("2026-02-04 09:00")  # as dispatch moves it, outside the sending window
    for _ in range(2):
        replanned(session, treatment.patient, NOW)
    assert (before.status, before.to, before.attempts) == ("undelivered", "+12125550101", 1)
    assert (message.status, message.due_at) == ("scheduled", at("2026-02-04 09:00"))
    treatments.void(session, treatment, reason="", now=NOW, actor=DESK)
    assert (before.status, message.status) == ("undelivered", "cancelled")


def test_it_is_not_sent_three_times_by_a_double_click(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    message = again(session, clinic, treatment)
    with pytest.raises(ConflictError, match="being sent again already"):
        again(session, clinic, treatment)
    attempted(message, "undelivered")
    assert again(session, clinic, treatment).dedup_key.endswith(":2")


def test_what_may_have_arrived_asks_first(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    message = first(session, clinic, treatment)
    message.status = "sent"
    with pytest.raises(NeedsConfirmation, match="may have arrived"):
        resending.resend(session, clinic, message, RIGHT, now=NOW, actor=DESK)
    assert treatment.patient.phone != NUMBER
    sent, _ = resending.resend(session, clinic, message, RIGHT, now=NOW, actor=DESK, confirmed=True)
    # Though the first one is not known to have failed, the second is let out.
    assert isinstance(judge(gather(session, [sent], NOW)[0], NOW), Ready)


def test_what_was_sent_again_and_may_have_arrived_asks_too(
    session: Session, clinic: Clinic, treatment: Treatment
) -> None:
    """The first one failed, and will for ever have; the patient has it all the same."""
    attempted(again(session, clinic, treatment), "delivered")
    with pytest.raises(ConflictError, match="a moment ago"):
        again(session, clinic, treatment)
    message, later = first(session, clinic, treatment), NOW + HOUR
    with pytest.raises(NeedsConfirmation, match=rf"sent again already, and was delivered to \{NUMBER}"):
        resending.resend(session, clinic, message, "", now=later, actor=DESK)
    sent, _ = resending.resend(session, clinic, message, "", now=later, actor=DESK, confirmed=True)
    attempted(sent)
    # The same yes, clicked twice.
    with pytest.raises(ConflictError, match="a moment ago"):
        resending.resend(session, clinic, message, "", now=later, actor=DESK, confirmed=True)


def test_what_nobody_may_send_is_refused(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    with pytest.raises(ConflictError, match="It was useful until"):
        resending.resend(
            session, clinic, first(session, clinic, treatment), RIGHT, now=NOW + 24 * HOUR, actor=DESK
        )
    with pytest.raises(ConflictError, match="never sent"):
        resending.resend(session, clinic, first(session, clinic, treatment, DAY1), RIGHT, now=NOW, actor=DESK)
    with pytest.raises(ConflictError, match="not in use"):  # the same number, which does not work
        again(session, clinic, treatment, to="")
    stop(session, treatment.patient, NOW)
    with pytest.raises(ConflictError, match="withdrawn"):
        again(session, clinic, treatment)


def test_the_plan_goes_on_beside_it(session: Session, clinic: Clinic, treatment: Treatment) -> None:
    again(session, clinic, treatment)
    assert plan_of(session, treatment)[DAY1] == "2026-02-04 13:30"

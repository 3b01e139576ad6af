"""Messages as people ask for them: the list, the documented JSON, the story of one, tests by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from notifier import clinics, messages
from notifier.errors import InputError, NotFoundError
from notifier.messages import Listed
from notifier.models import Attempt, Clinic, DeliveryReportRow, Message, MessageEvent, Sender
from tests import cast
from tests.cast import BOB, EDWARD, ENDED, LOGGED, log

ROW = {
    *("id", "external_id", "kind", "step", "channel", "to", "status", "reason", "due_at", "useful_until"),
    *("provider_id", "attempts"),
}
ATTEMPT = {
    *("number", "claimed_at", "finished_at", "outcome", "provider", "provider_id", "error_class"),
    *("error_code", "error", "segments", "words"),
}


def tried(session: Session, message: Message, number: int = 1, **values: Any) -> Attempt:
    given: dict[str, Any] = {
        "channel": message.channel,
        "address": message.to,
        "words": "Hi Alice.",
        "claimed_at": LOGGED,
        "worker": "worker-1",
        "outcome": "accepted",
        "provider": "twilio",
        "provider_id": f"SM{number}",
    }
    attempt = Attempt(message_id=message.id, number=number, **(given | values))
    session.add(attempt)
    session.flush()
    return attempt


def moved(session: Session, message: Message, old: str, new: str, **values: Any) -> None:
    given: dict[str, Any] = {"at": LOGGED, "actor": "worker-1"}
    session.add(MessageEvent(message_id=message.id, from_status=old, to_status=new, **(given | values)))
    session.flush()


def first(session: Session, clinic: Clinic) -> Listed:
    return messages.listing(session, clinic)[0]


# The list


def test_every_row_has_exactly_the_documented_shape(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, external_id="T-1")
    row = cast.messages(session, treatment)["day0-what-you-may-feel"]
    tried(session, row, 1, outcome="failed", provider_id=None, error="Refused.", error_code="20429")
    tried(session, row, 2)
    shapes = [messages.as_json(item) for item in messages.listing(session, clinic)]
    assert [set(shape) for shape in shapes] == [ROW] * len(shapes)
    (shape,) = [shape for shape in shapes if shape["id"] == row.id]
    assert (shape["external_id"], shape["step"], shape["kind"]) == ("T-1", row.step, "planned")
    assert (shape["channel"], shape["to"], shape["status"]) == ("sms", "+12125550101", "scheduled")
    assert shape["provider_id"] == "SM2"
    assert [set(attempt) for attempt in shape["attempts"]] == [ATTEMPT, ATTEMPT]
    assert [attempt["number"] for attempt in shape["attempts"]] == [1, 2]


def test_it_stands_in_the_order_of_time(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    log(session, clinic, BOB, ended_at=ENDED + timedelta(days=1))
    listed = [item.message for item in messages.listing(session, clinic)]
    moments = [message.due_at or message.created_at for message in listed]
    assert moments == sorted(moments)
    assert any(message.due_at is None for message in listed)
    # What Bob was never going to get stands where his treatment was logged, not at the end.
    assert listed[-1].due_at is not None


def test_it_can_be_narrowed_and_cut(session: Session, clinic: Clinic) -> None:
    one, other = log(session, clinic), log(session, clinic, EDWARD)
    ids = {item.message.treatment_id for item in messages.listing(session, clinic, treatment_id=one.id)}
    assert ids == {one.id}
    of_edward = messages.listing(session, clinic, patient_id=other.patient_id, statuses=["scheduled"])
    assert {(item.message.channel, item.message.status) for item in of_edward} == {("email", "scheduled")}
    assert len(messages.listing(session, clinic, limit=3)) == 3


def test_another_clinic_sees_nothing_of_it(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    log(session, clinic)
    assert messages.listing(session, other_clinic) == []
    with pytest.raises(NotFoundError, match="at Harbour Osteopathy"):
        messages.get(session, other_clinic, first(session, clinic).message.id)


def test_a_long_list_has_all_attempts(session: Session, clinic: Clinic) -> None:
    sender = clinics.active_senders(session, clinic)[0]
    rows = [
        {
            "clinic_id": clinic.id,
            "kind": "test",
            "dedup_key": f"test:{number}",
            "sender_id": sender.id,
            "priority": 1,
            "status": "sent",
            "channel": "sms",
            "to": "+12125550101",
            "due_at": LOGGED,
            "created_at": LOGGED,
        }
        for number in range(550)
    ]
    session.execute(insert(Message), rows)
    listed = messages.listing(session, clinic)
    session.execute(
        insert(Attempt),
        [
            {
                "message_id": item.message.id,
                "number": 1,
                "channel": "sms",
                "address": "+12125550101",
                "words": "",
                "claimed_at": LOGGED,
            }
            for item in listed
        ],
    )
    assert {len(item.attempts) for item in messages.listing(session, clinic)} == {1}


def test_a_step_that_goes_another_way_is_shown_once(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    patient = treatment.patient
    cast.says(session, patient, "sms", False, LOGGED, now=LOGGED)
    listed = messages.listing(session, clinic, treatment_id=treatment.id)
    shown = messages.leading(listed)
    waiting = [item.message for item in shown if item.message.status == "scheduled"]
    assert {row.channel for row in waiting} == {"email"}
    assert len({item.message.step for item in shown}) == len(shown) < len(listed)


@pytest.mark.parametrize(
    ("provider", "status", "remark"),
    [
        ("outbox", "sent", "Late. Kept in the outbox; it reached nobody."),
        ("outbox", "scheduled", "Late."),
        ("twilio", "sent", "Late."),
    ],
)
def test_what_stayed_in_the_outbox_is_not_said_to_have_reached_anybody(
    session: Session, clinic: Clinic, provider: str, status: str, remark: str
) -> None:
    message = cast.messages(session, log(session, clinic))["day0-what-you-may-feel"]
    message.status, message.reason = status, "Late."
    tried(session, message, provider=provider)
    assert messages.remark(messages.get(session, clinic, message.id)) == remark


def test_names_are_those_of_the_patients(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    log(session, clinic, BOB)
    names = messages.names(session, messages.listing(session, clinic))
    assert sorted(names.values()) == ["Alice Moreau", "Bob Tanaka"]


# The story of one


def told(session: Session, clinic: Clinic, message: Message) -> list[tuple[str, str]]:
    listed = messages.get(session, clinic, message.id)
    return [(moment.what, moment.why) for moment in messages.story(session, listed)]


def test_a_story_is_in_order_even_where_the_clock_stands_still(session: Session, clinic: Clinic) -> None:
    message = cast.messages(session, log(session, clinic))["day0-what-you-may-feel"]
    moved(session, message, "sending", "scheduled", reason="Tried again later: busy.", attempt=1)
    moved(session, message, "sending", "accepted", attempt=2)
    tried(session, message, 2, segments=2, encoding="GSM-7")
    tried(session, message, 1, outcome="failed", error="busy", segments=1, encoding="GSM-7")
    session.add(
        DeliveryReportRow(
            message_id=message.id,
            attempt=2,
            provider="twilio",
            provider_id="SM2",
            status="undelivered",
            provider_status="undelivered",
            code="30006",
            received_at=LOGGED,
        )
    )
    session.flush()
    assert told(session, clinic, message) == [
        ("planned: scheduled", ""),
        ("attempt 1 to +12125550101, 1 segment GSM-7", ""),
        ("sending → scheduled", "Tried again later: busy."),
        ("attempt 2 to +12125550101, 2 segments GSM-7", ""),
        ("sending → accepted", ""),
        ("twilio says undelivered", "code 30006"),
    ]


def test_an_attempt_that_moved_nothing_tells_its_error_itself(session: Session, clinic: Clinic) -> None:
    message = cast.messages(session, log(session, clinic))["day0-what-you-may-feel"]
    tried(session, message, outcome="failed", error="The number is not in service.")
    assert ("attempt 1 to +12125550101", "The number is not in service.") in told(session, clinic, message)


def test_a_row_that_changed_without_a_new_status_says_so(session: Session, clinic: Clinic) -> None:
    message = cast.messages(session, log(session, clinic))["day0-what-you-may-feel"]
    moved(session, message, "scheduled", "scheduled", reason="To keep messages apart.")
    assert ("scheduled, changed", "To keep messages apart.") in told(session, clinic, message)


# By hand


def a_test(session: Session, clinic: Clinic, channel: str = "sms", to: str = "+12125550188") -> Message:
    return messages.write_test(session, clinic, channel, to, subject="", words="Test.", now=LOGGED)


def sender_of(session: Session, clinic: Clinic, channel: str = "sms") -> Sender:
    return next(s for s in clinics.active_senders(session, clinic) if s.channel == channel)


def test_a_test_is_due_at_once(session: Session, clinic: Clinic) -> None:
    message = a_test(session, clinic)
    assert (message.status, message.due_at, message.kind) == ("scheduled", LOGGED, "test")
    assert message.patient_id is None
    assert messages.as_json(first(session, clinic))["step"] is None


@pytest.mark.parametrize(("channel", "to"), [("sms", "+12125550101"), ("email", "Alice@Example.com")])
def test_a_test_does_not_go_to_a_patient_who_said_no(
    session: Session, clinic: Clinic, channel: str, to: str
) -> None:
    log(session, clinic)
    a_test(session, clinic, channel, to)
    log(session, clinic, plan="cupping", consents=cast.no(channel, on=LOGGED))
    with pytest.raises(InputError, match="has said no"):
        a_test(session, clinic, channel, to)


def test_a_stop_binds_a_test_however_its_address_is_spelled(session: Session, clinic: Clinic) -> None:
    assert a_test(session, clinic, "email", "Me@Example.com").to == "me@example.com"


def test_without_a_sender_there_is_no_test(session: Session, clinic: Clinic) -> None:
    sender_of(session, clinic, "email").active = False
    session.flush()
    with pytest.raises(InputError, match="has no sender for email"):
        a_test(session, clinic, "email", "me@example.com")


def test_a_test_tries_out_a_stopped_sender_at_once(session: Session, clinic: Clinic) -> None:
    sender = sender_of(session, clinic)
    sender.stopped_at, sender.stopped_reason = LOGGED, "20003"
    sender.probe_at = LOGGED + timedelta(days=36500)
    session.flush()
    a_test(session, clinic)
    session.refresh(sender)
    assert sender.probe_at is not None
    assert sender.probe_at < LOGGED + timedelta(days=36500)


def test_a_test_that_waits_is_withdrawn_with_what_it_met(session: Session, clinic: Clinic) -> None:
    message = a_test(session, clinic)
    tried(session, message, 1, outcome="failed", error="The server is busy.")
    tried(session, message, 2, outcome="failed", error="The server is down.")
    messages.withdraw_test(session, message.id, now=LOGGED, actor="me")
    assert (message.status, message.reason) == (
        "cancelled",
        "The server is down. It was a test and is not tried again.",
    )
    (event,) = cast.events(session, message)
    assert (event.from_status, event.to_status, event.actor) == ("scheduled", "cancelled", "me")


def test_a_test_that_is_under_way_is_not_withdrawn(session: Session, clinic: Clinic) -> None:
    message = a_test(session, clinic)
    message.status = "sending"
    session.flush()
    messages.withdraw_test(session, message.id, now=LOGGED, actor="me")
    assert (message.status, cast.events(session, message)) == ("sending", [])


def test_what_waits_behind_a_stopped_sender_is_counted(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    for to in ("+12125550188", "+12125550189"):
        a_test(session, clinic, to=to)
    a_test(session, clinic, "email", "me@example.com")
    later = a_test(session, other_clinic)
    later.due_at = LOGGED + timedelta(hours=1)
    assert messages.behind_stopped_senders(session, LOGGED) == []
    for sender in (sender_of(session, clinic), sender_of(session, other_clinic)):
        sender.stopped_at, sender.stopped_reason = LOGGED, "The token is wrong."
    session.flush()
    assert messages.behind_stopped_senders(session, LOGGED) == [
        "2 due, but sms of Riverside Physio is stopped: The token is wrong."
    ]

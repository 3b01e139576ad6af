"""What a patient sends back, on both databases: whose it is, and all that follows in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from notifier import consent, replies, treatments
from notifier.envelope import Accepted, InboundMessage, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import (
    Alert,
    AlertContact,
    Clinic,
    Message,
    Patient,
    Reply,
    ScoreRow,
    Suppression,
    Treatment,
)
from notifier.replies import Received
from notifier.rules.delivery import ErrorClass, Status
from tests import cast
from tests.cast import on_sqlite
from tests.worker_cast import Answering, Shift

ALICE, FAMILY, STRANGER = "+12125550101", "+12125550104", "+12125550199"
MAIL = "alice@example.com"
_ids = itertools.count(1)


class World(Shift):
    """Riverside at work: patients write back, and the worker goes on sending."""

    def hear(
        self, body: str, *, by: str = ALICE, channel: str = "sms", when: str = "", **more: Any
    ) -> Received:
        if when:
            self.clock.jump(cast.at(when))
        given: dict[str, Any] = {
            "received_at": self.clock.now(),
            "to_address": "",
            "provider_id": f"in-{next(_ids)}",
        }
        given |= more
        inbound = InboundMessage(channel=channel, from_address=by, body=body, **given)
        with self.told(inbound) as received:
            return received

    @contextmanager
    def told(self, inbound: InboundMessage) -> Iterator[Received]:
        with self.change() as session:
            received = replies.receive(session, inbound, settings=self.settings, now=self.clock.now())
            session.flush()
            for reply in received.replies:
                session.refresh(reply)
            session.expunge_all()
        yield received

    def one(self, body: str, **more: Any) -> Reply:
        (reply,) = self.hear(body, **more).replies
        return reply

    def answers(self, body: str, **more: Any) -> list[str]:
        """The words that go out to the patient for it, to the end."""
        self.hear(body, **more)
        return [entry["text"] for entry in self.drain() if entry["to"] == more.get("by", ALICE)]

    def alerts(self) -> list[Alert]:
        with self.look() as session:
            return list(session.scalars(select(Alert).order_by(Alert.id)))

    def set(self, **columns: Any) -> None:
        with self.change() as session:
            clinic = session.get_one(Clinic, self.clinic.id)
            for name, value in columns.items():
                setattr(clinic, name, value)

    def count(self, *conditions: Any) -> int:
        with self.look() as session:
            return len(session.scalars(select(Message.id).where(*conditions)).all())


@pytest.fixture
def world(engine: Engine, clinic: Clinic, tmp_path: Path) -> World:
    world = World(engine, clinic, tmp_path)
    with world.change() as session:
        session.add(AlertContact(clinic_id=clinic.id, position=1, name="Dr Ruiz", phone="+12125550190"))
    return world


def _asked(world: World) -> int:
    """Alice was asked for a score, on Thursday 13:30."""
    treatment = world.log()
    for moment in ("2026-02-03 17:30", "2026-02-04 13:30", "2026-02-05 13:30"):
        world.drain(moment)
    assert world.rows(treatment)[cast.SCORE].status == "sent"
    return treatment


# Warnings


def test_a_warning_pauses_alerts_and_is_answered_before_everything_else(world: World) -> None:
    treatment = world.log()
    reply = world.one("My chest is tight and I cant catch my breath", when="2026-02-04 03:00")
    assert (reply.intent, reply.rank, reply.task) == ("red_flag", 0, "call_back")
    assert reply.patient_id == world.patient().id
    assert reply.treatment_id == treatment
    (alert,) = world.alerts()
    assert (alert.kind, alert.severity, alert.reply_id) == ("red_flag", "emergency", reply.id)
    sent = world.drain()
    assert {entry["to"] for entry in sent} == {ALICE, "+12125550190"}
    (answer,) = [entry["text"] for entry in sent if entry["to"] == ALICE]
    assert "call 911 or go to an emergency room NOW" in answer
    assert all("Alice" not in entry["text"] for entry in sent if entry["to"] != ALICE)
    # What was planned waits for a person, and reassures nobody meanwhile.
    world.drain("2026-02-04 13:30")
    assert world.rows(treatment)[cast.DAY1].status == "held"


def test_a_warning_from_who_opted_out_a_minute_ago_reaches_a_person_and_nobody_else(world: World) -> None:
    world.log()
    world.hear("STOP", when="2026-02-04 02:59")
    world.drain()
    world.hear("i think my lung collapsed", when="2026-02-04 03:00")
    sent = world.drain()
    assert {entry["to"] for entry in sent} == {"+12125550190"}
    (alert,) = world.alerts()
    assert alert.severity == "emergency"
    assert "opted out, so no automatic answer was sent. Call." in alert.summary


@on_sqlite
def test_a_warning_inside_a_stop_stops_and_still_gets_its_one_answer(world: World) -> None:
    world.log()
    (answer,) = world.answers("STOP texting me, I can't breathe", when="2026-02-04 10:00")
    assert "call 911" in answer
    assert len(world.alerts()) == 1
    with world.look() as session:
        assert session.scalars(select(Suppression.address)).all() == [ALICE]


@on_sqlite
def test_where_the_answer_to_a_warning_is_refused_the_alert_says_so(world: World) -> None:
    def refuse(outbound: OutboundMessage) -> Accepted:
        if outbound.to == ALICE:
            raise ChannelError(ErrorClass.OPT_OUT, "The number opted out.", code="21610")
        return Accepted("id", Status.SENT, "answering")

    world.log()
    world.hear("I fainted", when="2026-02-04 09:00")
    world.drain(channels={"sms": Answering(refuse)})
    (alert,) = world.alerts()
    assert alert.summary.endswith("The automatic answer did not reach the patient. Call.")


@on_sqlite
def test_a_rule_that_fails_hands_the_reply_to_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError

    world.log()
    monkeypatch.setattr(replies, "classify", broken)
    reply = world.one("anything", when="2026-02-04 03:00")
    assert (reply.rank, reply.body) == (1, "anything")
    (alert,) = world.alerts()
    assert alert.kind == "unreadable"
    # It may be a warning, so somebody is called at night too.
    assert world.count(Message.kind == "alert", Message.alert_id == alert.id) == 1


@on_sqlite
def test_the_clinics_own_words_count(world: World) -> None:
    world.log()
    world.set(reply_words={"urgent": {"en": ["zinging"]}})
    assert world.one("my arm is zinging").red_flags == ["urgent"]


# Stops and starts


def test_stop_cancels_what_is_pending_in_the_same_transaction_and_is_confirmed_once(world: World) -> None:
    world.log()
    received = world.hear("Stop!", when="2026-02-03 17:31")
    assert received.stopped == (("sms", ALICE),)
    pending = (Message.status == "scheduled", Message.channel == "sms", Message.kind == "planned")
    assert world.count(*pending) == 0
    (confirmed,) = [entry["text"] for entry in world.drain() if entry["channel"] == "sms"]
    assert "You will get no more automatic texts from us." in confirmed
    assert world.answers("STOP") == []
    with world.look() as session:
        patient = session.scalars(select(Patient)).one()
        entries = consent.history(session, patient)
        assert next((entry.channel, entry.granted) for entry in entries) == ("sms", False)


def test_start_lifts_it_and_revives_nothing(world: World) -> None:
    treatment = world.log()
    assert len(world.answers("STOP", when="2026-02-03 17:00")) == 1
    (answer,) = world.answers("start", when="2026-02-03 17:10")
    assert "You will get aftercare texts again" in answer
    assert "scheduled" not in {row.status for row in world.rows(treatment).values() if row.channel == "sms"}
    # The next treatment is accompanied again.
    later = world.log(ended_at=cast.at("2026-02-10 15:00"), now=cast.at("2026-02-10 15:10"))
    assert world.rows(later)[cast.DAY0].status == "scheduled"


@on_sqlite
def test_start_does_not_undo_what_was_said_at_the_desk(world: World) -> None:
    world.log(consents=cast.BOTH)
    with world.change() as session:
        patient = session.scalars(select(Patient)).one()
        consent.record(
            session,
            patient,
            "sms",
            granted=False,
            at=world.clock.now(),
            now=world.clock.now(),
            method="at the desk",
            wording="",
            actor="desk",
        )
    world.hear("STOP", when="2026-02-03 17:00")
    world.hear("START", when="2026-02-03 17:05")
    with world.look() as session:
        patient = session.scalars(select(Patient)).one()
        assert consent.standings(session, [patient.id])[patient.id, "sms"].granted is True


@on_sqlite
def test_what_twilio_answers_is_not_answered_twice(world: World) -> None:
    world.log()
    live = {"account_sid": "AC1", "auth_token": "t", "from_number": "+12125550111"}
    world.settings = world.settings.model_copy(
        update={
            "sms": world.settings.sms.model_copy(update=live),
            "delivery": world.settings.delivery.model_copy(
                update={"mode": "allowlist", "allowlist": (ALICE,)}
            ),
        }
    )
    assert world.hear("STOP").said == ()
    assert world.hear("leave me alone, stop texting me").said == ()
    assert world.count(Message.kind == "answer") == 0


@on_sqlite
def test_a_shared_phone_that_says_stop_stops_for_all_who_use_it(world: World) -> None:
    first, second = world.log(cast.MIA), world.log(cast.LEO)
    reply = world.one("STOP", by=FAMILY)
    assert reply.patient_id is None
    for treatment in (first, second):
        assert {row.status for row in world.rows(treatment).values()} <= {"cancelled", "skipped"}


@on_sqlite
def test_cancel_is_a_stop_that_somebody_asks_about(world: World) -> None:
    world.log()
    reply = world.one("CANCEL")
    assert (reply.intent, reply.rank, reply.task) == ("opt_out", 2, "check_visit")


@on_sqlite
def test_a_wrong_number_is_left_alone_and_named_to_the_desk(world: World) -> None:
    treatment = world.log()
    (answer,) = world.answers("who is this??", when="2026-02-04 10:00")
    assert answer == "Sorry about that. We will not text this number again."
    assert "wrong number" in world.patient().phone_problem
    assert "scheduled" not in {row.status for row in world.rows(treatment).values() if row.channel == "sms"}
    with world.look() as session:
        # It was a stranger who spoke: the patient's own yes stands.
        assert consent.standings(session, [world.patient().id])[world.patient().id, "sms"].granted


@on_sqlite
def test_less_leaves_the_safety_messages_and_more_brings_all_back(world: World) -> None:
    treatment = world.log()
    (answer,) = world.answers("less", when="2026-02-03 16:00")
    assert "you only get the safety text" in answer
    assert world.patient().essentials
    assert world.rows(treatment)[cast.DAY1].status == "skipped"
    world.answers("MORE", when="2026-02-03 16:05")
    assert world.rows(treatment)[cast.DAY1].status == "scheduled"


# Scores


def test_a_score_that_was_asked_for_is_stored_against_its_treatment(world: World) -> None:
    treatment = _asked(world)
    (answer,) = world.answers("about a 2", when="2026-02-05 14:10")
    assert "That is on track" in answer
    with world.look() as session:
        row = session.scalars(select(ScoreRow)).one()
        assert (row.treatment_id, row.value) == (treatment, 2)
    assert world.alerts() == []


def test_a_high_score_pauses_and_calls_somebody_in_opening_hours(world: World) -> None:
    world.set(opening_hours={"fri": [["08:00", "18:00"]]})
    _asked(world)
    (answer,) = world.answers("8/10", when="2026-02-05 21:00")
    assert "That is more than we expect now." in answer
    assert answer.endswith("We are closed until tomorrow 8:00 AM. If it cannot wait, go to urgent care.")
    (alert,) = world.alerts()
    assert (alert.kind, alert.severity) == ("score", "urgent")
    assert world.patient().paused_at is not None
    # A later low score is kept, and not met with reassurance.
    (again,) = world.answers("now 1", when="2026-02-05 21:30")
    assert "Please call" in again
    assert "on track" not in again


@on_sqlite
def test_a_volunteered_score_belongs_to_the_latest_treatment(world: World) -> None:
    treatment = world.log()
    world.hear("soreness is 5 out of 10 today", when="2026-02-04 09:00")
    with world.look() as session:
        assert session.scalars(select(ScoreRow.treatment_id)).one() == treatment


@on_sqlite
def test_an_unreadable_answer_is_asked_for_once_more_and_then_read_by_a_person(world: World) -> None:
    _asked(world)
    (first,) = world.answers("42", when="2026-02-05 14:00")
    assert "Reply with one number from 0 (no soreness) to 10 (worst)." in first
    (second,) = world.answers("43", when="2026-02-05 14:01")
    assert "This is an automatic line" in second


@on_sqlite
def test_on_a_shared_phone_the_one_who_was_asked_is_meant(world: World) -> None:
    treatment = world.log(cast.LEO, ended_at=cast.at("2026-02-01 15:00"))
    world.log(cast.MIA)
    world.drain("2026-02-03 17:30")
    reply = world.one("3", by=FAMILY, when="2026-02-03 18:00")
    with world.look() as session:
        asked = session.get_one(Patient, reply.patient_id or 0)
        assert asked.first_name == "Leo"
    assert reply.treatment_id == treatment


# Everything else


@on_sqlite
def test_keywords_are_answered_and_the_fallback_at_most_every_twelve_hours(world: World) -> None:
    world.log()
    (heat,) = world.answers("Ice", when="2026-02-04 10:00")
    assert "warm" in heat.lower()
    (fallback,) = world.answers("Can I run tomorrow?", when="2026-02-04 10:05")
    assert "This is an automatic line and replies are not watched live." in fallback
    assert world.answers("or swim?", when="2026-02-04 12:00") == []
    assert len(world.answers("hello?", when="2026-02-04 22:06")) == 1


@on_sqlite
def test_a_robot_and_a_loop_get_no_answer(world: World) -> None:
    world.log()
    assert world.answers("I am away until Monday", automatic=True) == []
    assert [len(world.answers("Thanks, received")) for _ in range(4)] == [1, 0, 0, 0]
    reply = world.one("I am out of office. stop", automatic=True)
    assert (reply.rank, reply.automatic) == (9, True)
    with world.look() as session:
        assert session.scalars(select(Suppression)).all() == []


def test_the_same_message_again_is_known(world: World) -> None:
    world.log()
    world.hear("STOP", provider_id="SM1")
    assert world.hear("STOP", provider_id="SM1") == Received()
    assert world.count(Message.kind == "answer") == 1


def test_what_no_database_takes_costs_nobody_a_hearing(world: World) -> None:
    assert world.one("chest\0 pain \ud83d", by=STRANGER).body == "chest pain ?"


@on_sqlite
def test_a_stranger_is_heard_too(world: World) -> None:
    reply = world.one("my mother was treated at yours and has chest pain", by=STRANGER)
    assert (reply.patient_id, reply.rank) == (None, 0)
    (alert,) = world.alerts()
    assert "Nobody is on record with this number." in alert.summary


@on_sqlite
def test_a_number_of_two_clinics_is_heard_by_the_one_that_wrote_last_and_stops_both(world: World) -> None:
    with world.change() as session:
        other = cast.open_harbour(session)
        other_id = other.id
    world.log()
    world.drain("2026-02-03 17:30")
    reply = world.one("hello", when="2026-02-03 18:00")
    assert reply.clinic_id == world.clinic.id
    # Nobody wrote to this one, and nobody knows it: both see what it says.
    received = world.hear("hello?", by=STRANGER)
    assert {row.clinic_id for row in received.replies} == {world.clinic.id, other_id}
    world.hear("STOP")
    with world.look() as session:
        stopped = session.scalars(select(Suppression.clinic_id).where(Suppression.address == ALICE))
        assert set(stopped) == {world.clinic.id, other_id}


@on_sqlite
def test_an_email_belongs_to_the_message_that_it_answers(world: World) -> None:
    treatment = world.log(replace(cast.EDWARD))
    world.drain("2026-02-03 17:30")
    sent = world.rows(treatment)[cast.DAY0]
    (attempt,) = world.attempts(sent.id)
    reply = world.one(
        "numb hand since this morning",
        by="someone.else@example.com",
        channel="email",
        subject="Re: After your visit",
        in_reply_to=(attempt.provider_id,),
        when="2026-02-04 09:00",
    )
    assert reply.message_id == sent.id
    assert reply.treatment_id == treatment
    (answer,) = [entry for entry in world.drain() if entry["to"] == "someone.else@example.com"]
    assert answer["subject"] == "Re: After your visit"
    assert "Please call (212) 555-0100 today" in answer["text"]


@on_sqlite
def test_a_warning_or_a_stop_in_a_subject_counts(world: World) -> None:
    world.log(cast.EDWARD)
    edward = "edward@example.com"
    mail: dict[str, Any] = {"by": edward, "channel": "email"}
    reply = world.one("please call me", subject="can't breathe", **mail)
    assert (reply.red_flags, reply.rank) == (["emergency"], 0)
    # What only names our own mail says nothing.
    assert world.one("STOP", subject="Re: After your visit", **mail).intent == "opt_out"


@on_sqlite
def test_a_newsletter_about_chest_pain_calls_nobody(world: World) -> None:
    reply = world.one("Chest pain? Read more", by="news@example.com", channel="email", automatic=True)
    assert (reply.rank, world.alerts()) == (3, [])


@on_sqlite
def test_what_is_written_on_the_page_is_read_in_the_same_way(world: World) -> None:
    treatment_id = world.log()

    def write(words: str, *, token: str, asked: bool = False) -> Received:
        with world.change() as session:
            return replies.on_page(
                session,
                session.scalars(select(Patient)).one(),
                session.get_one(Treatment, treatment_id),
                words,
                token=token,
                settings=world.settings,
                now=world.clock.now(),
                asked=asked,
            )

    assert write("3", token="a", asked=True).said == ("score-low",)
    assert write("3", token="a", asked=True) == Received()
    assert write("I coughed up blood", token="b").said == ("red-flag-emergency",)
    assert len(world.alerts()) == 1
    assert world.count(Message.kind == "answer") == 0


@on_sqlite
def test_a_score_told_at_the_desk_pauses_and_alerts_nobody(world: World) -> None:
    treatment_id = world.log()
    with world.change() as session:
        treatment = treatments.get(session, session.get_one(Clinic, world.clinic.id), treatment_id)
        now = cast.at("2026-02-05 10:00") + timedelta(minutes=1)
        replies.told_at_desk(session, treatment.patient, treatment, 8, now=now, actor=cast.DESK)
    assert world.patient().paused_at is not None
    assert world.alerts() == []

"""What a provider says later, on both databases: kept once, applied by rank, in whatever order it comes."""

from __future__ import annotations

import itertools
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from notifier import alerts, reports
from notifier.envelope import Accepted, DeliveryReport, Found, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import (
    AlertContact,
    Attempt,
    Chore,
    Clinic,
    DeliveryReportRow,
    Message,
    Suppression,
)
from notifier.outcomes import Outcome, policy_of, record_all
from notifier.rules.delivery import ErrorClass, Status
from tests import cast
from tests.cast import on_sqlite
from tests.worker_cast import Answering, Shift, is_honest

DELIVERED, SENT, QUEUED = ("delivered", Status.DELIVERED), ("sent", Status.SENT), ("queued", Status.ACCEPTED)
OFF = ("undelivered", Status.UNDELIVERED, "30003", ErrorClass.FEW_TRIES)
GONE = ("undelivered", Status.UNDELIVERED, "30005", ErrorClass.ADDRESS)
STOPPED = ("failed", Status.FAILED, "21610", ErrorClass.OPT_OUT)
BLOCKED = ("failed", Status.FAILED, "30007", ErrorClass.CONTENT)


OWN: tuple[Any, ...] = ("our own commit",)


class World(Shift):
    """Riverside with Twilio: a message is accepted at once, and what becomes of it is told later."""

    def sent(self) -> tuple[int, int]:
        """The treatment, and its first message, which was accepted."""
        treatment = self.log()
        self.drain("2026-02-03 17:30", channels={"sms": Answering(accepted)})
        return treatment, self.rows(treatment)[cast.DAY0].id

    def say(
        self,
        message_id: int,
        word: str,
        status: Status,
        code: str | None = None,
        error_class: ErrorClass = ErrorClass.UNLISTED,
        *,
        attempt: int = 1,
        by_id: bool = False,
        **changes: Any,
    ) -> bool:
        now = self.clock.now()
        known: dict[str, Any] = {"message_id": message_id, "attempt": attempt, "said": f"code {code}."}
        given = known | ({"message_id": None} if by_id else {})
        report = DeliveryReport(
            changes.pop("sid", f"id-{message_id}-{attempt}"),
            status,
            word,
            now,
            code=code,
            provider="twilio",
            error_class=error_class,
            **given | changes,
        )
        with self.change() as session:
            return reports.apply(session, report, policy=policy_of(self.settings), now=now, actor="twilio")

    def claimed_again(self, message_id: int) -> None:
        """As it is while the provider is called."""
        with self.change() as session:
            message = session.get_one(Message, message_id)
            message.status, message.lookup_at = "sending", None
            (attempt,) = session.scalars(select(Attempt).where(Attempt.message_id == message_id))
            attempt.outcome, attempt.provider_id = "", None

    def commit(self, message_id: int) -> None:
        done = Outcome(message_id, 1, accepted=Accepted(f"id-{message_id}-1", Status.ACCEPTED, "twilio"))
        with self.change() as session:
            policy, now = policy_of(self.settings), self.clock.now()
            record_all(session, [done], policy, now=now, worker="test")

    def kept(self) -> int:
        with self.look() as session:
            return session.scalar(select(func.count()).select_from(DeliveryReportRow)) or 0


def accepted(message: OutboundMessage) -> Accepted:
    return Accepted(f"id-{message.message_id}-{message.attempt}", Status.ACCEPTED, "twilio")


@pytest.fixture
def world(engine: Engine, clinic: Clinic, tmp_path: Path) -> World:
    return World(engine, clinic, tmp_path)


def test_a_report_settles_a_message_and_is_kept_once(world: World) -> None:
    _, message_id = world.sent()
    assert world.say(message_id, *SENT) is True
    assert world.say(message_id, *DELIVERED) is True
    assert world.say(message_id, *DELIVERED) is False
    row = world.message(message_id)
    assert (row.status, row.lookup_at) == ("delivered", None)
    assert world.kept() == 2
    assert world.moves(message_id)[-2:] == ["accepted → sent", "sent → delivered"]


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ((QUEUED, SENT, DELIVERED), "delivered"),
        ((SENT, OFF), "scheduled"),
        ((SENT, GONE), "undelivered"),
        ((SENT, BLOCKED), "failed"),
        ((SENT, OFF, DELIVERED), "delivered"),
    ],
    ids=["arrived", "off", "gone", "blocked", "off and then arrived"],
)
@on_sqlite
def test_whatever_the_order_the_end_is_the_same(
    world: World, said: tuple[tuple[Any, ...], ...], ends: str
) -> None:
    """All orders of what carriers say about one attempt and of our own commit, the first of them twice."""
    _, message_id = world.sent()
    for order in itertools.permutations((*said, OWN)):
        world.claimed_again(message_id)
        for word in (*order, order[0]):
            if word is OWN:
                world.commit(message_id)
            else:
                world.say(message_id, *word)
        (attempt,) = world.attempts(message_id)
        assert (world.message(message_id).status, attempt.provider_id) == (ends, f"id-{message_id}-1"), order


def test_before_our_own_commit_it_counts_and_gives_the_id(world: World) -> None:
    treatment = world.log()

    def reported_first(message: OutboundMessage) -> Accepted:
        assert world.say(message.message_id, *DELIVERED, sid="SM1") is True
        return Accepted("SM1", Status.ACCEPTED, "twilio")

    world.drain("2026-02-03 17:30", channels={"sms": Answering(reported_first)})
    row = world.rows(treatment)[cast.DAY0]
    assert row.status == "delivered"
    assert [attempt.provider_id for attempt in world.attempts(row.id)] == ["SM1"]


@on_sqlite
def test_a_failure_before_our_own_commit_is_tried_again_all_the_same(world: World) -> None:
    treatment = world.log()

    def reported_first(message: OutboundMessage) -> Accepted:
        world.say(message.message_id, *OFF, sid="SM1")
        return Accepted("SM1", Status.ACCEPTED, "twilio")

    world.drain("2026-02-03 17:30", channels={"sms": Answering(reported_first)})
    row = world.rows(treatment)[cast.DAY0]
    assert (row.status, row.due_at) == ("scheduled", world.clock.now() + timedelta(hours=3))
    assert [attempt.outcome for attempt in world.attempts(row.id)] == ["undelivered"]


def test_it_settles_what_is_in_doubt(world: World) -> None:
    def lost(message: OutboundMessage) -> Accepted:
        raise ChannelError(ErrorClass.AMBIGUOUS, "The connection broke.")

    treatment = world.log()
    world.settings = world.settings.model_copy(
        update={"delivery": world.settings.delivery.model_copy(update={"lookup_after": timedelta(hours=1)})}
    )
    world.drain("2026-02-03 17:30", channels={"sms": Answering(lost)}, lookup_after=timedelta(hours=1))
    row = world.rows(treatment)[cast.DAY0]
    assert row.status == "unknown"
    assert world.say(row.id, *SENT, sid="SM7")
    assert world.message(row.id).status == "sent"


def test_a_phone_that_is_off_is_tried_again_and_a_late_word_ends_that(world: World) -> None:
    _, message_id = world.sent()
    assert world.say(message_id, *OFF)
    row = world.message(message_id)
    assert (row.status, row.due_at) == ("scheduled", world.clock.now() + timedelta(hours=3))
    # Out of order: that it had left is older news.
    assert world.say(message_id, *SENT) is False
    assert world.message(message_id).status == "scheduled"
    assert world.say(message_id, *DELIVERED)
    assert world.message(message_id).status == "delivered"


def test_a_number_that_is_gone_is_flagged_and_email_takes_over(world: World) -> None:
    treatment, message_id = world.sent()
    assert world.say(message_id, *GONE)
    assert world.message(message_id).status == "undelivered"
    assert world.patient().phone_problem == "code 30005."
    with world.look() as session:
        instead = session.scalars(select(Message).where(Message.fallback_of_id == message_id)).one()
        assert (instead.channel, instead.status) == ("email", "scheduled")
    assert world.rows(treatment)
    is_honest(world.engine)


@on_sqlite
def test_a_stop_that_only_the_carrier_heard_binds_us_too(world: World) -> None:
    treatment, message_id = world.sent()
    assert world.say(message_id, *STOPPED)
    with world.look() as session:
        assert session.scalars(select(Suppression.address)).all() == ["+12125550101"]
    pending = [row for row in world.rows(treatment).values() if row.channel == "sms"]
    assert "scheduled" not in {row.status for row in pending}


@on_sqlite
def test_an_alert_that_did_not_arrive_calls_the_next_contact(world: World) -> None:
    with world.change() as session:
        for position, phone in ((1, "+12125550190"), (2, "+12125550191")):
            session.add(
                AlertContact(clinic_id=world.clinic.id, position=position, name=f"Dr {position}", phone=phone)
            )
        session.flush()
        alerts.raise_alert(
            session,
            session.get_one(Clinic, world.clinic.id),
            kind="red_flag",
            severity="emergency",
            summary="A reply may be an emergency.",
            now=world.clock.now(),
            actor="test",
        )
    calls = Answering(accepted)
    world.drain(channels={"sms": calls})
    (first,) = calls.calls
    assert world.say(first.message_id, *BLOCKED)
    with world.look() as session:
        assert session.get_one(Chore, alerts.CHORE).due_at <= world.clock.now()


@on_sqlite
def test_what_is_not_ours_is_kept_and_changes_nothing(world: World) -> None:
    _, message_id = world.sent()
    assert world.say(message_id, *DELIVERED, sid="SM-of-somebody-else") is False
    assert world.say(999, *DELIVERED) is False
    assert world.say(message_id, *DELIVERED, by_id=True, sid="nobody") is False
    assert world.message(message_id).status == "accepted"
    # By its id alone, as a look-up finds it.
    assert world.say(message_id, *SENT, by_id=True) is True
    assert world.kept() == 4


@on_sqlite
def test_an_older_attempt_never_speaks_for_a_newer_one(world: World) -> None:
    _, message_id = world.sent()
    world.say(message_id, *OFF)
    world.drain("2026-02-03 20:30", channels={"sms": Answering(accepted)})
    world.drain("2026-02-04 09:00", channels={"sms": Answering(accepted)})
    assert world.message(message_id).attempts == 2
    assert world.say(message_id, *DELIVERED, attempt=1) is False
    assert world.message(message_id).status == "accepted"


def test_the_last_word_is_asked_for_and_given_up_after_three_days(world: World) -> None:
    _, message_id = world.sent()
    with world.change() as session:
        session.get_one(Message, message_id).lookup_at = world.clock.now()
    with world.change() as session:
        assert reports.is_awaited(session)
        assert reports.awaited(session, now=world.clock.now()) == [f"id-{message_id}-1"]
        # Not again at once, by whoever asks.
        assert reports.awaited(session, now=world.clock.now()) == []
    with world.change() as session:
        session.get_one(Message, message_id).lookup_at = world.clock.now()
    with world.change() as session:
        assert reports.awaited(session, now=world.clock.now() + timedelta(hours=73)) == []
    row = world.message(message_id)
    assert (row.status, row.reason, row.lookup_at) == ("accepted", reports.UNCONFIRMED, None)


@on_sqlite
def test_a_look_up_that_finds_a_failure_goes_the_same_way(world: World) -> None:
    class Lost(Answering):
        provider = "twilio"

        def find(self, message: OutboundMessage, since: Any) -> list[Found]:
            said = "This number is gone."
            return [Found("SM5", Status.UNDELIVERED, "30005", ErrorClass.ADDRESS, said)]

    def break_off(message: OutboundMessage) -> Accepted:
        raise ChannelError(ErrorClass.AMBIGUOUS, "The connection broke.")

    treatment = world.log()
    world.drain("2026-02-03 17:30", channels={"sms": Lost(break_off)})
    message_id = world.rows(treatment)[cast.DAY0].id
    time.sleep(0.01)
    world.drain(channels={"sms": Lost(break_off)})
    row = world.message(message_id)
    assert (row.status, row.reason) == ("undelivered", "This number is gone.")
    assert world.patient().phone_problem == "This number is gone."

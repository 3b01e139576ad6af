"""Fetching what came in, against a real server on this machine: by one program, and losing nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from notifier import receivers, replies
from notifier.channels import open_channels, twilio_inbox
from notifier.channels.twilio_inbox import TwilioInbox
from notifier.config import Settings
from notifier.errors import ChannelError
from notifier.models import Clinic, Message, Receiver, Reply, Sender
from notifier.receiving import Receiving, sources
from tests import cast
from tests.cast import on_sqlite
from tests.servers.twilio_server import ACCOUNT, TOKEN, Fault, TwilioServer
from tests.worker_cast import Shift, until

OURS, ALICE = "+12125550199", "+12125550101"


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


class World(Shift):
    def __init__(self, engine: Engine, clinic: Clinic, folder: Path, twilio: TwilioServer) -> None:
        sms = {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "from_number": OURS,
            "api_base_url": twilio.url,
            "max_per_second": 50.0,
        }
        super().__init__(engine, clinic, folder, mode="live", unready="warn", sms=sms)
        self.twilio = twilio
        self.open: list[Receiving] = []

    def receiving(self, settings: Settings | None = None) -> Receiving:
        return Receiving(self.engine, self.clock, settings or self.settings)

    def fetch(self, receiving: Receiving | None = None) -> bool:
        """One look at Twilio, as its thread does every 15 seconds."""
        one = receiving or self.receiving()
        try:
            return one.look(one._sources[0])
        finally:
            if receiving is None:
                one.stop()

    def bodies(self) -> list[str]:
        with self.look() as session:
            return list(session.scalars(select(Reply.body).order_by(Reply.id)))

    def row(self) -> Receiver:
        with self.look() as session:
            return session.scalars(select(Receiver)).one()


@pytest.fixture
def world(engine: Engine, clinic: Clinic, tmp_path: Path, twilio: TwilioServer) -> World:
    return World(engine, clinic, tmp_path, twilio)


def test_what_was_sent_while_nobody_ran_comes_in_once_and_in_order(world: World) -> None:
    world.log()
    for number in range(5):
        world.twilio.receive(ALICE, f"message {number}", to=OURS)
    assert world.fetch()
    world.twilio.receive(ALICE, "STOP", to=OURS)
    assert world.fetch()
    assert world.fetch()
    assert world.bodies() == [*(f"message {number}" for number in range(5)), "STOP"]
    with world.look() as session:
        assert receivers.is_receiving(session, world.settings, "sms") == ""
        pending = select(Message.id).where(Message.status == "scheduled", Message.channel == "sms")
        assert session.scalars(pending.where(Message.kind == "planned")).all() == []


@on_sqlite
def test_a_clinics_own_number_is_asked_for_too(world: World) -> None:
    with world.change() as session:
        own = session.scalars(select(Sender).where(Sender.channel == "sms")).one()
        own.identity = "+12125550177"
    world.twilio.receive(ALICE, "hello", to="+12125550177")
    assert world.fetch()
    assert world.bodies() == ["hello"]


@on_sqlite
def test_a_clock_that_is_ahead_of_twilios_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Ahead:
            return cls.fromtimestamp(time.time() + 40 * 60, tz)

    monkeypatch.setattr(twilio_inbox, "datetime", Ahead)
    assert world.fetch()
    world.twilio.receive(ALICE, "can't breathe", to=OURS)
    assert world.fetch()
    assert world.bodies() == ["can't breathe"]


@on_sqlite
def test_only_one_program_asks(world: World) -> None:
    first, second = world.receiving(), world.receiving()
    assert world.fetch(first) is True
    assert world.fetch(second) is False
    assert world.fetch(first) is True
    first.stop()
    second.stop()


@pytest.mark.parametrize(
    "fault",
    [Fault.garbage(), Fault.accept_then_error(500), Fault.cut(), Fault.refuse(20003, 401, "Authenticate")],
    ids=["garbage", "500", "cut", "401"],
)
@on_sqlite
def test_whatever_twilio_answers_the_next_look_brings_it(world: World, fault: Fault) -> None:
    world.twilio.receive(ALICE, "hello", to=OURS)
    world.twilio.next(fault, on="list")
    receiving = world.receiving()
    with pytest.raises(ChannelError):
        world.fetch(receiving)
    assert world.row().problem
    assert world.fetch(receiving)
    receiving.stop()
    assert world.bodies() == ["hello"]
    assert world.row().problem == ""


@on_sqlite
def test_one_that_cannot_be_kept_costs_no_other_and_is_fetched_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = replies.receive
    broken = ["bad"]

    def sometimes(session: Any, inbound: Any, **given: Any) -> Any:
        if inbound.body in broken:
            raise ZeroDivisionError
        return receive(session, inbound, **given)

    monkeypatch.setattr(replies, "receive", sometimes)
    for body in ("good", "bad", "fine"):
        world.twilio.receive(ALICE, body, to=OURS)
    assert world.fetch()
    assert world.bodies() == ["good", "fine"]
    broken.clear()
    assert world.fetch()
    assert world.bodies() == ["good", "fine", "bad"]


def test_what_became_of_messages_is_asked_for(world: World) -> None:
    treatment = world.log()
    channels = open_channels(world.settings)
    world.drain("2026-02-03 17:30", channels=channels)
    for channel in set(channels.values()):
        channel.close()
    row = world.rows(treatment)[cast.DAY0]
    assert row.status == "accepted"
    (attempt,) = world.attempts(row.id)
    world.twilio.advance(str(attempt.provider_id), "delivered")
    with world.change() as session:
        message = session.get_one(Message, row.id)
        assert message.lookup_at is not None
        message.lookup_at = cast.OPENED
    assert world.fetch()
    assert world.message(row.id).status == "delivered"


@on_sqlite
def test_it_runs_beside_the_worker_and_ends_at_once(world: World) -> None:
    receiving = world.receiving()
    receiving.start()
    try:
        world.twilio.receive(ALICE, "hello", to=OURS)
        receiving.wake()
        until(lambda: world.bodies() == ["hello"])
    finally:
        receiving.stop()


@on_sqlite
def test_nothing_is_fetched_where_nothing_leaves_the_house(world: World) -> None:
    delivery = world.settings.delivery.model_copy(update={"mode": "outbox"})
    assert sources(world.settings.model_copy(update={"delivery": delivery})) == []
    (source,) = sources(world.settings)
    assert isinstance(source, TwilioInbox)
    source.check()
    source.close()

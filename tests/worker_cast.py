"""A worker's shift at Riverside: a clock that jumps, channels of a test's choice, what came of messages."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import db, reach
from notifier.channels import Channel
from notifier.channels.outbox import Entry, Outbox
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.dispatcher import Dispatcher
from notifier.envelope import Accepted, OutboundMessage
from notifier.models import Attempt, Clinic, Message, Patient, Sender, Treatment
from notifier.patients import PatientEntry
from notifier.rules.delivery import NEEDS_REASON, Kind, Priority
from notifier.senders import Terms
from notifier.worker import open_dispatcher
from tests import cast

SOON = timedelta(milliseconds=1)
_keys = itertools.count(1)


def settings(folder: Path, **delivery: Any) -> Settings:
    """As in a configuration; what is in doubt is asked about at once, unless a test says otherwise."""
    given: dict[str, Any] = {
        "outbox_file": folder / "outbox.jsonl",
        "lookup_after": SOON,
        "lookup_gap": SOON,
        "threads": 4,
    }
    sections = {key: delivery.pop(key) for key in ("sms", "email", "web", "inbound_mail") if key in delivery}
    return Settings.model_validate({"delivery": given | delivery} | sections)


class Shift:
    """Everything a worker works with. Rows are read anew each time, detached."""

    def __init__(
        self, engine: Engine, clinic: Clinic, folder: Path, *, now: datetime = cast.LOGGED, **given: Any
    ) -> None:
        self.engine, self.clinic, self.folder = engine, clinic, folder
        self.settings = settings(folder, **given)
        self.clock = JumpingClock(now)
        self.outbox = Outbox(self.settings.delivery.outbox_file)
        self.channels: dict[str, Channel] = {"sms": self.outbox, "email": self.outbox}

    # What happens at the clinic

    @contextmanager
    def change(self) -> Iterator[Session]:
        with db.transaction(self.engine) as session:
            yield session

    def log(self, patient: PatientEntry = cast.ALICE, plan: str = "dry-needling", **changes: Any) -> int:
        with self.change() as session:
            clinic = session.merge(self.clinic, load=False)
            return cast.log(session, clinic, patient, plan, **changes).id

    def write(
        self,
        kind: Kind = Kind.TEST,
        *,
        to: str = "+12125550177",
        channel: str = "sms",
        due: datetime | None = None,
        aloud: bool = False,
        **columns: Any,
    ) -> int:
        """A message with words of its own; `aloud` tells the workers of every host, as capabilities do."""
        priority = Priority.ALERT if kind is Kind.ALERT else Priority.ANSWER
        with self.change() as session:
            key = (self.clinic.id, channel, to)
            given = {
                "clinic_id": self.clinic.id,
                "kind": str(kind),
                "dedup_key": f"{kind}:{next(_keys)}",
                "sender_id": sender_of(session, self.clinic, channel).id,
                "priority": priority,
                "status": "scheduled",
                "channel": channel,
                "to": to,
                "address_id": reach.addresses_of(session, {key})[key].id,
                "due_at": due or self.clock.now(),
                "subject": "Hello" if channel == "email" else "",
                "words": "The clinic will call you.",
                "attempts": 0,
                "created_at": self.clock.now(),
            }
            message = Message(**given | columns)
            session.add(message)
            session.flush()
            if aloud:
                db.wake_workers(session)
            return message.id

    # What the worker does

    def dispatcher(self, channels: Mapping[str, Channel] | None = None, **changes: Any) -> Dispatcher:
        chosen = settings(self.folder, **changes) if changes else self.settings
        return open_dispatcher(self.engine, self.clock, {**self.channels, **(channels or {})}, chosen)

    def drain(
        self, when: str = "", channels: Mapping[str, Channel] | None = None, **changes: Any
    ) -> list[Entry]:
        """Send what is due then, on the clinic's wall clock; returns what the outbox got from it."""
        if when:
            self.clock.jump(cast.at(when))
        before = len(self.outbox.entries())
        dispatcher = self.dispatcher(channels, **changes)
        try:
            dispatcher.drain()
        finally:
            dispatcher.close()
        return self.outbox.entries()[before:]

    def terms(self, worker: str = "w1", **changes: Any) -> Terms:
        given: dict[str, Any] = {
            "lease": timedelta(seconds=60),
            "channels": frozenset({"sms", "email"}),
            "rates": {},
        }
        return Terms(worker, **given | changes)

    # What came of it

    @contextmanager
    def look(self) -> Iterator[Session]:
        with db.reading(self.engine) as session:
            yield session
            session.expunge_all()

    def message(self, message_id: int) -> Message:
        with self.look() as session:
            return session.get_one(Message, message_id)

    def rows(self, treatment_id: int) -> dict[str, Message]:
        """By step, or by step and channel where it has several."""
        with self.look() as session:
            return cast.messages(session, session.get_one(Treatment, treatment_id))

    def all(self) -> list[Message]:
        with self.look() as session:
            return list(session.scalars(select(Message).order_by(Message.id)))

    def attempts(self, message_id: int) -> list[Attempt]:
        with self.look() as session:
            query = select(Attempt).where(Attempt.message_id == message_id).order_by(Attempt.number)
            return list(session.scalars(query))

    def moves(self, message_id: int) -> list[str]:
        """Every move it made: "scheduled → held"."""
        with self.look() as session:
            events = cast.events(session, session.get_one(Message, message_id))
            return [f"{event.from_status} → {event.to_status}" for event in events if event.from_status]

    def sender(self, channel: str = "sms") -> Sender:
        with self.look() as session:
            return sender_of(session, self.clinic, channel)

    def patient(self, name: str = "Alice") -> Patient:
        with self.look() as session:
            return session.scalars(select(Patient).where(Patient.first_name == name)).one()


def sender_of(session: Session, clinic: Clinic, channel: str = "sms") -> Sender:
    return session.scalars(
        select(Sender).where(Sender.clinic_id == clinic.id, Sender.channel == channel)
    ).one()


def is_honest(engine: Engine) -> None:
    """What holds of every message at any time: reasons where they are due, and a legal story behind it."""
    with db.reading(engine) as session:
        for message in session.scalars(select(Message)):
            if message.status in NEEDS_REASON:
                assert message.reason, f"message {message.id} is {message.status} and nobody knows why"
            events = cast.events(session, message)
            for event in events:
                assert event.reason or event.to_status not in NEEDS_REASON, event.to_status
            attempts = session.scalars(select(Attempt).where(Attempt.message_id == message.id)).all()
            assert [attempt.number for attempt in attempts] == list(range(1, message.attempts + 1))


class Gate:
    """A channel whose calls wait until the test opens it; `waiting` is how many are under way."""

    provider = "gate"

    def __init__(self, behind: Channel, *, only: Callable[[OutboundMessage], bool] = lambda _: True) -> None:
        self.behind, self.only = behind, only
        self.open = threading.Event()
        self.calls: list[OutboundMessage] = []

    def send(self, message: OutboundMessage) -> Accepted:
        self.calls.append(message)
        if self.only(message):
            assert self.open.wait(30), "nobody opened the gate"
        return self.behind.send(message)

    def close(self) -> None:
        """Nothing is open here."""


class Answering:
    """A channel that does to each call what the test's function does."""

    provider = "answering"

    def __init__(self, answer: Callable[[OutboundMessage], Accepted]) -> None:
        self.answer = answer
        self.calls: list[OutboundMessage] = []

    def send(self, message: OutboundMessage) -> Accepted:
        self.calls.append(message)
        return self.answer(message)

    def close(self) -> None:
        """Nothing is open here."""


@contextmanager
def running(dispatcher: Dispatcher) -> Iterator[threading.Thread]:
    """The dispatcher at work in a thread of its own, as in a worker."""
    thread = threading.Thread(target=dispatcher.drain, name="dispatch")
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        dispatcher.close()


def until(what: Callable[[], Any], *, seconds: float = 20.0, pause: float = 0.01) -> Any:
    """Waits until something is so, and returns it."""
    end = time.monotonic() + seconds
    waiting = threading.Event()
    while not (found := what()):
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        waiting.wait(pause)
    return found


def in_parallel(count: int, work: Callable[[int, threading.Barrier], None]) -> None:
    start, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            work(number, start)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []

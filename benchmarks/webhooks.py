"""How long Twilio waits for an answer while a worker drains: replies and reports, over a real socket.

And whether a stop is true when its answer leaves: how many messages reached that number afterwards.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import Engine, insert, select, update
from urllib3 import PoolManager

from benchmarks.import_rows import NOW, imported
from notifier import clinics, db, reach
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.envelope import Accepted, OutboundMessage
from notifier.models import Message, Patient
from notifier.rules.delivery import Status
from notifier.web.app import create_app
from notifier.web.server import listen, serving
from notifier.worker import Worker
from tests.servers.postgres import PostgresServer
from tests.servers.twilio_server import TOKEN, TwilioServer

LATER = NOW + timedelta(days=1)
BASE = "https://aftercare.example"
PROMISE = 200  # milliseconds, of 99 in 100
WORDS = (
    "3",
    "8",
    "thank you!",
    "can I run tomorrow?",
    "heat",
    "my chest is tight",
    "no puedo respirar",
    "LESS",
)
_ONE = "One of fifty."
_SIGNER = TwilioServer()


class Twilio:
    """Takes a message in a twentieth of a second, and remembers when, to whom and which words."""

    provider = "twilio"

    def __init__(self) -> None:
        self.taken: list[tuple[float, str, str]] = []
        self.lock = threading.Lock()

    def send(self, message: OutboundMessage) -> Accepted:
        with self.lock:
            self.taken.append((time.monotonic(), message.to, message.text))
        time.sleep(0.05)
        return Accepted(f"SM-{message.message_id}-{message.attempt}", Status.ACCEPTED, self.provider)

    def close(self) -> None:
        """Nothing is open."""


def settings(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "delivery": {"outbox_file": folder / "outbox.jsonl"},
            "web": {"base_url": BASE, "secret_key": "s" * 40},
            "sms": {
                "account_sid": "AC1",
                "auth_token": TOKEN,
                "from_number": "+12125550199",
                "receive": "webhook",
            },
        }
    )


def fill(url: str, folder: Path, count: int) -> Engine:
    """So many patients, each with a first message that is due."""
    engine = imported(url, folder, count)
    with db.transaction(engine) as session:
        session.execute(
            update(Message)
            .where(Message.status == "scheduled", Message.safety)
            .values(due_at=LATER - timedelta(hours=1), useful_until=None)
        )
    return engine


class Caller:
    """Posts as Twilio does, signed, over one kept connection."""

    def __init__(self, address: str) -> None:
        self.address, self.pool = address, PoolManager()

    def post(self, path: str, form: dict[str, str]) -> float:
        """Milliseconds until the answer. Raises where it is no 2xx."""
        headers = {
            "X-Twilio-Signature": _SIGNER.signature(BASE + path, form),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        start = time.perf_counter()
        answer = self.pool.request("POST", self.address + path, body=urlencode(form), headers=headers)
        took = (time.perf_counter() - start) * 1000
        if answer.status >= 300:
            raise SystemExit(f"{path}: {answer.status}")
        return took

    def write(self, sender: str, words: str) -> float:
        form = {"MessageSid": f"SM{uuid.uuid4().hex}", "From": sender, "To": "+12125550199", "Body": words}
        return self.post("/webhooks/twilio/inbound", form)

    def report(self, message_id: int, word: str) -> float:
        form = {"MessageSid": f"SM-{message_id}-1", "MessageStatus": word}
        return self.post(f"/webhooks/twilio/status/{message_id}/1", form)


@contextmanager
def at_work(engine: Engine, folder: Path) -> Iterator[tuple[Caller, Twilio]]:
    """The pages and a busy worker in one process, as `notifier run` has them."""
    chosen, clock, twilio = settings(folder), JumpingClock(LATER), Twilio()
    worker = Worker(engine, clock, {"sms": twilio, "email": twilio}, chosen)
    app = create_app(chosen, engine, clock, beside=[worker])
    with serving(app, listen("127.0.0.1", 0)) as address:
        yield Caller(address), twilio


def measure(name: str, engine: Engine, folder: Path, calls: int) -> None:
    with db.reading(engine) as session:
        phones = [phone for phone in session.scalars(select(Patient.phone)) if phone is not None]
        ids = list(session.scalars(select(Message.id).where(Message.safety, Message.channel == "sms")))
    chance = random.Random(5)
    with at_work(engine, folder) as (caller, twilio):
        caller.write("+12125550000", "warm up")
        replies = [caller.write(chance.choice(phones), chance.choice(WORDS)) for _ in range(calls)]
        reports = [caller.report(chance.choice(ids), "delivered") for _ in range(calls)]
        still_busy = len(twilio.taken) < len(ids)
    _say(name, "replies", replies)
    _say(name, "reports", reports)
    if not still_busy:
        print("  the worker had sent all before the end: ask for more patients")


def _say(name: str, what: str, took: list[float]) -> None:
    took.sort()
    most = took[int(len(took) * 0.99)]
    over = "" if most <= PROMISE else f"  OVER {PROMISE}"
    print(
        f"{name}, {what}: half {statistics.median(took):.0f} ms, 99 of 100 {most:.0f}, "
        f"longest {took[-1]:.0f}{over}"
    )


def stops(name: str, engine: Engine, folder: Path, rounds: int) -> None:
    """Fifty due messages to one number, a worker at them, and STOP."""
    after = 0
    took: list[float] = []
    for number in range(rounds):
        phone = f"+1646555{number:04}"
        _due(engine, phone, number)
        with at_work(engine, folder) as (caller, twilio):
            while not any(to == phone for _, to, _ in list(twilio.taken)):
                time.sleep(0.002)
            took.append(caller.write(phone, "STOP"))
            answered = time.monotonic()
            time.sleep(0.3)
            # The confirmation that they will get no more is none of them.
            after += sum(
                to == phone and _ONE in words and at > answered for at, to, words in list(twilio.taken)
            )
    print(
        f"{name}, STOP with 50 due, {rounds} times: {after} went out after the answer; "
        f"the longest took {max(took):.0f} ms"
    )


def _due(engine: Engine, phone: str, number: int) -> None:
    with db.transaction(engine) as session:
        clinic = clinics.only(session)
        (sender,) = [row for row in clinics.active_senders(session, clinic) if row.channel == "sms"]
        place = (clinic.id, "sms", phone)
        address = reach.addresses_of(session, {place})[place].id
        row = {
            "clinic_id": clinic.id,
            "kind": "answer",
            "sender_id": sender.id,
            "priority": 1,
            "status": "scheduled",
            "channel": "sms",
            "to": phone,
            "address_id": address,
            "due_at": LATER - timedelta(minutes=1),
            "words": _ONE,
            "attempts": 0,
            "created_at": LATER,
            "reply_id": 0,
        }
        session.execute(
            insert(Message), [row | {"dedup_key": f"bench:{number}:{each}"} for each in range(50)]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patients", nargs="?", type=int, default=8_000)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    server = PostgresServer(durable=True)
    try:
        with tempfile.TemporaryDirectory() as home:
            server.run("CREATE DATABASE bench")
            urls = {"SQLite": f"sqlite:///{home}/bench.db", "PostgreSQL": str(server.url("bench"))}
            for name, url in urls.items():
                folder = Path(home) / name
                folder.mkdir()
                engine = fill(url, folder, given.patients)
                measure(name, engine, folder, given.calls)
                with db.transaction(engine) as session:
                    session.execute(
                        update(Message).where(Message.status == "scheduled").values(status="cancelled")
                    )
                stops(name, engine, folder, given.rounds)
                engine.dispose()
    finally:
        server.close()


if __name__ == "__main__":
    main()

"""An installation as an operator has it, at providers that fail, with workers that are killed.

Everything goes through the documented doors: config.toml, `notifier import`, `notifier worker`, and
`notifier messages --json`.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.chaos.cable import Cable
from tests.chaos.providers import FailingMail, failing_twilio, taken_by
from tests.chaos.verdict import Verdict, judge
from tests.cli_cast import Home, ago, without_first_text, write_plan
from tests.servers.postgres import PostgresServer
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, TwilioServer

_COLUMNS = (
    *("external_id", "first_name", "last_name", "phone", "email", "plan", "ended_at"),
    *("consent_sms", "consent_email", "preferred_channel"),
)
# Of three messages a patient with an e-mail address gets, two go by text and one by mail.
_A_PATIENT = 3
_DUE = ("first-words", "both-ways")
_OPEN = "'scheduled', 'sending', 'unknown', 'held'"


@dataclass(frozen=True, slots=True)
class Terms:
    """`faults`: which part of the calls to a provider fails."""

    messages: int
    faults: float
    seed: int = 1

    @property
    def patients(self) -> int:
        return -(-self.messages // _A_PATIENT)


@dataclass
class World:
    terms: Terms
    home: Home
    url: str
    twilio: TwilioServer
    mail: FailingMail
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: int = 0

    def start(self, config: Path | None = None) -> subprocess.Popen[bytes]:
        """One more worker, of this configuration or another host's."""
        log = (self.home.folder / "workers.log").open("ab")
        with log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "notifier", "worker"],
                env=os.environ | {"NOTIFIER_CONFIG": str(config or self.home.config)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home.folder,
            )
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As when the power fails: it is asked for nothing."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)
        self.kills += 1

    def pause(self, seconds: float) -> None:
        """One worker stands still, longer than it may hold a message, and goes on as if nothing had been."""
        worker = self.workers.pop()
        worker.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        worker.send_signal(signal.SIGCONT)
        self.workers.append(worker)

    def stop(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(60)
        self.workers.clear()

    def open_rows(self) -> int:
        """How many that are due have not come to an end."""
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                query = f"SELECT count(*) FROM messages WHERE status IN ({_OPEN}) AND due_at < :soon"
                soon = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime(time.time() + 3600))
                return int(connection.execute(text(query), {"soon": soon}).scalar_one())
        finally:
            engine.dispose()

    def rows(self) -> list[dict[str, Any]]:
        """Those that were due when the run began."""
        return [row for row in self.home.messages() if row["step"] in _DUE]

    def verdict(self) -> Verdict:
        return judge(self.rows(), taken_by(self.twilio, self.mail))


def settings(url: str, twilio: TwilioServer, mail: SmtpServer | None) -> dict[str, dict[str, Any]]:
    """Everything that takes a minute takes a second here."""
    chosen: dict[str, dict[str, Any]] = {
        "database": {"url": url},
        "delivery": {
            "mode": "live",
            "unready": "warn",
            "lease": "7s",
            "lookup_after": "1s",
            "lookup_gap": "1s",
            "retry_base": "1s",
            "retry_max": "4s",
            "breaker_probe": "1s",
        },
        "sms": {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "from_number": "+12125550190",
            "api_base_url": twilio.url,
            "timeout": "1s",
            "max_per_second": 1000.0,
        },
        "email": {"timeout": "1s"},
    }
    if mail is not None:
        chosen["email"] |= {
            "host": mail.host,
            "port": mail.port,
            "security": "none",
            "from_address": "care@riverside.example",
        }
    return chosen


@contextmanager
def world(folder: Path, url: str, terms: Terms) -> Iterator[World]:
    """Set up, with all its messages due, and no worker yet."""
    chance = random.Random(terms.seed)
    with ExitStack() as stack:
        twilio = stack.enter_context(failing_twilio(chance, terms.faults))
        mail = stack.enter_context(FailingMail(chance, terms.faults))
        home = Home(folder, **settings(url, twilio, mail))
        home.run("init")
        home.run("plan", "import", write_plan(folder))
        without_first_text(create_engine(url))
        home.run("import", write_patients(folder, terms))
        made = World(terms, home, url, twilio, mail)
        stack.callback(made.stop)
        yield made


def write_patients(folder: Path, terms: Terms) -> Path:
    path = folder / "treatments.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for number in range(terms.patients):
            name = [f"Ana{number}", "Sample", f"+1{2122000000 + number}", f"ana{number}@example.com"]
            writer.writerow([f"x{number}", *name, "any-hour", ago(hours=1), "yes", "yes", "sms"])
    return path


@contextmanager
def killing(made: World, count: int, every: float, configs: Sequence[Path] = ()) -> Iterator[None]:
    """`count` workers, one of them killed after each `every` seconds or less and another begun."""
    stopping = threading.Event()
    chance = random.Random(made.terms.seed)

    def again_and_again() -> None:
        while not stopping.wait(chance.uniform(0.3, 1.0) * every):
            victim = chance.choice(made.workers)
            made.kill(victim)
            made.start(chance.choice(configs) if configs else None)

    for number in range(count):
        made.start(configs[number % len(configs)] if configs else None)
    thread = threading.Thread(target=again_and_again, name="killer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def another_host(made: World, cable: Cable, server: PostgresServer) -> Path:
    """The configuration of a host that reaches the database by this cable only."""
    url = made.url.replace(f":{server.port}/", f":{cable.port}/")
    path = made.home.folder / "host.toml"
    path.write_text(made.home.config.read_text("utf-8").replace(made.url, url), "utf-8")
    return path

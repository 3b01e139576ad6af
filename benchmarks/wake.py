"""How soon an idle worker in another process calls the provider for what was just logged as due: from the
commit until the request arrives, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from tests.chaos.world import settings
from tests.cli_cast import Home, Program, ago, without_first_text, write_plan
from tests.servers.postgres import PostgresServer
from tests.servers.twilio_rules import Form
from tests.servers.twilio_server import TwilioServer
from tests.worker_cast import until

PROMISE = 250  # milliseconds, of 99 in 100


class Timed(TwilioServer):
    """Remembers when the first text to each number came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: dict[str, float] = {}

    def take(self, form: Form) -> Any:
        self.came.setdefault(form["To"], time.monotonic())
        return super().take(form)


def measure(name: str, url: str, folder: Path, count: int) -> None:
    committed = [0.0]

    @event.listens_for(Engine, "commit")
    def note(_: object) -> None:
        committed[0] = time.monotonic()

    with Timed() as twilio:
        home = Home(folder, **settings(url, twilio, None))
        home.run("init")
        home.run("plan", "import", write_plan(folder))
        without_first_text(create_engine(url))
        worker = Program(home, "worker")
        worker.says("worker started")
        took = []
        for number in range(count):
            phone = f"+1{2122000000 + number}"
            home.log(f"Ana{number}", "--phone", phone, "--consent-sms", "--ended-at", ago(minutes=7))
            begun = committed[0]
            until(lambda phone=phone: phone in twilio.came)  # type: ignore[misc]
            took.append((twilio.came[phone] - begun) * 1000)
            time.sleep(0.05)
        worker.stop()
    event.remove(Engine, "commit", note)
    took.sort()
    most = took[int(len(took) * 0.99)]
    over = "" if most <= PROMISE else f"  OVER {PROMISE}"
    print(
        f"{name}: half {statistics.median(took):.0f} ms, 99 of 100 {most:.0f}, longest {took[-1]:.0f}{over}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("treatments", nargs="?", type=int, default=200)
    count = parser.parse_args().treatments
    server = PostgresServer(durable=True)
    try:
        server.run("CREATE DATABASE bench")
        with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
            measure("SQLite", f"sqlite:///{here}/notifier.db", Path(here), count)
            measure("PostgreSQL", str(server.url("bench")), Path(there), count)
    finally:
        server.close()


if __name__ == "__main__":
    main()

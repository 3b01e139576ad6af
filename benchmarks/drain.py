"""How many due messages a second one worker hands to the outbox and records, with every check made again."""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import case, update

from benchmarks.import_rows import NOW, imported
from notifier import db
from notifier.channels.outbox import Outbox
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.models import Message
from notifier.worker import open_dispatcher
from tests.servers.postgres import PostgresServer

LATER = NOW + timedelta(days=1)  # 17:00 in New York, inside the sending window


def drain(url: str, folder: Path, count: int) -> float:
    engine = imported(url, folder, count)
    with db.transaction(engine) as session:
        # The first-day messages, one for each patient, all due in one moment; the others are out of the way.
        session.execute(
            update(Message)
            .where(Message.status == "scheduled")
            .values(
                due_at=case((Message.safety, LATER - timedelta(hours=1)), else_=LATER + timedelta(days=1)),
                useful_until=None,
            )
        )
    outbox = Outbox(folder / f"outbox-{engine.dialect.name}.jsonl")
    channels = {"sms": outbox, "email": outbox}
    dispatcher = open_dispatcher(engine, JumpingClock(LATER), channels, Settings())
    start = time.perf_counter()
    sent = dispatcher.drain()
    seconds = time.perf_counter() - start
    dispatcher.close()
    engine.dispose()
    return sent / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("treatments", nargs="?", type=int, default=2_000)
    count = parser.parse_args().treatments
    server = PostgresServer(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(
                f"SQLite: {drain(f'sqlite:///{folder}/bench.db', Path(folder), count):.0f} messages a second"
            )
            server.run("CREATE DATABASE bench")
            url = str(server.url("bench"))
            print(f"PostgreSQL: {drain(url, Path(folder), count):.0f} messages a second")
    finally:
        server.close()


if __name__ == "__main__":
    main()

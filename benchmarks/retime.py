"""A changed plan brought to 100,000 pending messages, while a desk in another process goes on logging."""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.import_rows import COLUMNS
from notifier import clinics, db, plans, retiming, retiming_effect, retiming_run, treatments
from notifier.clock import JumpingClock
from notifier.consent import ConsentGiven
from notifier.importing import import_file
from notifier.initialising import Answers, initialise
from notifier.models import Clinic, Retiming
from notifier.patients import PatientEntry
from notifier.planfiles import Content
from notifier.treatments import Entry
from tests.servers.postgres import PostgresServer

# A Tuesday evening in New York. Whoever was treated on Monday has four messages left of dry needling.
IMPORTED = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
NOW = IMPORTED + timedelta(hours=1)
ADMIN = "bench"
# What PostgreSQL comes with, where the tests' server is smaller.
_AS_INSTALLED = {"autovacuum": "on", "shared_buffers": "128MB", "max_wal_size": "1GB"}
_BETWEEN_WRITES = 0.03  # seconds


def write_rows(path: Path, count: int) -> None:
    """A patient each, treated from 8:00 to 20:00, as a booking system has it: to the minute."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(count):
            ended = MONDAY + timedelta(minutes=number * 719 // count)
            spanish, mail = number % 3 == 0, number % 2 == 1
            writer.writerow(
                [
                    *(f"x{number}", f"r{number}", "María" if spanish else "Grace", f"Sample{number}"),
                    *(f"+1212{2_000_000 + number}", f"patient{number}@example.com" if mail else ""),
                    *("es" if spanish else "en", "dry-needling", "Sam Rivera", ended.isoformat()),
                    *("yes", "yes" if mail else ""),
                ]
            )


def fill(url: str, folder: Path, count: int) -> Engine:
    path = folder / "treatments.csv"
    write_rows(path, count)
    engine = db.open_engine(url)
    initialise(engine, Answers("Bench", "212-555-0100", "America/New_York"), now=IMPORTED, actor=ADMIN)
    import_file(engine, None, path, now=IMPORTED, actor=ADMIN)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return engine


# Nearly every message moves: an hour later, an hour sooner, a day later.
_MOVED = {"46h": "47h", "72h": "71h", "5d": "6d"}
PLAN = "dry-needling"


def changed(session: Session, clinic: Clinic) -> Content:
    version = plans.current_version(session, plans.find(session, clinic, PLAN))
    content = deepcopy(dict(version.content))
    for step in content["plan"]["steps"]:
        step["after"] = _MOVED.get(step["after"], step["after"])
    return content


def foresee(engine: Engine) -> None:
    start = time.perf_counter()
    with db.reading(engine) as session:
        clinic = clinics.only(session, None)
        effect = retiming_effect.effect(session, clinic, PLAN, changed(session, clinic), now=NOW)
    seconds, total = time.perf_counter() - start, effect.total
    print(f"  foreseen in {seconds:.1f} s: {total.moved} of {total.pending} pending messages move")


def retime(engine: Engine) -> None:
    with db.transaction(engine) as session:
        clinic = clinics.only(session, None)
        version = plans.save(session, clinic, changed(session, clinic), now=NOW, actor=ADMIN).version
        plan = plans.find(session, clinic, PLAN)
        begun = retiming.begin(session, clinic, plan, version, now=NOW, actor=ADMIN).id
    marks = [time.perf_counter()]
    clock = JumpingClock(NOW)
    assert retiming_run.run(engine, clock, begun, progress=lambda _: marks.append(time.perf_counter()))
    seconds = time.perf_counter() - marks[0]
    longest = max(after - before for before, after in pairwise(marks))
    with db.reading(engine) as session:
        row = session.get_one(Retiming, begun)
        print(
            f"  {row.changed} messages of {row.done} treatments moved in {seconds:.1f} s: "
            f"{len(marks) - 1} batches, the longest {longest * 1000:.0f} ms"
        )


def desk(url: str) -> None:
    """Log treatments until told to stop, and say how long each took."""
    engine = db.open_engine(url)
    for number in range(20):
        log_one(engine, number)
    print("ready", flush=True)
    stopped = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()
    took: list[float] = []
    while not stopped.wait(_BETWEEN_WRITES):
        start = time.perf_counter()
        log_one(engine, 20 + len(took))
        took.append(time.perf_counter() - start)
    took.sort()
    at = [took[int(len(took) * share)] * 1000 for share in (0.5, 0.99)]
    print(f"  meanwhile {len(took)} treatments logged: median {at[0]:.0f} ms, 99 % within {at[1]:.0f} ms")


def log_one(engine: Engine, number: int) -> None:
    patient = PatientEntry("Desk", f"Sample{number}", phone=f"+1646{3_000_000 + number}")
    consents = (ConsentGiven("sms", True, NOW),)
    ended = NOW - timedelta(minutes=20)
    with db.transaction(engine) as session:
        clinic = clinics.only(session, None)
        entry = Entry(patient, "cupping", ended, consents=consents)
        treatments.record(session, clinic, entry, now=NOW, actor="desk")


def measure(name: str, url: str, folder: Path, count: int) -> None:
    engine = fill(url, folder, count)
    print(f"{name}:")
    foresee(engine)
    beside = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.retime", "--desk", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert beside.stdout is not None
    beside.stdout.readline()
    retime(engine)
    print(beside.communicate("stop\n")[0].rstrip())
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("treatments", nargs="?", type=int, default=25_000)
    parser.add_argument("--desk", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.desk:
        desk(given.desk)
        return
    server = PostgresServer(durable=True, settings=_AS_INSTALLED)
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure("SQLite", f"sqlite:///{folder}/bench.db", Path(folder), given.treatments)
            server.run("CREATE DATABASE bench")
            measure("PostgreSQL", str(server.url("bench")), Path(folder), given.treatments)
    finally:
        server.close()


if __name__ == "__main__":
    main()

"""`make chaos`: workers killed, failing providers, a database that goes away, a host cut off; and the count.

python -m tests.chaos [--messages 10000] [--workers 4] [--only NAME]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.chaos.cable import Cable
from tests.chaos.world import Terms, World, another_host, killing, world
from tests.servers.postgres import PostgresServer

# Seconds without any progress after which what is left counts as stuck.
_PATIENCE = 90.0
_RESTARTS = 3
_CUT_OFF = 60.0
_STANDSTILL = 12.0
_KILL_EVERY = 1.0
_SHOWN = 20


@contextmanager
def on_sqlite() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/notifier.db", Path(folder)


@contextmanager
def on_postgresql(server: PostgresServer) -> Iterator[tuple[str, Path]]:
    name = f"chaos_{time.monotonic_ns()}"
    server.run(f"CREATE DATABASE {name}")
    with tempfile.TemporaryDirectory() as folder:
        yield str(server.url(name)), Path(folder)


def calm(made: World, workers: int) -> None:
    with killing(made, workers, _KILL_EVERY):
        _until_left(made, made.terms.messages // 100)
    _until_left(made, 0)


def stormy(made: World, workers: int, *, server: PostgresServer) -> None:
    """The database is restarted three times, once as in a crash; one host is cut off for a minute; one worker
    stands still for longer than its lease.
    """
    cable = Cable(server.port)
    hosts = [made.home.config] * (workers - 1) + [another_host(made, cable, server)]
    try:
        with killing(made, workers, _KILL_EVERY, hosts):
            for number in range(_RESTARTS):
                time.sleep(4)
                server.restart(crash=number == 1)
            with cable.cut():
                made.pause(_STANDSTILL)
                time.sleep(_CUT_OFF - _STANDSTILL)
            _until_left(made, made.terms.messages // 100)
        _until_left(made, 0)
    finally:
        cable.close()


def _until_left(made: World, most: int) -> None:
    """The last hundredth is settled in peace: a worker that dies while it starts settles nothing."""
    left, since = made.open_rows(), time.monotonic()
    while left > most and time.monotonic() - since < _PATIENCE:
        time.sleep(1)
        now = made.open_rows()
        if now != left:
            left, since = now, time.monotonic()
        sys.stderr.write(f"\r  {made.terms.messages - left} of {made.terms.messages}, {made.kills} killed ")
        sys.stderr.flush()
    sys.stderr.write("\r" + " " * 60 + "\r")


def run(name: str, url: str, folder: Path, terms: Terms, way: Callable[[World], None]) -> bool:
    begun = time.monotonic()
    with world(folder, url, terms) as made:
        way(made)
        made.stop()
        verdict, rows = made.verdict(), {row["id"]: row for row in made.rows()}
        seconds = time.monotonic() - begun
        _say(f"{name}: {verdict}; {made.kills} workers killed, {seconds:.0f} s")
    for what in ("lost", "doubled", "lied", "stuck"):
        for number in getattr(verdict, what)[:_SHOWN]:
            row = rows[number]
            takes = ", ".join(f"{each['outcome']} {each['error_code']}" for each in row["attempts"])
            _say(f"  {what}: {number} by {row['channel']}, {row['status']}: {row['reason']} [{takes}]")
    return verdict.is_clean


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="runs whose name contains this")
    given = parser.parse_args()
    server = PostgresServer(durable=True)
    well, faulty = (Terms(given.messages, part, given.seed) for part in (0.0, 1 / 3))
    killed = partial(calm, workers=given.workers)
    storm = partial(stormy, workers=given.workers, server=server)
    runs = [
        ("SQLite, workers killed", on_sqlite(), well, killed),
        ("PostgreSQL, workers killed", on_postgresql(server), well, killed),
        ("SQLite, and a third of the calls fail", on_sqlite(), faulty, killed),
        ("PostgreSQL, and a third of the calls fail", on_postgresql(server), faulty, killed),
        ("PostgreSQL, and restarts, and a host cut off", on_postgresql(server), faulty, storm),
    ]
    clean = True
    try:
        for name, place, terms, way in runs:
            if given.only.casefold() in name.casefold():
                with place as (url, folder):
                    clean &= run(name, url, folder, terms, way)
    finally:
        server.close()
    raise SystemExit(0 if clean else 1)


if __name__ == "__main__":
    main()

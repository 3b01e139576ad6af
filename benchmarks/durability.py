"""What it costs SQLite to wait for the disk at each commit: synchronous FULL, as here, beside NORMAL.

With NORMAL a power cut may take the last commits back, and a message that was sent would be sent again.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path


def commits_per_second(folder: Path, level: str, seconds: float) -> float:
    with closing(sqlite3.connect(folder / f"{level}.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={level}")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, words TEXT)")
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            connection.execute("INSERT INTO rows (words) VALUES (?)", ("x" * 400,))
            done += 1
        return done / (time.perf_counter() - began)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, help="on the disk that is meant; else the temporary folder")
    options.add_argument("--seconds", type=float, default=2.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        # Taking turns, so that a busy moment of the machine is not one side's alone.
        rounds = [
            {level: commits_per_second(Path(part), level, given.seconds / 4) for level in ("FULL", "NORMAL")}
            for part in (tempfile.mkdtemp(dir=made) for _ in range(4))
        ]
    full, normal = (sum(each[level] for each in rounds) / len(rounds) for level in ("FULL", "NORMAL"))
    print(f"FULL {full:,.0f} commits a second, NORMAL {normal:,.0f}: {normal / full:.1f} to 1")


if __name__ == "__main__":
    main()

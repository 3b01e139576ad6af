"""`notifier import` of many treatments into an empty SQLite database, and of the same file again."""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, update

from notifier import db
from notifier.importing import import_file
from notifier.initialising import Answers, initialise
from notifier.models import Clinic

NOW = datetime(2026, 3, 3, 22, tzinfo=UTC)
COLUMNS = (
    *("external_id", "record_number", "first_name", "last_name", "phone", "email", "language"),
    *("plan", "practitioner", "ended_at", "consent_sms", "consent_email"),
)
PLANS = ("dry-needling", "sports-massage", "cupping", "shockwave")


def write_rows(path: Path, count: int) -> None:
    """A patient each, over the last day, half of them with e-mail too."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(count):
            writer.writerow(
                [
                    f"x{number}",
                    f"r{number}",
                    "María" if number % 3 == 0 else "Grace",
                    f"Sample{number}",
                    f"+1{212 + number // 7_000_000}{2_000_000 + number % 7_000_000}",
                    f"patient{number}@example.com" if number % 2 else "",
                    "es" if number % 3 == 0 else "en",
                    PLANS[number % 4],
                    "Sam Rivera",
                    (NOW - timedelta(minutes=5 + number % 1440)).isoformat(),
                    "yes",
                    "yes" if number % 2 else "",
                ]
            )


def imported(url: str, folder: Path, count: int) -> Engine:
    """A clinic in an empty database, with these patients; each number knows who writes."""
    path = folder / "treatments.csv"
    write_rows(path, count)
    engine = db.open_engine(url)
    initialise(engine, Answers("Bench", "212-555-0100", "America/New_York"), now=NOW, actor="bench")
    import_file(engine, None, path, now=NOW, actor="bench")
    with db.transaction(engine) as session:
        # The text of introduction goes out once in a number's life, and would count as one more.
        session.execute(update(Clinic).values(first_text=False, version=Clinic.version))
    return engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=10_000)
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "treatments.csv"
        write_rows(path, count)
        engine = db.open_engine(f"sqlite:///{folder}/bench.db")
        initialise(engine, Answers("Bench", "212-555-0100", "America/New_York"), now=NOW, actor="bench")
        for what in ("first", "again"):
            start = time.perf_counter()
            report = import_file(engine, None, path, now=NOW, actor="bench")
            seconds = time.perf_counter() - start
            print(
                f"{what}: {report.added} added, {report.known} known, {report.left_out} left out "
                f"in {seconds:.1f} s, {count / seconds:.0f} rows a second"
            )


if __name__ == "__main__":
    main()

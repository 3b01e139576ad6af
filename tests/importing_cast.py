"""Files as the tests of the importer write them, and ways to look at what came of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from notifier import db
from notifier.importing import ImportReport, import_file
from notifier.models import Base
from tests.cast import DESK

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)  # 17:00 in New York
HEADER = (
    "external_id,record_number,first_name,last_name,phone,email,plan,ended_at,next_visit,"
    "consent_sms,consent_email,consent_at"
)


def file_in(folder: Path) -> Path:
    return folder / "visits.csv"


def row(name: str, number: int = 100, **changes: str) -> str:
    """A good row of today, ten in the morning; each name has a number of its own."""
    values = {
        "first_name": name,
        "phone": f"(212) 555-0{number}",
        "plan": "dry-needling",
        "ended_at": "2026-03-03 10:00",
    } | changes
    return ",".join(values.get(column, "") for column in HEADER.split(","))


def bring(engine: Engine, folder: Path, *rows: str, now: datetime = NOW, **options: Any) -> ImportReport:
    """Import these rows, or without any the file that is there already."""
    if rows:
        file_in(folder).write_text("\n".join([HEADER, *rows]), "utf-8")
    return import_file(engine, None, file_in(folder), now=now, actor=DESK, **options)


def counts(engine: Engine) -> dict[str, int]:
    with db.reading(engine) as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def found(engine: Engine, query: Any) -> list[Any]:
    with db.reading(engine) as session:
        rows = list(session.scalars(query))
        session.expunge_all()
        return rows

"""The doctor looks at the database: that it answers, is sound, has our schema and the right time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, select

from notifier import db
from notifier.doctor_findings import Finding, Installation
from notifier.models import Clinic, Patient
from notifier.rules.zones import zone_names

_AREA = "Database"
# What every connection asks for; it does not always get it.
_WANTED = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
# The oldest line of PostgreSQL that its project still mended when this was written.
_MAINTAINED = 14
_CLOCKS_APART = timedelta(seconds=5)


def reachable(it: Installation) -> Iterator[Finding]:
    """An error here makes every further look into the database useless."""
    file = it.sqlite_file
    if file is not None and not file.exists():
        # Looking would make it.
        yield Finding("error", _AREA, f"There is no database {file} yet.", "Run: notifier init")
        return
    if file is not None and not _writable(file):
        yield Finding(
            "error",
            _AREA,
            f"This user may not write to {file} and its folder.",
            "Run this as the user that runs the worker, or correct the permissions.",
        )
        return
    with (
        db.explained(it.engine),
        it.engine.execution_options(reading=True).connect() as connection,
    ):
        if it.engine.dialect.name == "postgresql":
            yield from _postgresql(connection)
        else:
            yield from _sqlite(connection, it.engine.url.database or "")


def _writable(file: Path) -> bool:
    """SQLite makes files of its own beside the database."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)


def _postgresql(connection: Connection) -> Iterator[Finding]:
    number = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar()))
    yield postgresql_version(
        number // 10_000, str(connection.exec_driver_sql("SHOW server_version").scalar())
    )
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
        yield Finding(
            "error",
            _AREA,
            "This PostgreSQL is a standby, which can only be read.",
            "Point database.url at the primary.",
        )


def postgresql_version(major: int, words: str) -> Finding:
    if major >= _MAINTAINED:
        return Finding("ok", _AREA, f"PostgreSQL {words} answers.")
    return Finding(
        "warning",
        _AREA,
        f"PostgreSQL {words} answers, but its project mends that version no more.",
        f"Move to version {_MAINTAINED} or newer.",
    )


def _sqlite(connection: Connection, file: str) -> Iterator[Finding]:
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
    found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _WANTED}
    if found == _WANTED:
        yield Finding(
            "ok", _AREA, f"SQLite {version} has {file} open: WAL, synchronous FULL, foreign keys on."
        )
    else:
        yield _odd_settings(found)
    damage = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(3)")]
    if damage == ["ok"]:
        yield Finding("ok", _AREA, "The file is sound (quick_check).")
    else:
        yield Finding(
            "error",
            _AREA,
            f"The file is damaged: {' '.join(damage)}",
            "Stop the program, keep a copy of the file, and restore a backup.",
        )


def _odd_settings(found: dict[str, object]) -> Finding:
    odd = ", ".join(f"{name} is {found[name]}" for name in _WANTED if found[name] != _WANTED[name])
    return Finding(
        "warning",
        _AREA,
        f"SQLite did not take its settings: {odd}.",
        "Keep the file on a local disk: on a network share neither locks nor crashes are safe.",
    )


def schema(it: Installation) -> Iterator[Finding]:
    """Raises SchemaMismatch, whose words are the finding."""
    db.require_current_schema(it.engine)
    yield Finding("ok", _AREA, f"The schema is current ({db.revisions(it.engine)[1]}).")


def clocks(it: Installation) -> Iterator[Finding]:
    """On SQLite both are the same clock."""
    if it.engine.dialect.name != "postgresql":
        return
    with db.reading(it.engine) as session:
        apart = it.now - db.database_now(session)
    if abs(apart) <= _CLOCKS_APART:
        yield Finding("ok", "Clocks", "This host and PostgreSQL agree on the time.")
        return
    side = "ahead of" if apart > timedelta(0) else "behind"
    yield Finding(
        "warning",
        "Clocks",
        f"This host's clock is {abs(apart).total_seconds():.0f} s {side} PostgreSQL's. Messages go by "
        "PostgreSQL's, this host's log and the secure connections to providers by its own.",
        "Let both hosts take their time from a time server.",
    )


def zones(it: Installation) -> Iterator[Finding]:
    with db.reading(it.engine) as session:
        clinics = session.scalars(select(Clinic.timezone).distinct()).all()
        patients = session.scalars(select(Patient.timezone).distinct()).all()
    used = {name for name in (*clinics, *patients) if name}
    unknown = sorted(name for name in used if name not in zone_names())
    if unknown:
        yield Finding(
            "error",
            "Time zones",
            f"The zone data do not know {', '.join(unknown)}, which clinics or patients are in.",
            "Upgrade the package tzdata, or correct the zones.",
        )
    elif used:
        yield Finding("ok", "Time zones", f"Known: {', '.join(sorted(used))}.")

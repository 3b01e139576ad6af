"""What backups of both databases say of themselves, and how a file is known to be one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from notifier.errors import InputError

# How far it is, and how far it has to go; in whatever unit.
Tell = Callable[[int, int], None]

_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class About:
    """`made_at` is by the database's clock, and not later than what the backup shows."""

    made_at: datetime
    revision: str


def is_sqlite(engine: Engine) -> bool:
    return engine.url.get_backend_name() == "sqlite"


def require_kind(file: Path, engine: Engine) -> None:
    """Raises InputError where this file cannot be restored into this database."""
    try:
        with file.open("rb") as opened:
            start = opened.read(len(_SQLITE))
    except FileNotFoundError:
        raise InputError(f"There is no file {file}.") from None
    kinds = {_SQLITE: "SQLite", _ZIP: "PostgreSQL"}
    kind = next((name for mark, name in kinds.items() if start.startswith(mark)), None)
    needed = "SQLite" if is_sqlite(engine) else "PostgreSQL"
    if kind is None:
        raise InputError(f"{file} is not a backup of this program.")
    if kind != needed:
        raise InputError(f"{file} is a backup of {kind}, and the configuration names a {needed} database.")


def sync(path: Path) -> None:
    """On the disk before this returns; for a folder, the names in it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""Backups: one file with the whole database as it was at one moment, made while everything runs.

An entry point. Nothing but Python is needed: where pg_dump is older than the server, or missing as in most
containers, there would be no backup at all.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from notifier import backup_postgresql, backup_sqlite, db
from notifier.backup_files import About, Tell, is_sqlite, sync
from notifier.errors import DatabaseError, InputError

_SUFFIXES = {"sqlite": ".db", "postgresql": ".zip"}
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is complete and on the disk; `removed` are the older ones that made room for it."""

    file: Path
    about: About
    size: int
    removed: list[Path] = field(default_factory=list)


def nobody_watches(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def make(
    engine: Engine, wanted: Path | None = None, *, keep: int | None = None, tell: Tell = nobody_watches
) -> Made:
    """Into `wanted`, a file that is not there yet or a folder; else into `backups` beside the database.

    `keep`: so many of the folder's backups stay, the newest. Raises InputError or DatabaseError in words.
    """
    named = wanted is not None and not wanted.is_dir()
    if keep is not None and named:
        raise InputError("--keep needs a folder, because it goes by the names that are given there.")
    file = wanted if wanted is not None and named else _next_in(engine, wanted)
    if file.exists():
        raise InputError(f"{file} is there already, and is not written over.")
    with _in_words(file):
        if not named:
            file.parent.mkdir(mode=0o700, exist_ok=True)
        about = _write(engine, file, tell)
        removed = [] if keep is None else _thin_out(file, keep)
    return Made(file, about, file.stat().st_size, removed)


def _next_in(engine: Engine, folder: Path | None) -> Path:
    database = engine.url.database or "notifier"
    backend = engine.url.get_backend_name()
    if folder is None:
        folder = (backup_sqlite.file_of(engine).parent if backend == "sqlite" else Path()) / "backups"
    stem = Path(database).stem if backend == "sqlite" else re.sub(r"[^\w-]", "_", database)
    return folder / f"{stem}-{datetime.now(UTC):{_STAMP}}{_SUFFIXES[backend]}"


def _write(engine: Engine, file: Path, tell: Tell) -> About:
    """Complete under a name of its own first, so that half a backup never looks like one."""
    partial = file.with_name(f".{file.name}.partial")
    write = backup_sqlite.write if is_sqlite(engine) else backup_postgresql.write
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        with db.explained(engine):
            about = write(engine, partial, tell)
        sync(partial)
        partial.replace(file)
        sync(file.parent)
    finally:
        partial.unlink(missing_ok=True)
    return about


def _thin_out(newest: Path, keep: int) -> list[Path]:
    """Only files that are named as this program names them, and what runs left that were killed since."""
    stem = newest.stem.rpartition("-")[0]
    name = rf"{re.escape(stem)}-\d{{8}}T\d{{6}}Z{re.escape(newest.suffix)}"
    there = sorted(newest.parent.iterdir())
    found = [path for path in there if re.fullmatch(name, path.name)]
    too_many = found[:-keep]
    oldest = found[len(too_many)].name
    halves = [path for path in there if re.fullmatch(rf"\.{name}\.partial.*", path.name)]
    for path in (*too_many, *(half for half in halves if half.name[1:] < oldest)):
        path.unlink()
    return too_many


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"The backup {file} could not be made: {error}.") from error
    except OSError as error:
        raise DatabaseError(f"The backup {file} could not be made: {error.strerror or error}.") from error

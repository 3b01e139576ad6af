"""Backup and restore of SQLite: its own online backup, from one snapshot, so that writers go on meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine

from notifier import db
from notifier.backup_files import About, Tell, sync
from notifier.errors import ConflictError, DatabaseError, InputError

_PAGES = 2000  # at a time
# The one row that makes a copy a backup.
_INFO = "CREATE TABLE backup_info (made_at TEXT NOT NULL, revision TEXT NOT NULL)"


def file_of(engine: Engine) -> Path:
    name = engine.url.database or ""
    if not name or name.startswith((":memory:", "file:")):
        raise InputError("This database is not a file, so there is nothing to keep.")
    return Path(name)


@contextmanager
def _opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(file.absolute()))}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=10)) as connection:
        yield connection


def write(engine: Engine, partial: Path, tell: Tell) -> About:
    """Copy what is committed now. The snapshot is held until the end; without it each commit of another
    program would make the copy begin anew.
    """
    _forget_logs(partial)
    with _opened(file_of(engine), "rw") as source, _opened(partial, "rw") as copy:
        made_at = source.execute("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").fetchone()[0]
        source.execute("BEGIN")
        revision = _revision(source)
        _copy(source, copy, tell)
        source.execute("ROLLBACK")
        _finish(copy)
        copy.execute(_INFO)
        copy.execute("INSERT INTO backup_info VALUES (?, ?)", (made_at, revision))
    return About(_moment(made_at), revision)


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection, tell: Tell) -> None:
    source.backup(copy, pages=_PAGES, progress=lambda _, left, total: tell(total - left, total))


def _finish(copy: sqlite3.Connection) -> None:
    """One file without a log beside it, and found whole."""
    copy.execute("PRAGMA journal_mode=DELETE")
    found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DatabaseError(f"What was copied is damaged: {found}. Nothing was changed.")


def _revision(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(file: Path, made_at: datetime | None) -> About:
    """Raises InputError. `made_at`: for a copy that was made in another way and does not say."""
    try:
        with _opened(file, "ro") as connection:
            revision = _revision(connection)
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'backup_info'").fetchone()
            said = connection.execute("SELECT made_at FROM backup_info").fetchone() if known else None
    except sqlite3.Error as error:
        raise InputError(f"{file} cannot be read as a backup: {error}.") from error
    moment = _moment(str(said[0])) if said and said[0] else made_at
    if moment is None:
        raise InputError(f"{file} does not say when it was made. Add --made-at, such as 2026-03-05T02:00Z.")
    return About(moment, revision)


def holds(engine: Engine) -> str:
    """What is there now, in words; empty where nothing would be lost."""
    file = file_of(engine)
    if not file.exists() or not file.stat().st_size:
        return ""
    try:
        with _opened(file, "rw") as connection:
            clinics = connection.execute("SELECT count(*) FROM clinics").fetchone()[0]
    except sqlite3.Error:
        return f"The database {file} is there, and cannot be read"
    return f"The database {file} holds a clinic already" if clinics else ""


def restore(engine: Engine, file: Path, finish: Callable[[Engine], None], tell: Tell) -> str:
    """Made ready beside the present file, which is then moved aside. Returns where to; empty: none was there.

    `finish` brings the copy up to date and makes it safe: nobody sees it before.
    """
    target = file_of(engine)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.restoring")
    try:
        _make_ready(file, partial, finish, tell)
        return _swap(target, partial)
    except sqlite3.Error as error:
        raise DatabaseError(f"{file} could not be restored: {error}. Nothing was changed.") from error
    finally:
        _forget_logs(partial)
        partial.unlink(missing_ok=True)


def _make_ready(file: Path, partial: Path, finish: Callable[[Engine], None], tell: Tell) -> None:
    _forget_logs(partial)
    os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    with _opened(file, "ro") as source, _opened(partial, "rw") as copy:
        _copy(source, copy, tell)
        _finish(copy)
        copy.execute("DROP TABLE IF EXISTS backup_info")
    made_ready = db.open_engine(f"sqlite:///{partial}")
    try:
        finish(made_ready)
    finally:
        made_ready.dispose()
    with _opened(partial, "rw") as copy:
        _finish(copy)
    if os.geteuid() == 0:
        # The service, which owns the folder, has to be able to write it.
        owner = partial.parent.stat()
        os.chown(partial, owner.st_uid, owner.st_gid)
    sync(partial)


def _swap(target: Path, partial: Path) -> str:
    aside = target.with_name(f"{target.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    if not target.exists():
        partial.replace(target)
        sync(target.parent)
        return ""
    with _alone(target):
        # A log that stayed would be taken for the new file's.
        for there, moved in zip(_with_logs(target)[1:], _with_logs(aside)[1:], strict=True):
            if there.exists():
                there.replace(moved)
        _leave_at(target, aside)
        partial.replace(target)
        sync(target.parent)
    return str(aside)


def _leave_at(target: Path, aside: Path) -> None:
    """Under both names for a moment, so that there is never no database; where the disk can do that."""
    try:
        os.link(target, aside)
    except OSError:
        target.replace(aside)


def _with_logs(file: Path) -> list[Path]:
    return [file, *(file.with_name(f"{file.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))]


def _forget_logs(partial: Path) -> None:
    """What a run that was killed left would be played into the new file."""
    for log in _with_logs(partial)[1:]:
        log.unlink(missing_ok=True)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody else has it open: SQLite gives its log up only then. What is damaged cannot be asked."""
    with closing(sqlite3.connect(target, isolation_level=None, timeout=1)) as present:
        try:
            present.execute("PRAGMA journal_mode=DELETE")
            present.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise ConflictError(
                    f"The database {target} is in use: stop notifier run, serve and worker first. "
                    "Nothing was changed."
                ) from error
        yield

"""Restoring a backup, so that nothing is sent twice, nor to anybody who said no since. An entry point.

The database is brought up to date and made safe before anybody can see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from notifier import backup_postgresql, backup_sqlite, db, restored
from notifier.backup_files import About, Tell, is_sqlite, require_kind
from notifier.clock import Clock
from notifier.config import Settings
from notifier.errors import NeedsConfirmation, SchemaMismatch
from notifier.restored import Safe

MakeSafe = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """`aside`: where what was there is now, a file or a schema of PostgreSQL; empty: nothing was there."""

    about: About
    safe: Safe
    aside: str


def restore(
    engine: Engine,
    clock: Clock,
    settings: Settings,
    file: Path,
    *,
    made_at: datetime | None,
    replace: bool,
    tell: Tell,
    actor: str,
) -> Restored:
    """Raises NeedsConfirmation where a database in use would be replaced."""
    require_kind(file, engine)
    about = _about(engine, file, made_at)
    present = (backup_sqlite if is_sqlite(engine) else backup_postgresql).holds(engine)
    if present and not replace:
        raise NeedsConfirmation(
            f"{present}. It would be moved aside, and the backup of {about.made_at:%Y-%m-%d %H:%M} UTC "
            "take its place.",
            field="yes",
            flag="--yes",
        )
    made_safe: list[Safe] = []

    def make_safe(session: Session) -> None:
        made_safe.append(restored.make_safe(session, settings, about.made_at, now=clock.now(), actor=actor))

    engine.dispose()  # our own look at it must not be taken for somebody at work
    if is_sqlite(engine):
        aside = backup_sqlite.restore(engine, file, partial(_finish_file, make_safe), tell)
    else:
        aside = backup_postgresql.restore(engine, file, partial(_finish, make_safe), tell)
    return Restored(about, made_safe[0], aside)


def _about(engine: Engine, file: Path, made_at: datetime | None) -> About:
    about = backup_sqlite.read(file, made_at) if is_sqlite(engine) else backup_postgresql.read(file)
    if not db.knows(about.revision):
        raise SchemaMismatch(
            f"{file} is of a newer version of this program (it has {about.revision}). Install that one first."
        )
    return about


def _finish_file(make_safe: MakeSafe, engine: Engine) -> None:
    db.upgrade(engine)
    with db.transaction(engine) as session:
        make_safe(session)


def _finish(make_safe: MakeSafe, connection: Connection) -> None:
    db.upgrade_within(connection)
    with Session(connection, join_transaction_mode="create_savepoint") as session, session.begin():
        make_safe(session)

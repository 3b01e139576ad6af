"""Backups made while others write: whole, of one moment, and refused where they would do harm."""

from __future__ import annotations

import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from notifier import backup, db
from notifier.backup_restoring import Restored, restore
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.errors import (
    ConflictError,
    DatabaseError,
    InputError,
    NeedsConfirmation,
    NotifierError,
    SchemaMismatch,
)
from notifier.models import Base, Clinic
from tests import cast
from tests.cast import on_postgresql, on_sqlite

NOW = cast.LOGGED


def bring_back(engine: Engine, file: Path, **changes: Any) -> Restored:
    given: dict[str, Any] = {"made_at": None, "replace": False, "tell": backup.nobody_watches, "actor": "cli"}
    return restore(engine, JumpingClock(NOW), Settings(), file, **given | changes)


def refusal(engine: Engine, file: Path, kind: type[NotifierError]) -> str:
    with pytest.raises(kind) as refused:
        bring_back(engine, file)
    return str(refused.value)


def rows(engine: Engine) -> dict[str, list[Any]]:
    """All but what a restore changes."""
    left_out = {"senders", "receivers", "audit"}
    with engine.connect() as connection:
        return {
            name: list(connection.execute(table.select().order_by(*table.primary_key)).all())
            for name, table in Base.metadata.tables.items()
            if name not in left_out
        }


def test_what_comes_back_is_what_was_there(
    engine: Engine, clinic: Clinic, empty_engine: Engine, tmp_path: Path
) -> None:
    with db.transaction(engine) as session:
        cast.log(session, session.merge(clinic, load=False), cast.LEO)
        session.execute(text("UPDATE clinics SET name = :odd"), {"odd": 'Río "\\N" \t1\n2, 😀 \\.'})
    told: list[tuple[int, int]] = []
    made = backup.make(engine, tmp_path, tell=lambda done, total: told.append((done, total)))
    with db.reading(engine) as session:
        assert made.about.made_at <= db.database_now(session)
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert told[-1][0] == told[-1][1] > 0
    done = bring_back(empty_engine, made.file)
    assert rows(empty_engine) == rows(engine)
    assert done.about == made.about
    db.require_current_schema(empty_engine)
    with db.transaction(empty_engine) as session:
        cast.log(session, session.get_one(Clinic, clinic.id), cast.ALICE)  # ids go on
    assert [
        path.name for path in tmp_path.iterdir() if "partial" in path.name or "restoring" in path.name
    ] == []


def test_writers_go_on_and_the_backup_is_of_one_moment(
    engine: Engine, second_engine: Engine, empty_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    """Two rows that always say the same; commits come between any two steps of the backup."""
    numbers = iter(range(10_000))
    writing = threading.Lock()

    def write(done: int, total: int) -> None:
        number = str(next(numbers))
        with writing, second_engine.begin() as connection:
            connection.execute(text("UPDATE clinics SET phone = :n, crisis_line = :n"), {"n": number})
            connection.execute(text("UPDATE senders SET display_name = :n"), {"n": number})

    write(0, 0)
    before = next(numbers)
    made = backup.make(engine, tmp_path, tell=write)
    assert next(numbers) > before + 1, "nobody wrote meanwhile"
    bring_back(empty_engine, made.file)
    with empty_engine.connect() as connection:
        both = connection.execute(
            text("SELECT phone, crisis_line, display_name FROM clinics JOIN senders ON true")
        ).all()
    assert {value for row in both for value in row} == {"0"}


def test_old_ones_make_room_and_nothing_else_does(engine: Engine, clinic: Clinic, tmp_path: Path) -> None:
    made = backup.make(engine, tmp_path)
    stem, suffix = made.file.stem.rpartition("-")[0], made.file.suffix
    old = [tmp_path / f"{stem}-2025010{day}T020000Z{suffix}" for day in range(1, 5)]
    others = [tmp_path / f"{stem}-mine{suffix}", tmp_path / f"other-20250101T020000Z{suffix}"]
    killed = tmp_path / f".{old[0].name}.partial"
    killed.write_text("half")
    made.file.rename(old[0])
    for path in (*old[1:], *others):
        path.write_text("x")
    made = backup.make(engine, tmp_path, keep=3)
    assert made.removed == old[:2]
    assert sorted(tmp_path.glob(f"{stem}-2*")) == sorted([*old[2:], made.file])
    assert all(path.exists() for path in others)
    assert not killed.exists()
    with pytest.raises(InputError, match="is there already"):
        backup.make(engine, made.file)
    with pytest.raises(InputError, match="--keep needs a folder"):
        backup.make(engine, tmp_path / "named", keep=3)


def test_a_backup_that_fails_leaves_nothing_behind(engine: Engine, clinic: Clinic, tmp_path: Path) -> None:
    def full(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DatabaseError, match="could not be made"):
        backup.make(engine, tmp_path / "kept", tell=full)
    assert not any("kept" in path.name for path in tmp_path.iterdir())
    with pytest.raises(DatabaseError, match="No such file"):
        backup.make(engine, tmp_path / "nowhere" / "kept")


def test_a_database_in_use_is_moved_aside_only_when_told_and_never_while_held(
    engine: Engine, second_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    file = backup.make(engine, tmp_path).file
    assert "moved aside" in refusal(engine, file, NeedsConfirmation)
    before = rows(engine)
    with second_engine.connect() as somebody:
        somebody.execute(text("SELECT 1 FROM clinics")).all()
        somebody.rollback()  # a worker that sleeps between two messages
        with pytest.raises(ConflictError, match="is in use"):
            bring_back(engine, file, replace=True)
    second_engine.dispose()
    assert rows(engine) == before
    with db.transaction(engine) as session:
        session.execute(text("UPDATE clinics SET name = 'Later'"))
    done = bring_back(engine, file, replace=True)
    assert rows(engine) == before
    assert names_of(engine, done.aside) == ["Later"]


def names_of(engine: Engine, aside: str) -> list[str]:
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            found = list(connection.execute(text(f"SELECT name FROM {aside}.clinics")).scalars())
            connection.execute(text(f"DROP SCHEMA {aside} CASCADE"))
            return found
    kept = db.open_engine(f"sqlite:///{aside}")
    with kept.connect() as connection:
        found = list(connection.execute(text("SELECT name FROM clinics")).scalars())
    kept.dispose()
    Path(aside).unlink()
    return found


def test_what_is_no_backup_of_ours_is_refused_and_changes_nothing(
    engine: Engine, empty_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    good = backup.make(engine, tmp_path / "good").file
    half = tmp_path / "half"
    half.write_bytes(good.read_bytes()[:-2000])
    assert refusal(empty_engine, half, NotifierError)
    for start, words in ((b"hello", "is not a backup"), (b"PK\x03\x04", ""), (b"SQLite format 3\0", "")):
        (tmp_path / "odd").write_bytes(start)
        assert words in refusal(empty_engine, tmp_path / "odd", InputError)
    assert "There is no file" in refusal(empty_engine, tmp_path / "nothing", InputError)
    assert db.revisions(empty_engine)[0] is None


def test_a_newer_programs_backup_is_refused_and_an_older_ones_is_brought_up_to_date(
    engine: Engine, empty_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    file = backup.make(engine, tmp_path).file
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'next'"))
    newer = backup.make(engine, tmp_path / "newer").file
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{db.needed_revision()}'"))
    assert "of a newer version" in refusal(empty_engine, newer, SchemaMismatch)

    bring_back(empty_engine, file)
    db.downgrade(empty_engine, "0002")
    older = backup.make(empty_engine, tmp_path / "older").file
    empty_engine.dispose()
    bring_back(empty_engine, older, replace=True)
    db.require_current_schema(empty_engine)


@on_sqlite
def test_a_copy_of_the_file_has_to_be_told_when_it_was_made(
    engine: Engine, empty_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(engine.url.database or "")) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    assert "Add --made-at" in refusal(empty_engine, copy, InputError)
    assert bring_back(empty_engine, copy, made_at=NOW).about.made_at == NOW


@on_sqlite
def test_a_damaged_database_is_moved_aside_as_it_is(engine: Engine, clinic: Clinic, tmp_path: Path) -> None:
    file = backup.make(engine, tmp_path).file
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database at all" * 100)
    target = db.open_engine(f"sqlite:///{damaged}")
    assert "cannot be read" in refusal(target, file, NeedsConfirmation)
    done = bring_back(target, file, replace=True)
    assert Path(done.aside).read_bytes().startswith(b"not a database")
    assert rows(target) == rows(engine)
    target.dispose()


@on_postgresql
def test_a_table_that_lost_rows_is_noticed(
    engine: Engine, empty_engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    good = backup.make(engine, tmp_path / "good").file
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(tmp_path / "less", "w") as less:
        for name in source.namelist():
            lines = source.read(name)
            less.writestr(name, lines.split(b"\n", 1)[1] if name == "plan_versions.copy" else lines)
    assert "is not whole" in refusal(empty_engine, tmp_path / "less", InputError)
    assert db.revisions(empty_engine)[0] is None

"""Backup and restore of PostgreSQL: each table by COPY from one snapshot into a zip file, and back from it
in one transaction.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect

from notifier import db
from notifier.backup_files import About, Tell
from notifier.errors import ConflictError, DatabaseError, InputError

# Read last and so written last: without it the file is not whole.
_CONTENTS = "contents.json"
_BLOCK = 1 << 18
_TABLES = (
    "SELECT c.relname, pg_table_size(c.oid) FROM pg_class c "
    "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' "
    "AND c.relname <> 'alembic_version' ORDER BY c.relname"
)
_COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
    "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
)
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'aftercare-notifier' AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class _Contents:
    about: About
    tables: Mapping[str, Any]  # name → its columns and how many rows


def write(engine: Engine, partial: Path, tell: Tell) -> About:
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with snapshot.connect() as connection, connection.begin():
        made_at: datetime = connection.exec_driver_sql("SELECT now()").scalar_one()
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as archive:
            tables = _write_tables(connection, archive, tell)
            contents = {"made_at": made_at.isoformat(), "revision": revision, "tables": tables}
            archive.writestr(_CONTENTS, json.dumps(contents, indent=1))
    with zipfile.ZipFile(partial) as archive:
        if archive.testzip() is not None:
            raise DatabaseError("What was written is not what can be read back; check the disk.")
    return About(made_at, str(revision))


def _write_tables(connection: Connection, archive: zipfile.ZipFile, tell: Tell) -> dict[str, Any]:
    found = connection.exec_driver_sql(_TABLES).all()
    total, done = sum(row[1] for row in found), 0
    tables = {}
    for name, size in found:
        columns = list(connection.exec_driver_sql(_COLUMNS, (f'"{name}"',)).scalars())
        with archive.open(f"{name}.copy", "w", force_zip64=True) as out, _cursor(connection) as cursor:
            with cursor.copy(f"COPY {_named(name, columns)} TO STDOUT") as copy:
                for block in copy:
                    out.write(block)
                    tell(done, total)
            tables[name] = {"columns": columns, "rows": cursor.rowcount}
        done += size
    tell(total, total)
    return tables


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        yield cursor


def _named(table: str, columns: list[str]) -> str:
    """Names that this program gave, or found in a file that somebody else may have written."""
    return f"{_quoted(table)} ({', '.join(map(_quoted, columns))})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def read(file: Path) -> About:
    """Raises InputError."""
    return _contents(file).about


def _contents(file: Path) -> _Contents:
    try:
        with zipfile.ZipFile(file) as archive:
            said = json.loads(archive.read(_CONTENTS))
        about = About(datetime.fromisoformat(said["made_at"]), str(said["revision"]))
        return _Contents(about, dict(said["tables"]))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{file} is not a whole backup of this program.") from error


def holds(engine: Engine) -> str:
    """What is there now, in words; empty where nothing would be lost."""
    with db.explained(engine), engine.connect() as connection:
        there = connection.exec_driver_sql("SELECT to_regclass('clinics') IS NOT NULL").scalar_one()
        filled = there and connection.exec_driver_sql("SELECT count(*) FROM clinics").scalar_one()
        return f"The database {engine.url.database} holds a clinic already" if filled else ""


def restore(engine: Engine, file: Path, finish: Callable[[Connection], None], tell: Tell) -> str:
    """In one transaction. What is there is moved into a schema of its own: its name; empty: nothing was.

    `finish` brings it up to date and makes it safe, in the same transaction: nobody sees it before.
    """
    contents = _contents(file)
    with db.explained(engine), engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        if connection.exec_driver_sql(_OTHERS).scalar_one():
            raise ConflictError(
                f"The database {engine.url.database} is in use: stop notifier run, serve and worker on every "
                "machine first. Nothing was changed."
            )
        aside = _move_aside(connection)
        db.upgrade_within(connection, contents.about.revision)
        with zipfile.ZipFile(file) as archive:
            _fill(connection, archive, contents, tell)
        finish(connection)
    return aside


def _move_aside(connection: Connection) -> str:
    """A whole schema's worth of tables changes its place in a moment, indexes and all."""
    there = [row[0] for row in connection.exec_driver_sql(_TABLES)]
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version') IS NOT NULL").scalar_one():
        there.append("alembic_version")
    if not there:
        return ""
    stamp = connection.exec_driver_sql("SELECT to_char(now(), 'YYYYMMDD\"t\"HH24MISS')").scalar_one()
    aside = f"before_restore_{stamp}"
    connection.exec_driver_sql(f"CREATE SCHEMA {aside}")
    for name in there:
        connection.exec_driver_sql(f"ALTER TABLE {_quoted(name)} SET SCHEMA {aside}")
    return aside


def _fill(connection: Connection, archive: zipfile.ZipFile, contents: _Contents, tell: Tell) -> None:
    # Before those that point at them.
    order = [name for name, _ in inspect(connection).get_sorted_table_and_fkc_names() if name is not None]
    tables = [name for name in order if name in contents.tables]
    missing = set(contents.tables) - set(tables)
    if missing:
        raise InputError(f"The backup has tables that this program does not know: {', '.join(missing)}.")
    connection.exec_driver_sql(f"TRUNCATE {', '.join(map(_quoted, tables))}")
    total, done = sum(archive.getinfo(f"{name}.copy").file_size for name in tables), 0
    for name in tables:
        with archive.open(f"{name}.copy") as source, _cursor(connection) as cursor:
            with cursor.copy(f"COPY {_named(name, contents.tables[name]['columns'])} FROM STDIN") as copy:
                while block := source.read(_BLOCK):
                    copy.write(block)
                    done += len(block)
                    tell(done, total)
            if cursor.rowcount != contents.tables[name]["rows"]:
                raise InputError(f"The backup's table {name} is not whole. Nothing was changed.")
        _count_on(connection, name)


def _count_on(connection: Connection, table: str) -> None:
    """The next id of a table follows the highest one in it."""
    sequence = f"pg_get_serial_sequence('{_quoted(table)}', 'id')"
    if "id" in {column["name"] for column in inspect(connection).get_columns(table)}:
        connection.exec_driver_sql(
            f"SELECT setval({sequence}, max(id)) FROM {_quoted(table)} HAVING max(id) IS NOT NULL"
        )

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from notifier import db
from notifier.models import Base
from tests import cast
from tests.cast import on_postgresql, on_sqlite


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_up_makes_every_table_down_leaves_nothing_and_up_again_works(empty_engine: Engine) -> None:
    db.upgrade(empty_engine)
    assert tables(empty_engine) == set(Base.metadata.tables) | {"alembic_version"}
    db.downgrade(empty_engine)
    assert tables(empty_engine) == {"alembic_version"}
    assert db.revisions(empty_engine)[0] is None
    db.upgrade(empty_engine)
    db.require_current_schema(empty_engine)
    assert tables(empty_engine) == set(Base.metadata.tables) | {"alembic_version"}


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_partial_indexes_are_those_of_the_models(
    engine: Engine, empty_engine: Engine
) -> None:
    """What Alembic's comparison does not look at: checks, conditions of indexes, counting up of ids."""
    Base.metadata.create_all(empty_engine)
    assert details(engine) == details(empty_engine)


def condition(index: Any, dialect: str) -> str:
    return str(index["dialect_options"].get(f"{dialect}_where", ""))


def details(engine: Engine) -> dict[str, object]:
    found = inspect(engine)
    return {
        table: (
            sorted((str(check["name"]), check["sqltext"]) for check in found.get_check_constraints(table)),
            sorted(
                (str(index["name"]), str(index["column_names"]), condition(index, engine.dialect.name))
                for index in found.get_indexes(table)
            ),
            sorted(str(unique["name"]) for unique in found.get_unique_constraints(table)),
            sorted((str(key["name"]), str(key["options"])) for key in found.get_foreign_keys(table)),
            [(c["name"], c["nullable"], str(c["default"])) for c in found.get_columns(table)],
        )
        for table in Base.metadata.tables
    }


@on_sqlite
def test_ids_of_messages_are_never_used_again_on_sqlite(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"))
        assert {"messages", "attempts"} <= set(rows.scalars())


def test_an_upgrade_that_is_done_changes_nothing(engine: Engine) -> None:
    db.upgrade(engine)
    db.require_current_schema(engine)


def test_a_migration_that_fails_leaves_the_database_as_it_was(engine: Engine, tmp_path: Path) -> None:
    scripts = cast.next_migration(
        tmp_path,
        "op.create_table('half', sa.Column('id', sa.Integer, primary_key=True))",
        "op.execute('INSERT INTO half VALUES (1), (1)')",
    )
    with pytest.raises(SQLAlchemyError):
        db.upgrade(engine, scripts=scripts)
    assert "half" not in tables(engine)
    db.require_current_schema(engine)


def test_two_threads_may_upgrade_at_once(empty_engine: Engine) -> None:
    errors: list[BaseException] = []

    def go() -> None:
        try:
            db.upgrade(empty_engine)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    db.require_current_schema(empty_engine)


def upgrade(url: str) -> None:
    engine = db.open_engine(url)
    db.upgrade(engine)
    engine.dispose()


@on_postgresql
def test_two_processes_may_upgrade_at_once(empty_engine: Engine) -> None:
    url = empty_engine.url.render_as_string(hide_password=False)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=upgrade, args=(url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    db.require_current_schema(empty_engine)


def upgrade_until(url: str, statement: int) -> None:
    """Killed as by a power cut before this many statements are through; 0: just before the commit."""
    engine = db.open_engine(url)
    left = itertools.count(statement, -1)

    def die(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def count(*args: object) -> None:
        if next(left) == 1:
            die()

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", die)
    db.upgrade(engine)


def test_a_migration_that_is_killed_leaves_the_old_schema_and_the_next_one_finishes(
    empty_engine: Engine,
) -> None:
    db.upgrade(empty_engine, "0001")
    before, url = details_of(empty_engine), empty_engine.url.render_as_string(hide_password=False)
    for statement in (60, 0):
        empty_engine.dispose()
        process = multiprocessing.get_context("spawn").Process(target=upgrade_until, args=(url, statement))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert db.revision_of(empty_engine) == "0001"
        assert details_of(empty_engine) == before
    db.upgrade(empty_engine)
    db.require_current_schema(empty_engine)
    with empty_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def details_of(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {table: [str(c["name"]) for c in found.get_columns(table)] for table in found.get_table_names()}

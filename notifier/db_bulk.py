"""Many rows of one table in one statement, past the compilation of each row's parameters.

On PostgreSQL the rows go as arrays, on SQLite the driver repeats the statement: row by row either would take
several times as long.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, String, Table, any_, cast, column, func, literal, select
from sqlalchemy.orm import Session

Values = Mapping[str, Any]


def among(session: Session, expression: Any, values: Collection[Any]) -> Any:
    """As `expression.in_(values)`, but one parameter however many there are: the statement stays the same."""
    if session.get_bind().dialect.name == "postgresql":
        return expression == any_(cast(literal(_array(values), String()), ARRAY(expression.type)))
    listed = func.json_each(literal(json.dumps(list(values)), String())).table_valued(column("value"))
    return expression.in_(select(listed.c.value))


def insert_rows(session: Session, table: Table, rows: Sequence[Values]) -> None:
    """All rows name the same columns, in the same order."""
    if not rows:
        return
    names = tuple(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    into = f'INSERT INTO "{table.name}" ({columns})'
    values = [tuple(row.values()) for row in rows]
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        given = _Given(connection, table, names, values)
        given.run(f"{into} SELECT {', '.join(given.words.values())} FROM {given.arrays}")
    else:
        _repeat(connection, table, names, f"{into} VALUES ({', '.join('?' for _ in names)})", values)


def update_rows(session: Session, table: Table, changes: Sequence[tuple[int, Values]]) -> None:
    """Set these columns of the rows with these ids; no two changes are of the same row."""
    alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row_id, values in changes:
        # Only what differs is set: a column that is named costs the upkeep of its indexes.
        alike[tuple(values)].append((*values.values(), row_id))
    connection = session.connection()
    for names, rows in alike.items():
        if connection.dialect.name == "postgresql":
            given = _Given(connection, table, (*names, "id"), rows)
            settings = ", ".join(f'"{name}" = {given.words[name]}' for name in names)
            given.run(
                f'UPDATE "{table.name}" AS old SET {settings} FROM {given.arrays} '
                f"WHERE old.id = {given.words['id']}"
            )
        else:
            settings = ", ".join(f'"{name}" = ?' for name in names)
            statement = f'UPDATE "{table.name}" SET {settings} WHERE id = ?'
            _repeat(connection, table, (*names, "id"), statement, rows)


def _repeat(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    statement: str,
    rows: Sequence[tuple[Any, ...]],
) -> None:
    binds = [table.c[name].type.dialect_impl(connection.dialect) for name in names]
    columns = [
        values if (bind := kind.bind_processor(connection.dialect)) is None else tuple(map(bind, values))
        for kind, values in zip(binds, zip(*rows, strict=True), strict=True)
    ]
    connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


class _Given:
    """Rows as PostgreSQL gets them: an array for each column, but a single value where all have the same.

    `words` is the SQL of each column's value, `arrays` what the rows are selected from.
    """

    def __init__(
        self, connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        self._connection = connection
        self._parameters: dict[str, Any] = {}
        self.words: dict[str, str] = {}
        listed: dict[str, str] = {}
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            kind = table.c[name].type.compile(connection.dialect)
            # One column is listed in any case: somebody has to say how many rows there are.
            may_be_single = bool(listed) or name != names[-1]
            if may_be_single and values.count(values[0]) == len(values):
                self.words[name] = f"CAST(%({name})s AS {kind})"
                self._parameters[name] = values[0]
            else:
                self.words[name] = f'new."{name}"'
                listed[name] = f"CAST(%({name})s AS {kind}[])"
                self._parameters[name] = _array(values)
        columns = ", ".join(f'"{name}"' for name in listed)
        self.arrays = f"unnest({', '.join(listed.values())}) AS new ({columns})"

    def run(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement, self._parameters)


def _array(values: Iterable[Any]) -> str:
    """An array as PostgreSQL writes it; the driver would take ten times as long for it."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'

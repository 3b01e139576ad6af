"""What a capability asks of SQLite, and whether it walks through a whole table for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

# The tables that grow for as long as a clinic works.
_BIG = ("messages", "patients", "treatments", "attempts", "message_events", "audit", "consents", "replies")


@dataclass
class Asked:
    statements: list[tuple[str, Any]] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)

    @property
    def scans(self) -> list[str]:
        """Of a whole big table; "USING INDEX" in order, as for a list with a limit, is no search either."""
        return [plan for plan in self.plans if plan.startswith(tuple(f"SCAN {name}" for name in _BIG))]

    def uses(self, index: str) -> bool:
        return any(index in plan for plan in self.plans)


@contextmanager
def asked(session: Session) -> Iterator[Asked]:
    """Everything that is asked inside; its plans are there afterwards."""
    found = Asked()
    engine = session.get_bind()

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        found.statements.append((sql, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
    connection = session.connection()
    for sql, values in found.statements:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        found.plans += [row.detail for row in rows]

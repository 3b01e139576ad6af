"""The messages of some days as a file: what proves to others what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from notifier import audit, spreadsheet
from notifier.delivery import Filters, Row, every_row
from notifier.models import Clinic
from notifier.rules.zones import zone

MOST_DAYS = 366
HEADER = (
    *("message", "kind", "patient", "patient_id", "treatment_id", "plan", "step", "channel", "to"),
    *("status", "what", "reason", "due_at", "sent_at", "tries"),
)


def csv_of(session: Session, clinic: Clinic, filters: Filters) -> Iterator[bytes]:
    """Newest first, in pieces; the session has to stay open until the last one."""
    tz = zone(clinic.timezone)
    return spreadsheet.lines(HEADER, (_cells(row, tz) for row in every_row(session, clinic, filters)))


def _cells(row: Row, tz: ZoneInfo) -> tuple[object, ...]:
    message = row.message
    return (
        *(message.id, message.kind, row.patient, message.patient_id, message.treatment_id, row.plan),
        *(message.step, message.channel, message.to, message.status, row.state),
        *(message.reason, spreadsheet.moment(message.due_at, tz), spreadsheet.moment(message.claimed_at, tz)),
        message.attempts,
    )


def note_export(session: Session, clinic: Clinic, filters: Filters, *, now: datetime, actor: str) -> None:
    """Who takes patients' names and numbers out of the program is on record."""
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action="delivery.exported",
        subject="clinic",
        subject_id=clinic.id,
        first=filters.first.isoformat(),
        last=filters.last.isoformat(),
    )

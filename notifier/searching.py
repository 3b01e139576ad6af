"""What the lists that look back have in common: their days, the patients whom words mean, page after page."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_
from sqlalchemy.orm import Session

from notifier import patients
from notifier.errors import InputError
from notifier.models import Clinic
from notifier.rules.zones import to_instant

# At once, so that an answer comes at once; with a patient's name any time can be searched.
MOST_DAYS = 93
MOST_PATIENTS = 200


def midnight(day: date, tz: ZoneInfo) -> datetime:
    return to_instant(datetime.combine(day, time()), tz)


def check_days(first: date, last: date, *, words: str, most_days: int) -> None:
    """Raises InputError for days that cannot be, or are too many at once."""
    if last < first:
        raise InputError("The last day has to be the first one or later.", field="last")
    if (last - first).days >= most_days and not words:
        raise InputError(
            f"Choose at most {most_days} days, or name a patient: theirs can be searched over any time.",
            field="last",
        )


def patients_meant(session: Session, clinic: Clinic, words: str) -> tuple[int, ...]:
    """Raises InputError where the words say too little."""
    found = patients.search(session, clinic, words, limit=MOST_PATIENTS + 1)
    if len(found) > MOST_PATIENTS:
        raise InputError(
            f'"{words}" fits more than {MOST_PATIENTS} patients. Write more of the name, or a number.',
            field="words",
        )
    return tuple(patient.id for patient in found)


def cursor(at: datetime, row_id: int) -> str:
    """Where the next page begins: after this row, newest first."""
    return f"{at:%Y%m%dT%H%M%S.%fZ}-{row_id}"


def before(
    at: SQLColumnExpression[Any], row_id: SQLColumnExpression[int], cursor: str
) -> ColumnElement[bool]:
    """Raises InputError for what no page has given."""
    moment, _, number = cursor.partition("-")
    try:
        then, last_id = datetime.strptime(moment, "%Y%m%dT%H%M%S.%f%z"), int(number)
    except ValueError as error:
        raise InputError("This page's address is damaged. Begin again from the first page.") from error
    return or_(at < then, and_(at == then, row_id < last_id))

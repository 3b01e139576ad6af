"""Nothing logged by closing time on an open day: the admins are told, as double entry is forgotten first."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import clinics, staff_mail
from notifier.config import Settings
from notifier.errors import InputError
from notifier.models import Clinic, Treatment
from notifier.rendering import short_date, short_time
from notifier.rules.hours import weekday
from notifier.rules.zones import to_instant, to_local, zone

log = logging.getLogger(__name__)

# A worker that was down in the evening still tells in the morning; the day after that is another story.
_LATELY = timedelta(hours=16)
_USEFUL_FOR = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class MissingLog:
    """An open day of which nothing is logged, and when its hours ended."""

    day: date
    closed_at: datetime


def missing_log(session: Session, clinic: Clinic, now: datetime) -> MissingLog | None:
    """The latest day, if it ended lately and none of its treatments is logged. None too without hours."""
    try:
        found = clinics.hours(clinic).last_closed(now, _LATELY)
    except InputError as error:
        log.warning("clinic %s: its opening hours cannot be read: %s", clinic.key, error)
        return None
    if found is None or found[1] <= clinic.created_at or _is_any_logged(session, clinic, found[0]):
        return None
    return MissingLog(*found)


def _is_any_logged(session: Session, clinic: Clinic, day: date) -> bool:
    tz, midnight = zone(clinic.timezone), datetime.combine(day, time())
    query = select(Treatment.id).where(
        Treatment.clinic_id == clinic.id,
        Treatment.ended_at >= to_instant(midnight, tz),
        Treatment.ended_at < to_instant(midnight + timedelta(days=1), tz),
        Treatment.voided_at.is_(None),
    )
    return session.scalar(query.limit(1)) is not None


def tell_admins(session: Session, settings: Settings, now: datetime) -> datetime | None:
    """The chore: an e-mail to each admin of each such clinic, once. Returns the next closing time of any."""
    everywhere = clinics.all_clinics(session)
    for clinic in everywhere:
        missing = missing_log(session, clinic, now)
        if missing is not None and _sends_email(settings):
            _tell(session, clinic, missing, settings.web.base_url, now)
    return min((at for clinic in everywhere if (at := _next_closing(clinic, now))), default=None)


def _sends_email(settings: Settings) -> bool:
    """Only live mode needs a mail server: what nobody could send would wait for ever."""
    return settings.delivery.mode != "live" or bool(settings.email.host)


def _tell(session: Session, clinic: Clinic, missing: MissingLog, base_url: str, now: datetime) -> None:
    language = clinic.language
    closed_at = to_local(missing.closed_at, zone(clinic.timezone)).time()
    values = {
        "day": f"{weekday(missing.day, language)} {short_date(missing.day, language)}",
        "closed_at": short_time(closed_at, language),
        "link": f"{base_url}/import" if base_url else "",
    }
    for person in staff_mail.admins(session, clinic):
        staff_mail.write(
            session,
            clinic,
            person,
            "nothing-logged",
            values,
            key=f"nothing-logged:{missing.day}",
            now=now,
            useful_until=missing.closed_at + _USEFUL_FOR,
        )


def _next_closing(clinic: Clinic, now: datetime) -> datetime | None:
    try:
        return clinics.hours(clinic).next_closing(now)
    except InputError:
        return None  # told above

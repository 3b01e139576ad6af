"""Times as people at the clinic type and read them: on a wall clock, and the zone is said."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from notifier.rules.zones import to_local, zone

if TYPE_CHECKING:
    from notifier.models import Clinic

_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:\s*[ap]\.?\s*m\.?)?", re.IGNORECASE)


def moment(typed: str, clinic: Clinic, now: datetime) -> datetime:
    """With an offset as it says, else on the clinic's clock; a mere time of day is today's."""
    from notifier.import_times import read_time

    tz, words = zone(clinic.timezone), typed.strip()
    if _CLOCK.fullmatch(words):
        words = f"{to_local(now, tz):%Y-%m-%d} {words}"
    return read_time(words, tz=tz, country=clinic.country)


def told(instant: datetime | None, tz: ZoneInfo, *, seconds: bool = False) -> str:
    """Tue 2026-03-03 09:00: aligned below each other, and clear in any year."""
    if instant is None:
        return ""
    return format(to_local(instant, tz), "%a %Y-%m-%d %H:%M:%S" if seconds else "%a %Y-%m-%d %H:%M")

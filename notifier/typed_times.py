"""A moment as people at the clinic type it, on its own wall clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from notifier.import_times import read_time
from notifier.rules.zones import to_local, zone

if TYPE_CHECKING:
    from notifier.models import Clinic

_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:\s*[ap]\.?\s*m\.?)?", re.IGNORECASE)
_AGO = re.compile(r"[-\u2212\u2013]\s*(\d{1,4})\s*(?:m|min|minutes?)?", re.IGNORECASE)


def moment(typed: str, clinic: Clinic, now: datetime) -> datetime:
    """With an offset as it says, else on the clinic's clock; a mere time of day is today's.

    "-30" is half an hour ago.
    """
    tz, words = zone(clinic.timezone), typed.strip()
    if ago := _AGO.fullmatch(words):
        return now - timedelta(minutes=int(ago[1]))
    if _CLOCK.fullmatch(words):
        words = f"{to_local(now, tz):%Y-%m-%d} {words}"
    return read_time(words, tz=tz, country=clinic.country)

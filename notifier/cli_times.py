"""Times as people at the clinic type and read them: on a wall clock, and the zone is said."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from notifier.rules.zones import to_local


def told(instant: datetime | None, tz: ZoneInfo, *, seconds: bool = False) -> str:
    """Tue 2026-03-03 09:00: aligned below each other, and clear in any year."""
    if instant is None:
        return ""
    return format(to_local(instant, tz), "%a %Y-%m-%d %H:%M:%S" if seconds else "%a %Y-%m-%d %H:%M")

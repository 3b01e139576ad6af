"""Time zones from the `tzdata` package, so that every host agrees whatever its system carries."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from notifier.errors import InputError


@cache
def zone_names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@cache
def zone(name: str) -> ZoneInfo:
    """Raises InputError where there is no such zone."""
    if name not in zone_names():
        near = difflib.get_close_matches(name, zone_names(), n=1)
        hint = f" Did you mean {near[0]}?" if near else " Write it like America/New_York."
        raise InputError(f'There is no time zone "{name}".{hint}', field="timezone")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def to_local(instant: datetime, tz: ZoneInfo) -> datetime:
    """The wall clock at that instant, without a zone."""
    local = instant.astimezone(tz)
    # As `replace(tzinfo=None)`, in a third of the time; planning asks for it all the time.
    return datetime.combine(local.date(), local.time())


def to_instant(local: datetime, tz: ZoneInfo, *, fold: int = 0) -> datetime:
    """A wall-clock time as UTC.

    With `fold=0`, one that does not exist on the day moves forward by the gap, and one that exists twice is
    the first. `fold=1` answers the other way round: back by the gap, and the second.
    """
    if local.fold != fold:
        local = local.replace(fold=fold)
    return datetime.combine(local.date(), local.time(), tz).astimezone(UTC)


def day_span(day: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a calendar day in this zone, and that of the next day."""
    start, end = (datetime.combine(day + timedelta(days=ahead), time()) for ahead in (0, 1))
    return to_instant(start, tz), to_instant(end, tz)

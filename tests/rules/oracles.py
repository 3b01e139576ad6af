"""Two other libraries' word on when a message is due, worked out in another way than `rules/timing.py` does.

The rules compute each opening and close from the calendar; here somebody watches the clock, a quarter of an
hour at a time, until the window is open. So edges of windows and offsets of zones have to be quarters of
hours, and no edge may lie where the clocks change.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from importlib import resources
from itertools import pairwise
from typing import Protocol

import pytz
from dateutil import tz as dateutil_tz
from dateutil.relativedelta import relativedelta

from notifier.rules.plan import Anchor, OutsideWindow

QUARTER = timedelta(minutes=15)

# Zones whose rules for 2024-2027 have long been settled, so that two libraries with zone data of different
# months agree. Their clocks change at 0, 1, 2 and 3 o'clock, by an hour, by half an hour or never.
STEADY_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/St_Johns",
    "America/Bogota",
    "America/Santiago",
    "America/Sao_Paulo",
    "Atlantic/Azores",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Madrid",
    "Europe/Athens",
    "Africa/Cairo",
    "Africa/Lagos",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)


@dataclass(frozen=True)
class Case:
    zone: str
    ended_at: datetime
    logged_at: datetime
    next_visit: datetime | None
    anchor: Anchor
    after: str
    at: time | None
    useful_for: str | None
    not_before: int  # minutes
    outside_window: OutsideWindow
    window: tuple[time, time]


class Clock(Protocol):
    """What a library has to know: what a wall clock shows, and when it shows this so many days on."""

    def wall(self, instant: datetime) -> datetime: ...
    def days_on(self, instant: datetime, days: int, at: time | None) -> datetime: ...


class DateutilClock:
    def __init__(self, name: str) -> None:
        # Not gettz(): it prefers the host's files, which may be of another year.
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            self._tz = dateutil_tz.tzfile(file, name)

    def wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self._tz)

    def days_on(self, instant: datetime, days: int, at: time | None) -> datetime:
        moved = self.wall(instant) + relativedelta(days=days)
        if at is not None:
            moved += relativedelta(hour=at.hour, minute=at.minute, second=0)
        return dateutil_tz.resolve_imaginary(dateutil_tz.enfold(moved, fold=0)).astimezone(UTC)


class PytzClock:
    def __init__(self, name: str) -> None:
        self._tz = pytz.timezone(name)

    def wall(self, instant: datetime) -> datetime:
        return self._tz.normalize(instant.astimezone(self._tz))

    def days_on(self, instant: datetime, days: int, at: time | None) -> datetime:
        shown = self.wall(instant)
        moved = datetime.combine(shown.date() + timedelta(days=days), at or shown.time())
        try:
            return self._tz.localize(moved, is_dst=None).astimezone(UTC)
        except pytz.AmbiguousTimeError:
            return min(self._both(moved))
        except pytz.NonExistentTimeError:
            return max(self._both(moved))

    def _both(self, moved: datetime) -> list[datetime]:
        return [self._tz.localize(moved, is_dst=dst).astimezone(UTC) for dst in (True, False)]


Answer = tuple[str, datetime | None, datetime | None]  # what, when, useful until


def expected(case: Case, clock: Clock) -> Answer:
    anchor = case.ended_at if case.anchor == "treatment_end" else case.next_visit
    if anchor is None:
        return "no visit", None, None
    until = None if case.anchor == "treatment_end" else anchor
    if case.useful_for is not None:
        until = _add(anchor, case.useful_for, None, clock)
    floor = case.ended_at if case.ended_at > case.logged_at else case.logged_at
    floor += timedelta(minutes=case.not_before)
    due = _add(anchor, case.after, case.at, clock)
    due = _watch(due if due > floor else floor, floor, case, clock)
    if until is not None and until < due:
        return "too late", None, until
    return "due", due, until


def _add(anchor: datetime, text: str, at: time | None, clock: Clock) -> datetime:
    count, unit = int(text[:-1]), text[-1]
    if unit in "mh":
        return anchor + timedelta(minutes=count * {"m": 1, "h": 60}[unit])
    return clock.days_on(anchor, count * {"d": 1, "w": 7}[unit], at)


def _watch(due: datetime, floor: datetime, case: Case, clock: Clock) -> datetime:
    def shut(instant: datetime) -> bool:
        shown = clock.wall(instant)
        reading = (shown.hour, shown.minute, shown.second)
        opens, closes = case.window
        return reading < (opens.hour, opens.minute, 0) or reading > (closes.hour, closes.minute, 0)

    if not shut(due):
        return due
    last_quarter = due - timedelta(minutes=due.minute % 15, seconds=due.second)
    if case.outside_window == "earlier":
        back = last_quarter
        while shut(back):
            back -= QUARTER
        if back >= floor:
            return back
    on = last_quarter + QUARTER
    while shut(on):
        on += QUARTER
    return on


WINDOWS = [
    (time(9), time(20)),
    (time(8), time(21)),
    (time(7, 15), time(12, 45)),
    (time(10, 30), time(18)),
    (time(6), time(23, 45)),
    (time(12), time(12, 15)),
]
_AFTER_TREATMENT = ["0m", "45m", "2h", "22h", "31h", "0d", "1d", "2d", "3d", "5d", "1w", "2w"]
_BEFORE_VISIT = ["-90m", "-2h", "-26h", "0h", "-1d", "-2d", "-1w"]
_CLOCK_TIMES = [None, None, time(9), time(10), time(18), time(7, 30), time(21, 15), time(0, 30), time(2, 30)]


def cases(name: str, count: int, seed: int) -> list[Case]:
    """Drawn by a fixed seed; two in three fall due near a change of the clocks, where the zone has any."""
    chance = random.Random(f"{name} {seed}")
    changes = _changes(DateutilClock(name))
    return [_case(name, chance, changes) for _ in range(count)]


def _changes(clock: Clock) -> list[datetime]:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=n) for n in range(4 * 365)]
    return [b for a, b in pairwise(days) if clock.wall(a).utcoffset() != clock.wall(b).utcoffset()]


def _case(name: str, chance: random.Random, changes: list[datetime]) -> Case:
    anchor: Anchor = chance.choice(("treatment_end", "treatment_end", "next_visit"))
    after = chance.choice(_AFTER_TREATMENT if anchor == "treatment_end" else _BEFORE_VISIT)
    distance = timedelta(days=int(after[:-1]) * (7 if after[-1] == "w" else after[-1] == "d"))
    if changes and chance.random() < 2 / 3:
        moment = chance.choice(changes) - distance + timedelta(hours=chance.uniform(-30, 6))
    else:
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=chance.uniform(0, 4 * 365 * 24))
    moment = moment.replace(microsecond=0)
    ended, visit = _ends(moment, anchor, chance)
    return Case(
        zone=name,
        ended_at=ended,
        logged_at=ended + timedelta(seconds=chance.choice([0, 600, 5400, 86_399, 200_000])),
        next_visit=visit,
        anchor=anchor,
        after=after,
        at=chance.choice(_CLOCK_TIMES) if after[-1] in "dw" else None,
        useful_for=_useful_for(anchor, chance),
        not_before=chance.choice([0, 15, 15, 120]),
        outside_window=chance.choice(("later", "earlier")),
        window=chance.choice(WINDOWS),
    )


def _ends(moment: datetime, anchor: str, chance: random.Random) -> tuple[datetime, datetime | None]:
    """The treatment's end and the next visit, of which the step's anchor is at `moment`."""
    if anchor == "treatment_end":
        return moment, chance.choice([None, moment + timedelta(days=7)])
    ended = moment - timedelta(days=chance.choice([1, 4, 14]), minutes=chance.randrange(600))
    return ended, chance.choice([moment, moment, moment, None])


def _useful_for(anchor: str, chance: random.Random) -> str | None:
    if anchor == "treatment_end":
        return chance.choice([None, "18h", "36h", "60h", "96h", "4d", "1w", "3w"])
    return chance.choice([None, "0m", "-2h", "-1d", "3h", "1d"])

"""Dates and times as people and spreadsheets write them → instants.

What is read, always in the clinic's zone unless it carries an offset of its own:

    2026-03-07T17:30-05:00, 2026-03-07 17:30:00Z, 2026/3/7 17:30
    3/7/2026 17:30, 3/7/26 5:30 PM, 3-7-2026 17:30    month or day first, as the clinic's country writes
    07.03.2026 17:30                                  dots: always day first
    7-Mar-2026 17:30, Mar 7, 2026 5:30 p.m., 7 marzo 2026 17:30
    46088.72917                                       Excel's days since 30 December 1899
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from notifier.errors import InputError
from notifier.rules.recipients import fold_name
from notifier.rules.zones import to_instant

# Who writes 3/7 for 7 March in short dates, by CLDR; everybody else writes the day first.
MONTH_FIRST: Final = frozenset({"US", "AS", "FM", "GU", "MH", "MP", "PA", "PH", "PR", "PW", "UM", "VI"})

_TIME = (
    r"(?:(?:\s*[T,]\s*|\s+)(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[ap])\.?\s*m\b\.?)?(?:\s*(?P<offset>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)
_YEAR = r"(?P<year>\d{4}|\d{2})"
_WORD = r"(?P<word>[^\W\d_]{3,})\.?"
_YEAR_FIRST, _NUMBERS, _DAY_WORD, _WORD_DAY = (
    re.compile(shape + _TIME, re.IGNORECASE)
    for shape in (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        rf"(?P<one>\d{{1,2}})(?P<mark>[-/.])(?P<two>\d{{1,2}})(?P=mark){_YEAR}",
        rf"(?P<day>\d{{1,2}})[-/. ]+(?:de )?{_WORD}[-/., ]+(?:de )?{_YEAR}",
        rf"{_WORD}[- ]+(?P<day>\d{{1,2}}),?[- ]+{_YEAR}",
    )
)
_SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")
_SERIAL_START = datetime(1899, 12, 30)  # noqa: DTZ001 - a wall clock without a zone, like the serial itself

# The first three letters of the months, English and Spanish, without accents.
_MONTHS: Final = {
    letters: number
    for number, names in enumerate(
        (
            "jan ene",
            "feb",
            "mar",
            "apr abr",
            "may",
            "jun",
            "jul",
            "aug ago",
            "sep set",
            "oct",
            "nov",
            "dec dic",
        ),
        start=1,
    )
    for letters in names.split()
}


class _Written(NamedTuple):
    day: date
    time: time | None
    offset: timezone | None


def read_time(raw: str, *, tz: ZoneInfo, country: str) -> datetime:
    """The instant in UTC. Raises InputError, with how it was read, where it says no day or no time."""
    written = _read(raw, country)
    if written.time is None:
        raise InputError(f"'{raw}' has no time; write it like {written.day:%Y-%m-%d} 17:30.")
    return _instant(written.day, written.time, written.offset, tz)


def read_day_or_time(raw: str, *, tz: ZoneInfo, country: str) -> datetime:
    """As `read_time`; a day without a time is its beginning."""
    written = _read(raw, country)
    return _instant(written.day, written.time or time(), written.offset, tz)


def _instant(day: date, at: time, offset: timezone | None, tz: ZoneInfo) -> datetime:
    local = datetime.combine(day, at)
    return local.replace(tzinfo=offset).astimezone(UTC) if offset else to_instant(local, tz)


def _read(raw: str, country: str) -> _Written:
    raw = " ".join(raw.split())
    if _SERIAL.fullmatch(raw):
        written = _serial(raw)
    elif (found := next(_matches(raw), None)) is not None:
        written = _Written(_day(raw, found, country), _clock(raw, found), _offset(raw, found))
    else:
        raise InputError(f"'{raw[:40]}' is not a date and time; write it like 2026-03-07 17:30.")
    if not 2000 <= written.day.year <= 2099:
        raise InputError(f"'{raw}' would be in the year {written.day.year}; write it like 2026-03-07 17:30.")
    return written


def _matches(raw: str) -> Iterator[re.Match[str]]:
    for shape in (_YEAR_FIRST, _NUMBERS, _DAY_WORD, _WORD_DAY):
        if found := shape.fullmatch(raw):
            yield found


def _serial(raw: str) -> _Written:
    days, _, part = raw.replace(",", ".").partition(".")
    # Five decimals are not quite a second, and nobody ends a treatment at 17:30:03.
    moment = _SERIAL_START + timedelta(minutes=round(float(f"{days}.{part or 0}") * 24 * 60))
    return _Written(moment.date(), moment.time() if part else None, None)


def _day(raw: str, found: re.Match[str], country: str) -> date:
    parts = found.groupdict()
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    how = ""
    if "one" in parts:
        month_first = parts["mark"] != "." and country.upper() in MONTH_FIRST
        month, day = (int(parts[name]) for name in (("one", "two") if month_first else ("two", "one")))
        where = "always" if parts["mark"] == "." else f"in {country.upper()}"
        how = f", read {'month' if month_first else 'day'} first as {where}"
    else:
        month, day = _month(raw, parts), int(parts["day"])
    try:
        return date(year, month, day)
    except ValueError:
        missing = f"month {month}" if not 1 <= month <= 12 else f"day {day} in month {month} of {year}"
        raise InputError(f"'{raw}'{how}: there is no {missing}. Write it like 2026-03-07 17:30.") from None


def _month(raw: str, parts: dict[str, str]) -> int:
    if "word" not in parts:
        return int(parts["month"])
    month = _MONTHS.get(fold_name(parts["word"], "")[:3])
    if month is None:
        raise InputError(f"'{raw}': \"{parts['word']}\" is no month. Write it like 2026-03-07 17:30.")
    return month


def _clock(raw: str, found: re.Match[str]) -> time | None:
    hour, minute, second, half = (found[name] for name in ("hour", "minute", "second", "half"))
    if hour is None:
        return None
    number = int(hour)
    try:
        if (half and not 1 <= number <= 12) or not (half or minute):
            raise ValueError
        if half:
            number = number % 12 + (12 if half in "pP" else 0)
        return time(number, int(minute or 0), int(second or 0))
    except ValueError:
        raise InputError(f"'{raw}' has a time that no clock shows; write it like 17:30 or 5:30 PM.") from None


def _offset(raw: str, found: re.Match[str]) -> timezone | None:
    said = found["offset"]
    if said is None:
        return None
    if said[0] not in "+-":
        return UTC
    hours, minutes = int(said[1:3]), int(said[-2:]) if len(said) > 3 else 0
    if hours > 14 or minutes > 59:
        raise InputError(f"'{raw}': there is no offset {said}. Write it like 2026-03-07T17:30-05:00.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if said[0] == "-" else offset)

"""When a clinic is open: hours by the day of the week, and dates on which it is closed all the same."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from notifier.errors import InputError
from notifier.rules.zones import to_instant, to_local, zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = dict(
    zip(DAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True)
)
_LUNES = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MESES = ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"]
_Words = tuple[str, str, tuple[str, ...], list[str]]
_WORDS: dict[str, _Words] = {
    "en": ("today", "tomorrow", tuple(DAY_NAMES.values()), _MONTHS),
    "es": ("hoy", "mañana", _LUNES, _MESES),
}
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
# A clinic that is closed for longer than this opens on a day that nobody has to be told yet.
_AHEAD = 370
_MOST_A_DAY = 6
_MOST_DATES = 1000


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Open from one minute of the day until before another; 1440 is midnight at its end."""

    opens: int
    closes: int

    def __str__(self) -> str:
        return f"{_written(self.opens)}–{_written(self.closes)}"


@dataclass(frozen=True)
class Hours:
    """`week` has the spans of each day in order; a day without any is closed. Times are the clinic's own."""

    week: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    closed: frozenset[date] = frozenset()
    tz: ZoneInfo = field(default_factory=lambda: zone("UTC"))

    def __bool__(self) -> bool:
        """Whether anybody has entered any."""
        return any(self.week.values())

    def spans(self, day: date) -> tuple[Span, ...]:
        return () if day in self.closed else self.week.get(DAYS[day.weekday()], ())

    def is_open(self, now: datetime) -> bool:
        local = to_local(now, self.tz)
        minute = local.hour * 60 + local.minute
        return any(span.opens <= minute < span.closes for span in self.spans(local.date()))

    def closes_at(self, day: date) -> datetime | None:
        """The end of that day's last hours; None where it is closed all day."""
        spans = self.spans(day)
        return self._instant(day, spans[-1].closes) if spans else None

    def next_opening(self, now: datetime) -> datetime | None:
        """When it opens next, after now; None where nobody knows."""
        moments = (self._instant(day, span.opens) for day in self._days(now) for span in self.spans(day))
        return next((at for at in moments if at > now), None)

    def next_closing(self, now: datetime) -> datetime | None:
        """The next end of a day's last hours, after now."""
        ends = (self.closes_at(day) for day in self._days(now))
        return next((at for at in ends if at is not None and at > now), None)

    def last_closed(self, now: datetime, within: timedelta) -> tuple[date, datetime] | None:
        """The latest day whose hours ended, and when; None where that is longer ago than `within`."""
        today = to_local(now, self.tz).date()
        for day in (today - timedelta(days=back) for back in range(within.days + 2)):
            at = self.closes_at(day)
            if at is not None and at <= now:
                return (day, at) if now - at <= within else None
        return None

    def opens_next(self, now: datetime, language: str = "en") -> str:
        """As in "We are closed until tomorrow 09:00"; empty where nobody knows."""
        at = self.next_opening(now)
        return "" if at is None else _said(to_local(at, self.tz), to_local(now, self.tz).date(), language)

    def as_json(self) -> dict[str, list[list[str]]]:
        """As it is kept with the clinic: {"mon": [["09:00", "13:00"], …], …}."""
        return {
            day: [[_written(span.opens), _written(span.closes)] for span in self.week[day]]
            for day in DAYS
            if self.week.get(day)
        }

    def _days(self, now: datetime) -> Iterator[date]:
        today = to_local(now, self.tz).date()
        return (today + timedelta(days=ahead) for ahead in range(_AHEAD))

    def _instant(self, day: date, minute: int) -> datetime:
        return to_instant(datetime.combine(day, time()) + timedelta(minutes=minute), self.tz)


def parse_hours(raw: object, closed: object = (), tz: ZoneInfo | None = None) -> Hours:
    """From {"mon": [["09:00", "13:00"]], …} and dates such as "2026-12-25".

    Raises InputError, its field `opening_hours.mon` or `closed_dates`, in words for who typed it.
    """
    if not isinstance(raw, Mapping):
        raise InputError("Opening hours are given by day.", field="opening_hours")
    week = {_day(name): _spans(_day(name), spans) for name, spans in raw.items()}
    return Hours(week, _dates(closed), tz or zone("UTC"))


def weekday(day: date, language: str) -> str:
    """Tuesday, or martes."""
    return _words(language)[2][day.weekday()]


def _words(language: str) -> _Words:
    return _WORDS.get(language[:2], _WORDS["en"])


def _day(name: object) -> str:
    short = str(name).strip().lower()[:3]
    if short not in DAYS:
        near = difflib.get_close_matches(str(name).lower(), DAYS, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" The days are {', '.join(DAYS)}."
        raise InputError(f'"{name}" is not a day of the week.{hint}', field="opening_hours")
    return short


def _spans(day: str, raw: object) -> tuple[Span, ...]:
    if not isinstance(raw, Iterable) or isinstance(raw, str | Mapping):
        raise _wrong(day, "write when it opens and when it closes.")
    spans = tuple(sorted(_span(day, pair) for pair in raw))
    if len(spans) > _MOST_A_DAY:
        raise _wrong(day, f"more than {_MOST_A_DAY} opening times on one day are too many.")
    for before, after in pairwise(spans):
        if after.opens < before.closes:
            raise _wrong(day, f"{before} and {after} overlap. Make them one, or leave a pause between them.")
    return spans


def _span(day: str, pair: object) -> Span:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise _wrong(day, "write when it opens and when it closes.")
    opens, closes = (_minute(day, written) for written in pair)
    if closes <= opens:
        at = f"{_written(opens)} to {_written(closes)}"
        raise _wrong(day, f"{at} ends before it begins. Past midnight, write 24:00 and go on the next day.")
    return Span(opens, closes)


def _minute(day: str, written: object) -> int:
    text = str(written).strip()
    match = _TIME.fullmatch(text)
    if match is None:
        said = f'"{text}" is not a time; write it' if text else "a time is missing; write it"
        raise _wrong(day, f"{said} like 09:00.")
    hour, minute = (int(part) for part in match.groups() if part is not None)
    return hour * 60 + minute


def _wrong(day: str, what: str) -> InputError:
    return InputError(f"{DAY_NAMES[day]}: {what}", field=f"opening_hours.{day}")


def _dates(raw: object) -> frozenset[date]:
    if not isinstance(raw, Iterable) or isinstance(raw, str | Mapping):
        raise InputError("Closed dates are a list of days.", field="closed_dates")
    days = frozenset(_date(item) for item in raw)
    if len(days) > _MOST_DATES:
        raise InputError(f"More than {_MOST_DATES} closed dates are too many.", field="closed_dates")
    return days


def _date(item: object) -> date:
    try:
        return item if type(item) is date else date.fromisoformat(str(item).strip())
    except ValueError:
        raise InputError(
            f'"{str(item).strip()}" is not a date; write it like 2026-12-25.', field="closed_dates"
        ) from None


def _written(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def short_time(moment: time, language: str) -> str:
    """6:30 PM in English, 18:30 elsewhere."""
    if language[:2] != "en":
        return f"{moment.hour}:{moment.minute:02}"
    return f"{moment.hour % 12 or 12}:{moment.minute:02} {'PM' if moment.hour >= 12 else 'AM'}"


def _said(at: datetime, today: date, language: str) -> str:
    same, next_day, names, months = _words(language)
    ahead = (at.date() - today).days
    if ahead <= 1:
        day = (same, next_day)[ahead]
    elif ahead < 7:
        day = names[at.weekday()]
    else:
        day = f"{names[at.weekday()]} {at.day} {months[at.month - 1]}"
    return f"{day} {short_time(at.time(), language)}"

"""The templates of the pages, with filters that write times, numbers and addresses as people read them."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from notifier import status_words
from notifier.resources import templates_dir
from notifier.rules.timing import say
from notifier.rules.zones import to_local
from notifier.web import line

STATIC = Path(__file__).resolve().parent / "static"


@cache
def open_templates() -> Environment:
    """One for the process, which compiles each template once."""
    environment = Environment(
        loader=FileSystemLoader([templates_dir() / "pages"]),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": when,
        "within": within,
        "elsewhere": elsewhere,
        "day": day,
        "clock": clock,
        "typed": typed,
        "iso": iso,
        "phone": phone,
        "number": number,
        "plural": plural,
        "outcome": status_words.outcome,
        "moved": status_words.moved,
        "step_name": status_words.step_name,
        "who": status_words.who,
    }
    environment.globals |= {"asset": asset, "shape_of": line.shape_of}
    return environment


@cache
def asset(name: str) -> str:
    """The address of a static file, new whenever its content is, so that browsers may keep it for ever."""
    file = STATIC / name
    mark = hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else "missing"
    return f"/static/{name}?v={mark}"


def when(instant: datetime | None, tz: ZoneInfo, now: datetime | None = None) -> str:
    """Today 17:30, Tomorrow 09:00, Yesterday 18:05, Tue 3 Mar 09:00; the year where it is another one.

    Without `now`, never relative.
    """
    if instant is None:
        return ""
    local = to_local(instant, tz)
    if now is None:
        return say(instant, tz)
    apart = (local.date() - to_local(now, tz).date()).days
    names = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}
    if apart in names:
        return f"{names[apart]} {local:%H:%M}"
    year = "" if local.year == to_local(now, tz).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}"


def within(moment: str) -> str:
    """A moment as it stands within a sentence: today 17:30."""
    return (
        moment[:1].lower() + moment[1:] if moment.startswith(("Today", "Tomorrow", "Yesterday")) else moment
    )


def elsewhere(tz: ZoneInfo, here: ZoneInfo) -> str:
    """Said after a time on another clock than the clinic's, by the city people know it by: " in Chicago"."""
    return "" if tz.key == here.key else f" in {tz.key.rpartition('/')[2].replace('_', ' ')}"


def day(instant: datetime | date | None, tz: ZoneInfo | None = None) -> str:
    """Tue 3 Mar 2026."""
    if instant is None:
        return ""
    local = to_local(instant, tz) if isinstance(instant, datetime) and tz else instant
    return f"{local:%a} {local.day} {local:%b %Y}"


def clock(instant: datetime | None, tz: ZoneInfo) -> str:
    """17:30."""
    return "" if instant is None else f"{to_local(instant, tz):%H:%M}"


def typed(instant: datetime | None, tz: ZoneInfo) -> str:
    """2026-03-03T17:30, as a field for date and time holds it."""
    return "" if instant is None else f"{to_local(instant, tz):%Y-%m-%dT%H:%M}"


def iso(instant: datetime | None) -> str:
    """For `<time datetime>`."""
    return "" if instant is None else instant.astimezone(UTC).isoformat(timespec="seconds")


@cache
def phone(e164: str | None, country: str = "") -> str:
    """As people at home write it: (212) 555-0101; a foreign one with its country."""
    import phonenumbers

    if not e164:
        return ""
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    home = phonenumbers.country_code_for_region(country) if country else 0
    kinds = phonenumbers.PhoneNumberFormat
    national = parsed.country_code == home
    return phonenumbers.format_number(parsed, kinds.NATIONAL if national else kinds.INTERNATIONAL)


def number(value: float | None, decimals: int = 0) -> str:
    """12,345."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def plural(count: int, one: str, many: str = "") -> str:
    """1 message, 2 messages."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def context_of_anybody() -> dict[str, Any]:
    """What the layout looks for where nobody is signed in."""
    return {"visit": None, "toast": None}

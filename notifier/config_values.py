"""The kinds of values that settings hold: what is accepted, and the words for what is not.

Each refusal completes a sentence that begins with the setting's name and what was found.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints

from notifier.errors import InputError
from notifier.rules import recipients
from notifier.rules.zones import zone_names

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36500)  # beyond it, a moment minus a duration could leave the calendar


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(-?)([0-9]{1,12})([smhdw])", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('is not a duration; write it like "10s", "5m" or "2h".')
    sign, count, unit = match.groups()
    if sign or int(count) == 0:
        raise ValueError('must be longer than nothing; write it like "10s", "5m" or "2h".')
    if int(count) > _LONGEST / timedelta(**{_UNITS[unit]: 1}):
        raise ValueError('is more than a hundred years; write a shorter one, like "730d".')
    return timedelta(**{_UNITS[unit]: int(count)})


def _not_a_switch(value: object) -> object:
    """TOML's true would otherwise pass for the number 1."""
    if isinstance(value, bool):
        raise ValueError("is not a number; write digits.")
    return value


def _readable_as(*readers: Callable[[str], str], words: str) -> BeforeValidator:
    def read(value: object) -> object:
        if not isinstance(value, str) or not value.strip():
            return value
        for reader in readers:
            with suppress(ValueError, InputError):
                return reader(value.strip())
        raise ValueError(words)

    return BeforeValidator(read)


def _phone(text: str) -> str:
    """Only in international form: read with `clinic.country`, a change there would change who is meant."""
    return recipients.phone(text, region="")


def _short_code(text: str) -> str:
    if not re.fullmatch("[0-9]{3,8}", text):
        raise ValueError(text)
    return text


def _mailbox(text: str) -> str:
    """Looser than for patients: a clinic's own mail server may go by a name that only its network knows."""
    part = r"[^\x00-\x20\x7f\s@<>()\[\],;:\\\"]+"
    if not re.fullmatch(f"{part}@{part}", text):
        raise ValueError(text)
    return text


def _web_address(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return value
    address = value.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\x00-\x20\x7f]", address):
        raise ValueError('is not a web address; write it like "https://aftercare.example.com".')
    if parts.username is not None or "?" in address or "#" in address or re.search(r"//|/\.", parts.path):
        raise ValueError(
            'must be only scheme, host, port and a plain path; write it like "https://aftercare.example.com".'
        )
    return address


def _database_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    scheme = value.strip().partition("://")[0]
    if scheme == "postgresql+psycopg" and "://" in value:
        return value.strip()
    if scheme in ("postgres", "postgresql"):
        raise ValueError(f'begins with "{scheme}://"; write "postgresql+psycopg://" and leave the rest.')
    if re.match(r"sqlite:///?(:memory:)?(\?|$)", value.strip()):
        raise ValueError('would be lost when the program ends; name a file, like "sqlite:///notifier.db".')
    if not value.strip().startswith("sqlite:///"):
        raise ValueError(
            'is neither SQLite nor PostgreSQL; write "sqlite:///notifier.db" (three slashes) '
            'or "postgresql+psycopg://user:password@host/database".'
        )
    return value.strip()


def _time_zone(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return value
    if value.strip() in zone_names():
        return value.strip()
    wanted = value.strip().replace(" ", "_").casefold()
    zones = {form: name for name in sorted(zone_names()) for form in _spellings(name)}
    near = difflib.get_close_matches(wanted, zones, n=1, cutoff=0.75)
    near = near or difflib.get_close_matches(wanted.rpartition("/")[2], zones, n=1, cutoff=0.75)
    raise ValueError(
        f'is not a time zone; did you mean "{zones[near[0]]}"?'
        if near
        else 'is not a time zone; write the nearest big city\'s, like "America/New_York".'
    )


def _spellings(zone: str) -> tuple[str, str]:
    """People know the city better than the region it is filed under."""
    return zone.casefold(), zone.casefold().rpartition("/")[2]


def _country(value: object) -> object:
    from phonenumbers import SUPPORTED_REGIONS  # heavy, and most never change this setting

    if isinstance(value, str) and value.strip().upper() in SUPPORTED_REGIONS:
        return value.strip().upper()
    raise ValueError('is not a country; write its two ISO letters, like "US", "MX" or "GB".')


def _listed(value: object) -> object:
    """The environment knows no lists: there they are words with commas, or a list as TOML writes it."""
    if not isinstance(value, str):
        return value
    if not value.strip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError('is not a list; write it like ["one", "two"].') from None


def _outbox_path(value: object) -> object:
    if value == "":
        raise ValueError('names no file; write one like "outbox.jsonl".')
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Whole = Annotated[int, BeforeValidator(_not_a_switch)]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Secret = Annotated[str, Field(repr=False)]  # this mark also allows `<key>_file` and keeps errors quiet
WebAddress = Annotated[Text, BeforeValidator(_web_address)]
Mail = Annotated[
    Text, _readable_as(_mailbox, words='is not an e-mail address; write it like "desk@example.com".')
]
Phone = Annotated[
    Text,
    _readable_as(_phone, words='is not an international phone number; write it like "+15035550123".'),
]
SenderNumber = Annotated[
    Text,
    _readable_as(_phone, _short_code, words='cannot be sent from; write a number like "+15035550123".'),
]
Recipient = Annotated[
    Text,
    _readable_as(
        _phone,
        _mailbox,
        words='is no phone number and no e-mail address; write "+15035550123" or "desk@example.com".',
    ),
]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Rate = Annotated[float, BeforeValidator(_not_a_switch), Field(gt=0, allow_inf_nan=False)]
Needed = Annotated[Text, StringConstraints(min_length=1)]
TimeZone = Annotated[Text, BeforeValidator(_time_zone)]
Country = Annotated[Text, BeforeValidator(_country)]
Listed = BeforeValidator(_listed)
DatabaseUrl = Annotated[Secret, BeforeValidator(_database_url)]
OutboxPath = Annotated[Path, BeforeValidator(_outbox_path)]

"""The duration grammar of plans: an optional minus, an integer, one of m h d w."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

_GRAMMAR = re.compile(r"(-?)([0-9]{1,5})([mhdw])")
_UNIT = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Duration:
    """`m` and `h` are elapsed time; `d` and `w` are calendar days, whose length depends on the zone."""

    amount: int
    unit: str

    @property
    def is_calendar(self) -> bool:
        return self.unit in "dw"

    @property
    def days(self) -> int:
        return self.amount * (7 if self.unit == "w" else 1)

    @property
    def elapsed(self) -> timedelta:
        """As plain time, a day being 24 hours: exact for m and h, a measure for d and w."""
        return _elapsed(self.amount, self.unit)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


@lru_cache(maxsize=1024)
def _elapsed(amount: int, unit: str) -> timedelta:
    return amount * _UNIT[unit]


def parse_duration(text: str) -> Duration:
    """Raises ValueError with a sentence."""
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a duration; write it like "15m", "22h", "5d", "1w" or "-1d".')
    sign, amount, unit = match.groups()
    return Duration(int(sign + amount), unit)

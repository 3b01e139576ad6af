"""A month of a calendar: its days, its neighbours, its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from notifier.errors import InputError

_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NOMBRES = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)
_WRITTEN = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        return self.next.first - timedelta(days=1)

    @property
    def previous(self) -> Month:
        return of(self.first - timedelta(days=1))

    @property
    def next(self) -> Month:
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def name(self, language: str = "en") -> str:
        if language[:2] == "es":
            return f"{_NOMBRES[self.number - 1]} de {self.year}"
        return f"{_NAMES[self.number - 1]} {self.year}"


def of(day: date) -> Month:
    return Month(day.year, day.month)


def parse(text: str) -> Month:
    """From "2026-02". Raises InputError."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InputError(f'"{text}" is not a month; write it like 2026-02.', field="month")
    return Month(int(match[1]), int(match[2]))

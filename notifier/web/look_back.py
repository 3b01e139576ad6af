"""What the pages that look back have in common: days and filters in their address, presets, files to take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from notifier.errors import InputError
from notifier.models import Clinic
from notifier.rules import months
from notifier.rules.zones import to_local
from notifier.web.forms import Problems
from notifier.web.visit import Visit

_USUAL_DAYS = 30


@dataclass
class Asked:
    """What an address asks for. `typed` is as it was written, to be shown again."""

    first: date
    last: date
    today: date
    words: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    typed: dict[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)

    def address(self, path: str, **changes: str) -> str:
        """The same view with changes; what is empty stays out, and another page begins anew."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        asked = days | {"q": self.words} | self.chosen | changes
        return f"{path}?{urlencode({name: value for name, value in asked.items() if value})}"

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the days restricts it."""
        return bool(self.words) or any(self.chosen.values())

    @property
    def is_live(self) -> bool:
        """Whether it may still grow while somebody looks."""
        return self.first <= self.today <= self.last and not self.cursor


def asked_of(request: Request, visit: Visit, choices: Sequence[str]) -> Asked:
    """From an address; the last thirty days unless it says otherwise."""
    typed = {name: value.strip() for name, value in request.query_params.items()}
    today = to_local(visit.now(), visit.tz).date()
    asked = Asked(today - timedelta(days=_USUAL_DAYS - 1), today, today, typed=typed)
    with asked.problems.catching():
        asked.last = _day(typed, "to", today)
        usual = min(asked.first, asked.last - timedelta(days=_USUAL_DAYS - 1))
        asked.first = _day(typed, "from", usual)
    asked.words, asked.cursor = typed.get("q", "")[:100], typed.get("cursor", "")
    asked.chosen = {name: typed.get(name, "")[:200] for name in choices}
    return asked


def _day(typed: dict[str, str], name: str, otherwise: date) -> date:
    text = typed.get(name, "")
    if not text:
        return otherwise
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InputError("Write the day like 2026-03-31.", field=name) from None
    if not 2000 <= found.year <= 2199:
        raise InputError("Choose a day of this century.", field=name)
    return found


def presets(asked: Asked, path: str) -> list[tuple[str, str, bool]]:
    """Words, address, and whether it is the one that is shown."""
    today = asked.today
    this = months.of(today)
    spans = [
        ("Today", today, today),
        ("7 days", today - timedelta(days=6), today),
        ("30 days", today - timedelta(days=29), today),
        (this.name(), this.first, this.last),
        (this.previous.name(), this.previous.first, this.previous.last),
    ]
    return [
        (
            words,
            asked.address(path, **{"from": first.isoformat(), "to": last.isoformat()}),
            (first, last) == (asked.first, asked.last),
        )
        for words, first, last in spans
    ]


def download(
    visit: Visit, name: str, asked: Asked, pieces: Callable[[Session, Clinic], Iterator[bytes]]
) -> StreamingResponse:
    """A file that is sent while it is read, however long."""

    def stream() -> Iterator[bytes]:
        with visit.reading() as session:
            yield from pieces(session, visit.clinic(session))

    file = f"{name}-{asked.first}-{asked.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    return StreamingResponse(stream(), media_type="text/csv; charset=utf-8", headers=headers)

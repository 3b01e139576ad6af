"""Files that a spreadsheet opens: no cell of them is taken for a formula, and accents survive."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from zoneinfo import ZoneInfo

# A cell that begins so may be computed by the program that opens the file, with whatever a patient's name
# asks it to do; full-width signs count as the plain ones in some.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BOM = "\ufeff"  # without it Excel reads UTF-8 as something else
_ROWS_AT_ONCE = 500


def cell(value: object) -> str:
    """As it is written: a text that would be a formula gets an apostrophe in front."""
    if value is None:
        return ""
    text = str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


def moment(at: datetime | None, tz: ZoneInfo) -> str:
    """On the clinic's clock, with its distance from UTC, so that it means one instant."""
    return "" if at is None else at.astimezone(tz).isoformat(sep=" ", timespec="seconds")


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The file in pieces, so that one of any length can be sent while it is read."""
    left = iter(chain([header], rows))
    lead = _BOM
    while piece := list(islice(left, _ROWS_AT_ONCE)):
        written = io.StringIO(newline="")
        csv.writer(written).writerows([cell(value) for value in row] for row in piece)
        yield (lead + written.getvalue()).encode()
        lead = ""

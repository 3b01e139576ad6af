"""How commands speak: results on stdout, progress and refusals on stderr.

Rich takes a tenth of a second to import and is only worth it where a person watches, so it is imported where
it is used.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime, time
from enum import Enum
from pathlib import PurePath
from typing import NoReturn, TextIO, TypeVar

from notifier.errors import NotifierError

Item = TypeVar("Item")


def echo_json(value: object) -> None:
    """Keys keep their order, so that the same data is the same text; times are UTC with a Z."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(_plain(value), ensure_ascii=not unicode, indent=2, allow_nan=False)
    _write(sys.stdout, text + "\n")


def _write(stream: TextIO, text: str) -> None:
    stream.write(shown(stream, text))


# What is drawn or punctuation here, in the letters that every terminal has.
_PLAIN = dict(zip("─│╭╮╰╯•·✓✗…→’“”–", [*"-|++++**+x", "...", "->", *'\'""-'], strict=True))


def shown(stream: TextIO, text: str) -> str:
    """The text as this stream can show it: a letter that its encoding lacks loses its accent, or becomes a
    question mark, instead of ending the command.
    """
    encoding = stream.encoding or "utf-8"
    if encoding.lower().startswith("utf"):
        return text.encode(encoding, "replace").decode(encoding)  # half a character, from a bad argument
    return "".join(_nearest(char, encoding) for char in text)


def _nearest(char: str, encoding: str) -> str:
    for form in (char, _PLAIN.get(char, "?"), unicodedata.normalize("NFKD", char)[0]):
        with suppress(UnicodeEncodeError):
            if form != "?":
                form.encode(encoding)
                return form
    return "?"


def _plain(value: object) -> object:
    """Raises TypeError for what has no one obvious form, rather than print what a program would trip over."""
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return _utc(value)
        case date() | time():
            return value.isoformat()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(_plain(key)): _plain(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted((_plain(item) for item in value), key=str)
        case list() | tuple():
            return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    raise TypeError(f"{type(value).__name__} has no form in JSON.")


def _utc(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise TypeError("A time without a zone cannot be printed as UTC.")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(headers, cells)
    else:
        _plain_table(headers, cells)


def _cell(value: object) -> str:
    """A row must stay a row for whoever pipes it on, and an imported name must not steer the terminal."""
    plain = "" if value is None else _plain(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _rich_table(headers: Sequence[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*headers, box=box.SIMPLE_HEAD)
    for row in rows:
        # Text, because a name such as "[red]" is a name and not mark-up.
        drawn.add_row(*(Text(shown(sys.stdout, cell)) for cell in row))
    Console(file=sys.stdout).print(drawn)


def _plain_table(headers: Sequence[str], rows: list[list[str]]) -> None:
    lines = [list(headers), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        _write(sys.stdout, "  ".join(padded).rstrip() + "\n")


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Told how much of how much is done, it shows a person at a terminal how far that is."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as shown_there:
        task = shown_there.add_task(label, total=None)
        yield lambda done, total: shown_there.update(task, completed=min(done, total), total=total)


def progress(items: Iterable[Item], total: int | None, label: str) -> Iterator[Item]:
    """Yields `items` as they are; a person at a terminal sees how far they are."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, label, total=total, console=Console(file=sys.stderr), transient=True)


def refuse(error: NotifierError) -> NoReturn:
    """One line for each thing wrong, and exit code 1; Typer itself answers misuse with 2."""
    _write(sys.stderr, f"{error}\n")
    raise SystemExit(1)

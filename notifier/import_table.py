"""A treatments file as bytes → rows with named columns, whatever program wrote it.

Comma, semicolon or tab; UTF-8 with or without its mark, or UTF-16 with one ("Unicode text" of Excel). Rows
are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from notifier.errors import InputError
from notifier.rules.recipients import fold_name

COLUMNS: Final = (
    "external_id",
    "record_number",
    "first_name",
    "last_name",
    "phone",
    "email",
    "language",
    "timezone",
    "preferred_channel",
    "plan",
    "practitioner",
    "ended_at",
    "areas",
    "next_visit",
    "consent_sms",
    "consent_email",
    "consent_at",
    "consent_method",
    "consent_wording",
    "name_treatment",
)
# A name in one column is taken apart by `import_values`.
FULL_NAME: Final = "full_name"

# What other programs call them; compared without case, accents, spaces, hyphens and underscores.
SYNONYMS: Final = {
    "external_id": ("appointment id", "booking id", "treatment id"),
    "record_number": ("record no", "patient id", "patient number", "chart number", "mrn"),
    "first_name": ("given name", "forename", "nombre"),
    "last_name": ("surname", "family name", "apellido", "apellidos"),
    FULL_NAME: ("name", "patient", "patient name", "nombre completo", "paciente"),
    "phone": ("mobile", "cell", "phone number", "mobile number", "mobile phone", "telefono", "movil"),
    "email": ("e-mail", "mail", "email address", "e-mail address", "correo", "correo electronico"),
    "language": ("lang", "preferred language", "idioma"),
    "timezone": ("tz", "zona horaria"),
    "preferred_channel": ("channel", "prefers"),
    "plan": ("treatment", "treatment type", "service", "tratamiento"),
    "practitioner": ("therapist", "provider", "clinician", "terapeuta"),
    "ended_at": ("ended", "end", "end time", "treatment end", "treatment ended", "treatment ended at"),
    "areas": ("area", "body area", "body areas", "zonas"),
    "next_visit": ("next appointment", "next visit at", "proxima visita"),
    "consent_sms": ("sms consent", "text consent"),
    "consent_email": ("e-mail consent",),
    "consent_at": ("consent date",),
}

_MOST_BYTES: Final = 100 * 1024 * 1024
_SAVE_AS = 'In Excel choose "Save as" and then "CSV UTF-8".'


@dataclass(frozen=True, slots=True)
class Row:
    """`fault` says why the row cannot be told apart into columns; its values are empty then."""

    number: int
    values: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """`ignored`: the columns that mean nothing here."""

    ignored: tuple[str, ...]
    rows: list[Row]


def read_table(path: Path) -> Table:
    """Raises InputError, one sentence for the file as a whole."""
    text = _drop_separator_line(_decode(_load(path), path))
    delimiter = max(",;\t", key=lambda mark: len(_recognised(_header(text, mark))))
    records = list(_records(text, delimiter, path))
    at = next((index for index, (_, cells) in enumerate(records) if cells and any(cells)), None)
    if at is None:
        raise InputError(f"{path.name} is empty.")
    header = records[at][1] or []
    places = _recognised(header)
    _require(path, header, places)
    rows = [_row(number, cells, places, len(header)) for number, cells in records[at + 1 :] if cells != []]
    if not rows:
        raise InputError(f"{path.name} has a header and no rows below it, so there is nothing to import.")
    taken = set(places.values())
    ignored = tuple(name for index, name in enumerate(header) if name and index not in taken)
    return Table(ignored, rows)


def _load(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the CSV file in it.")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path.name} is larger than 100 MB; import it in parts.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(f"{path.name} is a workbook, not a CSV file. {_SAVE_AS}")
    return data


def _decode(data: bytes, path: Path) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        # Guessing another encoding would greet José as JosÃ©.
        row = "" if wide else f" in row {_row_of(error.object[: error.start])}"
        raise InputError(f"{path.name} is not UTF-8 text{row}. {_SAVE_AS}") from None
    if "\0" in text:
        raise InputError(f"{path.name} is not a text file. {_SAVE_AS}")
    return text


def _row_of(before: bytes) -> int:
    """The row in which what follows stands."""
    text = before.decode("utf-8") + "?"
    return sum(1 for _ in csv.reader(io.StringIO(text, newline="")))


def _drop_separator_line(text: str) -> str:
    """Excel's own first line "sep=;" is not shown by it and is no row."""
    return re.sub(r'\A"?sep=.?"?\r?\n', "", text, flags=re.IGNORECASE)


def _header(text: str, delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return next((_clean(cells) for cells in reader if any(_clean(cells))), [])
    except csv.Error:
        return []


def _records(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str] | None]]:
    """Number and cells; no cells at all: an empty line; None: a quote stands where none may."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = _clean(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" not in str(error):
                raise InputError(
                    f'Row {number} of {path.name} opens a quote (") that is not closed, so the rows below '
                    "cannot be told apart. Close it, or leave it out; nothing was imported."
                ) from None
            yield number, None
        else:
            yield number, cells if any(cells) else []


def _clean(cells: list[str]) -> list[str]:
    """Without outer blanks, and without the ="…" that keeps a spreadsheet from changing a number."""
    plain = [cell.strip() for cell in cells]
    return [cell[2:-1] if cell[:2] == '="' and cell[-1] == '"' and len(cell) > 2 else cell for cell in plain]


def _folded(name: str) -> str:
    return fold_name(name.replace("_", " "), "").replace(" ", "")


_BY_NAME: Final = {_folded(column): column for column in (*COLUMNS, FULL_NAME)} | {
    _folded(name): column for column, names in SYNONYMS.items() for name in names
}


def _recognised(header: list[str]) -> dict[str, int]:
    """Where each column stands; where two would be the same one, the first."""
    places: dict[str, int] = {}
    for index, name in enumerate(header):
        if (column := _BY_NAME.get(_folded(name))) is not None:
            places.setdefault(column, index)
    return places


def _require(path: Path, header: list[str], places: dict[str, int]) -> None:
    for index, name in enumerate(header):
        column = _BY_NAME.get(_folded(name))
        if column is not None and places[column] != index:
            first = header[places[column]]
            raise InputError(
                f'Two columns of {path.name}, "{first}" and "{name}", both mean {column}. Remove one.'
            )
    needed = {
        "first_name": {"first_name", FULL_NAME},
        "phone or email": {"phone", "email"},
        "plan": {"plan"},
        "ended_at": {"ended_at"},
    }
    if missing := [words for words, columns in needed.items() if columns.isdisjoint(places)]:
        has = ", ".join(name for name in header if name)
        raise InputError(
            f"{path.name} lacks the column{'s'[: len(missing) - 1]} {', '.join(missing)}. "
            f"The first row has to name the columns; it says: {has[:300]}."
        )


def _row(number: int, cells: list[str] | None, places: dict[str, int], width: int) -> Row:
    if cells is None:
        return Row(number, fault='A quote (") stands in the middle of a value; double it, or leave it out.')
    if any(cells[width:]):
        return Row(
            number,
            fault=f"The row has {len(cells)} values for {width} columns. "
            "A value with the separator in it needs quotes.",
        )
    return Row(number, {column: cells[index] for column, index in places.items() if index < len(cells)})

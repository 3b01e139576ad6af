"""A treatments file as bytes → rows with named columns, whatever program wrote it.

Comma, semicolon or tab; UTF-8 with or without its mark, or UTF-16 with one ("Unicode text" of Excel). Rows
are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# Day and time in two columns, as many booking systems have them, are put together.
ENDED_ON: Final = "ended_on"
ENDED_TIME: Final = "ended_time"
# Whether the patient came at all: what was cancelled is no treatment.
ATTENDANCE: Final = "attendance"
ALSO: Final = (FULL_NAME, ENDED_ON, ENDED_TIME, ATTENDANCE)

# What other programs call them; compared without case, accents, spaces, hyphens and underscores.
SYNONYMS: Final = {
    "external_id": ("appointment id", "booking id", "treatment id"),
    "record_number": ("record no", "patient id", "patient number", "chart number", "mrn"),
    "first_name": ("given name", "forename", "nombre"),
    "last_name": ("surname", "family name", "apellido", "apellidos"),
    FULL_NAME: (
        "name",
        "patient",
        "patient name",
        "client",
        "client name",
        "customer",
        "customer name",
        "nombre completo",
        "paciente",
        "cliente",
    ),
    "phone": ("mobile", "cell", "phone number", "mobile number", "mobile phone", "telefono", "movil"),
    "email": ("e-mail", "mail", "email address", "e-mail address", "correo", "correo electronico"),
    "language": ("lang", "preferred language", "idioma"),
    "timezone": ("tz", "zona horaria"),
    "preferred_channel": ("channel", "prefers"),
    "plan": ("treatment", "treatment type", "service", "service name", "tratamiento", "servicio"),
    "practitioner": ("therapist", "provider", "clinician", "terapeuta"),
    "ended_at": ("ended", "end", "end time", "treatment end", "treatment ended", "treatment ended at"),
    "areas": ("area", "body area", "body areas", "zonas"),
    "next_visit": ("next appointment", "next visit at", "proxima visita"),
    "consent_sms": ("sms consent", "text consent"),
    "consent_email": ("e-mail consent",),
    "consent_at": ("consent date",),
    ENDED_ON: ("date", "appointment date", "treatment date", "visit date", "fecha"),
    ENDED_TIME: ("finish", "finish time", "hora"),
    ATTENDANCE: ("status", "appointment status", "arrival status", "estado"),
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


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file taken apart, before anybody says what its columns mean.

    `labels` names each column once: its heading, "Column 3" where it has none, "Name (2)" where it is the
    second of that name. `guess`: what each label means, where it is understood.
    """

    name: str
    labels: tuple[str, ...]
    guess: Mapping[str, str]
    records: list[tuple[int, list[str] | None]]

    @property
    def digest(self) -> str:
        """The same for tomorrow's export of the same program."""
        return hashlib.sha256("\0".join(self.labels).encode()).hexdigest()

    def values_of(self, label: str) -> Counter[str]:
        """How often each value stands in a column."""
        at = self.labels.index(label)
        cells = (cells[at] for _, cells in self.records if cells and len(cells) > at)
        return Counter(cell for cell in cells if cell)


def read_table(path: Path) -> Table:
    """By what the headings say. Raises InputError, one sentence for the file as a whole."""
    sheet = read_sheet(_load(path), path.name)
    _require(sheet.name, sheet.labels, _recognised(sheet.labels))
    return table_of(sheet, sheet.guess)


def read_sheet(data: bytes, name: str) -> Sheet:
    """`name` is the file's, for complaints. Raises InputError."""
    text = _drop_separator_line(_decode(_checked(data, name), name))
    delimiter = max(",;\t", key=lambda mark: _fit(_header(text, mark)))
    records = list(_records(text, delimiter, name))
    at = next((index for index, (_, cells) in enumerate(records) if cells and any(cells)), None)
    if at is None:
        raise InputError(f"{name} is empty.")
    labels = _labels(records[at][1] or [])
    rows = [(number, cells) for number, cells in records[at + 1 :] if cells != []]
    if not rows:
        raise InputError(f"{name} has a header and no rows below it, so there is nothing to import.")
    guess = {labels[place]: column for column, place in _recognised(labels).items()}
    return Sheet(name, labels, guess, rows)


def _fit(header: Sequence[str]) -> tuple[int, int]:
    """How well a separator takes the first line apart: by the columns we know, else by their number."""
    return len(_recognised(header)), len(header) if len(header) > 1 else 0


def table_of(sheet: Sheet, meaning: Mapping[str, str]) -> Table:
    """The rows under our own names for columns. `meaning`: label → column; what is not in it is ignored."""
    places = {column: sheet.labels.index(label) for label, column in meaning.items() if label in sheet.labels}
    taken = set(places.values())
    ignored = tuple(
        label
        for index, label in enumerate(sheet.labels)
        if index not in taken and label != f"Column {index + 1}"
    )
    rows = [_row(number, cells, places, len(sheet.labels)) for number, cells in sheet.records]
    return Table(ignored, rows)


def _labels(header: list[str]) -> tuple[str, ...]:
    labels: list[str] = []
    for number, heading in enumerate(header, start=1):
        base = heading or f"Column {number}"
        same = sum(label == base or label.startswith(f"{base} (") for label in labels)
        # The very same heading twice is left as it is where we know it: that has a complaint of its own.
        known = _folded(heading) in _BY_NAME
        labels.append(base if not same or known else f"{base} ({same + 1})")
    return tuple(labels)


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
    return data


def _checked(data: bytes, name: str) -> bytes:
    if len(data) > _MOST_BYTES:
        raise InputError(f"{name} is larger than 100 MB; import it in parts.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(f"{name} is a workbook, not a CSV file. {_SAVE_AS}")
    return data


def _decode(data: bytes, name: str) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        # Guessing another encoding would greet José as JosÃ©.
        row = "" if wide else f" in row {_row_of(error.object[: error.start])}"
        raise InputError(f"{name} is not UTF-8 text{row}. {_SAVE_AS}") from None
    if "\0" in text:
        raise InputError(f"{name} is not a text file. {_SAVE_AS}")
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


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str] | None]]:
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
                    f'Row {number} of {name} opens a quote (") that is not closed, so the rows below '
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


_BY_NAME: Final = {_folded(column): column for column in (*COLUMNS, *ALSO)} | {
    _folded(name): column for column, names in SYNONYMS.items() for name in names
}


def _recognised(header: Sequence[str]) -> dict[str, int]:
    """Where each column stands; where two would be the same one, the first."""
    places: dict[str, int] = {}
    for index, name in enumerate(header):
        if (column := _BY_NAME.get(_folded(name))) is not None:
            places.setdefault(column, index)
    if ENDED_ON in places and ENDED_TIME not in places and "ended_at" in places:
        # Beside a column for the day, "End time" is a time of day.
        places[ENDED_TIME] = places.pop("ended_at")
    return places


def _require(name: str, header: Sequence[str], places: dict[str, int]) -> None:
    for index, heading in enumerate(header):
        column = _BY_NAME.get(_folded(heading))
        if column is not None and places.get(column, index) != index:
            first = header[places[column]]
            raise InputError(
                f'Two columns of {name}, "{first}" and "{heading}", both mean {column}. Remove one.'
            )
    if missing := lacking(places):
        has = ", ".join(heading for heading in header if heading)
        raise InputError(
            f"{name} lacks the column{'s'[: len(missing) - 1]} {', '.join(missing)}. "
            f"The first row has to name the columns; it says: {has[:300]}."
        )


def lacking(columns: Iterable[str]) -> list[str]:
    """What an import cannot do without, and these columns do not give."""
    given = set(columns)
    if {ENDED_ON, ENDED_TIME} <= given:
        given.add("ended_at")
    needed = {
        "first_name": {"first_name", FULL_NAME},
        "phone or email": {"phone", "email"},
        "plan": {"plan"},
        "ended_at": {"ended_at"},
    }
    return [words for words, alternatives in needed.items() if alternatives.isdisjoint(given)]


def _row(number: int, cells: list[str] | None, places: dict[str, int], width: int) -> Row:
    if cells is None:
        return Row(number, fault='A quote (") stands in the middle of a value; double it, or leave it out.')
    if any(cells[width:]):
        return Row(
            number,
            fault=f"The row has {len(cells)} values for {width} columns. "
            "A value with the separator in it needs quotes.",
        )
    values = {column: cells[index] for column, index in places.items() if index < len(cells)}
    if "ended_at" not in values and values.get(ENDED_ON) and values.get(ENDED_TIME):
        values["ended_at"] = f"{values[ENDED_ON]} {values[ENDED_TIME]}"
    return Row(number, values)

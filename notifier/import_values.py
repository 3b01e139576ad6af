"""One row of a treatments file → an entry to record, or everything that is wrong with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final, TypeVar

from sqlalchemy import String

from notifier.errors import InputError
from notifier.import_table import ATTENDANCE, FULL_NAME, Row
from notifier.import_times import read_day_or_time, read_time
from notifier.models import Clinic, Patient, Treatment
from notifier.patients import PatientEntry
from notifier.rules import recipients
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.rules.zones import zone
from notifier.treatments import ConsentGiven, Entry

Value = TypeVar("Value")

_YES: Final = frozenset({"yes", "y", "true", "1", "si", "s", "x"})
_NO: Final = frozenset({"no", "n", "false", "0"})
_LANGUAGES: Final = {
    **dict.fromkeys(("en", "eng", "english", "ingles"), "en"),
    **dict.fromkeys(("es", "esp", "spa", "spanish", "espanol", "castellano"), "es"),
}
_CHANNELS: Final = {
    **dict.fromkeys(("sms", "text", "text message", "txt", "mensaje de texto"), "sms"),
    **dict.fromkeys(("email", "e mail", "mail", "correo", "correo electronico"), "email"),
}
# What booking systems say of an appointment that came to nothing; folded.
_NOT_THERE: Final = frozenset(
    {
        *("cancelled", "canceled", "late cancellation", "late cancel", "no show", "noshow", "did not attend"),
        *(
            "did not arrive",
            "dna",
            "deleted",
            "rescheduled",
            "cancelado",
            "cancelada",
            "no asistio",
            "ausente",
        ),
    }
)
# What Excel makes of a long number: its last digits are gone, and the rest may be another patient's.
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
_FORMULA_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NULL!|NUM!|DIV/0!)", re.IGNORECASE)
# PostgreSQL refuses what is longer, and SQLite keeps it until the day the clinic moves to PostgreSQL.
_ROOM: Final = {
    name: column.type.length
    for table, names in (
        (Patient.__table__, ("record_number", "first_name", "last_name")),
        (Treatment.__table__, ("external_id", "practitioner")),
    )
    for name in names
    if isinstance((column := table.c[name]).type, String) and column.type.length
} | {"consent_method": 60}
# The same few words stand in most rows.
_remembered = lru_cache(maxsize=1024)
# Clocks differ a little.
_AHEAD = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one value of a row; `column` is empty where it is the row as a whole."""

    row: int
    column: str
    value: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One row: an entry, or the problems because of which there is none.

    `is_none`: the row is no treatment with aftercare, such as a cancelled appointment; nothing is wrong then.
    """

    row: Row
    entry: Entry | None
    problems: list[RowProblem] = field(default_factory=list)
    is_none: bool = False

    @property
    def dated_consent(self) -> bool:
        return bool(self.row["consent_at"])

    def problem(self, column: str, message: str) -> RowProblem:
        """With the value as the file has it, whichever column that stands in."""
        value = self.row[column]
        if not value and column in ("first_name", "last_name"):
            value = self.row[FULL_NAME]
        return RowProblem(self.row.number, column, value[:200], message)


class RowReader:
    """Reads rows by what the clinic says: its zone, its country and its plans.

    `called`: what the file calls a treatment → the plan's key; empty where no aftercare goes with it.
    """

    def __init__(
        self,
        clinic: Clinic,
        plans: frozenset[str],
        now: datetime,
        *,
        confirmed: bool,
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._called = called
        self._country, self._plans, self._now, self._confirmed = clinic.country, plans, now, confirmed
        self._time = partial(read_time, tz=zone(clinic.timezone), country=clinic.country)
        self._day = partial(read_day_or_time, tz=zone(clinic.timezone), country=clinic.country)
        self._bad_zones: dict[str, str] = {}

    def read(self, row: Row) -> Reading:
        reading = Reading(row, None)
        if row.fault:
            reading.problems.append(reading.problem("", row.fault))
            return reading
        if self._called.get(row["plan"]) == "" or recipients.fold_name(row[ATTENDANCE], "") in _NOT_THERE:
            return Reading(row, None, is_none=True)
        fields = _Fields(reading)
        patient = self._patient(fields)
        ended_at = fields.need("ended_at", self._time, "when the treatment ended")
        plan = fields.need("plan", self._plan, "the plan")
        next_visit = fields.get("next_visit", self._time)
        consents = self._consents(fields, ended_at)
        fields.check_lengths()
        if reading.problems or ended_at is None or plan is None:
            return reading
        entry = Entry(
            patient=patient,
            plan=plan,
            ended_at=ended_at,
            practitioner=" ".join(row["practitioner"].split()),
            areas=_areas(row["areas"]),
            next_visit=next_visit,
            external_id=row["external_id"],
            idempotency_key="" if row["external_id"] else _key(patient, plan, ended_at),
            consents=consents,
            source="import",
            confirmed=self._confirmed,
        )
        return Reading(row, entry)

    def _patient(self, fields: _Fields) -> PatientEntry:
        row = fields.reading.row
        first, last = _name(row)
        if not first:
            fields.fail("first_name", "The patient's first name is missing.")
        return PatientEntry(
            first_name=first,
            last_name=last,
            record_number=row["record_number"],
            phone=fields.get("phone", partial(recipients.phone, region=self._country)) or "",
            email=fields.get("email", recipients.email) or "",
            language=fields.get("language", _language) or "",
            timezone=fields.get("timezone", self._zone) or "",
            preferred_channel=fields.get("preferred_channel", _channel) or "",
            name_treatment=fields.get("name_treatment", _yes_or_no),
            is_clean=True,  # each value was, above, where a complaint can name its column
        )

    def _plan(self, raw: str) -> str:
        raw = self._called.get(raw, raw)
        if raw in self._plans:
            return raw
        key = recipients.fold_name(raw.replace("_", " "), "").replace(" ", "-")
        if key not in self._plans:
            known = ", ".join(sorted(self._plans)) or "none yet; load one with: notifier plan import"
            raise InputError(f'There is no plan "{raw[:60]}". There are: {known}.')
        return key

    def _zone(self, raw: str) -> str:
        # To find the nearest name takes milliseconds; a file with one wrong word in each row pays once.
        if raw not in self._bad_zones:
            try:
                zone(raw)
                return raw
            except InputError as error:
                self._bad_zones[raw] = str(error)
        raise InputError(self._bad_zones[raw])

    def _consents(self, fields: _Fields, ended_at: datetime | None) -> tuple[ConsentGiven, ...]:
        """What was said about each channel, dated `consent_at`, else when the treatment ended.

        Never the time of the import: importing the file again would then put an old yes after a newer no.
        """
        row = fields.reading.row
        said = {channel: fields.get(f"consent_{channel}", _yes_or_no) for channel in CHANNELS}
        at = fields.get("consent_at", self._day)
        if at is not None and at > self._now + _AHEAD:
            # Until that day nothing that the patient says could come after it.
            fields.fail("consent_at", "Consent cannot have been given in the future. Correct the date.")
        if at is None and ended_at is not None:
            at = min(ended_at, self._now)
        if at is None:
            return ()
        method = " ".join(row["consent_method"].split()) or "import"
        return tuple(
            ConsentGiven(channel, granted, at, method, row["consent_wording"])
            for channel, granted in said.items()
            if granted is not None
        )


class _Fields:
    """The values of one row, converted one by one; what cannot be is a problem, and the rest goes on."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def fail(self, column: str, message: str) -> None:
        self.reading.problems.append(self.reading.problem(column, message))

    def get(self, column: str, convert: Callable[[str], Value]) -> Value | None:
        raw = self.reading.row[column]
        if not raw:
            return None
        try:
            if column == "phone":
                _check_whole(raw)
            return convert(raw)
        except InputError as error:
            self.fail(column, str(error))
            return None

    def need(self, column: str, convert: Callable[[str], Value], what: str) -> Value | None:
        if not self.reading.row[column]:
            self.fail(column, f"The row does not say {what}.")
            return None
        return self.get(column, convert)

    def check_lengths(self) -> None:
        for column, value in self.reading.row.values.items():
            if len(value) > _ROOM.get(column, len(value)):
                self.fail(column, f"This is longer than {_ROOM[column]} characters.")
            elif column in ("external_id", "record_number") and _SHORTENED.fullmatch(value):
                self.get(column, _check_whole)
            elif value[:1] == "#" and _FORMULA_ERROR.fullmatch(value):
                self.fail(column, "This is a spreadsheet's error, not a value.")


def _check_whole(raw: str) -> None:
    if _SHORTENED.fullmatch(raw):
        raise InputError(
            f"The spreadsheet shortened this number to {raw}, and its last digits are lost. "
            "Format the column as text and enter it again."
        )


def _name(row: Row) -> tuple[str, str]:
    """First and last name; one column for both may say "Ana Ruiz" or "Ruiz, Ana"."""
    first, last = row["first_name"], row["last_name"]
    if not first and (whole := row[FULL_NAME]):
        before, comma, after = whole.partition(",")
        if comma and after.strip():
            first, last = after, last or before
        else:
            first, _, rest = before.strip().partition(" ")
            last = last or rest
    return " ".join(first.split()), " ".join(last.split())


@_remembered
def _areas(raw: str) -> tuple[str, ...]:
    """ "Upper back; calf" → upper_back, calf: the words that a plan's audience uses."""
    names = (recipients.fold_name(part.replace("_", " "), "") for part in re.split(r"[,;|\n]", raw))
    return tuple(name.replace(" ", "_") for name in names if name)


def _key(patient: PatientEntry, plan: str, ended_at: datetime) -> str:
    """Stands in for an external_id: the same row is known, also when the desk corrected the patient."""
    said = (
        patient.record_number,
        patient.folded_name,
        patient.phone,
        patient.email,
        plan,
        ended_at.isoformat(),
    )
    return f"import:{hashlib.sha256(chr(0).join(said).encode()).hexdigest()[:40]}"


@_remembered
def _yes_or_no(raw: str) -> bool:
    word = recipients.fold_name(raw, "")
    if word in _YES or word in _NO:
        return word in _YES
    raise InputError(f"'{raw[:40]}' is neither yes nor no; leave it empty where nothing was said.")


@_remembered
def _language(raw: str) -> str:
    word = recipients.fold_name(raw.replace("_", " "), "").partition(" ")[0]
    if word not in _LANGUAGES:
        raise InputError(f'There are no texts in "{raw[:40]}"; write {" or ".join(LANGUAGES)}.')
    return _LANGUAGES[word]


@_remembered
def _channel(raw: str) -> str:
    word = recipients.fold_name(raw, "")
    if word not in _CHANNELS:
        raise InputError(f'"{raw[:40]}" is not a channel; write {" or ".join(CHANNELS)}.')
    return _CHANNELS[word]

"""Import of treatments from a CSV file: an entry point, with its own transactions.

A row that is there already, by its external_id or else by what it says, is found and left as it is, so a file
may be imported again at any time: after a crash the rest goes in, and nothing doubles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import Engine, exc, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from notifier import clinics, db, plans
from notifier.errors import NeedsConfirmation, NotifierError
from notifier.import_consent import Withdrawals
from notifier.import_report import ImportReport, report_text
from notifier.import_table import Row, Table, read_table
from notifier.import_values import Reading, RowProblem, RowReader
from notifier.models import Clinic, Patient, PlanRow, Treatment
from notifier.treatments import Entry, Recorded, record_all

__all__ = ["ImportReport", "import_file", "import_table", "report_text"]

# Large enough to be quick, and small enough that on SQLite the worker gets its turn several times a second.
BATCH: Final = 250

Progress = Callable[[int, int], None]


def import_file(
    engine: Engine,
    clinic_key: str | None,
    path: Path,
    *,
    now: datetime,
    actor: str,
    dry_run: bool = False,
    confirmed: bool = False,
    progress: Progress | None = None,
    batch_size: int = BATCH,
) -> ImportReport:
    """As `import_table`, of a file whose headings say what its columns mean."""
    table = read_table(path)
    return import_table(
        engine,
        clinic_key,
        table,
        path.name,
        now=now,
        actor=actor,
        dry_run=dry_run,
        confirmed=confirmed,
        progress=progress,
        batch_size=batch_size,
    )


def import_table(
    engine: Engine,
    clinic_key: str | None,
    table: Table,
    name: str,
    *,
    now: datetime,
    actor: str,
    called: Mapping[str, str] = MappingProxyType({}),
    dry_run: bool = False,
    confirmed: bool = False,
    progress: Progress | None = None,
    batch_size: int = BATCH,
) -> ImportReport:
    """Record every good row of the table, in batches of one transaction each; report the others.

    A row whose external_id is known but which says something else is noted and changes nothing. Consent
    without `consent_at` is dated when the treatment ended, and does not undo a withdrawal. `confirmed` lets
    in treatments that end in the future or ended long ago. `progress` is told the rows done and their total
    after each batch. `called`: see RowReader. Raises NotifierError where the file as a whole, the clinic or
    the database cannot be used.
    """
    with db.reading(engine) as session:
        clinic = clinics.only(session, clinic_key)
        keys = frozenset(plans.current_versions(session, clinic))
        session.expunge(clinic)
    reader = RowReader(clinic, keys, now, confirmed=confirmed, called=called)
    run = _Import(engine, clinic.id, now, actor, ImportReport(name, dry_run, len(table.rows)))
    run.report.ignored = table.ignored
    done = 0
    for batch in (_related if dry_run else _in_order)(table, reader, batch_size):
        run.take(batch)
        done += len(batch)
        if progress is not None:
            progress(done, len(table.rows))
    return run.report.close()


def _in_order(table: Table, reader: RowReader, size: int) -> Iterator[list[Reading]]:
    """Values are read between the transactions: meanwhile other writers on SQLite get their turn."""
    rows: Iterator[Row] = iter(table.rows)
    while batch := [reader.read(row) for row in islice(rows, size)]:
        yield batch


def _related(table: Table, reader: RowReader, size: int) -> Iterator[list[Reading]]:
    """Batches in which all rows stand together that could be one patient's or one treatment.

    Each batch of a dry run is rolled back before the next one begins, so what rows do to each other must show
    within it. One long transaction would do as well, but on SQLite nothing could be sent meanwhile.
    """
    batch: list[Reading] = []
    for group in _groups([reader.read(row) for row in table.rows]):
        batch += group
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def _groups(readings: Sequence[Reading]) -> Iterable[list[Reading]]:
    """Readings that share an external_id, record number, phone or e-mail, also by way of others."""
    parent = list(range(len(readings)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, reading in enumerate(readings):
        for key in _ties(reading.entry):
            one, other = root(first.setdefault(key, index)), root(index)
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[Reading]] = defaultdict(list)
    for index, reading in enumerate(readings):
        groups[root(index)].append(reading)
    return groups.values()


def _ties(entry: Entry | None) -> list[tuple[str, str]]:
    if entry is None:
        return []
    patient = entry.patient
    ties = [
        ("id", entry.external_id),
        ("record", patient.record_number),
        ("phone", patient.phone),
        ("email", patient.email),
    ]
    return [(kind, value) for kind, value in ties if value]


@dataclass
class _Batch:
    """What one transaction did, by the numbers of the treatments, until it is committed."""

    added: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[RowProblem] = field(default_factory=list)


@dataclass
class _Import:
    """Takes batches of readings; what became of them is in the report once it is committed."""

    engine: Engine
    clinic_id: int
    now: datetime
    actor: str
    report: ImportReport
    added_ids: set[int] = field(default_factory=set)

    def take(self, batch: Sequence[Reading]) -> None:
        for reading in batch:
            self.report.problems += reading.problems
            self.report.not_treated += reading.is_none
        if good := [reading for reading in batch if reading.entry is not None]:
            self._store(good)

    def _store(self, readings: Sequence[Reading]) -> None:
        try:
            with db.transaction(self.engine) as session:
                batch = self._record(session, readings)
                if self.report.dry_run:
                    session.rollback()
        except (exc.IntegrityError, exc.DataError, StaleDataError) as error:
            self._store_apart(readings, error)
            return
        self._count(batch)

    def _store_apart(self, readings: Sequence[Reading], error: Exception) -> None:
        """Somebody else was quicker with a row, or the database does not take one: find it."""
        if len(readings) > 1:
            middle = len(readings) // 2
            self._store(readings[:middle])
            self._store(readings[middle:])
            return
        cause = " ".join(str(getattr(error, "orig", error)).split()).rstrip(".")
        message = (
            f"The database did not accept this row: {cause[:200]}. Look at its values and import it again."
        )
        self.report.problems.append(readings[0].problem("", message))

    def _record(self, session: Session, readings: Sequence[Reading]) -> _Batch:
        # Two imports for one clinic take turns, so that each sees the other's rows; nobody else has to wait.
        clinic = session.get_one(Clinic, self.clinic_id, with_for_update={"key_share": True})
        withdrawals = Withdrawals(session, clinic, readings, now=self.now, actor=self.actor)
        entries, heeded = [], []
        for reading in readings:
            assert reading.entry is not None
            consents, notes = withdrawals.heed(reading)
            entries.append(replace(reading.entry, consents=consents))
            heeded.append(notes)
        outcomes, _ = record_all(session, clinic, entries, now=self.now, actor=self.actor)
        batch = _Batch(notes=_differences(session, readings, outcomes))
        for reading, outcome, notes in zip(readings, outcomes, heeded, strict=True):
            if isinstance(outcome, NotifierError):
                batch.problems.append(_refusal(reading, outcome))
            elif outcome.is_new:
                batch.added.append(outcome.treatment.id)
                batch.notes += notes
            else:
                batch.known.append(outcome.treatment.id)
        return batch

    def _count(self, batch: _Batch) -> None:
        self.added_ids.update(batch.added)
        self.report.added += len(batch.added)
        self.report.known += len(batch.known)
        self.report.repeated += sum(known in self.added_ids for known in batch.known)
        self.report.problems += batch.problems
        self.report.notes += batch.notes


def _refusal(reading: Reading, error: NotifierError) -> RowProblem:
    message = str(error)
    if isinstance(error, NeedsConfirmation):
        message += f" Importing the file again with {error.flag} lets it in."
    return reading.problem(getattr(error, "field", ""), message)


def _differences(
    session: Session, readings: Sequence[Reading], outcomes: Sequence[Recorded | NotifierError]
) -> list[RowProblem]:
    """Rows that say something else than the treatment which has their external_id already."""
    known = [
        (reading, outcome.treatment)
        for reading, outcome in zip(readings, outcomes, strict=True)
        if isinstance(outcome, Recorded) and not outcome.is_new
    ]
    if not known:
        return []
    found = session.execute(
        select(Treatment.id, PlanRow.key, Patient.folded_name)
        .join(PlanRow, Treatment.plan_id == PlanRow.id)
        .join(Patient, Treatment.patient_id == Patient.id)
        .where(Treatment.id.in_({treatment.id for _, treatment in known}))
    )
    there = {treatment_id: (plan, name) for treatment_id, plan, name in found}
    return [
        note
        for reading, treatment in known
        if (note := _difference(reading, treatment, *there[treatment.id]))
    ]


def _difference(reading: Reading, treatment: Treatment, plan: str, name: str) -> RowProblem | None:
    entry = reading.entry
    if entry is None or not entry.external_id or entry.external_id != treatment.external_id:
        return None
    differ = [
        column
        for column, same in (
            ("patient", name == entry.patient.folded_name),
            ("plan", plan == entry.plan),
            ("ended_at", treatment.ended_at == entry.ended_at),
            ("next_visit", entry.next_visit in (None, treatment.next_visit_at)),
        )
        if not same
    ]
    if not differ:
        return None
    return reading.problem(
        "external_id",
        f"The treatment with this external_id is there already with another {' and '.join(differ)}. "
        "It was not changed; two treatments need two ids.",
    )

"""Files dropped on the import page, kept until they are in, and what is remembered of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import audit
from notifier.db import RealTime
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.import_report import ImportReport
from notifier.import_table import Sheet, lacking, read_sheet
from notifier.models import Clinic, ImportMapping, ImportRun

# Longer than a batch may take on a busy machine; a thread that is not heard of for that long is gone.
LEASE = 30.0  # seconds
_MOST_PROBLEMS = 500


def opened(name: str, data: bytes) -> Sheet:
    """A file that was dropped. Raises InputError where it cannot be read at all.

    Before any transaction: a large one takes seconds, in which on SQLite nobody else could write.
    """
    return read_sheet(data, name.replace("\\", "/").rpartition("/")[2].strip()[:200] or "file.csv")


def receive(
    session: Session, clinic: Clinic, sheet: Sheet, data: bytes, *, now: datetime, actor: str
) -> ImportRun:
    """Keep a file, that `sheet` was read from."""
    run = ImportRun(
        clinic_id=clinic.id,
        file=sheet.name,
        content=data,
        state="uploaded",
        total=len(sheet.records),
        created_at=now,
        created_by=actor,
    )
    session.add(run)
    session.flush()
    return run


def get(session: Session, clinic: Clinic, run_id: int) -> ImportRun:
    """Without its content, which `sheet_of` brings."""
    run = session.get(ImportRun, run_id)
    if run is None or run.clinic_id != clinic.id:
        raise NotFoundError(f"There is no such import at {clinic.name}.")
    return run


def latest(session: Session, clinic: Clinic, *, limit: int = 10) -> list[ImportRun]:
    """The last ones that went in or are going in."""
    return list(
        session.scalars(
            select(ImportRun)
            .where(ImportRun.clinic_id == clinic.id, ImportRun.dry_run.is_(False))
            .order_by(ImportRun.created_at.desc(), ImportRun.id.desc())
            .limit(limit)
        )
    )


def sheet_of(session: Session, run: ImportRun) -> Sheet:
    """The file, taken apart. Raises ConflictError where it is not kept any more."""
    content = session.scalar(select(ImportRun.content).where(ImportRun.id == run.id))
    if content is None:
        raise ConflictError(f"{run.file} is not kept any more. Drop it on the import page again.")
    return read_sheet(content, run.file)


# What columns mean


def remembered(session: Session, clinic: Clinic, sheet: Sheet) -> ImportMapping | None:
    return session.scalar(
        select(ImportMapping).where(
            ImportMapping.clinic_id == clinic.id, ImportMapping.header_digest == sheet.digest
        )
    )


def remember(
    session: Session,
    clinic: Clinic,
    sheet: Sheet,
    columns: Mapping[str, str],
    called: Mapping[str, str],
    *,
    now: datetime,
    actor: str,
) -> None:
    """For this file and for every other with the same headings. Raises InputError for what cannot work."""
    _require(columns)
    known = remembered(session, clinic, sheet)
    if known is None:
        known = ImportMapping(clinic_id=clinic.id, header_digest=sheet.digest, columns={}, plans={})
        session.add(known)
    known.columns = {label: column for label, column in columns.items() if column}
    # What another file of this program called its treatments stays known.
    known.plans = {**known.plans, **called}
    known.updated_at, known.updated_by = now, actor
    session.flush()


# As people call what an import cannot do without.
_NEEDED = {
    "first_name": "the patient's name",
    "phone or email": "a phone or an e-mail address",
    "plan": "the treatment",
    "ended_at": "when it ended",
}


def _require(columns: Mapping[str, str]) -> None:
    chosen = [column for column in columns.values() if column]
    twice = {column for column in chosen if chosen.count(column) > 1}
    if twice:
        raise InputError(
            f"Two columns cannot both be {' or '.join(sorted(twice)).replace('_', ' ')}. Leave one out.",
            field="columns",
        )
    if missing := lacking(chosen):
        raise InputError(
            f"No column gives {', '.join(_NEEDED.get(name, name) for name in missing)}. Say which one does.",
            field="columns",
        )


# Running


def start(session: Session, run: ImportRun, *, dry_run: bool) -> None:
    """Raises ConflictError where it runs already, or went in."""
    free = update(ImportRun).where(
        ImportRun.id == run.id,
        ImportRun.content.is_not(None),
        (ImportRun.state != "running") | (ImportRun.lease_until < RealTime()),
    )
    started = free.values(
        state="running", dry_run=dry_run, done=0, report=None, finished_at=None, lease_until=RealTime(LEASE)
    ).returning(ImportRun.id)
    if session.scalar(started) is None:
        raise ConflictError("This file is being imported already, or went in before. Load the page again.")


def progress(session: Session, run_id: int, done: int) -> None:
    session.execute(
        update(ImportRun).where(ImportRun.id == run_id).values(done=done, lease_until=RealTime(LEASE))
    )


def finish(session: Session, run_id: int, report: ImportReport, *, now: datetime, actor: str) -> None:
    """Keep the report; the file itself is forgotten once it is in, because it is full of patients."""
    run = session.get_one(ImportRun, run_id)
    run.state, run.done, run.finished_at, run.report = "done", report.rows, now, as_kept(report)
    run.lease_until = None
    if run.dry_run:
        return
    run.content = None
    counted = {name: getattr(report, name) for name in ("rows", "added", "known", "left_out")}
    audit.note(
        session,
        clinic_id=run.clinic_id,
        at=now,
        actor=actor,
        action="import.finished",
        subject="import",
        subject_id=run.id,
        file=run.file,
        **counted,
    )


def fail(session: Session, run_id: int, words: str, *, now: datetime) -> None:
    """`words` for the person who dropped the file; what is in already stays in."""
    run = session.get_one(ImportRun, run_id)
    run.state, run.finished_at, run.lease_until = "failed", now, None
    run.report = {"failed": words}


def drop(session: Session, run: ImportRun) -> None:
    """Forget a file that nobody wants to import. One that runs cannot be dropped."""
    if run.state == "running":
        raise ConflictError("This file is being imported. What is in is in; void what should not be.")
    run.content = None


def is_interrupted(session: Session, run: ImportRun) -> bool:
    """Whether the program stopped in the middle of it."""
    gone = select(ImportRun.id).where(ImportRun.id == run.id, ImportRun.lease_until < RealTime())
    return run.state == "running" and session.scalar(gone) is not None


def as_kept(report: ImportReport) -> dict[str, Any]:
    kept = asdict(report)
    for name in ("problems", "notes"):
        kept[f"more_{name}"] = max(0, len(kept[name]) - _MOST_PROBLEMS)
        kept[name] = kept[name][:_MOST_PROBLEMS]
    return kept | {"ignored": list(report.ignored)}

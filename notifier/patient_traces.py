"""Text that is tied to no patient and may name one all the same: reports of imports, kept answers, toasts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import String, cast, or_, select, update
from sqlalchemy.orm import Session, undefer

from notifier.db import RealTime
from notifier.errors import ConflictError, NotifierError
from notifier.import_runs import sheet_of
from notifier.models import (
    ApiToken,
    AuditEntry,
    DeliveryReportRow,
    IdempotencyRecord,
    ImportRun,
    Patient,
    Sender,
    SignIn,
    Treatment,
)
from notifier.patient_rows import Rows
from notifier.reason_groups import NOT_KEPT
from notifier.rules.recipients import fold_name

_SHORTEST = 3
# Enough of a number to be it, however its country is written.
_LAST_DIGITS = 9
_SAID = "Its patient was erased."


@dataclass(frozen=True)
class Traces:
    """What a text that names the patient has in it: the whole name, an address, a number of theirs."""

    patient: Patient
    rows: Rows
    numbers: tuple[str, ...]  # their record number, and the external ids of their treatments

    @classmethod
    def of(cls, session: Session, rows: Rows) -> Traces:
        ids = session.scalars(select(Treatment.external_id).where(Treatment.id.in_(rows.treatments)))
        known = [rows.patient.record_number, *ids]
        return cls(rows.patient, rows, tuple(filter(None, known)))

    @cached_property
    def _names(self) -> re.Pattern[str]:
        patient = self.patient
        people = [patient.folded_name, fold_name(patient.contact_name, "")]
        return _words(name for name in people if len(name) >= _SHORTEST)

    @cached_property
    def _exact(self) -> re.Pattern[str]:
        mails = [address for channel, address in self.rows.own if channel == "email"]
        return _words(each.casefold() for each in (*mails, *self.numbers) if len(each) >= _SHORTEST)

    @cached_property
    def _phones(self) -> list[str]:
        places = (*self.rows.own, *self.rows.shared)
        return [address[1:][-_LAST_DIGITS:] for channel, address in places if channel == "sms"]

    def are_in(self, text: str) -> bool:
        digits = "".join(char for char in text if char.isdigit())
        return bool(
            self._exact.search(text.casefold())
            or self._names.search(fold_name(text, ""))
            or any(phone in digits for phone in self._phones)
        )

    def are_called(self, text: str) -> bool:
        """By the first name alone, as many are: for what may be blanked once too often."""
        return bool(_words([fold_name(self.patient.first_name, "")]).search(fold_name(text, "")))


def _words(terms: Iterable[str]) -> re.Pattern[str]:
    listed = "|".join(re.escape(term) for term in sorted(terms))
    return re.compile(rf"(?<!\w)(?:{listed})(?!\w)" if listed else r"(?!)")


def require_no_import(session: Session, patient: Patient) -> None:
    """A file that is going in at this moment might bring back what is erased."""
    running = select(ImportRun.id).where(
        ImportRun.clinic_id == patient.clinic_id,
        ImportRun.state == "running",
        ImportRun.lease_until > RealTime(),
    )
    if session.scalar(running.limit(1)) is not None:
        raise ConflictError("A file is being imported at this moment. Erase when it is in.")


def remove(session: Session, traces: Traces) -> None:
    _from_imports(session, traces)
    _from_answers(session, traces)
    _from_toasts(session, traces)
    _from_audit(session, traces)
    _from_providers(session, traces)


def runs_naming(session: Session, traces: Traces) -> list[tuple[ImportRun, dict[str, Any]]]:
    """Imports whose report names the patient, and what it says of them."""
    runs = session.scalars(select(ImportRun).where(ImportRun.clinic_id == traces.patient.clinic_id))
    found = []
    for run in runs:
        named = _named_in(run.report or {}, traces)
        if named or traces.are_in(run.file):
            found.append((run, named))
    return found


def _named_in(report: dict[str, Any], traces: Traces) -> dict[str, Any]:
    """The entries of a report that name the patient."""
    named: dict[str, Any] = {}
    for name, said in report.items():
        if isinstance(said, list):
            entries = [each for each in said if traces.are_in(_written(each))]
            named |= {name: entries} if entries else {}
        elif isinstance(said, str) and traces.are_in(said):
            named[name] = said
    return named


def _written(value: Any) -> str:
    return " ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def _from_imports(session: Session, traces: Traces) -> None:
    for run, named in runs_naming(session, traces):
        run.report = _cleared(run.report, named)
        run.file = "a file" if traces.are_in(run.file) else run.file
    kept = select(ImportRun).where(
        ImportRun.clinic_id == traces.patient.clinic_id, ImportRun.content.is_not(None)
    )
    for run in session.scalars(kept.options(undefer(ImportRun.content))):
        if _holds(session, run, traces):
            run.content = None
    session.flush()


def _cleared(report: dict[str, Any] | None, named: dict[str, Any]) -> dict[str, Any] | None:
    if report is None:
        return None
    return report | {
        name: [_blank(each) if each in said else each for each in report[name]]
        if isinstance(said, list)
        else _SAID
        for name, said in named.items()
    }


def _blank(entry: Any) -> Any:
    return entry | {"value": "", "message": _SAID} if isinstance(entry, dict) else _SAID


def _holds(session: Session, run: ImportRun, traces: Traces) -> bool:
    """One that cannot be read goes as well: nobody can tell whom it names."""
    try:
        records = sheet_of(session, run).records
    except NotifierError:
        return True
    return any(traces.are_in(" ".join(cells)) for _, cells in records if cells)


def answers_naming(session: Session, traces: Traces) -> list[IdempotencyRecord]:
    """What programs were answered about the patient, in the days that answers are kept."""
    records = session.scalars(
        select(IdempotencyRecord)
        .join(ApiToken, ApiToken.id == IdempotencyRecord.token_id)
        .where(ApiToken.clinic_id == traces.patient.clinic_id)
    )
    return [record for record in records if _is_about(record.body, traces)]


def _is_about(said: Any, traces: Traces) -> bool:
    if isinstance(said, dict):
        return _is_theirs(said, traces) or any(_is_about(value, traces) for value in said.values())
    if isinstance(said, list):
        return any(_is_about(value, traces) for value in said)
    return isinstance(said, str) and traces.are_in(said)


def _is_theirs(said: dict[str, Any], traces: Traces) -> bool:
    patient = said.get("patient", said if "first_name" in said else None)
    return (
        said.get("patient_id") == traces.patient.id
        or said.get("treatment_id") in traces.rows.treatments
        or (isinstance(patient, dict) and patient.get("id") == traces.patient.id)
    )


def _from_answers(session: Session, traces: Traces) -> None:
    for record in answers_naming(session, traces):
        record.body = {}
    session.flush()


def _from_toasts(session: Session, traces: Traces) -> None:
    """What the next page of somebody signed in would say."""
    mine = (SignIn.clinic_id == traces.patient.clinic_id, SignIn.toast.is_not(None))
    for row in session.scalars(select(SignIn).where(*mine)):
        said = json.dumps(row.toast, ensure_ascii=False) if row.toast else ""
        if traces.are_in(said) or traces.are_called(said):
            row.toast = None
    session.flush()


def _from_audit(session: Session, traces: Traces) -> None:
    """Of entries about a sender or a file, which may quote what a provider said or how a file is called."""
    entries = session.scalars(
        select(AuditEntry).where(
            # The sum keeps SQLite from walking through all of a clinic's entries.
            (AuditEntry.clinic_id + 0) == traces.patient.clinic_id,
            AuditEntry.subject.in_(("sender", "import")),
        )
    )
    for entry in entries:
        kept = _without(entry.detail, traces.are_in)
        if kept != entry.detail:
            entry.detail = kept
    session.flush()


def _without(detail: dict[str, Any], is_named: Callable[[str], bool]) -> dict[str, Any]:
    return {key: value for key, value in detail.items() if not (isinstance(value, str) and is_named(value))}


def _from_providers(session: Session, traces: Traces) -> None:
    addresses = [address for _, address in traces.rows.own]
    if not addresses:
        return
    raw = cast(DeliveryReportRow.raw, String)
    session.execute(
        update(DeliveryReportRow)
        .where(
            DeliveryReportRow.message_id.is_(None),
            or_(*(raw.contains(address, autoescape=True) for address in addresses)),
        )
        .values(raw={})
        .execution_options(synchronize_session=False)
    )
    stopped = or_(*(Sender.stopped_reason.contains(address, autoescape=True) for address in addresses))
    session.execute(
        update(Sender)
        .where(Sender.clinic_id == traces.patient.clinic_id, stopped)
        .values(stopped_reason=NOT_KEPT)
        .execution_options(synchronize_session=False)
    )

"""Everything that is kept about one patient, for programs: row by row, under the names of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from notifier import audit, patient_traces
from notifier.audit_trail import LISTED, names_one_of
from notifier.models import Attempt, AuditEntry, Base, Clinic, IdempotencyRecord, ImportRun, Message, Patient
from notifier.patient_rows import Rows, belonging, rows_of
from notifier.patient_traces import Traces

# What only this program's machinery needs.
_OURS = frozenset(
    {"address_id", "clinic_id", "lease_until", "link_epoch", "lookup_at", "lookups", "version", "worker"}
)

Row = dict[str, Any]


def export(session: Session, clinic: Clinic, patient: Patient, *, now: datetime, actor: str) -> Row:
    """Plain values, ready for JSON."""
    rows = rows_of(session, patient)
    traces = Traces.of(session, rows)
    tables = {table.__tablename__: _taken(session, table, test) for table, test in belonging(rows).items()}
    tables[Message.__tablename__] = _without_staff(tables[Message.__tablename__], rows, "id", "to")
    tables[Attempt.__tablename__] = _without_staff(
        tables[Attempt.__tablename__], rows, "message_id", "address"
    )
    tables[AuditEntry.__tablename__] += _listed(session, clinic, patient)
    tables[ImportRun.__tablename__] = _imports(session, traces)
    tables[IdempotencyRecord.__tablename__] = [
        _row(each) for each in patient_traces.answers_naming(session, traces)
    ]
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action="patient.exported",
        subject="patient",
        subject_id=patient.id,
    )
    about = {"clinic": clinic.name, "patient_id": patient.id, "exported_at": _value(now)}
    # Others use these too, so what was said there by nobody knows whom is left out.
    shared = [{"channel": channel, "address": address} for channel, address in rows.shared]
    return about | {"shared_addresses": shared, "tables": tables}


def _taken(session: Session, table: Any, test: Any) -> list[Row]:
    return [_row(each) for each in session.scalars(select(table).where(test).order_by(table.id))]


def _row(entity: Base) -> Row:
    names: Iterable[str] = inspect(type(entity)).column_attrs.keys()
    return {name: _value(getattr(entity, name)) for name in names if name not in _OURS}


def _value(value: Any) -> Any:
    """Times are UTC with a Z; all else is plain already."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z" if isinstance(value, datetime) else value


def _without_staff(taken: list[Row], rows: Rows, number: str, address: str) -> list[Row]:
    """The numbers of those who were called about the patient are theirs."""
    return [row | {address: ""} if row[number] in rows.told else row for row in taken]


def _listed(session: Session, clinic: Clinic, patient: Patient) -> list[Row]:
    """Who saw a list with the patient on it; the others on it are left out."""
    entries = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.clinic_id == clinic.id, LISTED, names_one_of([patient.id]))
        .order_by(AuditEntry.id)
    )
    return [_row(entry) | {"detail": {"patients": [patient.id]}} for entry in entries]


def _imports(session: Session, traces: Traces) -> list[Row]:
    """What the reports of imported files say about the patient."""
    return [
        {"id": run.id, "file": run.file, "created_at": _value(run.created_at), "report": named}
        for run, named in patient_traces.runs_naming(session, traces)
    ]


# Tables of which nothing is taken out, and why: a test holds that every table is here or above.
NOT_ABOUT_A_PATIENT: Mapping[str, str] = {
    **dict.fromkeys(
        ("clinics", "practitioners", "alert_contacts", "senders", "import_mappings"), "the clinic's own"
    ),
    **dict.fromkeys(("plans", "plan_versions", "plan_approvals", "retimings"), "the same for all patients"),
    **dict.fromkeys(("staff", "memberships", "staff_links", "api_tokens", "throttles"), "who may come in"),
    "sign_ins": "what staff are told once, on their next page",
    **dict.fromkeys(("chores", "receivers", "retention_walks", "seals"), "the program's own"),
    "withdrawals": "of patients who were erased",
}

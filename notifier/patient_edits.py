"""A patient's details as the desk edits them: all at once, and never over what somebody else just changed.

An empty field means cleared, unlike in `patients.update`, where it means not said.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, patients
from notifier.effects import Effect, Watch, follow
from notifier.errors import ConflictError, InputError
from notifier.models import AuditEntry, Clinic, Patient
from notifier.patients import PatientEntry

_NULL_WHEN_EMPTY = frozenset({"record_number", "phone", "email", "timezone"})


@dataclass(frozen=True, slots=True)
class Details:
    """Everything that the edit form shows, as entered."""

    first_name: str
    last_name: str = ""
    record_number: str = ""
    phone: str = ""
    email: str = ""
    language: str = "en"
    timezone: str = ""
    preferred_channel: str = "sms"
    contact_name: str = ""
    contact_relation: str = ""
    name_treatment: bool = False
    essentials: bool = False


def details_of(patient: Patient) -> Details:
    return Details(**{name: getattr(patient, name) or _EMPTY[name] for name in _NAMES})


_NAMES = tuple(field.name for field in fields(Details))
_EMPTY: dict[str, Any] = dict.fromkeys(_NAMES, "") | {"name_treatment": False, "essentials": False}


class StaleEdit(ConflictError):
    """Somebody else changed the patient since the form was opened. `theirs` is how it stands now."""

    def __init__(self, message: str, theirs: Details, version: int) -> None:
        self.theirs, self.version = theirs, version
        super().__init__(message)


def edit(
    session: Session,
    clinic: Clinic,
    patient: Patient,
    wanted: Details,
    *,
    version: int,
    now: datetime,
    actor: str,
) -> Effect:
    """Make the patient what the form says; unsent messages follow. `version` is the one the form showed.

    Raises StaleEdit where that is no longer the current one, InputError for what cannot be.
    """
    lock(session, patient)
    if patient.version != version:
        raise _stale(session, patient)
    cleaned = _cleaned(session, clinic, patient, wanted)
    watch = Watch(session, patient)
    changed = {name: value for name, value in cleaned.items() if getattr(patient, name) != value}
    for name, value in changed.items():
        setattr(patient, name, value)
    if not changed:
        return Effect()
    _cleared_problems(patient, changed)
    session.flush()
    named = sorted(set(changed) - {"folded_name"})
    note(session, patient, "patient.changed", now, actor, fields=named)
    return follow(session, patient, watch, now=now, actor=actor)


def correct_address(
    session: Session,
    clinic: Clinic,
    patient: Patient,
    channel: str,
    address: str,
    *,
    now: datetime,
    actor: str,
) -> Effect:
    """Only the phone or the e-mail, as heard on the telephone just now."""
    lock(session, patient)
    field = "phone" if channel == "sms" else "email"
    values = {name: getattr(details_of(patient), name) for name in _NAMES} | {field: address}
    if not address.strip():
        called = "phone number" if channel == "sms" else "e-mail address"
        raise InputError(f"Enter the {called} that is right.", field=field)
    return edit(session, clinic, patient, Details(**values), version=patient.version, now=now, actor=actor)


def lock(session: Session, patient: Patient) -> None:
    """As every replan does, so that two edits come one after the other."""
    session.flush()
    session.execute(
        select(Patient)
        .where(Patient.id == patient.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def _cleaned(session: Session, clinic: Clinic, patient: Patient, wanted: Details) -> dict[str, Any]:
    said = {name: getattr(wanted, name) for name in _NAMES if name != "essentials"}
    entry = patients.clean(PatientEntry(**said), clinic)
    if not (entry.phone or entry.email):
        raise InputError(
            f"{entry.first_name} cannot be reached then: enter a phone number or an e-mail address.",
            field="phone",
        )
    _require_free_number(session, patient, entry.record_number)
    values = {name: getattr(entry, name) for name in said} | {"essentials": wanted.essentials}
    for name in _NULL_WHEN_EMPTY:
        values[name] = values[name] or None
    values["language"] = values["language"] or clinic.language
    values["preferred_channel"] = values["preferred_channel"] or "sms"
    for name in ("contact_name", "contact_relation"):
        values[name] = " ".join(values[name].split())
    return values | {"folded_name": entry.folded_name}


def _require_free_number(session: Session, patient: Patient, number: str) -> None:
    if not number:
        return
    other = session.scalar(
        select(Patient).where(
            Patient.clinic_id == patient.clinic_id, Patient.record_number == number, Patient.id != patient.id
        )
    )
    if other is not None:
        name = f"{other.first_name} {other.last_name}".strip()
        raise InputError(f"Record number {number} belongs to {name} already.", field="record_number")


def _cleared_problems(patient: Patient, changed: dict[str, Any]) -> None:
    """What a provider said was about the old address."""
    if "phone" in changed:
        patient.phone_problem = ""
    if "email" in changed:
        patient.email_problem = ""


def _stale(session: Session, patient: Patient) -> StaleEdit:
    last = session.scalar(
        select(AuditEntry)
        .where(
            AuditEntry.subject == "patient",
            AuditEntry.subject_id == patient.id,
            AuditEntry.action != "patient.viewed",
        )
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    who = f"{last.actor} has" if last is not None else "Somebody has"
    return StaleEdit(
        f"{who} changed {patient.first_name}'s details in the meantime. Nothing of yours is saved yet.",
        details_of(patient),
        patient.version,
    )


def clear_problem(session: Session, patient: Patient, channel: str, *, now: datetime, actor: str) -> Effect:
    """The address works after all, the desk has found out: it is tried again."""
    lock(session, patient)
    watch = Watch(session, patient)
    setattr(patient, "phone_problem" if channel == "sms" else "email_problem", "")
    session.flush()
    note(session, patient, "patient.address_cleared", now, actor, channel=channel)
    return follow(session, patient, watch, now=now, actor=actor)


def set_essentials(session: Session, patient: Patient, wanted: bool, *, now: datetime, actor: str) -> Effect:
    """Safety messages only, or all of the plan again; what waits follows."""
    lock(session, patient)
    watch = Watch(session, patient)
    patients.set_essentials(session, patient, wanted, now=now, actor=actor)
    session.flush()
    return follow(session, patient, watch, now=now, actor=actor)


def note(session: Session, patient: Patient, action: str, now: datetime, actor: str, **detail: Any) -> None:
    audit.note(
        session,
        clinic_id=patient.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="patient",
        subject_id=patient.id,
        **detail,
    )

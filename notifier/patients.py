"""Patients: who they are, found again rather than entered twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, literal, select, union
from sqlalchemy.orm import Session, aliased

from notifier import audit
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Clinic, Patient
from notifier.rules import recipients
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.rules.zones import zone


@dataclass(frozen=True, slots=True)
class PatientEntry:
    """A patient as entered. Empty means not said: it changes nothing of a patient who is known already."""

    first_name: str
    last_name: str = ""
    record_number: str = ""
    phone: str = ""
    email: str = ""
    language: str = ""
    timezone: str = ""
    preferred_channel: str = ""
    contact_name: str = ""
    contact_relation: str = ""
    name_treatment: bool | None = None
    is_clean: bool = False
    # The patient's number here, where one was chosen rather than described.
    id: int | None = None

    @property
    def folded_name(self) -> str:
        return recipients.fold_name(self.first_name, self.last_name)


def clean(entry: PatientEntry, clinic: Clinic) -> PatientEntry:
    """The entry with its values in canonical form. Raises InputError, with the field and what to write."""
    if entry.is_clean:
        return entry
    first_name = " ".join(entry.first_name.split())
    if not first_name:
        raise InputError("The patient's first name is missing.", field="first_name")
    if entry.language and entry.language not in LANGUAGES:
        raise InputError(
            f'There are no texts in "{entry.language}"; write {" or ".join(LANGUAGES)}.', field="language"
        )
    if entry.preferred_channel and entry.preferred_channel not in CHANNELS:
        raise InputError(
            f'"{entry.preferred_channel}" is not a channel; write {" or ".join(CHANNELS)}.',
            field="preferred_channel",
        )
    if entry.timezone:
        zone(entry.timezone)
    return replace(
        entry,
        first_name=first_name,
        last_name=" ".join(entry.last_name.split()),
        record_number=entry.record_number.strip(),
        phone=recipients.phone(entry.phone, region=clinic.country) if entry.phone.strip() else "",
        # In one spelling, so that the same address is found again and an opt-out binds all who use it.
        email=recipients.address_key("email", recipients.email(entry.email)) if entry.email.strip() else "",
    )


class PatientBook:
    """The patients of a clinic whom some entries may mean, looked up at once; finds or adds them one by one.

    The same patient: the same record number, else the same folded name with the same phone or e-mail.
    """

    def __init__(self, session: Session, clinic: Clinic, entries: Iterable[PatientEntry]) -> None:
        self._session, self._clinic = session, clinic
        self._by_record: dict[str, Patient] = {}
        self._by_name: dict[str, list[Patient]] = defaultdict(list)
        self.known = self._look_up(list(entries))
        self._by_id = {patient.id: patient for patient in self.known}
        for patient in self.known:
            self._keep(patient)

    def _look_up(self, entries: list[PatientEntry]) -> list[Patient]:
        found: dict[int, Patient] = {}
        for column, values in (
            (Patient.record_number, {entry.record_number for entry in entries} - {""}),
            (Patient.phone, {entry.phone for entry in entries} - {""}),
            (Patient.email, {entry.email for entry in entries} - {""}),
            (Patient.id, {entry.id for entry in entries} - {None}),
        ):
            if values:
                rows = self._session.scalars(
                    select(Patient).where(
                        Patient.clinic_id == self._clinic.id, column.in_(values), Patient.erased_at.is_(None)
                    )
                )
                found |= {patient.id: patient for patient in rows}
        return list(found.values())

    def _keep(self, patient: Patient) -> None:
        if patient.record_number:
            self._by_record[patient.record_number] = patient
        self._by_name[patient.folded_name].append(patient)

    def find_or_add(self, entry: PatientEntry, *, now: datetime, actor: str) -> Patient:
        """`entry` is clean. What it says anew about a known patient is taken over."""
        patient = self._find(entry)
        if patient is None:
            if not (entry.phone or entry.email):
                raise InputError(
                    f"{entry.first_name} cannot be reached: enter a phone number or an e-mail address.",
                    field="phone",
                )
            patient = self._add(entry, now)
        elif update(self._session, patient, entry, now=now, actor=actor) and patient.record_number:
            # A later entry may name the patient by the number that this one brought.
            self._by_record[patient.record_number] = patient
        return patient

    def _find(self, entry: PatientEntry) -> Patient | None:
        if entry.id is not None:
            if entry.id not in self._by_id:
                raise NotFoundError(f"There is no patient {entry.id} at {self._clinic.name}.")
            return self._by_id[entry.id]
        if entry.record_number and (known := self._by_record.get(entry.record_number)):
            if not _share_a_name(known, entry):
                raise ConflictError(
                    f"Record number {entry.record_number} belongs to "
                    f"{_full_name(known)} here, not to {_full_name(entry)}. Correct the number or the name."
                )
            return known
        for known in self._by_name[entry.folded_name]:
            if entry.record_number and known.record_number:
                continue  # two people with one name, and the clinic tells them apart by number
            if (entry.phone and known.phone == entry.phone) or (entry.email and known.email == entry.email):
                return known
        return None

    def _add(self, entry: PatientEntry, now: datetime) -> Patient:
        patient = Patient(
            clinic_id=self._clinic.id,
            record_number=entry.record_number or None,
            first_name=entry.first_name,
            last_name=entry.last_name,
            folded_name=entry.folded_name,
            phone=entry.phone or None,
            email=entry.email or None,
            contact_name=entry.contact_name,
            contact_relation=entry.contact_relation,
            language=entry.language or self._clinic.language,
            timezone=entry.timezone or None,
            preferred_channel=entry.preferred_channel or "sms",
            name_treatment=bool(entry.name_treatment),
            created_at=now,
        )
        self._session.add(patient)
        self._keep(patient)
        return patient


def _full_name(person: Patient | PatientEntry) -> str:
    return f"{person.first_name} {person.last_name}".strip()


def _share_a_name(known: Patient, entry: PatientEntry) -> bool:
    """A person may marry or be entered by a short form; two people seldom have neither name in common."""
    return not set(known.folded_name.split()).isdisjoint(entry.folded_name.split())


def update(session: Session, patient: Patient, entry: PatientEntry, *, now: datetime, actor: str) -> bool:
    """Take over what the entry says; a new address clears what a provider said about the old one.

    Returns whether anything changed. Planned messages follow by `planning.replan`.
    """
    said = {
        "record_number": entry.record_number,
        "phone": entry.phone,
        "email": entry.email,
        "language": entry.language,
        "timezone": entry.timezone,
        "preferred_channel": entry.preferred_channel,
        "contact_name": entry.contact_name,
        "contact_relation": entry.contact_relation,
        "name_treatment": entry.name_treatment,
    }
    changed = [key for key, value in said.items() if value not in ("", None, getattr(patient, key))]
    for key in changed:
        setattr(patient, key, said[key])
    if "phone" in changed:
        patient.phone_problem = ""
    if "email" in changed:
        patient.email_problem = ""
    if changed:
        audit.note(
            session,
            clinic_id=patient.clinic_id,
            at=now,
            actor=actor,
            action="patient.changed",
            subject="patient",
            subject_id=patient.id,
            fields=changed,
        )
    return bool(changed)


def set_essentials(session: Session, patient: Patient, wanted: bool, *, now: datetime, actor: str) -> None:
    """Safety messages only, or all again. Planned messages follow by `planning.replan`."""
    patient.essentials = wanted
    audit.note(
        session,
        clinic_id=patient.clinic_id,
        at=now,
        actor=actor,
        action="patient.essentials",
        subject="patient",
        subject_id=patient.id,
        wanted=wanted,
    )


def get(session: Session, clinic: Clinic, patient_id: int) -> Patient:
    patient = session.get(Patient, patient_id)
    if patient is None or patient.clinic_id != clinic.id:
        raise NotFoundError(f"There is no patient {patient_id} at {clinic.name}.")
    if patient.erased_at is not None:
        raise NotFoundError(f"The data of patient {patient_id} were erased on {patient.erased_at:%Y-%m-%d}.")
    return patient


def search(session: Session, clinic: Clinic, words: str, *, limit: int = 20) -> list[Patient]:
    """By record number, phone, e-mail or the beginning of any name."""
    return list(
        session.scalars(
            select(Patient)
            .where(Patient.clinic_id == clinic.id, Patient.erased_at.is_(None), matching(clinic, words))
            .order_by(Patient.folded_name, Patient.id)
            .limit(limit)
        )
    )


def matching(clinic: Clinic, words: str) -> ColumnElement[bool]:
    """What `search` looks for: each way in an index of its own, as together they would read every row."""
    words = words.strip()
    digits = "".join(ch for ch in words if ch.isdigit())
    folded = recipients.fold_name(words, "")
    other = aliased(Patient)
    tests = [other.record_number == words, other.email == words.lower()]
    if folded:
        name = literal(" ") + other.folded_name
        # Each word begins a name, in whatever order they are typed.
        tests.append(and_(*(name.contains(f" {word}", autoescape=True) for word in folded.split())))
    if len(digits) >= 4:
        tests.append(other.phone.endswith(digits, autoescape=True))
    ways = [select(other.id).where(other.clinic_id == clinic.id, test) for test in tests]
    return Patient.id.in_(union(*ways))

"""Treatments: recorded once, with their messages and events in one transaction; voided, corrected, undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, consent, patients, plans
from notifier.consent import ConsentGiven as ConsentGiven
from notifier.errors import ConflictError, InputError, NeedsConfirmation, NotFoundError, NotifierError
from notifier.models import Clinic, Patient, PlanVersion, Treatment
from notifier.patients import PatientBook, PatientEntry
from notifier.planning import replan
from notifier.planning_rows import Changes
from notifier.rules.timing import say
from notifier.rules.zones import zone

# Two front desks, or one with a double click, mean the same treatment within this time.
SAME_WITHIN = timedelta(minutes=30)
# Clocks differ a little, and people round up.
_AHEAD = timedelta(minutes=15)
_LONG_AGO = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Entry:
    """One treatment as logged at the desk, imported or sent by another program."""

    patient: PatientEntry
    plan: str
    ended_at: datetime
    practitioner: str = ""
    areas: tuple[str, ...] = ()
    next_visit: datetime | None = None
    external_id: str = ""
    idempotency_key: str = ""
    consents: tuple[ConsentGiven, ...] = ()
    source: str = "desk"
    confirmed: bool = False


@dataclass(slots=True)
class Recorded:
    """`is_new` is False where the same treatment was there already; then none was added."""

    treatment: Treatment
    is_new: bool


def record(
    session: Session, clinic: Clinic, entry: Entry, *, now: datetime, actor: str
) -> tuple[Recorded, Changes]:
    """Raises NotifierError, in words, for what cannot be recorded."""
    (outcome,), changes = record_all(session, clinic, [entry], now=now, actor=actor)
    if isinstance(outcome, NotifierError):
        raise outcome
    return outcome, changes


def record_all(
    session: Session, clinic: Clinic, entries: Sequence[Entry], *, now: datetime, actor: str
) -> tuple[list[Recorded | NotifierError], Changes]:
    """As `record`, for many at once in a fixed number of queries. One that is refused stops no other."""
    desk = _Desk(session, clinic, entries, now, actor)
    outcomes: list[Recorded | NotifierError] = []
    for entry in entries:
        try:
            outcomes.append(desk.take(entry))
        except NotifierError as error:
            outcomes.append(error)
    return outcomes, desk.finish()


class _Desk:
    """Takes entries one by one; what they need is looked up for all of them at the start."""

    def __init__(
        self, session: Session, clinic: Clinic, entries: Sequence[Entry], now: datetime, actor: str
    ) -> None:
        self.session, self.clinic, self.now, self.actor = session, clinic, now, actor
        # Two desks that log the same treatment at the same moment do so one after the other.
        session.execute(select(Clinic.id).where(Clinic.id == clinic.id).with_for_update(key_share=True))
        self.versions = plans.current_versions(session, clinic)
        self.cleaned = {id(entry): _clean(entry, clinic) for entry in entries}
        usable = [entry for entry in self.cleaned.values() if isinstance(entry, PatientEntry)]
        self.book = PatientBook(session, clinic, usable)
        self.by_key = self._known_keys(entries)
        self.of_patient = self._known_treatments()
        self.recorded: list[tuple[Entry, Treatment]] = []
        self.said: list[tuple[Entry, Patient]] = []
        self.touched: dict[Patient, None] = {}

    def _known_keys(self, entries: Sequence[Entry]) -> dict[tuple[str, str], Treatment]:
        known: dict[tuple[str, str], Treatment] = {}
        for name, column in (
            ("external_id", Treatment.external_id),
            ("idempotency_key", Treatment.idempotency_key),
        ):
            keys = {getattr(entry, name) for entry in entries} - {""}
            if keys:
                rows = self.session.scalars(
                    select(Treatment).where(Treatment.clinic_id == self.clinic.id, column.in_(keys))
                )
                known |= {(name, getattr(row, name)): row for row in rows}
        return known

    def take(self, entry: Entry) -> Recorded:
        cleaned = self.cleaned[id(entry)]
        if isinstance(cleaned, NotifierError):
            raise cleaned
        if (known := self._by_key(entry)) is not None:
            self._heed_a_no(entry, known.patient)
            return Recorded(known, is_new=False)
        version = self._version(entry.plan)
        _check_times(entry, self.clinic, self.now)
        patient = self.book.find_or_add(cleaned, now=self.now, actor=self.actor)
        self.touched[patient] = None
        # Also where the treatment turns out to be logged already: a yes, and above all a no, is never lost.
        self.said.append((entry, patient))
        if (twin := self._twin(entry, version, patient)) is not None:
            return Recorded(twin, is_new=False)
        return Recorded(self._add(entry, version, patient), is_new=True)

    def _heed_a_no(self, entry: Entry, patient: Patient) -> None:
        """What comes again adds nothing, but a no that comes with it is never lost."""
        refused = tuple(given for given in entry.consents if not given.granted)
        if refused:
            self.touched[patient] = None
            self.said.append((replace(entry, consents=refused), patient))

    def _by_key(self, entry: Entry) -> Treatment | None:
        for name in ("idempotency_key", "external_id"):
            known = self.by_key.get((name, getattr(entry, name)))
            if known is not None:
                return known
        return None

    def _version(self, key: str) -> PlanVersion:
        version = self.versions.get(key)
        if version is None:
            known = ", ".join(sorted(self.versions)) or "none yet; load one with: notifier plan import"
            raise InputError(f'There is no plan "{key}". There are: {known}.', field="plan")
        return version

    def _twin(self, entry: Entry, version: PlanVersion, patient: Patient) -> Treatment | None:
        for treatment in self.of_patient[patient]:
            same_plan = treatment.plan_id == version.plan_id and treatment.voided_at is None
            # Two different numbers from the booking system are two treatments, however close.
            differ = bool(
                entry.external_id and treatment.external_id and entry.external_id != treatment.external_id
            )
            if same_plan and not differ and abs(treatment.ended_at - entry.ended_at) <= SAME_WITHIN:
                return treatment
        return None

    def _known_treatments(self) -> dict[Patient, list[Treatment]]:
        patients = {patient.id: patient for patient in self.book.known}
        found: dict[Patient, list[Treatment]] = defaultdict(list)
        if patients:
            for row in self.session.scalars(select(Treatment).where(Treatment.patient_id.in_(patients))):
                found[patients[row.patient_id]].append(row)
        return found

    def _add(self, entry: Entry, version: PlanVersion, patient: Patient) -> Treatment:
        treatment = Treatment(
            clinic_id=self.clinic.id,
            patient=patient,
            plan_id=version.plan_id,
            plan_version_id=version.id,
            external_id=entry.external_id or None,
            idempotency_key=entry.idempotency_key or None,
            practitioner=entry.practitioner.strip(),
            ended_at=entry.ended_at,
            logged_at=self.now,
            areas=sorted(set(entry.areas)),
            next_visit_at=entry.next_visit,
            source=entry.source,
            logged_by=self.actor,
        )
        self.session.add(treatment)
        self.of_patient[patient].append(treatment)
        self.recorded.append((entry, treatment))
        for name in ("external_id", "idempotency_key"):
            if key := getattr(entry, name):
                self.by_key[name, key] = treatment
        return treatment

    def finish(self) -> Changes:
        """Write consents, messages, events and the audit trail for all that was taken."""
        self.session.flush()
        given = [(patient, said) for entry, patient in self.said for said in entry.consents]
        consent.record_all(self.session, given, now=self.now, actor=self.actor)
        audit.note_all(
            self.session,
            [
                _audited(treatment, self.now, self.actor, "treatment.logged", source=entry.source)
                for entry, treatment in self.recorded
            ],
        )
        return replan(self.session, list(self.touched), now=self.now, actor=self.actor)


def _clean(entry: Entry, clinic: Clinic) -> PatientEntry | NotifierError:
    try:
        return patients.clean(entry.patient, clinic)
    except NotifierError as error:
        return error


def _check_times(entry: Entry, clinic: Clinic, now: datetime) -> None:
    """Raises InputError for times that cannot be, NeedsConfirmation for those that are seldom meant."""
    if entry.next_visit is not None and entry.next_visit <= entry.ended_at:
        visit, ended = _spoken(entry.next_visit, entry, clinic), _spoken(entry.ended_at, entry, clinic)
        raise InputError(
            f"The next visit ({visit}) has to be after the treatment ({ended}).", field="next_visit"
        )
    if entry.confirmed or now - _LONG_AGO <= entry.ended_at <= now + _AHEAD:
        return
    ended = _spoken(entry.ended_at, entry, clinic)
    if entry.ended_at > now:
        what = f"The treatment would end in the future, {ended}."
    else:
        what = f"The treatment ended {(now - entry.ended_at).days} days ago, {ended} {entry.ended_at.year}."
    raise NeedsConfirmation(
        f"{what} Correct the time, or confirm that it is meant.", field="ended_at", flag="--confirm"
    )


def _spoken(instant: datetime, entry: Entry, clinic: Clinic) -> str:
    return say(instant, zone(entry.patient.timezone or clinic.timezone))


def get(session: Session, clinic: Clinic, treatment_id: int) -> Treatment:
    treatment = session.get(Treatment, treatment_id)
    if treatment is None or treatment.clinic_id != clinic.id:
        raise NotFoundError(f"There is no treatment {treatment_id} at {clinic.name}.")
    return treatment


def find(session: Session, clinic: Clinic, reference: str) -> Treatment:
    """By the booking system's id, else by our own number."""
    wanted = Treatment.external_id == reference
    if reference.isdecimal() and len(reference) < 19:
        wanted = wanted | (Treatment.id == int(reference))
    rows = session.scalars(select(Treatment).where(Treatment.clinic_id == clinic.id, wanted)).all()
    if not rows:
        raise NotFoundError(f'There is no treatment "{reference}" at {clinic.name}.')
    return next((row for row in rows if row.external_id == reference), rows[0])


def void(session: Session, treatment: Treatment, *, reason: str, now: datetime, actor: str) -> Changes:
    """Logged by mistake: what was not sent yet is cancelled. What was sent stays as it is."""
    if treatment.voided_at is not None:
        raise ConflictError(f"The treatment was already voided on {treatment.voided_at:%Y-%m-%d}.")
    treatment.voided_at, treatment.voided_reason = now, reason
    return _changed(session, treatment, now, actor, "treatment.voided", reason=reason)


def unvoid(session: Session, treatment: Treatment, *, now: datetime, actor: str) -> Changes:
    """Undo: rows that were never attempted and are still useful come back."""
    if treatment.voided_at is None:
        raise ConflictError("The treatment is not voided.")
    treatment.voided_at, treatment.voided_reason = None, ""
    return _changed(session, treatment, now, actor, "treatment.unvoided")


def correct_end(
    session: Session,
    treatment: Treatment,
    ended_at: datetime,
    *,
    now: datetime,
    actor: str,
    confirmed: bool = False,
) -> Changes:
    """The time was wrong: what was not attempted yet moves with it."""
    clinic = session.get_one(Clinic, treatment.clinic_id)
    entry = Entry(
        PatientEntry(treatment.patient.first_name, timezone=treatment.patient.timezone or ""),
        "",
        ended_at,
        next_visit=treatment.next_visit_at,
        confirmed=confirmed,
    )
    _check_times(entry, clinic, now)
    before = treatment.ended_at
    treatment.ended_at = ended_at
    return _changed(
        session,
        treatment,
        now,
        actor,
        "treatment.corrected",
        before=before.isoformat(),
        after=ended_at.isoformat(),
    )


def book_visit(
    session: Session, treatment: Treatment, next_visit: datetime | None, *, now: datetime, actor: str
) -> Changes:
    """The next visit was booked, moved or (None) called off."""
    if next_visit is not None and next_visit <= treatment.ended_at:
        raise InputError("The next visit has to be after the treatment.", field="next_visit")
    treatment.next_visit_at = next_visit
    after = next_visit.isoformat() if next_visit else ""
    return _changed(session, treatment, now, actor, "treatment.visit", next_visit=after)


def _changed(
    session: Session, treatment: Treatment, now: datetime, actor: str, action: str, **detail: str
) -> Changes:
    session.flush()
    audit.note_all(session, [_audited(treatment, now, actor, action, **detail)])
    return replan(session, [treatment.patient], now=now, actor=actor)


def _audited(
    treatment: Treatment, now: datetime, actor: str, action: str, **detail: str
) -> dict[str, object]:
    return audit.entry(
        clinic_id=treatment.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="treatment",
        subject_id=treatment.id,
        **detail,
    )

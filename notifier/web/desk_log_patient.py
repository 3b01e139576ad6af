"""The patient's part of the log form: who was chosen, what to know before writing, and what to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes, consent_words, known_plans, patients, reach
from notifier.consent import Standing
from notifier.models import Clinic, Patient, Suppression, Treatment
from notifier.reach import Reach
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.web.auth import Desk
from notifier.web.desk_looks import note_view

router = APIRouter()

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Way:
    """One channel: what the patient last said about it, and whether to ask now. `stopped`: by STOP."""

    channel: str
    standing: Standing | None
    stopped: Suppression | None
    obstacle: str | None

    @property
    def asks(self) -> bool:
        return self.stopped is None and (self.standing is None or not self.standing.granted)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A patient who was found, with all that the desk has to see while logging."""

    patient: Patient
    ways: Sequence[Way]
    sharing: dict[str, list[Patient]]
    last: Treatment | None
    last_plan: str = ""
    words: dict[str, str] = field(default_factory=dict)  # of consent, by language


def chosen(session: Session, clinic: Clinic, patient: Patient) -> Chosen:
    known, standings = reach.load(session, [patient]), consent.standings(session, [patient.id])
    last = session.scalar(
        select(Treatment)
        .where(Treatment.patient_id == patient.id, Treatment.voided_at.is_(None))
        .order_by(Treatment.ended_at.desc())
        .limit(1)
    )
    return Chosen(
        patient,
        [
            _way(known, patient, channel, standings.get((patient.id, channel)))
            for channel in CHANNELS
            if reach.address_of(patient, channel)
        ],
        {channel: people for channel, people in _sharing(session, clinic, patient).items() if people},
        last,
        _plan_name(session, last),
        {patient.language: consent_words.words(clinic, patient.language)},
    )


def _way(known: Reach, patient: Patient, channel: str, standing: Standing | None) -> Way:
    sender = known.sender(patient, channel)
    address = reach.address_of(patient, channel) or ""
    stopped = known.suppressions.get((sender.id, address)) if sender is not None else None
    obstacle = known.obstacle(patient, channel)
    # What the answers below the card say already is not said twice.
    about_consent = obstacle is not None and "onsent to " in obstacle
    return Way(channel, standing, stopped, None if about_consent else obstacle)


def _sharing(session: Session, clinic: Clinic, patient: Patient) -> dict[str, list[Patient]]:
    return consent_changes.sharing(session, clinic, patient)


def _plan_name(session: Session, treatment: Treatment | None) -> str:
    if treatment is None:
        return ""
    version_id = treatment.plan_version_id
    return known_plans.definitions(session, [version_id])[version_id].plan.name_in("en")


def words_of_consent(clinic: Clinic) -> dict[str, str]:
    return {language: consent_words.words(clinic, language) for language in LANGUAGES}


@router.get("/log/patients")
def find(visit: Desk, who: str = Query("", max_length=120)) -> Response:
    """What the list below the field offers while somebody types."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = search(session, clinic, who)
    return visit.fragment(
        "_log_found.html", who=who.strip(), found=found, shown=_SHOWN, country=clinic.country
    )


def search(session: Session, clinic: Clinic, who: str) -> list[Patient]:
    """One letter would find half the town."""
    return patients.search(session, clinic, who, limit=_SHOWN + 1) if len(who.strip()) > 1 else []


@router.get("/log/patient")
def nobody(visit: Desk) -> Response:
    """The same part with nobody chosen: for a new patient."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        words = words_of_consent(clinic)
    return visit.fragment("_log_patient.html", chosen=None, typed={}, problems={}, words=words, clinic=clinic)


@router.get("/log/patient/{patient_id:int}")
def choose(visit: Desk, patient_id: int) -> Response:
    """The part of the form that belongs to this patient. Seeing who it is leaves its trace."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = chosen(session, clinic, patients.get(session, clinic, patient_id))
    note_view(visit, patient_id)
    response = visit.fragment(
        "_log_patient.html", chosen=found, typed={}, problems={}, words=found.words, clinic=clinic
    )
    response.headers["HX-Trigger-After-Swap"] = "log-changed"
    return response

"""The aftercare sheet to print: after a treatment or before one is logged, a page for each language."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import known_plans, plans, sheet, treatments
from notifier.models import Clinic, PlanVersion, Treatment
from notifier.rules.plan import LANGUAGES
from notifier.sheet import Sheet
from notifier.web.auth import Desk
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/treatments/{treatment_id:int}/sheet")
def of_treatment(visit: Desk, treatment_id: int, language: str = "") -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        treatment = treatments.get(session, clinic, treatment_id)
        own = treatment.patient.language
        version = session.get_one(PlanVersion, treatment.plan_version_id)
        sheets = _sheets(visit, session, clinic, version, _languages(language, own), treatment)
    return _page(visit, sheets, f"/treatments/{treatment_id}/sheet?", language)


@router.get("/sheet")
def of_plan(visit: Desk, plan: str, language: str = "") -> Response:
    """Without a name on it, for whoever leaves before anything is logged."""
    with visit.reading() as session:
        clinic = visit.clinic(session)
        version = plans.current_version(session, plans.find(session, clinic, plan))
        sheets = _sheets(visit, session, clinic, version, _languages(language, clinic.language), None)
    return _page(visit, sheets, f"/sheet?plan={plan}&", language)


def _languages(asked: str, own: str) -> list[str]:
    """The one asked for, else all of them, the patient's own first."""
    if asked in LANGUAGES:
        return [asked]
    return sorted(LANGUAGES, key=lambda language: language != own)


def _sheets(
    visit: Visit,
    session: Session,
    clinic: Clinic,
    version: PlanVersion,
    languages: list[str],
    treatment: Treatment | None,
) -> list[Sheet]:
    definition = known_plans.definitions(session, [version.id])[version.id]
    is_draft = not version.approvals
    return [
        sheet.make(definition, clinic, language, now=visit.now(), treatment=treatment, is_draft=is_draft)
        for language in languages
    ]


def _page(visit: Visit, sheets: list[Sheet], address: str, language: str) -> Response:
    return visit.page("sheet.html", sheets=sheets, address=address, language=language)

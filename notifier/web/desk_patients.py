"""Finding a patient, as one types; with nothing typed, who was here lately."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from notifier import finding
from notifier.finding import Found
from notifier.models import Clinic
from notifier.web.auth import Desk
from notifier.web.desk_looks import note_list
from notifier.web.visit import Visit

router = APIRouter()

Words = Annotated[str, Query(max_length=200)]

# While somebody types, long lists pass by unread; one that is down to these is looked at.
_A_FEW = 5


@router.get("/patients")
def patients(visit: Desk, q: Words = "") -> Response:
    """Enter on the one who was found goes to them."""
    found, clinic = _look(visit, q)
    if q.strip() and len(found) == 1:
        return visit.go(f"/patients/{found[0].patient.id}")
    note_list(visit, [item.patient.id for item in found])
    return visit.page("patients.html", found=found, q=q, clinic=clinic, now=visit.now())


@router.get("/patients/found")
def live(visit: Desk, q: Words = "") -> Response:
    found, clinic = _look(visit, q)
    if len(found) <= _A_FEW:
        note_list(visit, [item.patient.id for item in found])
    return visit.fragment("_found.html", found=found, q=q, clinic=clinic, now=visit.now())


def _look(visit: Visit, words: str) -> tuple[list[Found], Clinic]:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        asked = bool(words.strip())
        found = finding.find(session, clinic, words) if asked else finding.lately(session, clinic)
    return found, clinic

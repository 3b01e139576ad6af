"""What is kept about a patient: taken out as a file, or erased after a page that says what goes and stays."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response

from notifier import patient_erasing, patient_export, patients
from notifier.errors import ConflictError
from notifier.web.auth import Admin
from notifier.web.desk_looks import note_view
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/patients/{patient_id:int}/export")
def export(visit: Admin, patient_id: int) -> Response:
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        found = patients.get(session, clinic, patient_id)
        taken = patient_export.export(session, clinic, found, now=visit.now(), actor=visit.actor)
    headers = {
        "Content-Disposition": f'attachment; filename="patient-{patient_id}.json"',
        "Cache-Control": "no-store",
    }
    words = json.dumps(taken, ensure_ascii=False, indent=2)
    return Response(words, media_type="application/json", headers=headers)


@router.get("/patients/{patient_id:int}/erase")
def ask(visit: Admin, patient_id: int) -> Response:
    note_view(visit, patient_id)
    return _page(visit, patient_id)


@router.post("/patients/{patient_id:int}/erase")
def erase(visit: Admin, posted: Posted, patient_id: int) -> Response:
    try:
        with visit.transaction() as session:
            found = patients.get(session, visit.clinic(session), patient_id)
            counts = patient_erasing.erase(session, found, now=visit.now(), actor=visit.actor)
    except ConflictError as refused:
        return _page(visit, patient_id, problems=Problems({"": str(refused)}), status=409)
    under_way = " One that was just on its way may still arrive." if counts.under_way else ""
    return visit.go("/patients", toast=f"The data of patient {patient_id} were erased.{under_way}")


def _page(visit: Visit, patient_id: int, *, problems: Problems | None = None, status: int = 200) -> Response:
    with visit.reading() as session:
        found = patients.get(session, visit.clinic(session), patient_id)
        counts = patient_erasing.counts(session, found)
        refused = patient_erasing.why_not(session, found)
    return visit.page(
        "patient_erase.html",
        status=status,
        patient=found,
        counts=counts,
        refused=refused,
        problems=problems or Problems(),
    )

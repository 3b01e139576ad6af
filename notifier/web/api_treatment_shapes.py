"""Treatments as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from notifier.models import Treatment
from notifier.web.api_message_shapes import MESSAGE, MessageGiven
from notifier.web.api_patient_shapes import ConsentTaken, PatientTaken, RecordNumber
from notifier.web.api_shapes import TIME, Given, Moment, Taken, told

ExternalId = Annotated[str, StringConstraints(max_length=120)]
Area = Annotated[str, StringConstraints(max_length=60)]

_WHO = {"id": 17, "record_number": "R-1042", "first_name": "Alice", "last_name": "Moreau"}
TREATMENT: dict[str, Any] = {
    "id": 58,
    "external_id": "appt-7781",
    "patient": _WHO,
    "plan": "dry-needling",
    "plan_version": 1,
    "practitioner": "Dr Ruiz",
    "ended_at": "2026-02-03T20:30:00Z",
    "logged_at": "2026-02-03T20:40:00Z",
    "areas": ["neck", "upper_back"],
    "next_visit": None,
    "source": "api",
    "logged_by": "api:EHR",
    "voided_at": None,
    "voided_reason": "",
    "version": 1,
}
_WAITING = MESSAGE | {"status": "scheduled", "provider_id": None, "attempts": []}


class PatientOfTreatment(Given):
    id: int
    record_number: str | None
    first_name: str
    last_name: str


class TreatmentGiven(Given):
    model_config = told(**TREATMENT)

    id: int
    external_id: str | None = Field(description="The booking system's own number for it.")
    patient: PatientOfTreatment
    plan: str
    plan_version: int
    practitioner: str
    ended_at: datetime
    logged_at: datetime
    areas: list[str]
    next_visit: datetime | None
    source: str = Field(description="`desk`, `cli`, `import` or `api`.")
    logged_by: str
    voided_at: datetime | None
    voided_reason: str
    version: int


class TreatmentFull(TreatmentGiven):
    """With every message that it led to."""

    model_config = told(**TREATMENT, nothing_because="", messages=[_WAITING])

    nothing_because: str = Field(
        description="Why no channel reaches the patient, so that a printed sheet is needed; else empty."
    )
    messages: list[MessageGiven]


class TreatmentLogged(TreatmentFull):
    model_config = told(**TREATMENT, nothing_because="", messages=[_WAITING], is_new=True)

    is_new: bool = Field(
        description="False: the same treatment was logged before (by its `external_id`, or for the same "
        "patient and plan within 30 minutes), and no second one was added."
    )


def treatment_values(treatment: Treatment) -> dict[str, Any]:
    """What `TreatmentGiven` says."""
    patient, same = treatment.patient, set(TreatmentGiven.model_fields)
    same -= {"patient", "plan", "plan_version", "next_visit"}
    return {name: getattr(treatment, name) for name in same} | {
        "patient": PatientOfTreatment(
            id=patient.id,
            record_number=patient.record_number,
            first_name=patient.first_name,
            last_name=patient.last_name,
        ),
        "plan": treatment.plan.key,
        "plan_version": treatment.plan_version.number,
        "next_visit": treatment.next_visit_at,
    }


class TreatmentTaken(Taken):
    """The patient by `patient_id` or `record_number` where they are known, or described in `patient`."""

    model_config = told(
        external_id="appt-7781",
        patient=PatientTaken.model_config["json_schema_extra"]["examples"][0],  # type: ignore[index]
        plan="dry-needling",
        ended_at="2026-02-03T15:30:00-05:00",
        practitioner="Dr Ruiz",
        areas=["neck", "upper_back"],
        consents=[ConsentTaken.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    )

    external_id: ExternalId = Field(
        "", description="Your own number for it. Sent again, it adds nothing, however much later."
    )
    patient_id: int | None = Field(None, ge=1, lt=2**63)
    record_number: RecordNumber = Field("", description="Of a patient whom the clinic knows.")
    patient: PatientTaken | None = None
    plan: Annotated[str, StringConstraints(max_length=60)] = Field(description="The key of a plan.")
    ended_at: Moment = Field("", description=f"When it ended; else now. {TIME}")
    practitioner: Annotated[str, StringConstraints(max_length=120)] = ""
    areas: list[Area] = Field([], max_length=40, description="As the plan's audiences name them.")
    next_visit: Moment = Field("", description=f"When the next visit begins, if one is booked. {TIME}")
    consents: list[ConsentTaken] = Field(
        [], max_length=20, description="What was said about being written to."
    )
    confirmed: bool = Field(False, description="The time is meant, though it lies ahead or long ago.")


class VoidTaken(Taken):
    model_config = told(reason="The visit was moved to Thursday.")

    reason: Annotated[str, StringConstraints(max_length=300)] = "Logged by mistake."


class CorrectTaken(Taken):
    model_config = told(ended_at="2026-02-03T16:00:00-05:00")

    ended_at: Moment = Field(description=f"When it really ended. {TIME}")
    confirmed: bool = Field(False, description="The time is meant, though it lies ahead or long ago.")


class VisitTaken(Taken):
    model_config = told(at="2026-02-10T15:00:00-05:00")

    at: Moment = Field(description=f"When the next visit begins. {TIME}")

"""Patients and their consent, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from notifier.models import ConsentEntry, Patient
from notifier.reach import Reach
from notifier.rules.plan import CHANNELS
from notifier.web.api_shapes import TIME, Channel, Given, Language, Moment, Taken, told

Name = Annotated[str, StringConstraints(max_length=120)]
RecordNumber = Annotated[str, StringConstraints(max_length=60)]
Phone = Annotated[str, StringConstraints(max_length=40)]
Email = Annotated[str, StringConstraints(max_length=254)]
Zone = Annotated[str, StringConstraints(max_length=60)]
Relation = Annotated[str, StringConstraints(max_length=60)]

_ALICE: dict[str, Any] = {
    "record_number": "R-1042",
    "first_name": "Alice",
    "last_name": "Moreau",
    "phone": "(212) 555-0101",
    "email": "alice@example.com",
    "language": "en",
}
PATIENT: dict[str, Any] = _ALICE | {
    "id": 17,
    "phone": "+12125550101",
    "contact_name": "",
    "contact_relation": "",
    "timezone": None,
    "preferred_channel": "sms",
    "name_treatment": False,
    "essentials": False,
    "paused_at": None,
    "paused_reason": "",
    "phone_problem": "",
    "email_problem": "",
    "not_by": {"sms": None, "email": "No consent to e-mail is on record."},
    "created_at": "2026-02-03T20:40:00Z",
    "version": 1,
}


class NotBy(Given):
    """Why nothing is sent on a channel at present; null: nothing is in the way."""

    sms: str | None
    email: str | None


class PatientGiven(Given):
    model_config = told(**PATIENT)

    id: int
    record_number: str | None = Field(description="The clinic's own number for the patient.")
    first_name: str
    last_name: str
    phone: str | None = Field(description="In the form E.164.")
    email: str | None
    contact_name: str = Field(description="Who is written to instead, such as a parent; else empty.")
    contact_relation: str
    language: str
    timezone: str | None = Field(description="Where the patient lives; null: where the clinic is.")
    preferred_channel: str
    name_treatment: bool = Field(description="The patient wishes that messages may name the treatment.")
    essentials: bool = Field(description="Safety messages only.")
    paused_at: datetime | None = Field(description="Planned messages are held since then.")
    paused_reason: str
    phone_problem: str = Field(
        description="What a provider said about the number, for the desk to put right."
    )
    email_problem: str
    not_by: NotBy
    created_at: datetime
    version: int = Field(description="Grows with every change; the answer's `ETag`.")


_SAME = tuple(name for name in PatientGiven.model_fields if name != "not_by")


def patient_given(patient: Patient, known: Reach) -> PatientGiven:
    ways = NotBy(**{channel: known.obstacle(patient, channel) for channel in CHANNELS})
    return PatientGiven(**{name: getattr(patient, name) for name in _SAME}, not_by=ways)


class PatientTaken(Taken):
    """Who is known already is found again: by record number, else by name together with phone or e-mail.

    What is said anew about them is taken over; what is not said changes nothing.
    """

    model_config = told(**_ALICE)

    first_name: Name
    last_name: Name = ""
    record_number: RecordNumber = Field("", description="The clinic's own number for the patient.")
    phone: Phone = Field(
        "", description="In any usual form; without a country code, of the clinic's country."
    )
    email: Email = ""
    contact_name: Name = Field("", description="Who is written to instead, such as a parent.")
    contact_relation: Relation = ""
    language: Language | None = Field(None, description="Else the clinic's.")
    timezone: Zone = Field("", description="Such as `America/Denver`; else the clinic's.")
    preferred_channel: Channel | None = None
    name_treatment: bool | None = None


class PatientChange(Taken):
    """Only what is to change; null empties a field. Say which version is changed, here or in `If-Match`."""

    model_config = told(phone="(212) 555-0199", essentials=True, version=1)

    first_name: Name | None = None
    last_name: Name | None = None
    record_number: RecordNumber | None = None
    phone: Phone | None = None
    email: Email | None = None
    contact_name: Name | None = None
    contact_relation: Relation | None = None
    language: Language | None = None
    timezone: Zone | None = None
    preferred_channel: Channel | None = None
    name_treatment: bool | None = None
    essentials: bool | None = Field(None, description="Safety messages only, or all again.")
    version: int | None = Field(None, ge=1, description="The one that was read before.")


class ConsentTaken(Taken):
    """What a patient said about being written to on a channel; a no is said too."""

    model_config = told(
        channel="sms",
        granted=True,
        at="2026-02-03T15:25:00-05:00",
        method="intake form",
        wording="May we text you about your aftercare? Reply STOP at any time to end.",
    )

    channel: Channel
    granted: bool
    at: Moment = Field(
        description="When it was said. A yes from before a later no counts for nothing, however often it is "
        f"sent. {TIME}"
    )
    method: Annotated[str, StringConstraints(max_length=60)] = Field(
        description="How: at the desk, by phone, on the intake form."
    )
    wording: Annotated[str, StringConstraints(max_length=2000)] = Field(
        "", description="The words that the patient agreed to; needed with a yes."
    )


class ConsentGivenOut(Given):
    """One line of the ledger, to which lines are only ever added."""

    model_config = told(
        id=31,
        channel="sms",
        granted=True,
        at="2026-02-03T20:25:00Z",
        recorded_at="2026-02-03T20:40:00Z",
        method="intake form",
        wording="May we text you about your aftercare? Reply STOP at any time to end.",
        recorded_by="api:EHR",
    )

    id: int
    channel: str
    granted: bool
    at: datetime
    recorded_at: datetime
    method: str
    wording: str
    recorded_by: str


def consent_given(entry: ConsentEntry) -> ConsentGivenOut:
    return ConsentGivenOut(**{name: getattr(entry, name) for name in ConsentGivenOut.model_fields})


class PauseTaken(Taken):
    model_config = told(reason="Waits for the doctor's call.")

    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class PatientChanged(Given):
    """The patient as they are now, and what the change did to messages, in words."""

    model_config = told(
        patient=PATIENT, effect="1 message will be sent after all (Day 1: soreness is normal)."
    )

    patient: PatientGiven
    effect: str = Field(description="Empty where no message was touched.")


class PatientRecorded(Given):
    model_config = told(patient=PATIENT, is_new=True)

    patient: PatientGiven
    is_new: bool = Field(description="False: the patient was known, and what was said anew was taken over.")

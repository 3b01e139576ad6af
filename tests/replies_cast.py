"""What patients wrote, as rows: for tests of what the clinic does about it."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.models import Alert, Clinic, Patient, Reply
from tests.cast import at

# In the evening, when the first message is there.
WROTE = at("2026-02-03 19:00")
EMERGENCY: dict[str, Any] = {
    "rank": 0,
    "task": "call_back",
    "intent": "red_flag",
    "red_flags": ["emergency"],
    "matched": ["Breathing: cant breathe"],
}
_ids = itertools.count(1)


def patient_named(session: Session, first_name: str) -> Patient:
    return session.scalars(select(Patient).where(Patient.first_name == first_name)).one()


def wrote(
    session: Session,
    clinic: Clinic,
    patient: Patient | None,
    body: str,
    *,
    when: datetime = WROTE,
    sender: str = "",
    **columns: Any,
) -> Reply:
    """A reply that has to be read, unless said otherwise; from the patient's phone."""
    address = sender or (patient.phone if patient is not None else "") or "+12125550199"
    given: dict[str, Any] = {
        "clinic_id": clinic.id,
        "patient_id": patient.id if patient is not None else None,
        "channel": "sms",
        "provider_id": f"SM{next(_ids):032}",
        "from_address": address,
        "to_address": "+12125550100",
        "body": body,
        "received_at": when,
        "intent": "other",
        "task": "read",
        "rank": 3,
    }
    reply = Reply(**(given | columns))
    session.add(reply)
    session.flush()
    return reply


def rings(session: Session, clinic: Clinic, reply: Reply, **columns: Any) -> Alert:
    """The alert that an emergency raises."""
    given: dict[str, Any] = {
        "clinic_id": clinic.id,
        "patient_id": reply.patient_id,
        "reply_id": reply.id,
        "kind": "red_flag",
        "severity": "emergency",
        "code": f"K{next(_ids):03}",
        "summary": "A reply may be an emergency.",
        "raised_at": reply.received_at,
    }
    alert = Alert(**(given | columns))
    session.add(alert)
    session.flush()
    return alert

"""What rings on every page: the emergencies that nobody has taken yet, and how many urgent alerts wait."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import alert_codes, alerts, alerts_delivery
from notifier.models import Alert, Patient
from notifier.rules.escalation import Severity

# More than anybody reads at once; the others are in the inbox.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Ringing:
    """`who` is empty where nobody knows the number; `phone` is the one to call."""

    alert: Alert
    patient_id: int | None
    who: str
    phone: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """`stamp` is another one whenever anything shown is."""

    ringing: tuple[Ringing, ...] = ()
    emergencies: int = 0
    urgent: int = 0
    urgent_at: str = "/inbox"  # where they stand
    stamp: str = ""


def look(session: Session, clinic_id: int) -> Alarm:
    """One look into an index while all is well."""
    rows = session.scalars(
        select(Alert)
        .where(
            Alert.clinic_id == clinic_id,
            Alert.acknowledged_at.is_(None),
            Alert.severity.in_((str(Severity.EMERGENCY), str(Severity.URGENT))),
            Alert.kind != alerts.TEST,
        )
        .order_by(Alert.raised_at, Alert.id)
    ).all()
    emergencies = [alert for alert in rows if alert.severity == Severity.EMERGENCY]
    shown = tuple(ringing(session, alert) for alert in emergencies[:_SHOWN])
    said = [(each.alert.id, each.alert.summary, each.who, each.phone, each.problems) for each in shown]
    urgent = [alert for alert in rows if alert.severity == Severity.URGENT]
    where = "/inbox" if all(alert.reply_id is not None for alert in urgent) else "/today"
    stamp = hashlib.sha256(repr((said, len(emergencies), len(urgent), where)).encode()).hexdigest()[:12]
    return Alarm(shown, len(emergencies), len(urgent), where, stamp)


def ringing(session: Session, alert: Alert) -> Ringing:
    patient = session.get(Patient, alert.patient_id) if alert.patient_id is not None else None
    who = f"{patient.first_name} {patient.last_name}".strip() if patient is not None else ""
    phone = alert_codes.phone_of(session, alert)
    problems = tuple(alerts_delivery.problems(session, alert))
    return Ringing(alert, alert.patient_id, who, phone, problems)

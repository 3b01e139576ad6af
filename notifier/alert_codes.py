"""A contact takes an alert by texting its code back, and gets the patient's phone number for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import alerts, alerts_telling
from notifier.config import Settings
from notifier.envelope import InboundMessage
from notifier.models import Alert, AlertContact, Clinic, Patient, Reply
from notifier.rendering import short_time
from notifier.rules import escalation
from notifier.rules.recipients import address_key
from notifier.rules.zones import to_local, zone


def take(session: Session, inbound: InboundMessage, *, settings: Settings, now: datetime) -> bool:
    """Whether this was a code from a contact's own number: then the alert is taken, and the contact answered.

    Anything else is a reply like any other, whoever sent it. The same message again changes nothing.
    """
    codes = escalation.codes_in(inbound.body) if inbound.channel == "sms" else ()
    contacts = _contacts(session, inbound) if codes else []
    if not contacts:
        return False
    mark = "code-" + hashlib.sha256(inbound.provider_id.encode()).hexdigest()[:16]
    found = _meant(session, contacts, codes)
    if found is None and _may_be_a_patients(session, inbound):
        return False
    if found is None:
        contact = contacts[0]
        values = {"state": "unknown", "code": codes[0], "open": _open(session, contact)}
        alerts_telling.answer(session, contact, None, values, mark=mark, now=now)
        return True
    alert, contact = found
    alerts.acknowledge(session, alert, by=contact.name, how="sms", now=now, contact=contact)
    alerts_telling.answer(session, contact, alert, _said(session, alert, contact), mark=mark, now=now)
    return True


def _may_be_a_patients(session: Session, inbound: InboundMessage) -> bool:
    """Somebody who is treated too says more than a code: "C6 C7 numb" may be of their own neck."""
    number = address_key("sms", inbound.from_address)
    is_patient = select(Patient.id).where(Patient.phone == number, Patient.erased_at.is_(None)).limit(1)
    return bool(escalation.beside_codes(inbound.body)) and session.scalar(is_patient) is not None


def _contacts(session: Session, inbound: InboundMessage) -> Sequence[AlertContact]:
    """One person may be the contact of several clinics."""
    number = address_key("sms", inbound.from_address)
    query = select(AlertContact).where(AlertContact.phone == number).order_by(AlertContact.id)
    return session.scalars(query).all()


def _meant(
    session: Session, contacts: Sequence[AlertContact], codes: Sequence[str]
) -> tuple[Alert, AlertContact] | None:
    """The open alert with this code, else the latest that had it."""
    of_clinic = {contact.clinic_id: contact for contact in reversed(contacts)}
    alert = session.scalars(
        select(Alert)
        .where(Alert.clinic_id.in_(of_clinic), Alert.code.in_(codes))
        .order_by(Alert.acknowledged_at.is_not(None), Alert.raised_at.desc())
        .limit(1)
    ).first()
    return (alert, of_clinic[alert.clinic_id]) if alert is not None else None


def _open(session: Session, contact: AlertContact) -> str:
    return ", ".join(alert.code for alert in alerts.open_alerts(session, contact.clinic_id)[:3])


def _said(session: Session, alert: Alert, contact: AlertContact) -> dict[str, str]:
    values = {"code": alert.code, "phone": "", "open": ""}
    if alert.kind == alerts.TEST:
        return values | {"state": "test"}
    if alert.acknowledged_by == contact.name:
        return values | {"state": "yours", "phone": phone_of(session, alert)}
    return values | {"state": "taken", "by": alert.acknowledged_by, "when": _when(session, alert)}


def phone_of(session: Session, alert: Alert) -> str:
    """The number that was written from, else the one on record."""
    reply = session.get(Reply, alert.reply_id) if alert.reply_id is not None else None
    if reply is not None and reply.channel == "sms":
        return reply.from_address
    patient = session.get(Patient, alert.patient_id) if alert.patient_id is not None else None
    return (patient.phone if patient is not None else None) or ""


def _when(session: Session, alert: Alert) -> str:
    clinic = session.get_one(Clinic, alert.clinic_id)
    assert alert.acknowledged_at is not None
    return short_time(to_local(alert.acknowledged_at, zone(clinic.timezone)).time(), clinic.language)

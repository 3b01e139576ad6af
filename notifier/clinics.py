"""Clinics and what belongs to them: senders, alert contacts."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.errors import InputError, NotFoundError
from notifier.models import AlertContact, Clinic, Sender
from notifier.rules import recipients
from notifier.rules.hours import Hours, parse_hours
from notifier.rules.plan import CHANNELS
from notifier.rules.zones import zone


def create(
    session: Session,
    *,
    name: str,
    phone: str,
    timezone: str,
    country: str,
    language: str,
    emergency_number: str = "",
    crisis_line: str = "",
    now: datetime,
) -> Clinic:
    """A clinic, refused in words where its zone or its name cannot be."""
    if not name.strip():
        raise InputError(
            "A clinic needs a name; patients see it at the start of every message.", field="name"
        )
    zone(timezone)
    clinic = Clinic(
        key=_free_key(session, name),
        name=name.strip(),
        phone=phone.strip(),
        timezone=timezone,
        country=country.upper(),
        language=language,
        emergency_number=emergency_number,
        crisis_line=crisis_line,
        created_at=now,
    )
    session.add(clinic)
    session.flush()
    return clinic


def _free_key(session: Session, name: str) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", recipients.fold_name(name, "")).strip("-")[:50] or "clinic"
    taken = set(session.scalars(select(Clinic.key).where(Clinic.key.startswith(base, autoescape=True))))
    number = 1
    key = base
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    return key


def only(session: Session, key: str | None = None) -> Clinic:
    """The clinic with this key, or the only one there is."""
    clinics = all_clinics(session)
    if key is not None:
        for clinic in clinics:
            if clinic.key == key:
                return clinic
        raise NotFoundError(f'There is no clinic "{key}". {_known(clinics)}')
    if not clinics:
        raise NotFoundError("There is no clinic yet. Run: notifier init")
    if len(clinics) > 1:
        raise NotFoundError(f"There are several clinics; say which with --clinic. {_known(clinics)}")
    return clinics[0]


def _known(clinics: list[Clinic]) -> str:
    return f"There are: {', '.join(clinic.key for clinic in clinics)}." if clinics else "There is none yet."


def all_clinics(session: Session) -> list[Clinic]:
    return list(session.scalars(select(Clinic).order_by(Clinic.id)))


def hours(clinic: Clinic) -> Hours:
    """When it is open; false where nobody has entered it."""
    return parse_hours(clinic.opening_hours, clinic.closed_dates, zone(clinic.timezone))


def ensure_senders(session: Session, clinic: Clinic) -> list[Sender]:
    """One sender per channel. Its identity and rate are the configuration's until somebody gives it one."""
    senders = {sender.channel: sender for sender in active_senders(session, clinic)}
    for channel in CHANNELS:
        if channel not in senders:
            senders[channel] = Sender(clinic_id=clinic.id, channel=channel, display_name=clinic.name)
            session.add(senders[channel])
    session.flush()
    return [senders[channel] for channel in CHANNELS]


def active_senders(session: Session, clinic: Clinic) -> list[Sender]:
    """The clinic's senders in use, one per channel: the first of each."""
    rows = session.scalars(
        select(Sender).where(Sender.clinic_id == clinic.id, Sender.active).order_by(Sender.id.desc())
    )
    return list({sender.channel: sender for sender in rows}.values())


def alert_contacts(session: Session, clinic: Clinic) -> list[AlertContact]:
    return list(
        session.scalars(
            select(AlertContact).where(AlertContact.clinic_id == clinic.id).order_by(AlertContact.position)
        )
    )


def add_alert_contact(
    session: Session, clinic: Clinic, *, name: str, phone: str | None, email: str | None
) -> AlertContact:
    if not (phone or email):
        raise InputError(f"{name or 'An alert contact'} needs a phone or an e-mail address.", field="alerts")
    contact = AlertContact(
        clinic_id=clinic.id,
        position=len(alert_contacts(session, clinic)) + 1,
        name=name,
        phone=recipients.phone(phone, region=clinic.country) if phone else None,
        email=recipients.email(email) if email else None,
    )
    session.add(contact)
    session.flush()
    return contact


def move_alert_contact(session: Session, clinic: Clinic, contact_id: int) -> AlertContact:
    """One place up: told before the one who stood there."""
    contacts = alert_contacts(session, clinic)
    places = [contact.id for contact in contacts]
    at = places.index(alert_contact(session, clinic, contact_id).id)
    if at > 0:
        contacts[at - 1 : at + 1] = reversed(contacts[at - 1 : at + 1])
        _number(session, contacts)
    return next(contact for contact in contacts if contact.id == contact_id)


def remove_alert_contact(session: Session, clinic: Clinic, contact_id: int) -> AlertContact:
    gone = alert_contact(session, clinic, contact_id)
    session.delete(gone)
    session.flush()
    _number(session, alert_contacts(session, clinic))
    return gone


def alert_contact(session: Session, clinic: Clinic, contact_id: int) -> AlertContact:
    contact = session.get(AlertContact, contact_id)
    if contact is None or contact.clinic_id != clinic.id:
        raise NotFoundError("There is no such alert contact here.")
    return contact


def _number(session: Session, contacts: list[AlertContact]) -> None:
    """Twice, because no two may have the same place even for a moment."""
    for start in (-len(contacts), 1):
        for place, contact in enumerate(contacts, start=start):
            contact.position = place
        session.flush()


def sender(session: Session, clinic: Clinic, sender_id: int) -> Sender:
    found = session.get(Sender, sender_id)
    if found is None or found.clinic_id != clinic.id:
        raise NotFoundError("There is no such sender here.")
    return found


def change_sender(
    session: Session, clinic: Clinic, sender_id: int, *, identity: str, display_name: str, rate: float | None
) -> Sender:
    """`identity`: empty for what the configuration says. Raises InputError, with its field."""
    found = sender(session, clinic, sender_id)
    if identity and found.channel == "email":
        identity = recipients.email(identity)
    elif identity and not identity.upper().startswith("MG"):
        identity = recipients.phone(identity, region=clinic.country)
    taken = select(Sender.id).where(
        Sender.clinic_id == clinic.id,
        Sender.channel == found.channel,
        Sender.identity == identity,
        Sender.id != found.id,
    )
    if session.scalar(taken.limit(1)) is not None:
        raise InputError("Another sender of this clinic has this address already.", field="identity")
    if rate is not None and not 0 < rate <= 1000:
        raise InputError("Write how many messages may leave in a second, such as 1 or 0.5.", field="rate")
    found.identity, found.display_name, found.max_per_second = identity, display_name, rate
    session.flush()
    return found

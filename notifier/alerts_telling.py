"""Tells a contact of an alert by SMS and e-mail: class, code and link, and nothing about the patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import clinics, message_moves, reach, staff_mail
from notifier.db import wake_workers
from notifier.links import Links
from notifier.models import Alert, AlertContact, Clinic, Message, Sender
from notifier.rules import light_markdown
from notifier.rules.delivery import Kind, Priority, Status

# Stands in the words until they leave: only then it is known whether we have a public address.
LINK = "⟨link⟩"
WHERE = {"en": "in Aftercare Notifier", "es": "en Aftercare Notifier"}
_ACTOR = "alerts"


def tell(
    session: Session,
    clinic: Clinic,
    alert: Alert,
    contact: AlertContact,
    *,
    now: datetime,
    template: str = "alert",
    values: Mapping[str, str] | None = None,
    mark: str = "",
) -> list[Message]:
    """Its messages to this contact, due now; what still waits from an earlier round goes no more.

    `mark`: in place of the round, where it is another thing that is told once.
    """
    mark = mark or str(alert.round)
    ways = dict(_ways(session, clinic, contact))
    keys = {channel: f"alert:{alert.id}:{contact.id}:{mark}:{channel}" for channel in ways}
    known = _known(session, clinic, keys.values())
    if template == "alert":
        withdraw(session, alert, "It is told again.", now=now, actor=_ACTOR, contact=contact)
    said = {"clinic": clinic.name, "name": contact.name, "code": alert.code, "link": LINK}
    said |= _class(alert) | dict(values or {})
    written = [
        _write(session, clinic, alert, sender, address, template, said, keys[channel], now)
        for channel, (sender, address) in ways.items()
        if keys[channel] not in known
    ]
    session.flush()
    if written:
        wake_workers(session)
    return written


def _class(alert: Alert) -> dict[str, str]:
    about = "yes" if alert.patient_id is not None or alert.reply_id is not None else ""
    return {"kind": alert.kind, "severity": alert.severity, "about_patient": about}


def _ways(
    session: Session, clinic: Clinic, contact: AlertContact
) -> Iterator[tuple[str, tuple[Sender, str]]]:
    senders = {sender.channel: sender for sender in clinics.active_senders(session, clinic)}
    for channel, address in (("sms", contact.phone), ("email", contact.email)):
        if address and channel in senders:
            yield channel, (senders[channel], address)


def _known(session: Session, clinic: Clinic, keys: Iterable[str]) -> set[str]:
    query = select(Message.dedup_key).where(Message.clinic_id == clinic.id, Message.dedup_key.in_(list(keys)))
    return set(session.scalars(query))


def _write(
    session: Session,
    clinic: Clinic,
    alert: Alert,
    sender: Sender,
    address: str,
    template: str,
    values: Mapping[str, str],
    key: str,
    now: datetime,
) -> Message:
    if sender.channel == "sms":
        subject, words = "", staff_mail.render_sms(template, clinic.language, values)
    else:
        subject, words = staff_mail.render(template, clinic.language, values)
    place = (clinic.id, sender.channel, address)
    message = Message(
        clinic_id=clinic.id,
        kind=str(Kind.ALERT),
        dedup_key=key,
        sender_id=sender.id,
        priority=Priority.ALERT,
        status=str(Status.SCHEDULED),
        channel=sender.channel,
        to=address,
        address_id=reach.addresses_of(session, {place})[place].id,
        due_at=now,
        subject=subject,
        words=words,
        attempts=0,
        created_at=now,
        alert_id=alert.id,
    )
    session.add(message)
    return message


def tell_admins(session: Session, clinic: Clinic, alert: Alert, *, now: datetime) -> list[Message]:
    """By e-mail, once: where there is no contact, or none of them can be reached."""
    values = {"code": alert.code, "link": LINK} | _class(alert)
    written = []
    for person in staff_mail.admins(session, clinic):
        mail = staff_mail.write(session, clinic, person, "alert-admins", values, key=str(alert.id), now=now)
        if mail is not None:
            mail.priority, mail.alert_id = Priority.ALERT, alert.id
            written.append(mail)
    session.flush()
    return written


def with_link(message: Message, links: Links | None, language: str) -> str:
    """Its words as they leave: with the address where this contact takes the alert, or where to look."""
    if LINK not in message.words:
        return message.words
    told, number = message.alert_id, contact_id(message)
    link = links.alert(told, number or 0) if links is not None and told is not None else None
    where = link or WHERE.get(language[:2], WHERE["en"])
    return message.words.replace(LINK, light_markdown.escape(where) if message.channel == "email" else where)


def of_alert(session: Session, alert: Alert) -> list[Message]:
    query = select(Message).where(Message.alert_id == alert.id).order_by(Message.id)
    return list(session.scalars(query))


def contact_id(message: Message) -> int | None:
    """Who was told by it; None for an admin, who is no contact."""
    parts = message.dedup_key.split(":")
    return int(parts[2]) if len(parts) == 5 and parts[2].isdecimal() else None


def withdraw(
    session: Session,
    alert: Alert,
    reason: str,
    *,
    now: datetime,
    actor: str,
    contact: AlertContact | None = None,
) -> None:
    """What still waits goes no more: to everybody, or to this contact."""
    waiting = session.scalars(
        select(Message)
        .where(Message.alert_id == alert.id, Message.status == str(Status.SCHEDULED))
        .order_by(Message.id)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    for message in waiting:
        if contact is None or contact_id(message) == contact.id:
            message_moves.move(session, message, Status.CANCELLED, reason, now=now, actor=actor)

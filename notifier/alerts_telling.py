"""Tells a contact of an alert by SMS and e-mail: class, code and link, and nothing about the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import clinics, message_moves, reach, staff_mail
from notifier.db import wake_workers
from notifier.links import Links
from notifier.models import Alert, AlertContact, Clinic, Message, Sender
from notifier.rules import light_markdown
from notifier.rules.delivery import Kind, Priority, Status
from notifier.rules.plan import CHANNELS

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
    channels: Sequence[str] = CHANNELS,
) -> list[Message]:
    """Its messages to this contact, due now; what still waits from an earlier round goes no more.

    `mark`: in place of the round, where it is another thing that is told once.
    """
    if not mark:
        withdraw(session, alert, "It is told again.", now=now, actor=_ACTOR, contact=contact)
    said = {"clinic": clinic.name, "name": contact.name, "code": alert.code, "link": LINK}
    said |= _class(alert) | dict(values or {})
    written = []
    for sender, address in ways(session, clinic, contact, channels):
        key = f"alert:{alert.id}:{contact.id}:{mark or alert.round}:{sender.channel}"
        if not _is_known(session, clinic, key):
            written.append(_message(session, clinic, sender, address, template, said, key, now))
            written[-1].alert_id = alert.id
    session.add_all(written)
    session.flush()
    if written:
        wake_workers(session)
    return written


def answer(
    session: Session,
    contact: AlertContact,
    alert: Alert | None,
    values: Mapping[str, str],
    *,
    mark: str,
    now: datetime,
) -> None:
    """What follows a code that this contact texted, by SMS and once for each `mark`."""
    clinic = session.get_one(Clinic, contact.clinic_id)
    said = {"clinic": clinic.name, **values}
    for sender, address in ways(session, clinic, contact, ("sms",)):
        key = f"alert:{alert.id if alert else 0}:{contact.id}:{mark}:sms"
        if not _is_known(session, clinic, key):
            message = _message(session, clinic, sender, address, "alert-code", said, key, now)
            message.alert_id = alert.id if alert else None
            session.add(message)
            session.flush()
            wake_workers(session)


def _class(alert: Alert) -> dict[str, str]:
    about = "yes" if alert.patient_id is not None or alert.reply_id is not None else ""
    return {"kind": alert.kind, "severity": alert.severity, "about_patient": about}


def ways(
    session: Session, clinic: Clinic, contact: AlertContact, channels: Sequence[str] = CHANNELS
) -> Iterator[tuple[Sender, str]]:
    senders = {sender.channel: sender for sender in clinics.active_senders(session, clinic)}
    for channel, address in (("sms", contact.phone), ("email", contact.email)):
        if address and channel in senders and channel in channels:
            yield senders[channel], address


def _is_known(session: Session, clinic: Clinic, key: str) -> bool:
    query = select(Message.id).where(Message.clinic_id == clinic.id, Message.dedup_key == key)
    return session.scalar(query) is not None


def _message(
    session: Session,
    clinic: Clinic,
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
    return Message(
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
    )


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


def calls(session: Session, alert: Alert) -> list[Message]:
    """Those by which contacts were called, without what was said besides."""
    return [message for message in of_alert(session, alert) if round_of(message) is not None]


def tell_taken(session: Session, alert: Alert, taker: AlertContact | None, by: str, *, now: datetime) -> None:
    """Whoever was called by SMS, or else by e-mail, hears who took it, so that nobody drives there twice."""
    clinic = session.get_one(Clinic, alert.clinic_id)
    called = {contact_id(message) for message in calls(session, alert) if message.attempts}
    for contact in clinics.alert_contacts(session, clinic):
        is_taker = contact.id == taker.id if taker is not None else by in (contact.name, contact.email)
        if contact.id in called and not is_taker:
            way = ("sms",) if contact.phone else ("email",)
            tell(
                session,
                clinic,
                alert,
                contact,
                now=now,
                template="alert-taken",
                values={"by": by},
                mark=f"taken-{alert.round}",
                channels=way,
            )


def contact_id(message: Message) -> int | None:
    """Who was told by it; None for an admin, who is no contact."""
    parts = message.dedup_key.split(":")
    return int(parts[2]) if len(parts) == 5 and parts[2].isdecimal() else None


def round_of(message: Message) -> int | None:
    """In which round it called its contact; None where it says something else, such as who took the alert."""
    parts = message.dedup_key.split(":")
    return int(parts[3]) if len(parts) == 5 and parts[3].isdecimal() else None


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

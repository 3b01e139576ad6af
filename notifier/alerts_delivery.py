"""Alerts that do not arrive: the next contact is called, the pages say so, in the end the admins are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import alerts, alerts_telling, chore_times
from notifier.models import Alert, AlertContact, Attempt, Clinic, Message, Sender
from notifier.rules.delivery import ErrorClass, Kind, Status

KIND = "delivery"
# A number that does not work is not told of again for so long.
_SAID_FOR = timedelta(days=7)
_FAILED = (Status.FAILED, Status.UNDELIVERED)


def failed(session: Session, message: Message, *, now: datetime, actor: str) -> None:
    """A call did not arrive, or not yet: the chore, which knows who comes next, is due now."""
    if message.kind != Kind.ALERT or message.alert_id is None:
        return
    if message.status in _FAILED and alerts_telling.contact_id(message) is not None:
        _say_who_is_not_reached(session, message, now, actor)
    chore_times.hurry(session, alerts.CHORE, now=now)


def _say_who_is_not_reached(session: Session, message: Message, now: datetime, actor: str) -> None:
    """Once for each address, so that somebody puts it right before the next emergency."""
    said = (
        select(Alert.id)
        .join(Message, Message.id == Alert.message_id)
        .where(Alert.clinic_id == message.clinic_id, Alert.kind == KIND, Message.to == message.to)
        .where(Alert.severity == "normal", Alert.raised_at > now - _SAID_FOR)
    )
    if session.scalar(said.limit(1)) is not None:
        return
    alerts.raise_quietly(
        session,
        session.get_one(Clinic, message.clinic_id),
        kind=KIND,
        severity="normal",
        summary=_not_reached(session, message),
        now=now,
        actor=actor,
        message=message,
    )


def _not_reached(session: Session, message: Message) -> str:
    name, called = name_of(session, message), "SMS" if message.channel == "sms" else "e-mail"
    if _opted_out(session, message):
        return (
            f"{name} texted STOP to the clinic's number, so no alert reaches {name} by SMS. "
            "Texting START from that phone ends it."
        )
    return f"No alert reaches {name} by {called}: {message.reason}"


_UNANSWERED = "The automatic answer did not reach the patient. Call."


def unanswered(session: Session, reply_id: int | None) -> None:
    """Who takes the alert has to know that the patient was not told what to do."""
    of_reply = select(Alert).where(Alert.reply_id == reply_id, Alert.acknowledged_at.is_(None))
    for alert in session.scalars(of_reply):
        if _UNANSWERED not in alert.summary:
            alert.summary = f"{alert.summary} {_UNANSWERED}"


def _opted_out(session: Session, message: Message) -> bool:
    error_class = select(Attempt.error_class).where(
        Attempt.message_id == message.id, Attempt.number == message.attempts
    )
    return session.scalar(error_class) == ErrorClass.OPT_OUT


def stopped(session: Session, sender: Sender, *, now: datetime, actor: str) -> None:
    """Its breaker has just opened: told once, in the words that the provider gave."""
    called = "SMS" if sender.channel == "sms" else "E-mails"
    alerts.raise_alert(
        session,
        session.get_one(Clinic, sender.clinic_id),
        kind="sender",
        severity="urgent",
        summary=f"{called} cannot be sent at the moment. {sender.stopped_reason}",
        now=now,
        actor=actor,
        sender=sender,
    )


def works_again(session: Session, sender: Sender, *, now: datetime) -> None:
    of_sender = select(Alert).where(
        Alert.clinic_id == sender.clinic_id,
        Alert.acknowledged_at.is_(None),
        Alert.kind == "sender",
        Alert.sender_id == sender.id,
    )
    for alert in session.scalars(of_sender):
        alerts.resolve(session, alert, "It works again", now=now)


def is_stuck(session: Session, message: Message) -> bool:
    """It failed, or was refused and is tried again, or waits for a sender that does not work."""
    if message.status in (*_FAILED, Status.HELD):
        return True
    if message.status != Status.SCHEDULED:
        return False
    return message.attempts > 0 or session.get_one(Sender, message.sender_id).stopped_at is not None


def reached_nobody(session: Session, people: Sequence[AlertContact], called: Sequence[Message]) -> bool:
    """Whether everybody was called, and the latest call to each of them failed on every way."""
    for person in people:
        mine = [message for message in called if alerts_telling.contact_id(message) == person.id]
        latest = [message for message in mine if message.created_at == mine[-1].created_at]
        if not all(is_stuck(session, message) for message in latest) or not latest:
            return False
    return True


def say_so(session: Session, clinic: Clinic, alert: Alert, message: Message, *, now: datetime) -> None:
    """Once for each alert, on every page and to the admins by e-mail."""
    known = select(Alert.id).where(
        Alert.clinic_id == clinic.id, Alert.kind == KIND, Alert.severity == alert.severity
    )
    of_alert = select(Message.id).where(Message.alert_id == alert.id)
    if session.scalar(known.where(Alert.message_id.in_(of_alert)).limit(1)) is None:
        alerts.raise_quietly(
            session,
            clinic,
            kind=KIND,
            severity=alert.severity,
            summary=f"The alert {alert.code} could not reach any contact. {message.reason}".strip(),
            now=now,
            actor="alerts",
            message=message,
        )


def problems(session: Session, alert: Alert) -> list[str]:
    """What the pages say about calls that did not arrive, the latest of each contact and channel."""
    calls = {(alerts_telling.contact_id(m), m.channel): m for m in alerts_telling.calls(session, alert)}
    return [
        f"The alert could not reach {name_of(session, message)}: {_why(session, message)}"
        for message in calls.values()
        if is_stuck(session, message)
    ]


def _why(session: Session, message: Message) -> str:
    return message.reason or session.get_one(Sender, message.sender_id).stopped_reason


def name_of(session: Session, message: Message) -> str:
    contact = session.get(AlertContact, alerts_telling.contact_id(message) or 0)
    return contact.name if contact is not None and contact.name else message.to

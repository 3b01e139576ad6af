"""Whose turn it is to be told of an alert: contacts in order, opening hours, calls so far."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifier import alerts_telling, clinics
from notifier.errors import InputError
from notifier.models import Alert, AlertContact, Clinic, Reply
from notifier.rules import escalation
from notifier.rules.escalation import Turn
from notifier.rules.hours import Hours
from notifier.rules.zones import zone


def tell_next(
    session: Session,
    clinic: Clinic,
    alert: Alert,
    *,
    now: datetime,
    after: timedelta = escalation.DEFAULT_AFTER,
) -> None:
    """Whoever's turn it is, if anybody may be told now; and when it is the next one's turn."""
    people = contacts(session, clinic)
    if not people:
        alerts_telling.tell_admins(session, clinic, alert, now=now)
        alert.escalate_at = None
        return
    on_call, hours = [person.on_call for person in people], opening_hours(clinic)
    at = Turn(alert.next_contact % len(people), alert.round)
    found = escalation.turn(alert.severity, on_call, at, is_open=hours.is_open(now))
    if found is None:
        alert.escalate_at = escalation.not_before(alert.severity, on_call, now, hours)
        return
    alert.round = found.round
    written = alerts_telling.tell(session, clinic, alert, people[found.contact], now=now)
    following = escalation.next_turn(found, len(people))
    alert.round, alert.next_contact = following.round, following.contact
    due = now + escalation.waits(alert.severity, following, after, calls_made(session, alert))
    # Whoever was called in this round already, because the list has changed since, is passed over.
    alert.escalate_at = escalation.not_before(alert.severity, on_call, due if written else now, hours)
    session.flush()


def calls_made(session: Session, alert: Alert) -> int:
    """Since the patient wrote last about it: who writes again is not called about more slowly."""
    reply = session.get(Reply, alert.reply_id) if alert.reply_id is not None else None
    since = reply.received_at if reply is not None else alert.raised_at
    calls = {message.created_at for message in alerts_telling.calls(session, alert)}
    return sum(at >= since for at in calls)


def opening_hours(clinic: Clinic) -> Hours:
    """Those that were entered, else by day; also where nobody can read what was entered."""
    try:
        hours = clinics.hours(clinic)
    except InputError:
        hours = Hours(tz=zone(clinic.timezone))
    return escalation.waking_hours(hours)


def last_told(session: Session, alert: Alert) -> datetime | None:
    return max((message.created_at for message in alerts_telling.calls(session, alert)), default=None)


def contacts(session: Session, clinic: Clinic) -> list[AlertContact]:
    """Those whom the clinic has a way to reach, in their order."""
    return [
        contact
        for contact in clinics.alert_contacts(session, clinic)
        if any(alerts_telling.ways(session, clinic, contact))
    ]

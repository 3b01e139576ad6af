"""The chore that calls the next contact when nobody took an alert in time; at once where a call failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import alerts, alerts_delivery, alerts_telling, alerts_turns, alerts_unread
from notifier.config import Settings
from notifier.errors import DatabaseUnavailable
from notifier.models import Alert, AlertContact, Clinic, Message
from notifier.rules import escalation
from notifier.rules.escalation import Severity, Turn

log = logging.getLogger(__name__)

# Said on the pages, and known to admins by e-mail: no contact is called, so nobody comes next.
CALLS_NOBODY = (alerts.TEST, alerts_delivery.KIND, alerts_unread.KIND)
_TRY_AGAIN = timedelta(minutes=1)
_A_TEST_LASTS = timedelta(days=1)


def escalate(session: Session, settings: Settings, now: datetime) -> datetime | None:
    """Each open alert once: what is overdue calls one contact, also after a night without a worker."""
    _end_tests(session, now)
    for alert in _open(session):
        try:
            with session.begin_nested():
                _look_at(session, alert, settings, now)
        except (OperationalError, DatabaseUnavailable):
            raise
        except Exception:
            # One that cannot be told must not keep the others from being told.
            log.exception("alert %s could not be escalated", alert.id)
            session.refresh(alert)
            alert.escalate_at = now + _TRY_AGAIN
            session.flush()
    return _next(session, now)


def _open(session: Session) -> Sequence[Alert]:
    """Who is being taken at this moment needs nobody else."""
    return session.scalars(
        select(Alert)
        .where(Alert.acknowledged_at.is_(None), Alert.kind.not_in(CALLS_NOBODY))
        .order_by(Alert.escalate_at, Alert.id)
        .with_for_update(skip_locked=True)
    ).all()


def _look_at(session: Session, alert: Alert, settings: Settings, now: datetime) -> None:
    clinic = session.get_one(Clinic, alert.clinic_id)
    people = alerts_turns.contacts(session, clinic)
    called = alerts_telling.calls(session, alert)
    if people and alerts_delivery.reached_nobody(session, people, called):
        alerts_delivery.say_so(session, clinic, alert, called[-1], now=now)
    due = _due(session, clinic, alert, people, called, settings.alerts.escalate_after, now)
    if due <= now:
        alerts_turns.tell_next(session, clinic, alert, now=now, after=settings.alerts.escalate_after)
    elif alert.escalate_at != due:
        alert.escalate_at = due
        session.flush()


def _due(
    session: Session,
    clinic: Clinic,
    alert: Alert,
    people: Sequence[AlertContact],
    called: Sequence[Message],
    after: timedelta,
    now: datetime,
) -> datetime:
    if not called or not people:
        return now
    on_call, hours = [person.on_call for person in people], alerts_turns.opening_hours(clinic)
    told_at = max(message.created_at for message in called)
    following = Turn(alert.next_contact % len(people), alert.round)
    due = told_at + escalation.waits(
        alert.severity, following, after, alerts_turns.calls_made(session, alert)
    )
    if due > now and _has_failed(session, alert, called, told_at):
        # Not to somebody who was called just now: dead numbers go in no circle.
        before = [
            m.created_at for m in called if alerts_telling.contact_id(m) == people[following.contact].id
        ]
        due = now if not before or max(before) <= told_at - (due - told_at) else due
    return escalation.not_before(alert.severity, on_call, due, hours)


def _has_failed(session: Session, alert: Alert, called: Sequence[Message], told_at: datetime) -> bool:
    """The last call: on every way; in an emergency on one of them, as an e-mail wakes nobody."""
    latest = [
        alerts_delivery.is_stuck(session, message) for message in called if message.created_at == told_at
    ]
    return any(latest) if alert.severity == Severity.EMERGENCY else all(latest)


def _end_tests(session: Session, now: datetime) -> None:
    session.execute(
        update(Alert)
        .where(
            Alert.acknowledged_at.is_(None), Alert.kind == alerts.TEST, Alert.raised_at < now - _A_TEST_LASTS
        )
        .values(acknowledged_at=now, acknowledged_how="expired")
    )


def _next(session: Session, now: datetime) -> datetime | None:
    """When the next one is due; an alert that cannot be told to anybody is looked at again now and then."""
    first = session.scalar(
        select(func.min(Alert.escalate_at)).where(
            Alert.acknowledged_at.is_(None), Alert.kind.not_in(CALLS_NOBODY)
        )
    )
    return max(first, now) if first is not None else None

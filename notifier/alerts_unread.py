"""Replies that a person should read and nobody has, an hour after the clinic opened: the owner is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from notifier import alerts, alerts_turns, clinics
from notifier.config import Settings
from notifier.models import Alert, Clinic, Reply
from notifier.rules import escalation
from notifier.rules.hours import Hours
from notifier.rules.zones import day_span, to_local

KIND = "unread"
# As the partial index says it, word for word.
_FOR_A_PERSON = text("replies.handled_at IS NULL AND replies.rank < 9")


def tell_owners(session: Session, settings: Settings, now: datetime) -> datetime | None:
    """The chore: once a day and clinic. Returns when a reply can be late next, one yet to come too."""
    return min(
        (_look_at(session, clinic, now) for clinic in clinics.all_clinics(session)),
        default=None,
    )


def _look_at(session: Session, clinic: Clinic, now: datetime) -> datetime:
    hours = alerts_turns.opening_hours(clinic)
    deadlines = [escalation.read_by(received, hours) for received in _unread(session, clinic)]
    late = sum(deadline <= now for deadline in deadlines)
    open_one = _open(session, clinic)
    if late and open_one is None and not _told_today(session, clinic, hours, now):
        _tell(session, clinic, late, now)
    elif open_one is not None and not deadlines:
        alerts.resolve(session, open_one, "Everything is read", now=now)
    coming = [deadline for deadline in deadlines if deadline > now]
    return min([*coming, escalation.read_by(now, hours)])


def _unread(session: Session, clinic: Clinic) -> Sequence[datetime]:
    return session.scalars(
        select(Reply.received_at)
        .where(Reply.clinic_id == clinic.id, _FOR_A_PERSON, Reply.seen_at.is_(None))
        .order_by(Reply.received_at)
        .limit(1000)
    ).all()


def _open(session: Session, clinic: Clinic) -> Alert | None:
    query = select(Alert).where(
        Alert.clinic_id == clinic.id, Alert.acknowledged_at.is_(None), Alert.kind == KIND
    )
    return session.scalars(query.limit(1)).first()


def _told_today(session: Session, clinic: Clinic, hours: Hours, now: datetime) -> bool:
    start, end = day_span(to_local(now, hours.tz).date(), hours.tz)
    query = select(Alert.id).where(
        Alert.clinic_id == clinic.id, Alert.kind == KIND, Alert.raised_at >= start, Alert.raised_at < end
    )
    return session.scalar(query.limit(1)) is not None


def _tell(session: Session, clinic: Clinic, late: int, now: datetime) -> None:
    counted = "1 reply waits" if late == 1 else f"{late} replies wait"
    alerts.raise_quietly(
        session,
        clinic,
        kind=KIND,
        severity="normal",
        summary=f"{counted} for a person, unread for more than an hour of opening time.",
        now=now,
        actor="alerts",
    )

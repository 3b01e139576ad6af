"""Something a person at the clinic must see and acknowledge: raised, told, taken."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import alerts_telling, audit, chore_times
from notifier.alerts_turns import contacts as contacts
from notifier.alerts_turns import last_told, tell_next
from notifier.errors import DatabaseUnavailable, NotFoundError
from notifier.models import Alert, AlertContact, Clinic, Message, Patient, Reply, Sender, Staff, Treatment
from notifier.rules import escalation
from notifier.rules.escalation import Severity

log = logging.getLogger(__name__)

CHORE = "alerts"
TEST = "test"
RESOLVED = "resolved"
# A code is not given out again while somebody may still text the old one.
_CODE_RESTS = timedelta(days=30)
# Somebody who writes the same thing again at once is not a reason to ring again at once.
_RING_AGAIN = timedelta(minutes=2)


def raise_alert(
    session: Session,
    clinic: Clinic,
    *,
    kind: str,
    severity: str,
    summary: str,
    now: datetime,
    actor: str,
    patient: Patient | None = None,
    treatment: Treatment | None = None,
    reply: Reply | None = None,
    message: Message | None = None,
    sender: Sender | None = None,
) -> Alert:
    """The alert and its first messages. The same about the same patient, while one is open, rings again.

    `summary` is for the pages, which add the patient's name: neither it nor the words ever leave the house.
    """
    alert = _same(session, clinic, kind, patient, reply, sender)
    if alert is not None:
        _again(session, clinic, alert, severity, summary, reply, now)
    else:
        alert = _new(clinic, kind, severity, summary, now)
        alert.code = free_code(session, clinic, now)
        alert.patient_id, alert.treatment_id, alert.reply_id = _id(patient), _id(treatment), _id(reply)
        alert.message_id, alert.sender_id = _id(message), _id(sender)
        session.add(alert)
        session.flush()
        _call(session, clinic, alert, now)
    noted = {"alert_kind": alert.kind, "severity": alert.severity, "patient_id": alert.patient_id}
    _note(session, alert, "alert.raised", now, actor, **noted)
    chore_times.hurry(session, CHORE, now=now)
    return alert


def raise_quietly(
    session: Session,
    clinic: Clinic,
    *,
    kind: str,
    severity: str,
    summary: str,
    now: datetime,
    actor: str,
    message: Message | None = None,
) -> Alert:
    """For the pages, and for the admins by e-mail: calling a contact would be of no use."""
    alert = _new(clinic, kind, severity, summary, now)
    alert.code, alert.message_id = free_code(session, clinic, now), _id(message)
    session.add(alert)
    session.flush()
    alerts_telling.tell_admins(session, clinic, alert, now=now)
    _note(session, alert, "alert.raised", now, actor, alert_kind=kind, severity=severity)
    return alert


def _new(clinic: Clinic, kind: str, severity: str, summary: str, now: datetime) -> Alert:
    return Alert(
        clinic_id=clinic.id,
        kind=kind,
        severity=str(Severity(severity)),
        summary=summary,
        raised_at=now,
        round=0,
        next_contact=0,
        acknowledged_by="",
    )


def _id(row: Patient | Treatment | Reply | Message | Sender | None) -> int | None:
    return row.id if row is not None else None


def _same(
    session: Session,
    clinic: Clinic,
    kind: str,
    patient: Patient | None,
    reply: Reply | None,
    sender: Sender | None,
) -> Alert | None:
    """The open one about the same: the patient, or a stranger's number, or the sender."""
    query = select(Alert).where(
        Alert.clinic_id == clinic.id, Alert.kind == kind, Alert.acknowledged_at.is_(None)
    )
    if patient is not None:
        query = query.where(Alert.patient_id == patient.id)
    elif reply is not None:
        query = query.join(Reply, Reply.id == Alert.reply_id).where(
            Alert.patient_id.is_(None), Reply.from_address == reply.from_address
        )
    else:
        query = query.where(Alert.patient_id.is_(None), Alert.sender_id == _id(sender))
    return session.scalars(query.order_by(Alert.id).limit(1).with_for_update(of=Alert)).first()


def _again(
    session: Session,
    clinic: Clinic,
    alert: Alert,
    severity: str,
    summary: str,
    reply: Reply | None,
    now: datetime,
) -> None:
    """From the first contact on, at once where it has become worse."""
    worse = escalation.worse(alert.severity, severity) != alert.severity
    if worse or alert.severity == severity:
        alert.severity, alert.summary = severity, summary
        alert.reply_id = _id(reply) or alert.reply_id
    told_at = last_told(session, alert)
    if worse or told_at is None or told_at <= now - _RING_AGAIN:
        alert.round, alert.next_contact = alert.round + 1, 0
        _call(session, clinic, alert, now)


def _call(session: Session, clinic: Clinic, alert: Alert, now: datetime) -> None:
    """What cannot be told at this moment is told by the chore: the alert itself stays."""
    try:
        with session.begin_nested():
            tell_next(session, clinic, alert, now=now)
    except (OperationalError, DatabaseUnavailable):
        raise
    except Exception:
        log.exception("alert %s could not be told yet", alert.id)
        session.refresh(alert)
        alert.escalate_at = now


def free_code(session: Session, clinic: Clinic, now: datetime) -> str:
    """Short, easy to read out and to type, and not another's: K7Q4."""
    lately = select(Alert.code).where(
        Alert.clinic_id == clinic.id,
        (Alert.acknowledged_at.is_(None)) | (Alert.acknowledged_at > now - _CODE_RESTS),
    )
    taken = set(session.scalars(lately))
    while True:
        kinds = (escalation.CODE_LETTERS, escalation.CODE_DIGITS) * 2
        code = "".join(secrets.choice(kind) for kind in kinds)
        if code not in taken:
            return code


def open_alerts(session: Session, clinic_id: int) -> list[Alert]:
    """The most serious first, then the oldest."""
    query = select(Alert).where(
        Alert.clinic_id == clinic_id, Alert.acknowledged_at.is_(None), Alert.kind != TEST
    )
    worst_first = ("emergency", "urgent", "normal")
    return sorted(
        session.scalars(query.order_by(Alert.raised_at, Alert.id)),
        key=lambda alert: worst_first.index(alert.severity),
    )


def get(session: Session, clinic: Clinic, alert_id: int) -> Alert:
    alert = session.get(Alert, alert_id)
    if alert is None or alert.clinic_id != clinic.id:
        raise NotFoundError("There is no such alert here.")
    return alert


def acknowledge(
    session: Session,
    alert: Alert,
    *,
    by: str,
    how: str,
    now: datetime,
    contact: AlertContact | None = None,
    actor: str = "",
) -> bool:
    """Somebody takes it, and nobody else is called. False: somebody was quicker; the alert says who.

    `contact`: who it is, where that is known; `actor`: in the audit trail, where that is not `by`.
    """
    taken = session.execute(
        update(Alert)
        .where(Alert.id == alert.id, Alert.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by=by, acknowledged_how=how, escalate_at=None)
        .execution_options(synchronize_session=False)
    )
    session.refresh(alert)
    if not taken.rowcount:  # type: ignore[attr-defined]
        return False
    why = f"{by}." if how == RESOLVED else f"{by} took the alert."
    alerts_telling.withdraw(session, alert, why, now=now, actor=actor or by)
    _note(session, alert, "alert.taken", now, actor or by, how=how, patient_id=alert.patient_id)
    if alert.kind == TEST and contact is not None:
        contact.tested_at = now
        session.flush()
    elif alert.severity != Severity.NORMAL and how != RESOLVED:
        alerts_telling.tell_taken(session, alert, contact, taker(session, alert), now=now)
    return True


def resolve(session: Session, alert: Alert, why: str, *, now: datetime) -> None:
    """What it was about is over: nobody need look any more."""
    acknowledge(session, alert, by=why, how=RESOLVED, now=now, actor="alerts")


def taker(session: Session, alert: Alert) -> str:
    """Whoever took it, by name."""
    name = session.scalar(select(Staff.name).where(Staff.email == alert.acknowledged_by))
    return name or alert.acknowledged_by


def reopen(session: Session, alert: Alert, *, now: datetime, actor: str) -> None:
    """Whoever took it by mistake gives it back: the next contact is called."""
    if alert.acknowledged_at is None:
        return
    alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_how = None, "", ""
    session.flush()
    _note(session, alert, "alert.reopened", now, actor, patient_id=alert.patient_id)
    chore_times.hurry(session, CHORE, now=now)


def test(session: Session, clinic: Clinic, contact: AlertContact, *, now: datetime, actor: str) -> Alert:
    """To this contact only; whoever takes it shows that alerts arrive. It never rings anywhere else."""
    alert = _new(clinic, TEST, Severity.NORMAL, f"A test of the alerts to {contact.name}.", now)
    alert.code = free_code(session, clinic, now)
    session.add(alert)
    session.flush()
    alerts_telling.tell(session, clinic, alert, contact, now=now, template="alert-test")
    _note(session, alert, "alert.tested", now, actor, name=contact.name)
    return alert


def _note(session: Session, alert: Alert, action: str, now: datetime, actor: str, **detail: object) -> None:
    audit.note(
        session,
        clinic_id=alert.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="alert",
        subject_id=alert.id,
        **detail,
    )

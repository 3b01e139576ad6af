"""What providers later say about attempts: kept as it came, and applied by rank, in whatever order it comes.

One path for calls to us, answers to our questions and bounced mail: what did not arrive is tried again, goes
the other way or is flagged exactly as if the provider had refused it at once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import case, insert, literal_column, or_, select, update
from sqlalchemy.orm import Session

from notifier.db import RealTime, insert_missing
from notifier.envelope import DeliveryReport
from notifier.errors import ChannelError
from notifier.models import Attempt, DeliveryReportRow, Message, MessageEvent, Patient
from notifier.outcomes import Policy, Recorder
from notifier.rules import mail_codes
from notifier.rules.delivery import ErrorClass, Status

log = logging.getLogger(__name__)

UNCONFIRMED = "Sent, unconfirmed: the carrier has said nothing for 72 hours."
_SILENT_FOR = timedelta(hours=72)
_FAILED = (Status.FAILED, Status.UNDELIVERED)
# Seconds until the next question, the longer the more were asked already: most phones answer at once.
_AGAIN_AFTER = (15, 30, 60, 120, 300, 900, 3600)


def apply(session: Session, report: DeliveryReport, *, policy: Policy, now: datetime, actor: str) -> bool:
    """Keep the report, and let its message follow; whether that changed the message.

    One that names no attempt of ours, or another id than the attempt has, is kept and changes nothing.
    """
    attempt = _attempt(session, report)
    message = _locked(session, attempt) if attempt is not None else None
    _keep(session, report, attempt, raw=message is None or message.to != "")
    if attempt is None or message is None:
        return False
    if attempt.provider_id is None:
        attempt.provider, attempt.provider_id = report.provider, report.provider_id
    recorder = Recorder(session, policy, now, actor)
    changed = recorder.reported(message, attempt, report.status, _error(report))
    recorder.finish()
    return changed


def _attempt(session: Session, report: DeliveryReport) -> Attempt | None:
    """By the numbers in the address that we gave, where the ids agree; else by the provider's id alone."""
    query = select(Attempt)
    if report.message_id is not None:
        query = query.where(
            Attempt.message_id == report.message_id,
            Attempt.number == report.attempt,
            or_(Attempt.provider_id.is_(None), Attempt.provider_id == report.provider_id),
        )
    else:
        query = query.where(Attempt.provider_id == report.provider_id)
    return session.scalars(query.order_by(Attempt.id.desc()).limit(1)).first()


def _locked(session: Session, attempt: Attempt) -> Message:
    """The patient before the message, as everybody locks them; then the attempt as it is by now."""
    of_message = select(Message.patient_id).where(Message.id == attempt.message_id).scalar_subquery()
    session.scalars(select(Patient).where(Patient.id == of_message).with_for_update(key_share=True)).all()
    message = session.get_one(
        Message, attempt.message_id, with_for_update={"key_share": True}, populate_existing=True
    )
    session.refresh(attempt)
    return message


def _keep(session: Session, report: DeliveryReport, attempt: Attempt | None, *, raw: bool) -> None:
    """`raw`: as it came; of an erased patient only what it means."""
    values = {
        "message_id": attempt.message_id if attempt is not None else None,
        "attempt": attempt.number if attempt is not None else None,
        "provider": report.provider,
        "provider_id": report.provider_id,
        "status": str(report.status),
        "provider_status": report.provider_status[:40],
        "code": report.code or "",
        "received_at": report.received_at,
        "raw": report.raw if raw else {},
    }
    session.execute(insert_missing(session, DeliveryReportRow).values(**values))


def _error(report: DeliveryReport) -> ChannelError | None:
    if report.status not in _FAILED:
        return None
    found, code = report.error_class, report.code or ""
    if found is ErrorClass.UNLISTED and report.provider == "smtp":
        found = mail_codes.error_class(code)
    said = report.said or report.raw.get("said") or f"The provider says that it was {report.status}."
    # It left long ago, so it is not in doubt any more.
    found = ErrorClass.FEW_TRIES if found is ErrorClass.AMBIGUOUS else found
    return ChannelError(found, said, code=code or None)


def awaited(session: Session, *, now: datetime, limit: int = 50) -> list[str]:
    """Provider ids of messages whose last word is due to be asked for; nobody else asks for a while.

    What has been silent for 72 hours is given up: it stays sent, and says that nobody confirmed it.
    """
    rows = session.execute(
        select(Message.id, Message.lookups, Message.claimed_at, Attempt.provider_id)
        .join(Attempt, (Attempt.message_id == Message.id) & (Attempt.number == Message.attempts))
        .where(
            Message.status.in_([literal_column("'accepted'"), literal_column("'sent'")]),
            Message.lookup_at.is_not(None),
            Message.lookup_at <= RealTime(),
        )
        .order_by(Message.lookup_at)
        .limit(limit)
        .with_for_update(of=Message, key_share=True, skip_locked=True)
    ).all()
    silent = [row.id for row in rows if row.claimed_at is not None and row.claimed_at < now - _SILENT_FOR]
    _give_up(session, silent, now)
    asked = [row for row in rows if row.id not in silent]
    if asked:
        waits = {row.id: _AGAIN_AFTER[min(row.lookups, len(_AGAIN_AFTER) - 1)] for row in asked}
        session.execute(
            update(Message)
            .where(Message.id.in_(waits))
            .values(
                lookups=Message.lookups + 1,
                lookup_at=case(
                    *((Message.id == message_id, RealTime(float(wait))) for message_id, wait in waits.items())
                ),
            )
            .execution_options(synchronize_session=False)
        )
    return [row.provider_id for row in asked if row.provider_id]


def is_awaited(session: Session) -> bool:
    """Whether anything is due to be asked for, without locking anything."""
    query = select(Message.id).where(
        Message.status.in_([literal_column("'accepted'"), literal_column("'sent'")]),
        Message.lookup_at.is_not(None),
        Message.lookup_at <= RealTime(),
    )
    return session.scalar(query.limit(1)) is not None


def _give_up(session: Session, ids: list[int], now: datetime) -> None:
    if not ids:
        return
    rows = session.execute(select(Message.id, Message.status).where(Message.id.in_(ids))).all()
    session.execute(
        update(Message)
        .where(Message.id.in_(ids))
        .values(reason=UNCONFIRMED, lookup_at=None)
        .execution_options(synchronize_session=False)
    )
    events = [
        {"message_id": row.id, "at": now, "from_status": row.status, "to_status": row.status} for row in rows
    ]
    session.execute(
        insert(MessageEvent), [event | {"reason": UNCONFIRMED, "actor": "reports"} for event in events]
    )

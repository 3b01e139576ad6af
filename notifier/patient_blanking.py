"""What is written over when a patient is erased, table by table; what counts to a figure stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from notifier.dispatch import ERASED
from notifier.models import (
    Alert,
    Attempt,
    AuditEntry,
    Base,
    Clinic,
    ConsentEntry,
    DeliveryReportRow,
    Message,
    MessageEvent,
    Patient,
    Reply,
    TaskMark,
    Treatment,
)
from notifier.patient_rows import Rows, belonging
from notifier.reason_groups import without_names
from notifier.rules.delivery import Kind, Status

BY_ERASING = "erased"
NAME = ("Erased", "patient")
# Texts in the audit trail that are one of a few words; every other may have been typed.
_FIXED = frozenset({"alert_kind", "severity", "how", "channel", "channels", "fields"})


def blank_rows(session: Session, rows: Rows, now: datetime, actor: str) -> None:
    for table, test, values in _blanks(rows):
        overwrite(session, table, test, **values)
    unread = and_(Reply.id.in_(rows.replies), Reply.handled_at.is_(None))
    overwrite(session, Reply, unread, handled_at=now, handled_by=actor, handled_how=BY_ERASING)
    tests = select(Message.id).where(Message.id.in_(rows.messages), Message.kind == str(Kind.TEST))
    for message_id in session.scalars(tests).all():
        overwrite(session, Message, Message.id == message_id, dedup_key=f"test:erased:{message_id}")
    _blank_reasons(session, rows)
    _blank_audit(session, rows)


def _blanks(rows: Rows) -> Iterator[tuple[type[Base], Any, dict[str, Any]]]:
    """What is written over, table by table. What went to staff keeps where it went."""
    mine = belonging(rows)
    # A provider can be asked no more about what is in doubt: there is nothing left to ask by.
    doubtful = and_(Message.id.in_(rows.messages), Message.status == str(Status.UNKNOWN))
    yield Message, doubtful, {"lookup_at": None}
    yield Message, Message.id.in_(rows.messages), {"to": ""}
    yield Message, mine[Message], {"subject": "", "words": ""}
    yield Attempt, Attempt.message_id.in_(rows.messages), {"address": ""}
    yield Attempt, mine[Attempt], {"subject": "", "words": "", "error": ""}
    yield DeliveryReportRow, mine[DeliveryReportRow], {"raw": {}}
    yield ConsentEntry, mine[ConsentEntry], {"method": "", "wording": ""}
    words: dict[str, Any] = {"body": "", "subject": "", "note": "", "keyword": "", "matched": []}
    yield Reply, mine[Reply], words | {"from_address": ""}
    yield Alert, mine[Alert], {"summary": ERASED}
    yield TaskMark, mine[TaskMark], {"note": ""}
    numbers: dict[str, Any] = {"external_id": None, "idempotency_key": None}
    yield Treatment, mine[Treatment], numbers | {"areas": [], "next_visit_at": None, "voided_reason": ""}


def overwrite(session: Session, table: type[Base], test: Any, **values: Any) -> None:
    session.execute(update(table).where(test).values(**values).execution_options(synchronize_session=False))


def _blank_reasons(session: Session, rows: Rows) -> None:
    """A reason may quote a provider or what somebody typed; what it counts to stays."""
    messages = session.execute(
        select(Message.id, Message.reason, Message.reason_code).where(Message.id.in_(rows.written))
    )
    for message_id, reason, code in messages.all():
        if (plain := without_names(reason, code)) != reason and code != BY_ERASING:
            overwrite(session, Message, Message.id == message_id, reason=plain)
    events = session.execute(
        select(MessageEvent.id, MessageEvent.reason).where(MessageEvent.message_id.in_(rows.written))
    )
    for event_id, reason in events.all():
        if reason != ERASED and (plain := without_names(reason, "")) != reason:
            overwrite(session, MessageEvent, MessageEvent.id == event_id, reason=plain)


def _blank_audit(session: Session, rows: Rows) -> None:
    """Who did what, and when, stays."""
    entries = session.execute(select(AuditEntry.id, AuditEntry.detail).where(belonging(rows)[AuditEntry]))
    for entry_id, detail in entries.all():
        kept = _numbers_and_fixed(detail)
        if kept != detail:
            overwrite(session, AuditEntry, AuditEntry.id == entry_id, detail=kept)


def _numbers_and_fixed(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in detail.items()
        if key in _FIXED or isinstance(value, bool | int | float | None)
    }


def blank_patient(session: Session, patient: Patient, now: datetime) -> None:
    first_name, last_name = NAME
    clinic = session.get_one(Clinic, patient.clinic_id)
    blank: dict[str, Any] = {
        **dict.fromkeys(("record_number", "phone", "email", "timezone", "paused_at")),
        **dict.fromkeys(("folded_name", "contact_name", "contact_relation", "paused_reason"), ""),
        **dict.fromkeys(("phone_problem", "email_problem"), ""),
        **dict.fromkeys(("name_treatment", "essentials"), False),
        "language": clinic.language,
        "preferred_channel": "sms",
        "first_name": first_name,
        "last_name": last_name,
        "link_epoch": patient.link_epoch + 1,
        "erased_at": now,
    }
    for name, value in blank.items():
        setattr(patient, name, value)
    session.flush()

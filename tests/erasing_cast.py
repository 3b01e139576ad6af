"""A patient of whom every table knows something unmistakable, and a search for it in every column."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import api_tokens, audit, db, staff, suppressions
from notifier.consent import ConsentGiven
from notifier.models import (
    Address,
    Attempt,
    Base,
    Clinic,
    DeliveryReportRow,
    IdempotencyRecord,
    ImportRun,
    Message,
    MessageEvent,
    Patient,
    Sender,
    SignIn,
    TaskMark,
)
from notifier.patients import PatientEntry
from notifier.reach import addresses_of
from tests import cast
from tests.cast import DESK, LOGGED
from tests.replies_cast import rings, wrote

NUMBER, MAIL, RECORD = "+12125550177", "zephyrine@quillfeather.example", "REC-77315"
WORDS = "Xwordsx"
ZEPHYRINE = PatientEntry(
    "Zephyrine",
    "Quillfeather",
    record_number=RECORD,
    phone=NUMBER,
    email=MAIL,
    contact_name="Ottoline Quillfeather",
    contact_relation="great-aunt Ottoline",
)
TELLING = ("zephyrine", "quillfeather", "ottoline", "2125550177", MAIL, RECORD.casefold(), WORDS.casefold())
LATER = LOGGED + timedelta(days=4)


def known_everywhere(session: Session, clinic: Clinic) -> Patient:
    """One row or more in every table that can hold something of a patient, each with words of theirs."""
    said = ConsentGiven("sms", True, LOGGED, method=WORDS, wording=WORDS)
    treatment = cast.log(
        session,
        clinic,
        ZEPHYRINE,
        consents=(said,),
        external_id=f"visit-{RECORD}",
        idempotency_key=f"form-{RECORD}",
    )
    patient = treatment.patient
    patient.paused_reason = patient.phone_problem = patient.email_problem = WORDS
    treatment.voided_reason, treatment.areas = WORDS, ["neck"]
    sms = session.scalars(select(Sender).where(Sender.clinic_id == clinic.id, Sender.channel == "sms")).one()
    reply = wrote(session, clinic, patient, WORDS, subject=WORDS, note=WORDS, keyword=WORDS, matched=[WORDS])
    stranger = wrote(session, clinic, None, WORDS, sender=NUMBER)
    alert = rings(session, clinic, reply, summary=WORDS, acknowledged_at=LOGGED, acknowledged_by=DESK)
    first, second, third, *_ = session.scalars(select(Message).order_by(Message.id)).all()
    _handed_over(session, first, "sent")
    _handed_over(session, second, "sending")
    _handed_over(session, third, "unknown")
    place = (clinic.id, "sms", NUMBER)
    there = addresses_of(session, [place])[place]
    _for_nobody(session, sms, there, reply_id=stranger.id, dedup_key=f"answer:{stranger.id}")
    _for_nobody(session, sms, there, kind="test", dedup_key=f"test:sms:{NUMBER}:2026-02-03T10:00:00+00:00")
    told = _for_nobody(session, sms, None, kind="alert", alert_id=alert.id, dedup_key="alert:1:1:1:sms")
    told.to = "+12125550100"
    session.add_all(
        [
            TaskMark(clinic_id=clinic.id, key=f"reply:{reply.id}", done_at=LOGGED, done_by=DESK, note=WORDS),
            DeliveryReportRow(
                provider="twilio",
                provider_id="SMnobody",
                status="failed",
                provider_status="failed",
                received_at=LOGGED,
                raw={"To": NUMBER},
            ),
            ImportRun(
                clinic_id=clinic.id,
                file=f"{RECORD}.csv",
                content=f"first_name,last_name,phone\nZephyrine,Quillfeather,{NUMBER}\n".encode(),
                state="uploaded",
                report={
                    "problems": [
                        {"row": 2, "column": "phone", "value": NUMBER, "message": f"{NUMBER} is odd."},
                        {"row": 3, "column": "phone", "value": "12", "message": "12 is too short."},
                    ]
                },
                created_at=LOGGED,
            ),
        ]
    )
    suppressions.suppress(session, sms, NUMBER, reason=f"{NUMBER} is blocked.", now=LOGGED, actor="worker")
    cast.says(session, patient, "email", False, LOGGED, now=LOGGED)
    _kept_by_programs(session, clinic, patient, treatment.id)
    audit.note(
        session,
        clinic_id=clinic.id,
        at=LOGGED,
        actor=DESK,
        action="treatment.voided",
        subject="treatment",
        subject_id=treatment.id,
        reason=WORDS,
    )
    session.flush()
    return patient


def _handed_over(session: Session, message: Message, status: str) -> None:
    cast.attempted(message, status)
    message.subject = message.words = message.reason = WORDS
    session.add(
        Attempt(
            message_id=message.id,
            number=1,
            channel=message.channel,
            address=message.to,
            subject=WORDS,
            words=WORDS,
            claimed_at=LOGGED,
            provider="twilio",
            provider_id=f"SM{message.id:032}",
            error=f"{message.to} does not answer",
        )
    )
    session.add(
        MessageEvent(message_id=message.id, at=LOGGED, to_status=status, reason=WORDS, actor="worker")
    )
    session.add(
        DeliveryReportRow(
            message_id=message.id,
            provider="twilio",
            provider_id=f"SM{message.id:032}",
            status="sent",
            provider_status="sent",
            received_at=LOGGED,
            raw={"To": message.to},
        )
    )


def _for_nobody(session: Session, sender: Sender, there: Address | None, **columns: Any) -> Message:
    given: dict[str, Any] = {
        "clinic_id": sender.clinic_id,
        "kind": "answer",
        "sender_id": sender.id,
        "priority": 1,
        "status": "sent",
        "channel": "sms",
        "to": NUMBER,
        "address_id": there.id if there is not None else None,
        "words": WORDS,
        "attempts": 1,
        "claimed_at": LOGGED,
        "due_at": LOGGED,
        "created_at": LOGGED,
    }
    message = Message(**(given | columns))
    session.add(message)
    session.flush()
    return message


def _kept_by_programs(session: Session, clinic: Clinic, patient: Patient, treatment_id: int) -> None:
    token = api_tokens.create(session, clinic, name="EHR", scope="write", now=LOGGED, actor=DESK).token
    who = {"email": DESK, "name": "Desk", "role": "admin", "password": None}
    person = staff.add(session, clinic, **who, now=LOGGED, actor="cli")  # type: ignore[arg-type]
    answers: list[dict[str, Any]] = [
        {"patient": {"id": patient.id, "first_name": "Zephyrine"}},
        {"treatment_id": treatment_id, "external_id": f"visit-{RECORD}"},
    ]
    for number, body in enumerate(answers):
        session.add(
            IdempotencyRecord(
                token_id=token.id,
                key=f"key-{number}",
                fingerprint="f",
                status=201,
                body={"body": body, "headers": {}},
                created_at=LOGGED,
            )
        )
    session.add(
        SignIn(
            token_hash="h",
            staff_id=person.id,
            clinic_id=clinic.id,
            created_at=LOGGED,
            seen_at=LOGGED,
            expires_at=LOGGED,
            toast={"words": "Logged for Zephyrine.", "undo": None},
        )
    )


def found_in(engine: Engine) -> set[str]:
    """The columns of all tables in which something telling stands."""
    found = set()
    with db.reading(engine) as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for column, value in row._mapping.items():
                    written = json.dumps(value, ensure_ascii=False, default=_plain).casefold()
                    if any(words in written for words in TELLING):
                        found.add(f"{table.name}.{column}")
    return found


def _plain(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""The same message once more, to an address that was put right: a new row that goes the way of all others."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier import patient_edits, reach
from notifier.cases import gather
from notifier.db import wake_workers
from notifier.dispatch import Stop, judge
from notifier.effects import Effect
from notifier.errors import ConflictError, NeedsConfirmation
from notifier.message_actions import is_useful, possible
from notifier.message_moves import note, useful_until_in_words
from notifier.models import Clinic, Message, MessageEvent, Patient, Sender
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status

# "sent" is what a provider says last of many mails, and of SMS to a stranger's number.
_ARRIVED = frozenset({Status.DELIVERED})
_UNDER_WAY = frozenset({Status.SCHEDULED, Status.SENDING, Status.HELD})
_JUST_NOW = timedelta(minutes=2)


def resend(
    session: Session,
    clinic: Clinic,
    message: Message,
    to: str,
    *,
    now: datetime,
    actor: str,
    confirmed: bool = False,
) -> tuple[Message, Effect]:
    """Put the address right where `to` is another one, and send the same step again. `message` is locked.

    Raises NeedsConfirmation where the first may have reached somebody, ConflictError where it cannot be sent.
    """
    _require_possible(session, message, now)
    patient = session.get_one(Patient, message.patient_id)
    went = _may_be_there(session, message)
    if went is not None and not confirmed:
        raise NeedsConfirmation(_may_have(went), field="confirmed", flag="confirmed")
    effect = Effect()
    if to.strip() and to.strip() != reach.address_of(patient, message.channel):
        effect = patient_edits.correct_address(
            session, clinic, patient, message.channel, to, now=now, actor=actor
        )
    again = _again(session, patient, message, now)
    _require_sendable(session, again, now)
    session.add(again)
    session.flush()
    _tell(session, message, again, now, actor)
    wake_workers(session)
    return again, effect


def _require_possible(session: Session, message: Message, now: datetime) -> None:
    if message.patient_id is None or not message.attempts:
        raise ConflictError("It was never sent, so there is nothing to send again.")
    if not is_useful(message, now):
        raise ConflictError(
            f"It was useful until {useful_until_in_words(session, message)}. Call the patient instead."
        )
    if "resend" not in possible(message, now):
        raise ConflictError("It cannot be sent again as it stands.")
    earlier = _earlier(session, message)
    if any(row.status in _UNDER_WAY for row in earlier):
        raise ConflictError("It is being sent again already.")
    # Whoever clicks twice, has two tabs or asks again for want of an answer wants it once; and said yes once.
    if any(row.status in MAY_HAVE_ARRIVED and now - row.created_at < _JUST_NOW for row in earlier):
        raise ConflictError("It was sent again a moment ago. Wait and see what becomes of that one.")


def _key(message: Message) -> str:
    return f"resend:{message.id}:"


def _earlier(session: Session, message: Message) -> list[Message]:
    """What was sent again for it before. Among the patient's rows: for the key alone there is no index."""
    rows = session.scalars(select(Message).where(Message.patient_id == message.patient_id))
    return [row for row in rows if row.dedup_key.startswith(_key(message))]


def replaced_id(message: Message) -> int | None:
    """Which message this one was sent instead of, where a person sent it again."""
    kind, _, rest = message.dedup_key.partition(":")
    return int(rest.partition(":")[0]) if kind == "resend" else None


def _may_be_there(session: Session, message: Message) -> Message | None:
    """The last of them all that is not known to have failed."""
    sent = [message, *sorted(_earlier(session, message), key=lambda row: row.id)]
    return next((row for row in reversed(sent) if row.status in MAY_HAVE_ARRIVED), None)


def _may_have(went: Message) -> str:
    which, more = ("It was sent again already, and", "once more")
    if replaced_id(went) is None:
        which, more = "The first one", "a second time"
    if went.status in _ARRIVED:
        return f"{which} was delivered to {went.to}. Send it {more} all the same?"
    return f"{which} went to {went.to} and may have arrived. Send it {more} all the same?"


def _again(session: Session, patient: Patient, message: Message, now: datetime) -> Message:
    address = reach.address_of(patient, message.channel)
    sender = session.scalar(
        select(Sender)
        .where(Sender.clinic_id == message.clinic_id, Sender.channel == message.channel, Sender.active)
        .order_by(Sender.id)
        .limit(1)
    )
    if address is None or sender is None:
        missing = "address on record" if sender is not None else "sender in use"
        raise ConflictError(f"There is no {missing} for this channel.")
    place = (message.clinic_id, message.channel, address)
    return Message(
        clinic_id=message.clinic_id,
        kind=message.kind,
        dedup_key=f"{_key(message)}{len(_earlier(session, message)) + 1}",
        sender_id=sender.id,
        priority=message.priority,
        status=str(Status.SCHEDULED),
        reason=f"Sent again to {address}; the first went to {message.to}.",
        reason_code="",
        due_at=now,
        useful_until=message.useful_until,
        channel=message.channel,
        to=address,
        address_id=reach.addresses_of(session, {place})[place].id,
        patient_id=message.patient_id,
        treatment_id=message.treatment_id,
        plan_version_id=message.plan_version_id,
        step=message.step,
        safety=message.safety,
        subject=message.subject,
        words=message.words,
        attempts=0,
        created_at=now,
    )


def _require_sendable(session: Session, again: Message, now: datetime) -> None:
    """Asked before anything is written: dispatch would only stop it a moment later."""
    (case,) = gather(session, [again], now)
    verdict = judge(case, now)
    if isinstance(verdict, Stop):
        raise ConflictError(f"It cannot be sent again. {verdict.reason}")


def _tell(session: Session, message: Message, again: Message, now: datetime, actor: str) -> None:
    event = {
        "message_id": again.id,
        "at": now,
        "from_status": "",
        "to_status": again.status,
        "reason": again.reason,
        "actor": actor,
    }
    session.execute(insert(MessageEvent), [event])
    note(session, message, "message.resent", now, actor, again=again.id)

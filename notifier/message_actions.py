"""What the desk does to a message: cancel, restore, send now, release, settle. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.cases import gather
from notifier.db import wake_workers
from notifier.dispatch import Hold, Move, Stop, judge
from notifier.errors import ConflictError, NeedsConfirmation, NotFoundError
from notifier.message_moves import OF_THE_DESK, move, note, require, state, useful_until_in_words
from notifier.models import Clinic, Message, Patient
from notifier.planning import replan
from notifier.planning_rows import REPLANNED
from notifier.rules import timing
from notifier.rules.delivery import Kind, Status, may_revive

BY_A_PERSON = "person"
_WAITING = (Status.SCHEDULED, Status.HELD)


def get(session: Session, clinic: Clinic, message_id: int) -> Message:
    """The message as it stands, with its patient and itself locked until the end of the transaction.

    The patient first, as everybody does who locks both; a worker that is claiming it is waited for.
    """
    patient_id = session.scalar(
        select(Message.patient_id).where(Message.id == message_id, Message.clinic_id == clinic.id)
    )
    _lock_patient(session, patient_id)
    message = session.scalar(
        select(Message)
        .where(Message.id == message_id, Message.clinic_id == clinic.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if message is None:
        raise NotFoundError(f"There is no message {message_id} at {clinic.name}.")
    return message


def _lock_patient(session: Session, patient_id: int | None) -> None:
    if patient_id is not None:
        session.execute(select(Patient.id).where(Patient.id == patient_id).with_for_update(key_share=True))


def possible(message: Message, now: datetime) -> frozenset[str]:
    """The names of what a person may do to this message now. Each may still be refused, in words."""
    if message.kind not in OF_THE_DESK:
        return frozenset()
    status, actions = Status(message.status), set()
    if status in _WAITING:
        actions.add("cancel")
    if status is Status.SCHEDULED and message.due_at is not None and message.due_at > now:
        actions.add("send-now")
    if status is Status.HELD:
        actions.add("settle" if is_in_doubt(message) else "release")
    if status is Status.UNKNOWN:
        actions.add("settle")
    if message.reason_code == BY_A_PERSON and may_revive(status, attempts=message.attempts):
        actions.add("restore")
    if message.attempts and status not in (*_WAITING, Status.SENDING):
        actions.add("resend")
    return frozenset(actions if is_useful(message, now) else actions & {"cancel", "settle"})


def is_in_doubt(message: Message) -> bool:
    """Whether it may have reached the patient, and only a person can tell."""
    if message.status == Status.HELD:
        return bool(message.attempts) and not message.reason_code
    return message.status == Status.UNKNOWN


def is_useful(message: Message, now: datetime) -> bool:
    return message.useful_until is None or message.useful_until >= now


def cancel(session: Session, message: Message, *, now: datetime, actor: str, why: str = "") -> None:
    """`message` comes from `get`. It stays cancelled whatever else changes, until `restore`."""
    require(message, _WAITING, "cancelled")
    reason = f"Cancelled at the desk: {why}" if why else "Cancelled at the desk."
    move(session, message, Status.CANCELLED, reason, BY_A_PERSON, now=now, actor=actor)
    note(session, message, "message.cancelled", now, actor)


def cancel_all(
    session: Session, patient: Patient, *, now: datetime, actor: str, why: str = ""
) -> list[Message]:
    """Everything that still waits for this patient. Returns it, for the undo."""
    _lock_patient(session, patient.id)
    waiting = session.scalars(
        select(Message)
        .where(
            Message.patient_id == patient.id,
            Message.status.in_([str(status) for status in _WAITING]),
            Message.kind.in_([str(kind) for kind in OF_THE_DESK]),
        )
        .order_by(Message.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    for message in waiting:
        cancel(session, message, now=now, actor=actor, why=why)
    return list(waiting)


def restore(session: Session, messages: Sequence[Message], *, now: datetime, actor: str) -> list[Message]:
    """Undo of a cancel: what was never attempted and is still useful comes back, as the rules have it today.

    Returns what waits again, on another channel where the rules have it so; the others say why they do not.
    """
    back = [
        message
        for message in messages
        if message.reason_code == BY_A_PERSON
        and may_revive(Status(message.status), attempts=message.attempts)
        and is_useful(message, now)
    ]
    for message in back:
        note(session, message, "message.restored", now, actor)
        if message.kind == Kind.PLANNED and not message.dedup_key.startswith("resend:"):
            message.reason_code = ""  # no longer final, so the plan decides
        else:
            message.due_at = max(message.due_at or now, now)
            move(session, message, Status.SCHEDULED, "Restored at the desk.", now=now, actor=actor)
    _replan(session, back, now, actor)
    stands = [_stands_for(session, message, now, actor) for message in back]
    # What came back beside its plan heeds a stop as everything does.
    _replan(session, back, now, actor)
    return [message for message in stands if message is not None and message.status == Status.SCHEDULED]


def _stands_for(session: Session, message: Message, now: datetime, actor: str) -> Message | None:
    """The row that waits for a restored one: itself, or another of its step."""
    if message.status == Status.SCHEDULED:
        return message
    if message.status != Status.CANCELLED or message.reason_code:
        return None  # the replan had its say
    instead = session.scalars(
        select(Message).where(
            Message.treatment_id == message.treatment_id,
            Message.step == message.step,
            Message.status == str(Status.SCHEDULED),
        )
    ).first()
    if instead is None:
        # Its step was tried on another channel, so the plan leaves it alone: it waits beside it, as before.
        message.due_at = max(message.due_at or now, now)
        move(session, message, Status.SCHEDULED, "Restored at the desk.", now=now, actor=actor)
        return message
    reason = f"It goes by {'SMS' if instead.channel == 'sms' else 'e-mail'} instead."
    move(session, message, Status.CANCELLED, reason, REPLANNED, now=now, actor=actor)
    return instead


def _replan(session: Session, messages: Iterable[Message], now: datetime, actor: str) -> None:
    ids = sorted({message.patient_id for message in messages if message.patient_id is not None})
    patients = [session.get_one(Patient, patient_id) for patient_id in ids]
    replan(session, patients, now=now, actor=actor)
    wake_workers(session)


@dataclass(frozen=True, slots=True)
class Now:
    """What "send now" would do: when it could leave, and the sentence to say before."""

    at: datetime
    words: str


def foresee(session: Session, message: Message, now: datetime) -> Now:
    """What dispatch would do with this message if it were due now. Raises ConflictError: not send it."""
    if message.status != Status.SCHEDULED:
        raise ConflictError(f"It cannot be sent now: {state(message)}.")
    (case,) = gather(session, [message], now)
    verdict = judge(case, now)
    if isinstance(verdict, Stop | Hold):
        raise ConflictError(f"It would not be sent now. {verdict.reason}")
    if not isinstance(verdict, Move):
        return Now(now, "It leaves within moments.")
    when = timing.say(verdict.at, case.tz)
    if message.due_at is not None and verdict.at >= message.due_at > now:
        raise ConflictError(f"It cannot leave earlier than planned. {verdict.reason}")
    return Now(verdict.at, f"It cannot leave before {when}. {verdict.reason}")


def send_now(
    session: Session, message: Message, *, now: datetime, actor: str, confirmed: bool = False
) -> Now:
    """Make it due now; dispatch checks everything as ever. Raises NeedsConfirmation where it would then wait.

    What else is planned gives way to it.
    """
    expected = foresee(session, message, now)
    if expected.at > now and not confirmed:
        raise NeedsConfirmation(expected.words, field="confirmed", flag="confirmed")
    message.due_at = now
    move(session, message, Status.SCHEDULED, "To be sent now, by the desk.", now=now, actor=actor)
    note(session, message, "message.sent_now", now, actor)
    _replan(session, [message], now, actor)
    return expected


def put_back(session: Session, message: Message, *, now: datetime, actor: str) -> None:
    """Undo of `send_now`, while it has not left: it is due again when its plan says."""
    require(message, (Status.SCHEDULED,), "put back")
    if message.kind != Kind.PLANNED or message.attempts:
        raise ConflictError("Its plan does not say when it was due.")
    message.due_at = None
    note(session, message, "message.put_back", now, actor)
    _replan(session, [message], now, actor)
    if message.status == Status.SCHEDULED and message.due_at is None:
        # Sent again by a person, or in the place of one that failed.
        raise ConflictError("Its plan does not say when it was due. Cancel it instead.")


def release(session: Session, message: Message, *, now: datetime, actor: str) -> None:
    """A held message may go after all; what held it is looked at again as it leaves."""
    require(message, (Status.HELD,), "released")
    patient = session.get(Patient, message.patient_id) if message.patient_id is not None else None
    if patient is not None and patient.paused_at is not None:
        raise ConflictError("This patient's messages are paused. Resume them, then this one goes too.")
    message.due_at = max(message.due_at or now, now)
    move(session, message, Status.SCHEDULED, "Released at the desk.", now=now, actor=actor)
    note(session, message, "message.released", now, actor)
    wake_workers(session)


def settle_arrived(session: Session, message: Message, *, now: datetime, actor: str) -> None:
    """A person knows what the provider could not tell: it is there."""
    require(message, (Status.UNKNOWN, Status.HELD), "settled")
    if not is_in_doubt(message):
        raise ConflictError("It was not handed to a provider, so it cannot have arrived.")
    message.lookup_at = None
    move(session, message, Status.DELIVERED, "It arrived, the desk says.", now=now, actor=actor)
    note(session, message, "message.settled", now, actor, arrived=True)


def settle_again(session: Session, message: Message, *, now: datetime, actor: str) -> None:
    """A person decides that it did not arrive: it is sent again, at the risk of a second copy."""
    require(message, (Status.UNKNOWN, Status.HELD), "sent again")
    if not is_useful(message, now):
        until = useful_until_in_words(session, message)
        raise ConflictError(f"It was useful until {until}. Call the patient instead.")
    message.lookups, message.lookup_at, message.due_at = 0, None, now
    move(session, message, Status.SCHEDULED, "Sent again: the desk decided so.", now=now, actor=actor)
    note(session, message, "message.settled", now, actor, arrived=False)
    wake_workers(session)

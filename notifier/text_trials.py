"""A text sent to oneself: the words of the editor with the values of a made-up patient, as a test message."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import audit, messages, rendering, status_words
from notifier.errors import InputError, RenderError
from notifier.messages import Listed
from notifier.models import AuditEntry, Clinic, Message, PlanRow
from notifier.rendering import Context
from notifier.rules import recipients
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Status
from notifier.rules.templating import TextTemplate

MOST = 10
WITHIN = timedelta(hours=1)
_ACTION = "text.tested"
_ON_ITS_WAY = (Status.SCHEDULED, Status.SENDING, Status.ACCEPTED)
# After so long nobody looks any more, whatever the provider may still say.
_PATIENCE = timedelta(minutes=10)


def send(
    session: Session,
    clinic: Clinic,
    plan: PlanRow,
    step: str,
    template: TextTemplate,
    context: Context,
    channel: str,
    to: str,
    *,
    now: datetime,
    actor: str,
) -> Message:
    """Raises InputError, with the field `to`, for an address that is none, too many tests or no words."""
    address = recipients.phone(to, region=clinic.country) if channel == "sms" else recipients.email(to)
    _refuse_too_many(session, clinic, now, actor)
    subject, words = _words(template, context, channel)
    message = messages.write_test(session, clinic, channel, address, subject=subject, words=words, now=now)
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action=_ACTION,
        subject="plan",
        subject_id=plan.id,
        step=step,
        channel=channel,
        language=context.language,
    )
    return message


def _refuse_too_many(session: Session, clinic: Clinic, now: datetime, actor: str) -> None:
    count = session.scalar(
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.clinic_id == clinic.id, AuditEntry.at > now - WITHIN, AuditEntry.at <= now)
        .where(AuditEntry.actor == actor, AuditEntry.action == _ACTION)
    )
    if (count or 0) >= MOST:
        raise InputError(f"You have sent {MOST} tests within an hour. Look at those first.", field="to")


def _words(template: TextTemplate, context: Context, channel: str) -> tuple[str, str]:
    """Subject and words, in the form that a message without a step keeps them in."""
    if getattr(template, channel) is None:
        raise InputError("There are no words that could be sent. Put right what is wrong first.", field="to")
    try:
        if channel == "sms":
            return "", rendering.render(template, context, channel="sms").text
        rendering.render(template, context, channel="email")
        return rendering.fill_email(template, context)
    except RenderError as error:
        raise InputError(f"It cannot be sent as it stands. {error}", field="to") from None


def find(session: Session, clinic: Clinic, message_id: int) -> Listed | None:
    """Only tests: every other message has a patient, and a page of its own."""
    listed = messages.get(session, clinic, message_id)
    return listed if listed.message.kind == Kind.TEST else None


def is_settled(listed: Listed, now: datetime) -> bool:
    message = listed.message
    if message.status in _ON_ITS_WAY and not was_kept(listed):
        return now - message.created_at > _PATIENCE
    return True


def was_kept(listed: Listed) -> bool:
    return bool(listed.attempts) and listed.attempts[-1].provider == "outbox"


def became(listed: Listed, now: datetime) -> str:
    """What became of a test, in a sentence."""
    message = listed.message
    if was_kept(listed) and message.status in MAY_HAVE_ARRIVED:
        return "It was kept in the outbox, as no message leaves for that address in this mode."
    if message.status == Status.SCHEDULED and not message.attempts:
        waits = "It waits for its turn."
        return waits if not is_settled(listed, now) else f"{waits} Is the program that sends running?"
    return status_words.sentence(message)

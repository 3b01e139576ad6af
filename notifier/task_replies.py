"""Tasks that follow from what patients wrote; each leads into the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from notifier import inbox, task_sources
from notifier.inbox import Entry
from notifier.inbox_handling import ABOUT_A_PATIENT
from notifier.models import Clinic, Message, Patient, Reply
from notifier.rules.delivery import Kind, Status
from notifier.task_kinds import Do, Rank, Task, name_of

# Replies of this rank and below have a task of their own.
_SOON = 2
_FAILED = (str(Status.FAILED), str(Status.UNDELIVERED))
_ASKED = {
    "call_back": "call back",
    "check_number": "somebody says that it is a wrong number",
    "check_visit": "find out whether the visit was meant",
    "review": "look at the answer",
}


def open_tasks(session: Session, clinic: Clinic, now: datetime) -> Iterator[Task]:
    yield from _to_read(session, clinic)
    yield from _unsent(session, clinic, now)


def _to_read(session: Session, clinic: Clinic) -> Iterator[Task]:
    """One for each person with something serious to say, and one for all that only waits to be read. What an
    alert tells of already is not told again.
    """
    told = {
        mark
        for alert in task_sources.alerts(session, clinic)
        if alert.kind in ABOUT_A_PATIENT
        for mark in (("patient", alert.patient_id), ("reply", alert.reply_id))
        if mark[1] is not None
    }
    fresh = [
        entry
        for entry in inbox.open_replies(session, clinic)
        if told.isdisjoint({("patient", entry.reply.patient_id), ("reply", entry.reply.id)})
    ]
    for entry in fresh:
        if entry.reply.rank <= _SOON:
            yield _reply(entry)
    to_read = [entry for entry in fresh if entry.reply.rank > _SOON]
    if to_read:
        oldest = min(entry.reply.received_at for entry in to_read)
        count = len(to_read)
        what = "1 person wrote" if count == 1 else f"{count} people wrote"
        yield Task(
            f"replies:{to_read[0].reply.id}", Rank.TO_READ, Do.READ, f"{what}, to be read.", "", oldest
        )


def _reply(entry: Entry) -> Task:
    reply, who = entry.reply, " or ".join(name_of(patient) for patient in entry.patients)
    rank = Rank.ALERT if reply.rank == 0 else Rank.REPLY
    what = f"{who or 'An unknown number'}: {_ASKED.get(reply.task, 'read what came in')}."
    why = f"“{reply.body[:120]}”"
    return Task(
        f"reply:{reply.id}",
        rank,
        Do.READ,
        what,
        why,
        reply.received_at,
        entry.patient,
        reply.treatment_id,
        reply_id=reply.id,
    )


def _unsent(session: Session, clinic: Clinic, now: datetime) -> Iterator[Task]:
    """What somebody wrote back, closed the reply, and it never went out. What failed on its way to a patient
    is a task already.
    """
    rows = session.execute(
        select(Message, Patient)
        .join(Reply, Reply.id == Message.reply_id)
        .outerjoin(Patient, Patient.id == Message.patient_id)
        .where(
            Reply.clinic_id == clinic.id,
            Reply.received_at > now - task_sources.RECENT,
            Message.kind == str(Kind.STAFF),
            or_(
                Message.status == str(Status.SKIPPED),
                and_(Message.patient_id.is_(None), Message.status.in_(_FAILED)),
            ),
        )
        .order_by(Message.id)
        .limit(task_sources.AT_MOST)
    )
    for message, patient in rows:
        yield Task(
            f"answer:{message.id}:{message.status}",
            Rank.NOT_REACHED,
            Do.LOOK,
            f"Your answer to {name_of(patient) if patient is not None else message.to} was not sent.",
            message.reason,
            message.due_at or message.created_at,
            patient,
            message_id=message.id,
            reply_id=message.reply_id,
        )

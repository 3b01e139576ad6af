"""The inbox and one conversation in it, put together: also when a form is shown again with what was wrong."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import conversation, inbox, inbox_handling, quick_answers, scores, staff_answers, text_sizes
from notifier.conversation import Turn
from notifier.course import Course, courses
from notifier.inbox import Entry, Show
from notifier.models import Alert, Clinic, Message, Patient, Reply, Staff, Treatment
from notifier.quick_answers import Quick
from notifier.rules.delivery import Kind, Status
from notifier.staff_answers import Way
from notifier.text_sizes import Sized
from notifier.web.desk_lines import line_of
from notifier.web.desk_log_patient import search
from notifier.web.desk_looks import note_list, note_view
from notifier.web.forms import Problems
from notifier.web.line import LineView
from notifier.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Listed:
    """The list as it is asked for."""

    entries: Sequence[Entry]
    show: Show
    stamp: str
    clinic: Clinic


def show_of(words: str) -> Show:
    """What is no filter is all: an old link loses nobody anything."""
    return Show(words) if words in list(Show) else Show.ALL


def listed(visit: Visit, session: Session, show: Show) -> Listed:
    clinic = visit.clinic(session)
    found = inbox.entries(session, clinic, show, staff_id=visit.staff_id, now=visit.now())
    return Listed(found, show, inbox.stamp(found), clinic)


def note_listed(visit: Visit, shown: Listed) -> None:
    note_list(visit, {patient.id for entry in shown.entries for patient in entry.patients})


@dataclass(frozen=True)
class Talk:
    """One conversation and what may be done about it. `reply`: what the person's deeds are about."""

    reply: Reply
    patient: Patient | None
    sharing: Sequence[Patient]
    turns: Sequence[Turn]
    open: Sequence[Reply]
    alerts: Sequence[Alert]
    names: dict[str, str]
    ways: Sequence[Way]
    quick: Sequence[Quick]
    worried: bool
    stamp: str

    @property
    def way(self) -> Way | None:
        return staff_answers.usable(self.ways)

    @property
    def through(self) -> int:
        """What came after it was not on the screen yet."""
        return max((row.id for row in self.open), default=self.reply.id)

    @property
    def assigned(self) -> str:
        return self.names.get(str(self.reply.assigned_to), "")

    @property
    def paused(self) -> list[Patient]:
        """Of those who may have written it: whose planned messages wait for a person."""
        writers = [self.patient] if self.patient is not None else self.sharing
        return [patient for patient in writers if patient.paused_at is not None]

    @property
    def phone(self) -> str | None:
        if self.patient is not None:
            return self.patient.phone
        return self.reply.from_address if self.reply.channel == "sms" else None


def talk_of(session: Session, clinic: Clinic, reply: Reply, now: datetime) -> Talk:
    waits = inbox.open_of(session, reply)
    head = waits[0] if waits else reply
    patient = session.get(Patient, head.patient_id) if head.patient_id is not None else None
    turns = conversation.of_reply(session, clinic, head)
    alerts = inbox_handling.open_alerts(session, head)
    writers = inbox.writers(session, clinic, head)
    worried = staff_answers.is_worrying(session, writers, head)
    heard = [turn.reply for turn in turns if turn.reply is not None]
    return Talk(
        head,
        patient,
        [] if patient is not None else writers,
        turns,
        waits,
        alerts,
        inbox.names_of(session, [head, *heard]),
        staff_answers.ways(session, clinic, patient, head),
        quick_answers.offered(clinic, language_of(clinic, patient), worried=worried, now=now),
        worried,
        _stamp(head, writers, turns, alerts, worried),
    )


def language_of(clinic: Clinic, patient: Patient | None) -> str:
    return patient.language if patient is not None else clinic.language


def _stamp(
    head: Reply, writers: Sequence[Patient], turns: Sequence[Turn], alerts: Sequence[Alert], worried: bool
) -> str:
    said = [
        (turn.reply.id, turn.reply.handled_at, turn.reply.note)
        if turn.reply is not None
        else (turn.message.id, turn.message.status, turn.message.reason)
        if turn.message is not None
        else ()
        for turn in turns
    ]
    paused = [patient.paused_at for patient in writers]
    whole = repr((head.id, head.assigned_to, paused, worried, [alert.id for alert in alerts], said))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the patient is going through: the latest treatment and what was and will be sent for it."""

    course: Course | None
    line: LineView | None


def beside(session: Session, clinic: Clinic, talk: Talk, now: datetime) -> Beside:
    if talk.patient is None:
        return Beside(None, None)
    treatment = session.scalar(
        select(Treatment)
        .where(Treatment.patient_id == talk.patient.id, Treatment.voided_at.is_(None))
        .order_by(Treatment.ended_at.desc(), Treatment.id.desc())
        .limit(1)
    )
    if treatment is None:
        return Beside(None, None)
    (course,) = courses(session, clinic, [treatment], [talk.patient])
    return Beside(course, line_of(course, now, scores.of_treatment(session, treatment)))


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the answer's form."""

    words: str = ""
    channel: str = ""
    note: str = ""


def sized(words: str) -> Sized:
    text = staff_answers.as_sms(words)
    return text_sizes.sized(text, words)


def show_reply(
    visit: Visit,
    reply_id: int,
    *,
    show: Show = Show.ALL,
    typed: Typed | None = None,
    draft: int = 0,
    who: str = "",
    problems: Problems | None = None,
    status: int = 200,
) -> Response:
    """`who`: a name to look for among the patients, where it is not known who wrote."""
    now = visit.now()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        reply = inbox.get(session, clinic, reply_id)
        talk = talk_of(session, clinic, reply, now)
        around = beside(session, clinic, talk, now)
        typed = typed or _taken_back(session, clinic, draft)
        is_first = bool(inbox_handling.unseen(session, reply))
        staff: Sequence[Staff] = inbox_handling.staff_of(session, visit.clinic_id)
        found = search(session, clinic, who)
    _note_looked_at(visit, talk, reply_id, is_first)
    with visit.reading() as session:
        shown = listed(visit, session, show)
    note_listed(visit, shown)
    channel = typed.channel or (talk.way.channel if talk.way is not None else "")
    return visit.page(
        "inbox_reply.html",
        status=status,
        shown=shown,
        talk=talk,
        beside=around,
        typed=typed,
        channel=channel,
        size=sized(typed.words),
        problems=problems or Problems(),
        staff=staff,
        who=who.strip(),
        found=found,
        country=clinic.country,
        token=secrets.token_hex(12),
        now=now,
    )


def _taken_back(session: Session, clinic: Clinic, message_id: int) -> Typed:
    """The words of an answer that was taken back stand in the form again."""
    message = session.get(Message, message_id) if message_id else None
    if message is None or message.clinic_id != clinic.id:
        return Typed()
    if message.kind != Kind.STAFF or message.status != Status.CANCELLED:
        return Typed()
    return Typed(message.words, message.channel)


def _note_looked_at(visit: Visit, talk: Talk, reply_id: int, is_first: bool) -> None:
    """Who looks, into the audit trail; and that the clinic has read it."""
    if is_first:
        with visit.transaction() as session:
            reply = inbox.get(session, visit.clinic(session), reply_id)
            inbox_handling.seen(session, reply, now=visit.now(), actor=visit.actor)
    if talk.patient is not None:
        note_view(visit, talk.patient.id)
    else:
        note_list(visit, {patient.id for patient in talk.sharing})


def show_list(visit: Visit, show: Show) -> Response:
    with visit.reading() as session:
        shown = listed(visit, session, show)
    note_listed(visit, shown)
    return visit.page("inbox.html", shown=shown, now=visit.now())

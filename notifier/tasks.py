"""What needs a person at the desk, the most serious first. Tasks follow from the rows; done is a mark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifier import missing_log, status_words, task_marks, task_replies, task_sources
from notifier.message_actions import is_in_doubt
from notifier.models import Alert, Clinic, Message, Patient
from notifier.pausing import PAUSED
from notifier.rules.delivery import Status
from notifier.rules.timing import say
from notifier.rules.zones import day_span, to_local, zone
from notifier.task_kinds import Do, Rank, Task, name_of
from notifier.task_sources import Stopped, Uncovered

_DAYS_SHOWN = 3


def open_tasks(session: Session, clinic: Clinic, now: datetime) -> list[Task]:
    """All that nobody has marked as done."""
    of_messages = _of_messages(session, clinic, now)
    # Who is called about one thing is told about the other in the same call.
    named = {task.patient.id for task in of_messages if task.patient is not None}
    tasks = [
        *_alerts(session, clinic),
        *(_stopped(stopped, now) for stopped in task_sources.stopped_senders(session, clinic, now)),
        *task_replies.open_tasks(session, clinic, now),
        *of_messages,
        *_nothing_logged(session, clinic, now),
        *(
            task
            for task in _of_treatments(session, clinic, now)
            if task.patient is None or task.patient.id not in named
        ),
    ]
    done = task_marks.done(session, clinic, [task.key for task in tasks])
    return sorted(
        (task for task in tasks if task.key not in done), key=lambda task: (task.rank, task.at, task.key)
    )


def _alerts(session: Session, clinic: Clinic) -> Iterator[Task]:
    alerts = task_sources.alerts(session, clinic)
    patients = task_sources.patients_of(session, {alert.patient_id or 0 for alert in alerts})
    for alert in alerts:
        yield _alert(alert, patients.get(alert.patient_id or 0))


def _alert(alert: Alert, patient: Patient | None) -> Task:
    what = f"{name_of(patient)}: {alert.summary}" if patient is not None else alert.summary
    return Task(
        f"alert:{alert.id}",
        Rank.ALERT,
        Do.LOOK,
        what,
        "",
        alert.raised_at,
        patient,
        alert.treatment_id,
        alert.message_id,
        alert.id,
        alert.reply_id,
    )


def _stopped(stopped: Stopped, now: datetime) -> Task:
    sender, count = stopped.sender, stopped.waiting
    called = "SMS" if sender.channel == "sms" else "E-mail"
    waits = f" {count} {'message waits' if count == 1 else 'messages wait'}." if count else ""
    since = sender.stopped_at or now
    then = "It is tried again by itself." if sender.probe_at else "The database was restored."
    return Task(
        f"sender:{sender.id}:{since:%Y%m%d%H%M%S}",
        Rank.NOTHING_GOES,
        Do.WAIT,
        f"{called} cannot be sent at the moment. {then}{waits}",
        sender.stopped_reason,
        now,
    )


def _nothing_logged(session: Session, clinic: Clinic, now: datetime) -> Iterator[Task]:
    missing = missing_log.missing_log(session, clinic, now)
    if missing is not None:
        day = f"{missing.day:%A} {missing.day.day} {missing.day:%B}"
        yield Task(
            f"log:{missing.day}",
            Rank.NOTHING_LOGGED,
            Do.LOG,
            f"No treatment of {day} is logged, so nobody treated that day gets a message.",
            "The clinic was open.",
            missing.closed_at,
        )


def _of_messages(session: Session, clinic: Clinic, now: datetime) -> list[Task]:
    rows = task_sources.messages_for_a_person(session, clinic, now)
    to_fix = task_sources.patients_to_fix(session, clinic, now)
    groups = task_sources.by_patient(rows)
    patients = {patient.id: patient for patient in to_fix}
    patients |= task_sources.patients_of(session, groups.keys() - patients.keys())
    return [task for key, patient in patients.items() for task in _of_patient(patient, groups.get(key, []))]


def _of_patient(patient: Patient, messages: list[Message]) -> Iterator[Task]:
    paused = [message for message in messages if _is_paused(message)]
    failed = [message for message in messages if message.status in (Status.FAILED, Status.UNDELIVERED)]
    if paused:
        yield _paused(patient, paused)
    for message in messages:
        if message.status in (Status.HELD, Status.UNKNOWN) and not _is_paused(message):
            yield _undecided(patient, message)
    for channel in ("sms", "email"):
        problem = patient.phone_problem if channel == "sms" else patient.email_problem
        missed = [message for message in failed if message.channel == channel]
        if problem:
            yield _bad_address(patient, channel, problem, missed)
        elif missed:
            yield _missed(patient, missed)


def _is_paused(message: Message) -> bool:
    return message.status == Status.HELD and message.reason_code == PAUSED


def _paused(patient: Patient, held: list[Message]) -> Task:
    first = min(held, key=lambda message: message.id)
    count = f"{len(held)} {'message waits' if len(held) == 1 else 'messages wait'}"
    return Task(
        f"paused:{patient.id}:{first.id}",
        Rank.DECIDE,
        Do.RESUME,
        f"{name_of(patient)}'s messages are paused: {count} for you.",
        patient.paused_reason or first.reason,
        first.due_at or first.created_at,
        patient,
        first.treatment_id,
        first.id,
    )


def _undecided(patient: Patient, message: Message) -> Task:
    called = status_words.title(message.kind, message.step)
    if is_in_doubt(message):
        what = f"It is not known whether {name_of(patient)} got “{called}”."
    else:
        what = f"“{called}” for {name_of(patient)} could not be sent and waits for you."
    return Task(
        f"message:{message.id}:{message.status}:{message.attempts}",
        Rank.DECIDE,
        Do.DECIDE,
        what,
        message.reason,
        message.due_at or message.created_at,
        patient,
        message.treatment_id,
        message.id,
    )


def _missed(patient: Patient, failed: list[Message]) -> Task:
    last = max(failed, key=lambda message: message.id)
    called = status_words.title(last.kind, last.step)
    what = f"“{called}” did not reach {name_of(patient)}."
    if len(failed) > 1:
        what = f"{len(failed)} messages did not reach {name_of(patient)}, the last was “{called}”."
    return Task(
        f"message:{last.id}:{last.status}:{last.attempts}",
        Rank.NOT_REACHED,
        Do.CALL,
        what,
        last.reason,
        last.due_at or last.created_at,
        patient,
        last.treatment_id,
        last.id,
    )


def _bad_address(patient: Patient, channel: str, problem: str, missed: list[Message]) -> Task:
    address = patient.phone if channel == "sms" else patient.email
    called = "number" if channel == "sms" else "e-mail address"
    last = max(missed, key=lambda message: message.id, default=None)
    # Another complaint, or one about another address, is another task.
    mark = hashlib.sha256(f"{address} {problem}".encode()).hexdigest()[:12]
    return Task(
        f"address:{patient.id}:{channel}:{mark}",
        Rank.NOT_REACHED if missed else Rank.ADDRESS,
        Do.CORRECT,
        f"{name_of(patient)}'s {called} does not work for messages. Call, and ask for the right one.",
        problem,
        (last.due_at if last is not None else None) or patient.created_at,
        patient,
        last.treatment_id if last is not None else None,
        last.id if last is not None else None,
    )


def _of_treatments(session: Session, clinic: Clinic, now: datetime) -> list[Task]:
    tz = zone(clinic.timezone)
    today = day_span(to_local(now, tz).date(), tz)
    found = task_sources.uncovered(session, clinic, today[0] - timedelta(days=_DAYS_SHOWN - 1))
    late = task_sources.none_today(session, clinic, today)
    patients = task_sources.patients_of(
        session, [item.treatment.patient_id for item in found] + [row.patient_id for row in late]
    )
    due = task_sources.next_due(session, [row.id for row in late])
    tasks = [_uncovered(item, patients[item.treatment.patient_id]) for item in found]
    for treatment in late:
        patient = patients[treatment.patient_id]
        when = say(due[treatment.id], zone(patient.timezone or clinic.timezone))
        tasks.append(
            Task(
                f"none-today:{treatment.id}",
                Rank.NONE_TODAY,
                Do.SHEET,
                f"{name_of(patient)} gets no message today. Give the printed sheet.",
                f"The first one comes {when}.",
                treatment.ended_at,
                patient,
                treatment.id,
            )
        )
    return tasks


def _uncovered(item: Uncovered, patient: Patient) -> Task:
    asks = "No consent" in item.reason
    advice = "Ask for consent, or give the printed sheet." if asks else "Give the printed sheet."
    return Task(
        f"uncovered:{item.treatment.id}",
        Rank.UNCOVERED,
        Do.CONSENT if asks else Do.SHEET,
        f"No message will reach {name_of(patient)}. {advice}",
        item.reason,
        item.treatment.ended_at,
        patient,
        item.treatment.id,
    )

"""Who the tests are about, and short ways to say what happened to them.

Alice said yes to everything. Bob never did. Carol said yes, and then replied STOP. Mia and Leo are children
who share their mother's phone. Edward has only an e-mail address.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import clinics, consent, plans, treatments
from notifier.models import (
    Clinic,
    Message,
    MessageEvent,
    Patient,
    PlanVersion,
    Sender,
    Suppression,
    Treatment,
)
from notifier.patients import PatientEntry
from notifier.planfiles import read_content, shipped_plans
from notifier.planning import replan
from notifier.planning_rows import Changes
from notifier.resources import migrations_dir
from notifier.rules.zones import to_instant, to_local, zone
from notifier.treatments import ConsentGiven, Entry

NEW_YORK = "America/New_York"
DESK = "desk@riverside.example"

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


def at(words: str, tz: str = NEW_YORK) -> datetime:
    """The instant of a wall-clock time such as "2026-03-03 17:30"."""
    local = datetime.fromisoformat(words)
    assert local.tzinfo is None, "a wall-clock time comes without an offset"
    return to_instant(local, zone(tz))


def wall(instant: datetime | None, tz: str = NEW_YORK) -> str:
    """An instant as the patient's clock shows it; empty where there is none."""
    return "" if instant is None else f"{to_local(instant, zone(tz)):%Y-%m-%d %H:%M}"


OPENED = at("2025-01-06 08:00")
# A Tuesday, far from the days on which clocks change.
ENDED = at("2026-02-03 15:30")
LOGGED = at("2026-02-03 15:40")

ALICE = PatientEntry("Alice", "Moreau", phone="(212) 555-0101", email="alice@example.com")
BOB = PatientEntry("Bob", "Tanaka", phone="(212) 555-0102", email="bob@example.com")
CAROL = PatientEntry("Carol", "Jensen", phone="(212) 555-0103", email="carol@example.com")
MIA = PatientEntry("Mia", "Rossi", phone="(212) 555-0104", contact_name="Paola", contact_relation="mother")
LEO = PatientEntry("Leo", "Rossi", phone="(212) 555-0104", contact_name="Paola", contact_relation="mother")
EDWARD = PatientEntry("Edward", "Okafor", email="edward@example.com", preferred_channel="email")

# Alice's week after dry needling on Tuesday 15:30, as the plan's steps say it.
WEEK = {
    "day0-what-you-may-feel": "2026-02-03 17:30",  # 2 h
    "day1-soreness-is-normal": "2026-02-04 13:30",  # 22 h
    "day2-soreness-score": "2026-02-05 13:30",  # 46 h
    "day3-check-in": "2026-02-06 15:30",  # 72 h; her score decides which of these two
    "day3-still-sore": "2026-02-06 15:30",
    "day5-how-it-works": "2026-02-08 15:30",  # 5 d
    "before-next-visit": "skipped audience",
}
DAY0, DAY1, SCORE, DAY5 = (
    "day0-what-you-may-feel",
    "day1-soreness-is-normal",
    "day2-soreness-score",
    "day5-how-it-works",
)


def open_clinic(session: Session) -> Clinic:
    clinic = clinics.create(
        session,
        name="Riverside Physio",
        phone="(212) 555-0100",
        timezone=NEW_YORK,
        country="US",
        language="en",
        emergency_number="911",
        crisis_line="988",
        now=OPENED,
    )
    clinics.ensure_senders(session, clinic)
    clinic.first_text = False  # who tests what numbers hear first turns it on
    for folder in shipped_plans():
        plans.load_folder(session, clinic, folder, now=OPENED, actor="set-up")
    return clinic


def open_harbour(session: Session) -> Clinic:
    """Harbour Osteopathy in London, which must never be seen by Riverside."""
    clinic = clinics.create(
        session,
        name="Harbour Osteopathy",
        phone="+44 20 7946 0000",
        timezone="Europe/London",
        country="GB",
        language="en",
        now=OPENED,
    )
    clinics.ensure_senders(session, clinic)
    clinic.first_text = False
    return clinic


def yes(*channels: str, on: datetime = ENDED) -> tuple[ConsentGiven, ...]:
    return tuple(
        ConsentGiven(channel, True, on, method="form", wording="You may text me.") for channel in channels
    )


def no(*channels: str, on: datetime = ENDED) -> tuple[ConsentGiven, ...]:
    return tuple(ConsentGiven(channel, False, on, method="told us") for channel in channels)


BOTH = yes("sms", "email")


def entry(patient: PatientEntry = ALICE, plan: str = "dry-needling", **changes: Any) -> Entry:
    """A treatment as the desk enters it. Who has not been given consents says yes to all they can use."""
    channels = [channel for channel, to in (("sms", patient.phone), ("email", patient.email)) if to]
    said = {"consents": () if patient is BOB else yes(*channels), "practitioner": "Dr Ruiz"}
    return Entry(patient, plan, **{"ended_at": ENDED} | said | changes)


def log(
    session: Session,
    clinic: Clinic,
    patient: PatientEntry = ALICE,
    plan: str = "dry-needling",
    *,
    now: datetime | None = None,
    **changes: Any,
) -> Treatment:
    """Logged ten minutes after it ended, unless said otherwise."""
    made = entry(patient, plan, **changes)
    recorded, _ = treatments.record(
        session, clinic, made, now=now or made.ended_at + (LOGGED - ENDED), actor=DESK
    )
    session.flush()
    return recorded.treatment


def replanned(session: Session, patient: Patient, now: datetime) -> Changes:
    changes = replan(session, [patient], now=now, actor=DESK)
    session.flush()
    return changes


def says(
    session: Session, patient: Patient, channel: str, granted: bool, when: datetime, *, now: datetime
) -> Changes:
    """The patient gives or withdraws consent, and what is planned follows."""
    consent.record(
        session,
        patient,
        channel,
        granted=granted,
        at=when,
        now=now,
        method="told us",
        wording="",
        actor=DESK,
    )
    return replanned(session, patient, now)


def stop(session: Session, patient: Patient, now: datetime) -> Changes:
    """The patient's number may not be written to any more, whoever uses it."""
    assert patient.phone is not None
    sender = session.scalars(
        select(Sender).where(Sender.clinic_id == patient.clinic_id, Sender.channel == "sms")
    ).one()
    session.add(
        Suppression(
            clinic_id=patient.clinic_id,
            sender_id=sender.id,
            channel="sms",
            address=patient.phone,
            since=now,
            reason="Replied STOP.",
        )
    )
    return says(session, patient, "sms", False, now, now=now)


def messages(session: Session, treatment: Treatment) -> dict[str, Message]:
    """The treatment's rows as the database has them, by step, or by step and channel where it has two."""
    session.flush()
    session.expire_all()
    rows = session.scalars(
        select(Message).where(Message.treatment_id == treatment.id).order_by(Message.id)
    ).all()
    several = {row.step for row in rows if sum(other.step == row.step for other in rows) > 1}
    return {f"{row.step}/{row.channel}" if row.step in several else f"{row.step}": row for row in rows}


def plan_of(session: Session, treatment: Treatment, tz: str = NEW_YORK) -> dict[str, str]:
    """What is planned, in short: when it is due on the patient's clock, else why it is not."""
    return {
        step: wall(row.due_at, tz) if row.status == "scheduled" else f"{row.status} {row.reason_code}"
        for step, row in messages(session, treatment).items()
    }


def events(session: Session, message: Message) -> list[MessageEvent]:
    query = select(MessageEvent).where(MessageEvent.message_id == message.id).order_by(MessageEvent.id)
    return list(session.scalars(query))


def attempted(message: Message, status: str = "sent", *, on: datetime | None = None) -> None:
    """As if the worker had handed it to a provider."""
    message.status, message.attempts = status, 1
    message.claimed_at = on or message.due_at


def without(patient: PatientEntry, *fields: str) -> PatientEntry:
    blank: dict[str, Any] = dict.fromkeys(fields, "")
    return replace(patient, **blank)


def next_migration(folder: Path, *statements: str) -> Path:
    """The shipped migrations and one that the next version of the program might bring."""
    scripts = Path(shutil.copytree(migrations_dir(), folder / "migrations"))
    head = sorted(path.stem.partition("_")[0] for path in (scripts / "versions").glob("[0-9]*.py"))[-1]
    (scripts / "versions" / "next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision = 'next', {head!r}\n"
        "def upgrade():\n" + "".join(f"    {statement}\n" for statement in statements)
    )
    return scripts


def save_cupping(session: Session, clinic: Clinic, *steps: dict[str, Any], **changes: Any) -> PlanVersion:
    """The shipped cupping plan with other steps, each of which says what its first-day text says."""
    folder = next(folder for folder in shipped_plans() if folder.name == "cupping")
    content = dict(read_content(folder))
    texts = {f"{step['key']}.en": content["texts"]["day0-marks.en"] for step in steps}
    content |= {"plan": content["plan"] | changes | {"steps": list(steps)}, "texts": texts}
    return plans.save(session, clinic, content, now=LOGGED, actor=DESK).version


def channels(session: Session, treatment: Treatment) -> dict[str, str]:
    """Where the rows go that wait to be sent."""
    rows = messages(session, treatment).values()
    return {str(row.step): row.channel for row in rows if row.status == "scheduled"}

"""What the demo's patients write back in its week, and the alert that somebody takes at night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import alerts, clinics, db, in_flight, replies
from notifier.config import Settings
from notifier.demo_screen import Screen
from notifier.envelope import InboundMessage
from notifier.models import Patient

_PATIENCE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Written:
    """A text of the patient with this record number."""

    after: timedelta
    record: str
    words: str

    def happen(self, engine: Engine, settings: Settings, screen: Screen, now: datetime) -> None:
        with db.reading(engine) as session:
            patient = session.scalars(select(Patient).where(Patient.record_number == self.record)).one()
            name, phone = f"{patient.first_name} {patient.last_name[:1]}.", patient.phone or ""
        _receive(engine, settings, f"demo-{self.record}-{self.after}", phone, self.words, now)
        screen.reply(now, name, self.words)


@dataclass(frozen=True, slots=True)
class Taken:
    """The first contact texts back the code of each alert that is open then."""

    after: timedelta

    def happen(self, engine: Engine, settings: Settings, screen: Screen, now: datetime) -> None:
        with db.reading(engine) as session:
            name, phone, codes = self._open(session)
        for code in codes:
            _receive(engine, settings, f"demo-{code}-{self.after}", phone, code, now)
            screen.reply(now, name, code)

    def _open(self, session: Session) -> tuple[str, str, list[str]]:
        clinic = clinics.only(session)
        contact = alerts.contacts(session, clinic)[0]
        return contact.name, contact.phone or "", [a.code for a in alerts.open_alerts(session, clinic.id)]


def _receive(engine: Engine, settings: Settings, key: str, phone: str, words: str, now: datetime) -> None:
    inbound = InboundMessage(
        provider_id=key, channel="sms", from_address=phone, to_address="", body=words, received_at=now
    )
    with db.transaction(engine) as session:
        received = replies.receive(session, inbound, settings=settings, now=now)
    in_flight.wait(engine, received.stopped, seconds=_PATIENCE)


def _at(day: int, clock: str, record: str, words: str) -> Written:
    """On the clinic's clock, counted from the Tuesday at 17:00 on which the demo starts."""
    hour, minute = clock.split(":")
    return Written(timedelta(days=day, hours=int(hour) - 17, minutes=int(minute)), record, words)


REPLIES = (
    _at(0, "18:05", "1010", "4"),
    _at(1, "9:40", "1014", "About a 3"),
    _at(1, "10:15", "1001", "5/10"),
    _at(1, "13:20", "1026", "Pretty sore, like 6/10"),
    # In the night to Thursday.
    _at(2, "3:04", "1028", "cant catch my breath and my chest hurts when i breathe in"),
    Taken(timedelta(days=1, hours=10, minutes=10)),
    _at(2, "9:20", "1015", "3"),
    _at(2, "9:35", "1032", "tres"),
    _at(2, "9:50", "1030", "2/10"),
    _at(2, "10:30", "1029", "un 1"),
    _at(2, "10:45", "1018", "4, gracias"),
    _at(2, "11:10", "1037", "2"),
    _at(2, "11:40", "1011", "6"),
    _at(2, "11:55", "1026", "8"),
    Taken(timedelta(days=1, hours=19, minutes=20)),
    _at(2, "12:30", "1036", "5"),
    _at(2, "12:45", "1027", "dos"),
    _at(2, "12:55", "1012", "4"),
    _at(2, "13:10", "1039", "5"),
    _at(2, "14:25", "1043", "Can I run tomorrow?"),
    _at(2, "14:40", "1022", "2"),
    _at(2, "14:50", "1044", "6"),
    _at(2, "15:30", "1041", "STOP"),
    _at(3, "9:30", "1039", "soreness is 3/10 today"),
    _at(3, "19:10", "1044", "pain down to 4/10"),
    _at(4, "10:15", "1044", "soreness 2/10, thanks"),
)

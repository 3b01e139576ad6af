"""A day in the life of Riverside, so that its pages have something of everything to show."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import api_tokens, clinics, practitioners, scores
from notifier.channels.outbox import Outbox
from notifier.models import Clinic, Message, Patient, Sender, Treatment
from notifier.worker import open_dispatcher
from tests import cast
from tests.replies_cast import EMERGENCY, patient_named, rings, wrote
from tests.web.cast import FERN, Installation


def live_through(site: Installation) -> None:
    """Treatments, messages that left, failed, wait and were stopped; staff, contacts, a token, an import."""
    alice = site.log(cast.ALICE, next_visit=cast.ENDED + timedelta(days=14))
    site.log(cast.BOB)
    site.log(cast.MIA, areas=("neck", "shoulder"))
    site.log(cast.EDWARD, plan="cupping")
    _set_up(site)
    _send_what_is_due(site)
    with site.change() as session:
        waiting = select(Message).where(Message.treatment_id == alice, Message.status == "scheduled")
        held, failed = session.scalars(waiting.order_by(Message.due_at).limit(2)).all()
        held.status, held.reason = "held", "The text needs next_visit.date, which this message does not have."
        failed.status, failed.attempts = "failed", 1
        failed.reason = "The number is a landline, which cannot receive SMS."
        patient = session.scalars(select(Patient).where(Patient.first_name == "Alice")).one()
        patient.phone_problem = "The number is a landline, which cannot receive SMS."
        email = session.scalars(select(Sender).where(Sender.channel == "email")).one()
        email.stopped_at, email.stopped_reason = site.clock.now(), "The mail server refused the password."
        email.probe_at = site.clock.now()
        _say_how_sore(session, session.get_one(Treatment, alice))
        _hear_back(session, session.get_one(Clinic, site.clinic.id), site.clock.now())
    site.as_desk().post("/import", files={"file": ("day.csv", b"Client,Cell\nMoreau,1\n", "text/csv")})


def _set_up(site: Installation) -> None:
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        clinic.opening_hours = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
        clinic.sms_price = 0.0083
        practitioners.add(session, clinic, "Dr Ruiz", now=cast.LOGGED, actor=FERN)
        for name, phone in (("Dr Roe", "+12125550198"), ("Maya", "+12125550199")):
            clinics.add_alert_contact(session, clinic, name=name, phone=phone, email=None)
        api_tokens.create(session, clinic, name="Booking", scope="write", now=cast.LOGGED, actor=FERN)


def _send_what_is_due(site: Installation) -> None:
    outbox = Outbox(site.settings.delivery.outbox_file)
    dispatcher = open_dispatcher(site.engine, site.clock, {"sms": outbox, "email": outbox}, site.settings)
    for hours in (2, 23, 46):
        site.clock.jump(cast.LOGGED + timedelta(hours=hours))
        dispatcher.drain()
    dispatcher.close()


def _hear_back(session: Session, clinic: Clinic, now: datetime) -> None:
    """An emergency that rings, a call that nobody answered, a shared phone, a number that nobody knows."""
    alice, edward = patient_named(session, "Alice"), patient_named(session, "Edward")
    before = now - timedelta(hours=2)
    first = wrote(session, clinic, alice, "A bit sore, 3", when=before, rank=9, intent="score", score=3)
    first.handled_at, first.handled_by, first.handled_how = before, FERN, "no answer needed"
    emergency = wrote(session, clinic, alice, "Now I can’t breathe and my chest hurts", when=now, **EMERGENCY)
    rings(session, clinic, emergency)
    alice.paused_at, alice.paused_reason = now, "a reply may be a warning sign"
    mail = {"channel": "email", "subject": "My visit", "rank": 2, "task": "check_visit"}
    sender = edward.email or ""
    called = wrote(session, clinic, edward, "Cancel my visit.", when=before, sender=sender, **mail)
    called.note = "Thu 5 Feb 11:00, Fern Quist: Called, no answer."
    wrote(session, clinic, None, "Which of us did you mean?", when=before, sender="+12125550104")
    wrote(session, clinic, None, "New phone, who is this", when=before, sender="+12125550188")


def _say_how_sore(session: Session, treatment: Treatment) -> None:
    for hours, value in ((20, 3), (26, 5), (44, 7)):
        scores.record(session, treatment, value, at=treatment.ended_at + timedelta(hours=hours))

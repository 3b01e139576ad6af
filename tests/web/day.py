"""A day in the life of Riverside, so that its pages have something of everything to show."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from notifier import api_tokens, clinics, practitioners
from notifier.channels.outbox import Outbox
from notifier.models import Clinic, Message, Patient, Sender
from notifier.worker import open_dispatcher
from tests import cast
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

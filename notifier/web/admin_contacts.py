"""Alert contacts: whether alerts reach them, shown by a test, and who may be called at any hour."""

from __future__ import annotations

from fastapi import APIRouter, Response

from notifier import alerts, audit, chore_times, clinics
from notifier.errors import InputError
from notifier.web.auth import Admin
from notifier.web.forms import Posted

router = APIRouter()


@router.post("/clinic/contacts/{contact_id:int}/test")
def test(visit: Admin, posted: Posted, contact_id: int) -> Response:
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        contact = clinics.alert_contact(session, clinic, contact_id)
        if contact not in alerts.contacts(session, clinic):
            raise InputError(f"The clinic has no sender by which {contact.name} could be reached.")
        raised = alerts.test(session, clinic, contact, now=visit.now(), actor=visit.actor)
        toast = (
            f"A test goes to {contact.name} now. Once {contact.name} takes it by the link, "
            f"or texts {raised.code} back, it is noted here."
        )
    return visit.go("/clinic#contacts", toast=toast)


@router.post("/clinic/contacts/{contact_id:int}/on-call")
def on_call(visit: Admin, posted: Posted, contact_id: int) -> Response:
    """Who is on call is told at any hour also of what is no emergency."""
    with visit.transaction() as session:
        contact = clinics.alert_contact(session, visit.clinic(session), contact_id)
        contact.on_call = posted.flag("on_call")
        session.flush()
        audit.note(
            session,
            clinic_id=visit.clinic_id,
            at=visit.now(),
            actor=visit.actor,
            action="contact.on_call" if contact.on_call else "contact.off_call",
            subject="contact",
            subject_id=contact_id,
            name=contact.name,
        )
        chore_times.hurry(session, alerts.CHORE, now=visit.now())
        when = "at any hour" if contact.on_call else "in opening hours, and of emergencies at any hour"
        toast = f"{contact.name} is told {when}."
    return visit.go("/clinic#contacts", toast=toast)

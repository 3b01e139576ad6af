"""What a clinic has several of: senders, practitioners, alert contacts; and further clinics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import (
    alerts,
    audit,
    chore_times,
    clinic_edits,
    clinics,
    initialising,
    practitioners,
    restored,
    signin,
)
from notifier.db import RealTime
from notifier.errors import InputError
from notifier.initialising import Answers
from notifier.models import Membership
from notifier.rules.zones import zone_names
from notifier.web.admin_clinic import page
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


def _refused(visit: Visit, posted: Fields, part: str, error: InputError) -> Response:
    problems = Problems()
    problems.take(error)
    return page(visit, part=part, typed=posted.values, problems=problems, status=422)


# Senders


@router.post("/clinic/senders/{sender_id:int}")
def change_sender(visit: Admin, posted: Posted, sender_id: int) -> Response:
    try:
        with visit.transaction() as session:
            clinics.change_sender(
                session,
                visit.clinic(session),
                sender_id,
                identity=posted.text("identity"),
                display_name=posted.text("display_name"),
                rate=_rate(posted.text("rate")),
            )
            _note(visit, session, "sender.changed", "sender", sender_id)
    except InputError as error:
        error.field = "rate" if error.field == "rate" else "identity"
        return _refused(visit, posted, f"sender-{sender_id}", error)
    return visit.go("/clinic#senders", toast="The sender was saved.")


def _rate(written: str) -> float | None:
    try:
        return float(written.replace(",", ".")) if written else None
    except ValueError:
        raise InputError(
            "Write how many messages may leave in a second, such as 1 or 0.5.", field="rate"
        ) from None


@router.post("/clinic/senders/{sender_id:int}/try-again")
def try_sender_again(visit: Admin, posted: Posted, sender_id: int) -> Response:
    """Who has put something right need not wait for the next probe."""
    with visit.transaction() as session:
        found = clinics.sender(session, visit.clinic(session), sender_id)
        if is_released := found.stopped_at is not None and found.probe_at is None:
            restored.release(session, found, visit.settings, now=visit.now(), actor=visit.actor)
        else:
            found.probe_at = RealTime() if found.stopped_at is not None else None
            _note(visit, session, "sender.tried", "sender", sender_id)
    said = "What waits goes out." if is_released else "The next waiting message tries it out now."
    return visit.go("/clinic#senders", toast=said)


# Practitioners


@router.post("/clinic/practitioners")
def add_practitioner(visit: Admin, posted: Posted) -> Response:
    try:
        with visit.transaction() as session:
            added = practitioners.add(
                session,
                visit.clinic(session),
                posted.text("practitioner"),
                now=visit.now(),
                actor=visit.actor,
            )
    except InputError as error:
        return _refused(visit, posted, "practitioners", error)
    return visit.go("/clinic#practitioners", toast=f"{added.name} can be chosen at the desk now.")


@router.post("/clinic/practitioners/{practitioner_id:int}/remove")
def remove_practitioner(visit: Admin, posted: Posted, practitioner_id: int) -> Response:
    with visit.transaction() as session:
        gone = practitioners.archive(
            session, visit.clinic(session), practitioner_id, now=visit.now(), actor=visit.actor
        )
    undo = Undo("/clinic/practitioners", fields={"practitioner": gone.name})
    return visit.go("/clinic#practitioners", toast=f"{gone.name} can no longer be chosen.", undo=undo)


# Alert contacts


@router.post("/clinic/contacts")
def add_contact(visit: Admin, posted: Posted) -> Response:
    try:
        with visit.transaction() as session:
            if not posted.text("contact_name"):
                raise InputError("Write who it is.", field="contact_name")
            added = clinics.add_alert_contact(
                session,
                visit.clinic(session),
                name=posted.text("contact_name"),
                phone=posted.text("contact_phone") or None,
                email=posted.text("contact_email") or None,
            )
            _note(visit, session, "contact.added", "contact", added.id, name=added.name)
            # An alert that nobody could be told of has somebody now.
            chore_times.hurry(session, alerts.CHORE, now=visit.now())
    except InputError as error:
        renamed = {"phone": "contact_phone", "email": "contact_email", "alerts": "contact_phone"}
        error.field = renamed.get(error.field, error.field)
        return _refused(visit, posted, "contacts", error)
    return visit.go("/clinic#contacts", toast=f"{added.name} is told about alerts now.")


@router.post("/clinic/contacts/{contact_id:int}/up")
def contact_up(visit: Admin, posted: Posted, contact_id: int) -> Response:
    with visit.transaction() as session:
        moved = clinics.move_alert_contact(session, visit.clinic(session), contact_id)
        _note(visit, session, "contact.moved", "contact", contact_id, name=moved.name)
    return visit.go("/clinic#contacts", toast=f"{moved.name} is told as number {moved.position} now.")


@router.post("/clinic/contacts/{contact_id:int}/remove")
def remove_contact(visit: Admin, posted: Posted, contact_id: int) -> Response:
    with visit.transaction() as session:
        gone = clinics.remove_alert_contact(session, visit.clinic(session), contact_id)
        _note(visit, session, "contact.removed", "contact", contact_id, name=gone.name)
        fields = {
            "contact_name": gone.name,
            "contact_phone": gone.phone or "",
            "contact_email": gone.email or "",
        }
    undo = Undo("/clinic/contacts", fields=fields)
    return visit.go("/clinic#contacts", toast=f"{gone.name} is no longer told about alerts.", undo=undo)


# Further clinics


@router.get("/clinic/new")
def new_clinic(visit: Admin) -> Response:
    return _new_page(visit, {"timezone": visit.signed.timezone, "country": "US", "emergency_number": "911"})


def _new_page(visit: Visit, typed: dict[str, str], problems: Problems | None = None) -> Response:
    return visit.page(
        "clinic_new.html",
        status=422 if problems else 200,
        typed=typed,
        zones=sorted(zone_names()),
        problems=problems or Problems(),
    )


@router.post("/clinic/new")
def open_clinic(visit: Admin, posted: Posted) -> Response:
    """Another location of the same house; whoever opens it is its first admin."""
    problems = Problems()
    with problems.catching():
        wanted = clinic_edits.details(posted.values)
    if problems:
        return _new_page(visit, posted.values, problems)
    answers = Answers(**wanted)
    with visit.transaction() as session:
        opened = initialising.open_clinic(session, answers, now=visit.now(), actor=visit.actor)
        session.add(Membership(staff_id=visit.staff_id, clinic_id=opened.id, role="admin"))
        session.flush()
        signin.switch(session, visit.signed, opened.id)
    return visit.go("/clinic", toast=f"{opened.name} is open, and you are its admin.")


def _note(visit: Visit, session: Session, action: str, subject: str, subject_id: int, **detail: str) -> None:
    audit.note(
        session,
        clinic_id=visit.clinic_id,
        at=visit.now(),
        actor=visit.actor,
        action=action,
        subject=subject,
        subject_id=subject_id,
        **detail,
    )

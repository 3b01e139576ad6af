"""Alerts on the desk's own pages: the banner that every page asks for, one alert, and taking it."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import alarm, alerts, alerts_delivery, alerts_telling
from notifier.models import Alert, AlertContact, Clinic
from notifier.web.auth import Desk
from notifier.web.desk_looks import note_view
from notifier.web.forms import Posted
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.get("/alerts/banner")
def banner(visit: Desk, seen: str = "") -> Response:
    """Asked every two seconds by every open page: nothing, unless something has changed."""
    with visit.reading() as session:
        if alarm.look(session, visit.clinic_id).stamp == seen:
            return visit.unchanged()
    return visit.fragment("_alarm.html", now=visit.now())


@router.get("/alerts/{alert_id:int}")
def show(visit: Desk, alert_id: int) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        alert = alerts.get(session, clinic, alert_id)
        about = alarm.ringing(session, alert)
        told = _told(session, alert)
        by = alerts.taker(session, alert)
        problems = alerts_delivery.problems(session, alert)
    if about.patient_id is not None:
        note_view(visit, about.patient_id)
    return visit.page(
        "alert.html", alert=alert, about=about, told=told, by=by, problems=problems, now=visit.now()
    )


def _told(session: Session, alert: Alert) -> list[tuple[str, object]]:
    """Each call with the name of whom it went to, the latest first."""
    names = dict(
        session.execute(select(AlertContact.id, AlertContact.name).filter_by(clinic_id=alert.clinic_id)).all()
    )
    messages = reversed(alerts_telling.of_alert(session, alert))
    return [(names.get(alerts_telling.contact_id(m) or 0, m.to), m) for m in messages]


@router.post("/alerts/{alert_id:int}/take")
def take(visit: Desk, posted: Posted, alert_id: int) -> Response:
    with visit.transaction() as session:
        alert = alerts.get(session, visit.clinic(session), alert_id)
        mine = alerts.acknowledge(
            session,
            alert,
            by=visit.actor,
            how="inbox",
            now=visit.now(),
            contact=_as_contact(session, visit.clinic(session), visit),
        )
        by, there = alerts.taker(session, alert), _where(alert)
    if not mine:
        return visit.go(there, toast=f"{by or 'Somebody'} was quicker and has it already.")
    undo = Undo(f"/alerts/{alert_id}/reopen", label="Give it back")
    return visit.go(there, toast="It is yours. Nobody else is called.", undo=undo)


def _as_contact(session: Session, clinic: Clinic, visit: Visit) -> AlertContact | None:
    people = alerts.contacts(session, clinic)
    return next((person for person in people if person.email == visit.actor), None)


def _where(alert: Alert) -> str:
    if alert.reply_id is not None:
        return f"/inbox/{alert.reply_id}"
    return f"/patients/{alert.patient_id}" if alert.patient_id is not None else f"/alerts/{alert.id}"


@router.post("/alerts/{alert_id:int}/reopen")
def reopen(visit: Desk, posted: Posted, alert_id: int) -> Response:
    with visit.transaction() as session:
        alert = alerts.get(session, visit.clinic(session), alert_id)
        alerts.reopen(session, alert, now=visit.now(), actor=visit.actor)
    return visit.go(f"/alerts/{alert_id}", toast="It is open again, and the next contact is called.")

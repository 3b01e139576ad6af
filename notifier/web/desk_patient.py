"""One patient: contact, consent, every treatment and one timeline; paused, resumed, all cancelled."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import message_actions, patient_edits, patient_page, patients, pausing, timeline
from notifier.errors import NotFoundError
from notifier.models import Message, Patient
from notifier.rules.delivery import Status
from notifier.web.auth import Desk
from notifier.web.desk_patient_page import look, show
from notifier.web.forms import Posted
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.get("/patients/{patient_id:int}")
def patient(visit: Desk, patient_id: int) -> Response:
    return show(visit, patient_id)


@router.get("/patients/{patient_id:int}/messages")
def news(visit: Desk, patient_id: int, seen: str = "") -> Response:
    """Asked every few seconds: nothing, unless something has changed."""
    now = visit.now()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        found = patients.get(session, clinic, patient_id)
        if timeline.stamp(session, found, now) == seen:
            return visit.unchanged()
        shown = look(session, clinic, found, now)
    return visit.fragment("_patient_messages.html", shown=shown, patient=shown.patient, now=now)


@router.post("/patients/{patient_id:int}/pause")
def pause(visit: Desk, posted: Posted, patient_id: int) -> Response:
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        pausing.pause(session, found, posted.text("why"), now=visit.now(), actor=visit.actor)
    undo = Undo(f"/patients/{patient_id}/resume")
    return visit.go(
        f"/patients/{patient_id}", toast="Paused: nothing planned goes out until you resume.", undo=undo
    )


@router.post("/patients/{patient_id:int}/resume")
def resume(visit: Desk, posted: Posted, patient_id: int) -> Response:
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        why = found.paused_reason
        effect = pausing.resume(session, found, now=visit.now(), actor=visit.actor)
    undo = Undo(f"/patients/{patient_id}/pause", fields={"why": why})
    return visit.go(
        f"/patients/{patient_id}", toast=f"The messages go on. {effect.in_words()}".strip(), undo=undo
    )


@router.post("/patients/{patient_id:int}/essentials")
def essentials(visit: Desk, posted: Posted, patient_id: int) -> Response:
    """Safety messages only, as the patient wishes; or all of the plan again."""
    wanted, now, actor = posted.flag("wanted"), visit.now(), visit.actor
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        effect = patient_edits.set_essentials(session, found, wanted, now=now, actor=actor)
    undo = Undo(f"/patients/{patient_id}/essentials", fields={"wanted": "" if wanted else "1"})
    what = "Safety messages only from now on." if wanted else "All messages of the plan again."
    return visit.go(f"/patients/{patient_id}", toast=f"{what} {effect.in_words()}".strip(), undo=undo)


@router.post("/patients/{patient_id:int}/page/revoke")
def revoke_page(visit: Desk, posted: Posted, patient_id: int) -> Response:
    """A link got into other hands: none that was given out opens the patient's page any more."""
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        patient_page.revoke(session, found, now=visit.now(), actor=visit.actor)
    toast = "All links to the page that were given out are dead. The next message carries the new one."
    return visit.go(f"/patients/{patient_id}", toast=toast)


@router.post("/patients/{patient_id:int}/address-works")
def address_works(visit: Desk, posted: Posted, patient_id: int) -> Response:
    """What the provider complained of is over: the address is tried again."""
    channel = "email" if posted.text("channel") == "email" else "sms"
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        effect = patient_edits.clear_problem(session, found, channel, now=visit.now(), actor=visit.actor)
    return visit.go(f"/patients/{patient_id}", toast=f"It is tried again. {effect.in_words()}".strip())


@router.post("/patients/{patient_id:int}/cancel-all")
def cancel_all(visit: Desk, posted: Posted, patient_id: int) -> Response:
    with visit.transaction() as session:
        found = _patient(visit, session, patient_id)
        gone = message_actions.cancel_all(session, found, now=visit.now(), actor=visit.actor)
    path = f"/patients/{patient_id}"
    if not gone:
        return visit.go(path, toast="Nothing waits to be sent, so nothing was cancelled.")
    count = len(gone)
    ids = ",".join(str(message.id) for message in gone)
    return visit.go(
        path,
        toast=f"{count} {'message was' if count == 1 else 'messages were'} cancelled.",
        undo=Undo(f"{path}/restore", fields={"messages": ids}),
    )


@router.post("/patients/{patient_id:int}/restore")
def restore(visit: Desk, posted: Posted, patient_id: int) -> Response:
    """The undo of a cancel; for one message or many."""
    ids = [int(part) for part in posted.text("messages").split(",") if part.strip().isdecimal()]
    with visit.transaction() as session:
        _patient(visit, session, patient_id)
        rows = [_own(visit, session, message_id, patient_id) for message_id in ids[:500]]
        back = message_actions.restore(session, rows, now=visit.now(), actor=visit.actor)
        words = _restored(rows, back)
    return visit.go(f"/patients/{patient_id}", toast=words)


def _own(visit: Visit, session: Session, message_id: int, patient_id: int) -> Message:
    message = message_actions.get(session, visit.clinic(session), message_id)
    if message.patient_id != patient_id:
        raise NotFoundError(f"Message {message_id} belongs to somebody else.")
    return message


def _restored(asked: list[Message], back: list[Message]) -> str:
    if not asked:
        return "There was nothing to restore."
    if len(back) == len(asked):
        return "Restored: it will be sent." if len(back) == 1 else f"Restored: {len(back)} will be sent."
    left = [message.reason for message in asked if message.status != Status.SCHEDULED]
    return f"{len(back)} of {len(asked)} will be sent. {left[0]}"


def _patient(visit: Visit, session: Session, patient_id: int) -> Patient:
    return patients.get(session, visit.clinic(session), patient_id)

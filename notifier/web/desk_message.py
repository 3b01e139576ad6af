"""One message: its words, its story, the provider's answer, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import message_actions, resending, timeline
from notifier.errors import ConflictError, InputError, NeedsConfirmation
from notifier.message_actions import Now
from notifier.models import Clinic, Message, Patient
from notifier.rules.delivery import Status
from notifier.web.auth import Desk
from notifier.web.desk_looks import note_view
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Confirm:
    """What is asked before something unusual is done: the same again, with a yes."""

    action: str
    words: str
    label: str
    fields: dict[str, str] = field(default_factory=dict)


@router.get("/messages/{message_id:int}")
def message(visit: Desk, message_id: int) -> Response:
    return _show(visit, message_id)


def _show(
    visit: Visit,
    message_id: int,
    *,
    confirm: Confirm | None = None,
    problems: Problems | None = None,
    typed: Fields | None = None,
    status: int = 200,
) -> Response:
    now = visit.now()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        detail = timeline.detail(session, clinic, message_id, now)
        patient = session.get(Patient, detail.placed.message.patient_id or 0)
        patient = patient if patient is not None and patient.erased_at is None else None
    if patient is not None:
        note_view(visit, patient.id)
    context: dict[str, Any] = {
        "detail": detail,
        "patient": patient,
        "clinic": clinic,
        "now": now,
        "confirm": confirm,
        "problems": problems or Problems(),
        "typed": typed.values if typed is not None else {},
    }
    if visit.is_fragment:
        return visit.fragment("_message.html", status=status, **context)
    return visit.page("message.html", status=status, **context)


Act = Callable[[Session, Clinic, Message], object]


def _change(visit: Visit, message_id: int, act: Act, done: Callable[[Message], Response]) -> Response:
    """One transaction about one message; refused, its page says why."""
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            found = message_actions.get(session, clinic, message_id)
            act(session, clinic, found)
            session.flush()
    except ConflictError as refused:
        return _show(visit, message_id, problems=Problems({"": str(refused)}), status=409)
    return done(found)


def _done(visit: Visit, message: Message, words: str, undo: Undo | None = None) -> Response:
    if message.patient_id is None:
        return visit.go(f"/messages/{message.id}", toast=words, undo=undo)
    return visit.go(f"/patients/{message.patient_id}#m{message.id}", toast=words, undo=undo)


@router.post("/messages/{message_id:int}/cancel")
def cancel(visit: Desk, posted: Posted, message_id: int) -> Response:
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.cancel(session, row, now=visit.now(), actor=visit.actor),
        lambda row: _done(visit, row, "Cancelled: it will not be sent.", _restores(row)),
    )


def _restores(message: Message) -> Undo:
    return Undo(f"/messages/{message.id}/restore")


@router.post("/messages/{message_id:int}/restore")
def restore(visit: Desk, posted: Posted, message_id: int) -> Response:
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.restore(session, [row], now=visit.now(), actor=visit.actor),
        lambda row: _done(visit, row, _restored(row)),
    )


def _restored(message: Message) -> str:
    waits = message.status == Status.SCHEDULED
    return "Restored: it will be sent." if waits else f"Not restored. {message.reason}"


@router.post("/messages/{message_id:int}/send-now")
def send_now(visit: Desk, posted: Posted, message_id: int) -> Response:
    expected: list[Now] = []

    def act(session: Session, clinic: Clinic, row: Message) -> None:
        now, confirmed = visit.now(), posted.flag("confirmed")
        expected.append(
            message_actions.send_now(session, row, now=now, actor=visit.actor, confirmed=confirmed)
        )

    def done(row: Message) -> Response:
        waits = expected[0].at > visit.now()
        undo = Undo(f"/messages/{message_id}/put-back") if waits else None
        return _done(visit, row, expected[0].words, undo)

    try:
        return _change(visit, message_id, act, done)
    except NeedsConfirmation as ask:
        confirm = Confirm(f"/messages/{message_id}/send-now", str(ask), "Send it then", {"confirmed": "1"})
        return _show(visit, message_id, confirm=confirm, status=422)


@router.post("/messages/{message_id:int}/put-back")
def put_back(visit: Desk, posted: Posted, message_id: int) -> Response:
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.put_back(session, row, now=visit.now(), actor=visit.actor),
        lambda row: _done(visit, row, "It is back at its planned time."),
    )


@router.post("/messages/{message_id:int}/release")
def release(visit: Desk, posted: Posted, message_id: int) -> Response:
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.release(session, row, now=visit.now(), actor=visit.actor),
        lambda row: _done(visit, row, "Released: it goes as soon as it may.", _cancels(row)),
    )


@router.post("/messages/{message_id:int}/arrived")
def arrived(visit: Desk, posted: Posted, message_id: int) -> Response:
    now, actor = visit.now(), visit.actor
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.settle_arrived(session, row, now=now, actor=actor),
        lambda row: _done(visit, row, "Noted: it arrived."),
    )


@router.post("/messages/{message_id:int}/again")
def again(visit: Desk, posted: Posted, message_id: int) -> Response:
    """Nobody knows whether it arrived, and the person decides that it did not."""
    now, actor = visit.now(), visit.actor
    return _change(
        visit,
        message_id,
        lambda session, _, row: message_actions.settle_again(session, row, now=now, actor=actor),
        lambda row: _done(visit, row, "It is sent again.", _cancels(row)),
    )


def _cancels(message: Message) -> Undo:
    return Undo(f"/messages/{message.id}/cancel", label="Do not send it")


@router.post("/messages/{message_id:int}/resend")
def resend(visit: Desk, posted: Posted, message_id: int) -> Response:
    sent: list[Message] = []
    to, confirmed = posted.text("to"), posted.flag("confirmed")

    def act(session: Session, clinic: Clinic, row: Message) -> None:
        new, _ = resending.resend(
            session, clinic, row, to, now=visit.now(), actor=visit.actor, confirmed=confirmed
        )
        sent.append(new)

    def done(_: Message) -> Response:
        return _done(visit, sent[0], f"It is sent again, to {sent[0].to}.", _cancels(sent[0]))

    try:
        return _change(visit, message_id, act, done)
    except NeedsConfirmation as ask:
        fields = {"confirmed": "1", "to": to}
        confirm = Confirm(f"/messages/{message_id}/resend", str(ask), "Send it a second time", fields)
        return _show(visit, message_id, confirm=confirm, typed=posted, status=422)
    except InputError as error:
        problems = Problems({"to": str(error)})
        return _show(visit, message_id, problems=problems, typed=posted, status=422)

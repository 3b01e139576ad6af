"""Messages by the API: what was sent and will be, why not, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from sqlalchemy.orm import Session

from notifier import message_actions, messages, registers, resending
from notifier.errors import ConflictError
from notifier.idempotency import Answer
from notifier.models import Message
from notifier.rules.delivery import Status
from notifier.web.api_message_shapes import (
    CancelTaken,
    MessageGiven,
    MessageStory,
    ResendTaken,
    SendNowTaken,
    SettleTaken,
    message_story,
    messages_given,
)
from notifier.web.api_shapes import TIME, Listing
from notifier.web.api_support import (
    MANY,
    Caller,
    Cursor,
    Limit,
    Number,
    Reader,
    Writer,
    listed,
    period,
    respond,
    shown,
)

router = APIRouter(prefix="/api/v1/messages", tags=["Messages"])

_NO_REASON, _UNCONFIRMED, _SAME_ADDRESS = CancelTaken(), SendNowTaken(), ResendTaken()


@router.get("", response_model=Listing[MessageGiven], summary="List messages")
def list_messages(
    caller: Reader,
    status: Annotated[list[Status] | None, Query(description="May be given several times.")] = None,
    patient_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    treatment_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    since: Annotated[str, Query(max_length=40, description=f"Due at this time or later. {TIME}")] = "",
    until: Annotated[str, Query(max_length=40, description="Due before this time.")] = "",
    cursor: Cursor = "",
    limit: Limit = MANY,
) -> Response:
    """The earliest due first. What was never to be sent stands where that was found, and says why."""
    with caller.reading() as session:
        clinic = caller.clinic(session)
        page = registers.of_messages(
            session,
            clinic,
            period(clinic, since, until),
            statuses=status or (),
            patient_id=patient_id,
            treatment_id=treatment_id,
            cursor=cursor,
            limit=limit,
        )
        data = messages_given(messages.with_attempts(session, page.rows))
    caller.listed(message.patient_id for message in data)
    return listed(caller, Listing[MessageGiven](data=data, next=page.next or None))


@router.get("/{message_id}", response_model=MessageStory, summary="One message", responses={404: {}})
def get_message(caller: Reader, message_id: Number) -> Response:
    """With its attempts, its story, and what may be done to it."""
    with caller.reading() as session:
        shape = _told(session, caller, message_id)
    caller.viewed(shape.patient_id)
    return respond(shown(shape))


def _told(session: Session, caller: Caller, message_id: int) -> MessageStory:
    found = messages.get(session, caller.clinic(session), message_id)
    return message_story(session, found, message_actions.possible(found.message, caller.now()))


def _act(caller: Caller, message_id: int, act: Callable[[Session, Message, datetime], None]) -> Response:
    """The answer is the message as it stands now."""

    def work(session: Session) -> Answer:
        message = message_actions.get(session, caller.clinic(session), message_id)
        act(session, message, caller.now())
        session.flush()
        return shown(_told(session, caller, message.id))

    return caller.change(work)


@router.post(
    "/{message_id}/cancel",
    response_model=MessageStory,
    summary="Cancel a message",
    responses={404: {}},
)
def cancel(caller: Writer, message_id: Number, body: Annotated[CancelTaken, Body()] = _NO_REASON) -> Response:
    """It stays cancelled whatever else changes, until it is restored."""

    def act(session: Session, message: Message, now: datetime) -> None:
        message_actions.cancel(session, message, now=now, actor=caller.actor, why=body.reason)

    return _act(caller, message_id, act)


@router.post(
    "/{message_id}/restore",
    response_model=MessageStory,
    summary="Undo a cancellation",
    responses={404: {}},
)
def restore(caller: Writer, message_id: Number) -> Response:
    """It comes back as the rules have it now; where they do not, its reason says so."""

    def act(session: Session, message: Message, now: datetime) -> None:
        if "restore" not in message_actions.possible(message, now):
            raise ConflictError(
                "It cannot be restored: nobody cancelled it, it was sent, or it is useful no more."
            )
        message_actions.restore(session, [message], now=now, actor=caller.actor)

    return _act(caller, message_id, act)


@router.post(
    "/{message_id}/send-now",
    response_model=MessageStory,
    summary="Send a message now",
    responses={404: {}},
)
def send_now(
    caller: Writer, message_id: Number, body: Annotated[SendNowTaken, Body()] = _UNCONFIRMED
) -> Response:
    """It becomes due now, and is checked as ever when it leaves."""

    def act(session: Session, message: Message, now: datetime) -> None:
        message_actions.send_now(session, message, now=now, actor=caller.actor, confirmed=body.confirmed)

    return _act(caller, message_id, act)


@router.post(
    "/{message_id}/release",
    response_model=MessageStory,
    summary="Let a held message go",
    responses={404: {}},
)
def release(caller: Writer, message_id: Number) -> Response:
    """What held it is looked at again as it leaves."""

    def act(session: Session, message: Message, now: datetime) -> None:
        message_actions.release(session, message, now=now, actor=caller.actor)

    return _act(caller, message_id, act)


@router.post(
    "/{message_id}/settle",
    response_model=MessageStory,
    summary="Say what became of a message in doubt",
    responses={404: {}},
)
def settle(caller: Writer, message_id: Number, body: SettleTaken) -> Response:
    """Where the provider could not tell whether it arrived, a person decides."""

    def act(session: Session, message: Message, now: datetime) -> None:
        how = message_actions.settle_arrived if body.arrived else message_actions.settle_again
        how(session, message, now=now, actor=caller.actor)

    return _act(caller, message_id, act)


@router.post(
    "/{message_id}/resend",
    response_model=MessageStory,
    status_code=201,
    summary="Send a message again",
    responses={404: {}},
)
def resend(
    caller: Writer, message_id: Number, body: Annotated[ResendTaken, Body()] = _SAME_ADDRESS
) -> Response:
    """The same step once more, as a new message, which is the answer."""

    def work(session: Session) -> Answer:
        clinic, now = caller.clinic(session), caller.now()
        message = message_actions.get(session, clinic, message_id)
        again, _ = resending.resend(
            session, clinic, message, body.to, now=now, actor=caller.actor, confirmed=body.confirmed
        )
        session.flush()
        return shown(_told(session, caller, again.id), status=201, Location=f"/api/v1/messages/{again.id}")

    return caller.change(work)

"""Replies by the API: what patients wrote back, how it was read, and whether a person has dealt with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from notifier import inbox, registers
from notifier.models import Reply
from notifier.web.api_shapes import TIME, Given, Listing, told
from notifier.web.api_support import MANY, Cursor, Limit, Number, Reader, listed, period, respond, shown

router = APIRouter(prefix="/api/v1/replies", tags=["Replies"])

REPLY: dict[str, Any] = {
    "id": 12,
    "patient_id": 17,
    "treatment_id": 58,
    "message_id": 93,
    "channel": "sms",
    "from_address": "+12125550101",
    "received_at": "2026-02-05T18:41:00Z",
    "subject": "",
    "body": "7, and it is getting worse",
    "intent": "score",
    "red_flags": [],
    "score": 7,
    "rank": 1,
    "answer": "score-high",
    "handled_at": "2026-02-05T18:55:00Z",
    "handled_how": "called",
}


class ReplyGiven(Given):
    model_config = told(**REPLY)

    id: int
    patient_id: int | None = Field(description="Null: a number that nobody has, or that several share.")
    treatment_id: int | None
    message_id: int | None = Field(description="The message that it answers, where that is known.")
    channel: str = Field(description="`sms`, `email`, or `page` for the patient's own page.")
    from_address: str
    received_at: datetime
    subject: str
    body: str
    intent: str
    red_flags: list[str] = Field(description="Of `emergency`, `crisis`, `urgent`.")
    score: int | None = Field(description="Soreness, 0 to 10.")
    rank: int = Field(
        description="How serious to a person: 0 emergency, 1 urgent, 2 soon, 3 to be read, 9 nobody needed."
    )
    answer: str = Field(description="The automatic answer it got; empty: none.")
    handled_at: datetime | None
    handled_how: str


def given(reply: Reply) -> ReplyGiven:
    return ReplyGiven(**{name: getattr(reply, name) for name in ReplyGiven.model_fields})


@router.get("", response_model=Listing[ReplyGiven], summary="List replies")
def list_replies(
    caller: Reader,
    patient_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    since: Annotated[str, Query(max_length=40, description=f"Received at this time or later. {TIME}")] = "",
    until: Annotated[str, Query(max_length=40, description="Received before this time.")] = "",
    cursor: Cursor = "",
    limit: Limit = MANY,
) -> Response:
    """The earliest first, so that whoever reads on from the last cursor meets what came later."""
    with caller.reading() as session:
        clinic = caller.clinic(session)
        page = registers.of_replies(
            session, clinic, period(clinic, since, until), patient_id=patient_id, cursor=cursor, limit=limit
        )
        data = [given(reply) for reply in page.rows]
    caller.listed(reply.patient_id for reply in data)
    return listed(caller, Listing[ReplyGiven](data=data, next=page.next or None))


@router.get("/{reply_id}", response_model=ReplyGiven, summary="One reply", responses={404: {}})
def get_reply(caller: Reader, reply_id: Number) -> Response:
    """What was written, how it was read, and what became of it."""
    with caller.reading() as session:
        shape = given(inbox.get(session, caller.clinic(session), reply_id))
    caller.viewed(shape.patient_id)
    return respond(shown(shape))

"""Messages as the API gives them: the documented shape of `notifier messages --json`, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session

from notifier import messages
from notifier.messages import Listed
from notifier.web.api_shapes import Given, Taken, told

_ATTEMPT: dict[str, Any] = {
    "number": 1,
    "claimed_at": "2026-02-03T22:30:00Z",
    "finished_at": "2026-02-03T22:30:01Z",
    "outcome": "accepted",
    "provider": "twilio",
    "provider_id": "SM00000000000000000000000000000001",
    "error_class": "",
    "error_code": "",
    "error": "",
    "segments": 2,
    "words": "Riverside Physio: Hi Alice. Feeling sore tonight is usual after your visit. Reply STOP to end.",
}
MESSAGE: dict[str, Any] = {
    "id": 93,
    "external_id": "appt-7781",
    "kind": "planned",
    "step": "day0-what-you-may-feel",
    "channel": "sms",
    "to": "+12125550101",
    "status": "delivered",
    "reason": "",
    "due_at": "2026-02-03T22:30:00Z",
    "useful_until": "2026-02-04T14:30:00Z",
    "provider_id": "SM00000000000000000000000000000001",
    "attempts": [_ATTEMPT],
    "patient_id": 17,
    "treatment_id": 58,
}


class AttemptGiven(Given):
    """One try to hand the message to a provider."""

    number: int
    claimed_at: datetime
    finished_at: datetime | None
    outcome: str = Field(description="Empty while it is under way.")
    provider: str
    provider_id: str | None
    error_class: str
    error_code: str
    error: str
    segments: int
    words: str = Field(description="As they went out.")


class MessageGiven(Given):
    model_config = told(**MESSAGE)

    id: int
    external_id: str | None = Field(description="Of the treatment.")
    kind: str = Field(description="`planned`, `answer`, `staff`, `alert` or `test`.")
    step: str | None = Field(description="Of the plan.")
    channel: str
    to: str
    status: str
    reason: str = Field(
        description="A sentence; never empty when failed, undelivered, held, unknown, skipped or cancelled."
    )
    due_at: datetime | None = Field(description="Null: it was never going to be sent.")
    useful_until: datetime | None
    provider_id: str | None = Field(description="Of the latest attempt.")
    attempts: list[AttemptGiven]
    patient_id: int | None
    treatment_id: int | None


class MomentGiven(Given):
    """One line of a message's story."""

    at: datetime
    what: str
    why: str
    who: str


class MessageStory(MessageGiven):
    model_config = told(
        **MESSAGE
        | {
            "story": [
                {"at": "2026-02-03T20:40:00Z", "what": "planned: scheduled", "why": "", "who": "api:EHR"},
                {
                    "at": "2026-02-03T22:30:01Z",
                    "what": "scheduled → accepted",
                    "why": "",
                    "who": "worker-1",
                },
                {"at": "2026-02-03T22:30:05Z", "what": "twilio says delivered", "why": "", "who": "twilio"},
            ],
            "actions": [],
        }
    )

    story: list[MomentGiven] = Field(description="Everything that happened to it, in order.")
    actions: list[str] = Field(description="What may be done to it now; each may still be refused, in words.")


def message_given(listed: Listed) -> MessageGiven:
    return MessageGiven(**_values(listed))


def messages_given(listed: Iterable[Listed]) -> list[MessageGiven]:
    return [message_given(item) for item in listed]


def message_story(session: Session, listed: Listed, actions: Iterable[str]) -> MessageStory:
    moments = messages.story(session, listed)
    story = [MomentGiven(at=each.at, what=each.what, why=each.why, who=each.who) for each in moments]
    return MessageStory(**_values(listed), story=story, actions=sorted(actions))


def _values(listed: Listed) -> dict[str, Any]:
    message = listed.message
    return messages.as_json(listed) | {
        "patient_id": message.patient_id,
        "treatment_id": message.treatment_id,
    }


class CancelTaken(Taken):
    model_config = told(reason="The patient was called instead.")

    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class SendNowTaken(Taken):
    model_config = told(confirmed=True)

    confirmed: bool = Field(False, description="Also where it could leave only later, as the answer said.")


class ResendTaken(Taken):
    model_config = told(to="(212) 555-0199", confirmed=True)

    to: Annotated[str, StringConstraints(max_length=254)] = Field(
        "", description="Another address, which becomes the patient's; empty: the one on record."
    )
    confirmed: bool = Field(False, description="Also where the first one may have arrived.")


class SettleTaken(Taken):
    model_config = told(arrived=True)

    arrived: bool = Field(
        description="true: it is there. false: send it again, at the risk of a second copy."
    )

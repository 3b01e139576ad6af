"""What a change at the desk did to a patient's messages: which came back, which stopped, which moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import status_words
from notifier.models import Message, Patient
from notifier.planning import replan
from notifier.rules.delivery import Status

_WAITING = frozenset({Status.SCHEDULED, Status.HELD})
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Effect:
    """Each in the order of time, as the messages stand now. What is new counts as come back."""

    back: list[Message] = field(default_factory=list)
    stopped: list[Message] = field(default_factory=list)
    moved: list[Message] = field(default_factory=list)

    def in_words(self) -> str:
        """A sentence for each, for the person who made the change; empty where nothing followed."""
        parts = [
            _counted(self.back, "will be sent after all"),
            _counted(self.stopped, "will not be sent"),
            _counted(self.moved, "moved"),
        ]
        return " ".join(filter(None, parts))


def _counted(messages: list[Message], what: str) -> str:
    if not messages:
        return ""
    count = len(messages)
    names = [status_words.title(message.kind, message.step) for message in messages[:_NAMED_AT_MOST]]
    more = f" and {count - _NAMED_AT_MOST} more" if count > _NAMED_AT_MOST else ""
    return f"{count} {'message' if count == 1 else 'messages'} {what} ({'; '.join(names)}{more})."


class Watch:
    """Made before a change; tells afterwards what became different."""

    def __init__(self, session: Session, patient: Patient) -> None:
        self._session, self._patient = session, patient
        self._before = {
            message.id: (message.status in _WAITING, message.due_at) for message in self._messages()
        }

    def _messages(self) -> list[Message]:
        self._session.flush()
        rows = self._session.scalars(
            select(Message)
            .where(Message.patient_id == self._patient.id)
            .order_by(Message.due_at, Message.id)
            .execution_options(populate_existing=True)
        )
        return list(rows)

    def effect(self) -> Effect:
        effect = Effect()
        for message in self._messages():
            waited, due_at = self._before.get(message.id, (False, None))
            waits = message.status in _WAITING
            if waits and not waited:
                effect.back.append(message)
            elif waited and message.status in (Status.SKIPPED, Status.CANCELLED):
                effect.stopped.append(message)
            elif waits and message.due_at != due_at:
                effect.moved.append(message)
        return effect


def follow(session: Session, patient: Patient, watch: Watch, *, now: datetime, actor: str) -> Effect:
    """Let the patient's messages follow what was changed, and say what that did."""
    replan(session, [patient], now=now, actor=actor)
    return watch.effect()

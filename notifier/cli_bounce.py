"""`notifier bounce < message`: takes in one raw mail, a bounce or a reply, as a mail server pipes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from notifier.cli_context import App, ConfigOption, JsonOption, actor, change, command, open_app, say
from notifier.cli_output import echo_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from notifier.channels.mail_words import Mail
    from notifier.envelope import DeliveryReport, InboundMessage
    from notifier.models import Message

_LARGEST = 5_000_000  # bytes; what a person wrote stands before any picture
_WHAT = {
    "report": "A mail server's report about a mail of ours",
    "reply": "A reply",
    "automatic": "A mail that a program wrote",
    "receipt": "A read receipt",
}


@dataclass(frozen=True, slots=True)
class About:
    """A message of ours that a mail server told of, as it stands now."""

    id: int
    status: str
    reason: str
    changed: bool


@dataclass(slots=True)
class Done:
    """What the mail was, and what it changed; `replies` are the ids of the replies that it became."""

    kind: str
    messages: list[About] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    stopped: tuple[tuple[str, str], ...] = ()


@command
def bounce(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take in one raw mail from stdin: a bounce, or a patient's reply. For mail servers that pipe."""
    raw = _typed()
    with open_app(config) as app:
        from notifier import in_flight
        from notifier.channels import mail_words

        mail = mail_words.read(raw, received_at=app.clock.now())
        done = change(app, lambda session: _take(session, app, mail))
        in_flight.wait(app.engine, done.stopped, seconds=app.settings.email.timeout.total_seconds())
    if as_json:
        echo_json({"kind": done.kind, "messages": done.messages, "replies": done.replies})
    else:
        say(f"{_WHAT[done.kind]}{_followed(done)}")


def _typed() -> bytes:
    if sys.stdin.isatty():
        raise typer.BadParameter("a mail is read from stdin: notifier bounce < message")
    raw = sys.stdin.buffer.read(_LARGEST)
    while sys.stdin.buffer.read(_LARGEST):
        pass  # a mail server takes a pipe that closes early for a failure
    if not raw.strip():
        raise typer.BadParameter("there is no mail on stdin: notifier bounce < message")
    return raw


def _take(session: Session, app: App, mail: Mail) -> Done:
    done = Done(mail.kind)
    for report in mail.reports:
        done.messages += _reported(session, app, report)
    if mail.inbound is not None:
        _received(session, app, mail.inbound, done)
    return done


def _reported(session: Session, app: App, report: DeliveryReport) -> list[About]:
    from notifier import outcomes, reports

    policy = outcomes.policy_of(app.settings)
    changed = reports.apply(session, report, policy=policy, now=app.clock.now(), actor=actor())
    session.flush()
    message = _message(session, report)
    return [About(message.id, message.status, message.reason, changed)] if message is not None else []


def _message(session: Session, report: DeliveryReport) -> Message | None:
    from sqlalchemy import select

    from notifier.models import Attempt, Message

    query = select(Message).join(Attempt).where(Attempt.provider_id == report.provider_id)
    return session.scalars(query.execution_options(populate_existing=True).limit(1)).first()


def _received(session: Session, app: App, inbound: InboundMessage, done: Done) -> None:
    from notifier import replies

    received = replies.receive(session, inbound, settings=app.settings, now=app.clock.now())
    done.replies = [reply.id for reply in received.replies]
    done.stopped = received.stopped


def _followed(done: Done) -> str:
    if done.kind == "receipt":
        return "; it changes nothing."
    if done.kind != "report":
        return ", which was taken in." if done.replies else ", which was taken in before; nothing changed."
    if not done.messages:
        return ", but not one that was sent from here; nothing changed."
    return "".join(f". {_one(about)}" for about in done.messages)


def _one(about: About) -> str:
    if not about.changed:
        return f"Message {about.id} stays {about.status}."
    return f"Message {about.id} is now {about.status}: {about.reason}".rstrip(": ")

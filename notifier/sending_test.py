"""One real message to oneself: sent like every other, its outcome awaited and put into words."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from notifier import clinics, db, messages, rendering
from notifier.channels import Channel, Findable
from notifier.clock import Clock
from notifier.config import Settings
from notifier.envelope import Found, OutboundMessage
from notifier.messages import Listed
from notifier.models import Clinic
from notifier.resources import templates_dir
from notifier.rules import recipients
from notifier.rules.delivery import Kind, Status
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import parse_text
from notifier.rules.zones import zone
from notifier.wording import context_of
from notifier.worker import open_dispatcher

# How long a provider is asked whether it got any further, and how often.
_WAIT_SECONDS = 15.0
_ASK_EVERY = 1.5


@dataclass(frozen=True, slots=True)
class TestResult:
    message_id: int
    went_out: bool
    explanation: str


def send(
    engine: Engine,
    clock: Clock,
    channels: Mapping[str, Channel],
    settings: Settings,
    clinic_key: str | None,
    channel: str,
    to: str,
    *,
    language: str = "",
) -> TestResult:
    """An entry point with its own transactions. Sends nothing else that may be due."""
    with db.transaction(engine) as session:
        clinic = clinics.only(session, clinic_key)
        address = recipients.phone(to, region=clinic.country) if channel == "sms" else recipients.email(to)
        subject, words = _words(clinic, channel, language or clinic.language)
        message = messages.write_test(
            session, clinic, channel, address, subject=subject, words=words, now=clock.now()
        )
        message_id = message.id
    dispatcher = open_dispatcher(engine, clock, channels, settings, kinds=frozenset({str(Kind.TEST)}))
    dispatcher.drain()
    dispatcher.close()
    with db.reading(engine) as session:
        listed = messages.get(session, clinics.only(session, clinic_key), message_id)
    return TestResult(message_id, *_explain(listed, channels[channel]))


def _words(clinic: Clinic, channel: str, language: str) -> tuple[str, str]:
    chosen = language if language in LANGUAGES else "en"
    file = templates_dir() / "replies" / f"test-message.{chosen}.j2"
    template = parse_text(file.read_text("utf-8"), file=str(file))
    context = context_of(clinic, None, None, None, zone(clinic.timezone))
    if channel == "sms":
        return "", rendering.render(template, context, channel="sms").text
    # The body is kept as it was written and laid out when it is sent, like an e-mail of a plan.
    return rendering.fill_email(template, context)


def _explain(listed: Listed, channel: Channel) -> tuple[bool, str]:
    attempt = listed.attempts[-1] if listed.attempts else None
    status = listed.message.status
    if attempt is None or status not in (Status.ACCEPTED, Status.SENT, Status.DELIVERED):
        what = listed.message.reason or "A worker that is running will send it; look with notifier messages."
        return False, f"It did not go out ({status}): {what}"
    if attempt.provider == "outbox":
        return True, (
            "It was kept in the outbox and reached nobody, because delivery.mode does not let "
            f'{attempt.address} through. To really send it, set mode = "allowlist" and add the address to '
            f"delivery.allowlist. The words: {attempt.words}"
        )
    if status == Status.ACCEPTED:
        return _follow(listed, channel)
    return (
        True,
        f"{attempt.provider} took it for {attempt.address}: look at your inbox, and in its spam folder.",
    )


def _follow(listed: Listed, channel: Channel) -> tuple[bool, str]:
    """The provider has it; ask for a while whether the phone has it too."""
    attempt = listed.attempts[-1]
    took = f"{attempt.provider} took it as {attempt.provider_id}"
    found = _ask(listed, channel)
    if found is None or found.status is Status.ACCEPTED:
        return True, f"{took}. Whether the phone got it is not known yet; look at it."
    if found.status in (Status.UNDELIVERED, Status.FAILED):
        code = (
            f" (code {found.code}, see https://www.twilio.com/docs/errors/{found.code})" if found.code else ""
        )
        return False, f"{took}, but it was not delivered{code}."
    return True, f"{took}, and it was {found.status}."


def _ask(listed: Listed, channel: Channel) -> Found | None:
    if not isinstance(channel, Findable):
        return None
    attempt, message = listed.attempts[-1], listed.message
    outbound = OutboundMessage(
        message.id, attempt.number, "", message.channel, attempt.address, attempt.words, sender=attempt.sender
    )
    pause = threading.Event()
    found: Found | None = None
    for _ in range(int(_WAIT_SECONDS / _ASK_EVERY)):
        answers = channel.find(outbound, attempt.claimed_at - timedelta(minutes=5)) or []
        found = next((item for item in answers if item.provider_id == attempt.provider_id), found)
        if found is not None and found.status is not Status.ACCEPTED:
            return found
        pause.wait(_ASK_EVERY)
    return found

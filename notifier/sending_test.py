"""One real message to oneself: sent like every other, its outcome awaited and put into words."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from notifier import clinics, db, messages, rendering
from notifier.channels import Channel, Findable
from notifier.clock import Clock
from notifier.config import Settings
from notifier.dispatcher import Dispatcher
from notifier.envelope import Found, OutboundMessage
from notifier.messages import Listed
from notifier.models import Attempt, Clinic
from notifier.resources import templates_dir
from notifier.rules import recipients
from notifier.rules.delivery import Kind, Status
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import parse_text
from notifier.rules.zones import zone
from notifier.wording import context_of
from notifier.worker import open_dispatcher

# How often it is looked whether the message, or the provider, got any further.
_LOOK_EVERY = 0.25
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
    patience: float = 15.0,
) -> TestResult:
    """An entry point with its own transactions. Sends nothing else that may be due.

    `patience`: seconds that a provider, having taken it, is asked whether the phone has it too.
    """
    with db.transaction(engine) as session:
        clinic = clinics.only(session, clinic_key)
        address = recipients.phone(to, region=clinic.country) if channel == "sms" else recipients.email(to)
        subject, words = _words(clinic, channel, language or clinic.language)
        message = messages.write_test(
            session, clinic, channel, address, subject=subject, words=words, now=clock.now()
        )
        message_id, actor = message.id, "send-test"
    test = _Test(engine, clinic, message_id)
    test.go(open_dispatcher(engine, clock, channels, settings, kinds=frozenset({str(Kind.TEST)})), settings)
    with db.transaction(engine) as session:
        messages.withdraw_test(session, message_id, now=clock.now(), actor=actor)
    return TestResult(message_id, *_explain(test.look(), channels[channel], patience))


@dataclass(frozen=True, slots=True)
class _Test:
    engine: Engine
    clinic: Clinic
    message_id: int

    def look(self) -> Listed:
        with db.reading(self.engine) as session:
            found = messages.get(session, self.clinic, self.message_id)
            session.expunge_all()
            return found

    def go(self, dispatcher: Dispatcher, settings: Settings) -> None:
        """Until it was tried: by us, or by a worker that runs beside us and was quicker."""
        longest = max(settings.sms.timeout, settings.email.timeout).total_seconds() + 5.0
        ends, pause = time.monotonic() + longest, threading.Event()
        try:
            dispatcher.drain()
            while self._is_on_its_way() and time.monotonic() < ends:
                pause.wait(_LOOK_EVERY)
                dispatcher.drain()
        finally:
            dispatcher.close()

    def _is_on_its_way(self) -> bool:
        listed = self.look()
        status, tried = listed.message.status, bool(listed.attempts)
        return status == Status.SENDING or (status == Status.SCHEDULED and not tried)


def _words(clinic: Clinic, channel: str, language: str) -> tuple[str, str]:
    chosen = language if language in LANGUAGES else "en"
    file = templates_dir() / "staff" / f"test-message.{chosen}.j2"
    template = parse_text(file.read_text("utf-8"), file=str(file))
    context = context_of(clinic, None, None, None, zone(clinic.timezone))
    if channel == "sms":
        return "", rendering.render(template, context, channel="sms").text
    # The body is kept as it was written and laid out when it is sent, like an e-mail of a plan.
    return rendering.fill_email(template, context)


def _explain(listed: Listed, channel: Channel, patience: float) -> tuple[bool, str]:
    attempt = listed.attempts[-1] if listed.attempts else None
    status, reason = Status(listed.message.status), listed.message.reason
    if status in (Status.UNKNOWN, Status.SENDING):
        return False, (
            f"It is not known whether it went out. {reason} Look whether it arrives at {listed.message.to}; "
            f"a running worker finds out, too: notifier messages --why {listed.message.id}"
        )
    if attempt is None or status not in (Status.ACCEPTED, Status.SENT, Status.DELIVERED):
        return False, f"It did not go out. {reason}"
    if attempt.provider == "outbox":
        return True, (
            "It was kept in the outbox and reached nobody, because delivery.mode does not let "
            f'{attempt.address} through. To really send it, set mode = "allowlist" and add the address to '
            f"delivery.allowlist. The words: {attempt.words}"
        )
    if status == Status.ACCEPTED:
        return _follow(listed, channel, patience)
    return (
        True,
        f"{_called(attempt)} took it for {attempt.address}: look at your inbox, and in its spam folder.",
    )


def _called(attempt: Attempt) -> str:
    return {"twilio": "Twilio", "smtp": "The mail server"}.get(attempt.provider, attempt.provider)


def _follow(listed: Listed, channel: Channel, patience: float) -> tuple[bool, str]:
    """The provider has it; ask for a while whether the phone has it too."""
    attempt = listed.attempts[-1]
    took = f"{_called(attempt)} took it as {attempt.provider_id}"
    found = _ask(listed, channel, patience)
    if found is None or found.status in (Status.ACCEPTED, Status.SENT):
        return True, f"{took}. Whether the phone got it is not known yet; look at it."
    if found.status in (Status.UNDELIVERED, Status.FAILED):
        code = (
            f" (code {found.code}, see https://www.twilio.com/docs/errors/{found.code})" if found.code else ""
        )
        return False, f"{took}, but it was not delivered{code}."
    return True, f"{took}, and it was delivered."


def _ask(listed: Listed, channel: Channel, patience: float) -> Found | None:
    if not isinstance(channel, Findable):
        return None
    attempt, message = listed.attempts[-1], listed.message
    outbound = OutboundMessage(
        message.id, attempt.number, "", message.channel, attempt.address, attempt.words, sender=attempt.sender
    )
    ends, pause = time.monotonic() + patience, threading.Event()
    found: Found | None = None
    while True:
        answers = channel.find(outbound, attempt.claimed_at - timedelta(minutes=5)) or []
        found = next((item for item in answers if item.provider_id == attempt.provider_id), found)
        settled = found is not None and found.status not in (Status.ACCEPTED, Status.SENT)
        if settled or time.monotonic() + _ASK_EVERY > ends:
            return found
        pause.wait(_ASK_EVERY)

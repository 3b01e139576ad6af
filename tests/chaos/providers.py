"""Providers that fail a part of their calls in every way that a provider can."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.message import EmailMessage

from tests.chaos.verdict import Taken
from tests.servers.smtp_server import MailFault, SmtpServer, Step
from tests.servers.twilio_rules import Form
from tests.servers.twilio_server import Fault, TwilioServer

# Longer than the time-out of the workers here, so that they hang up first.
_FOR_EVER = 4.0
_EVERY_WAY: tuple[Callable[[], Fault], ...] = (
    lambda: Fault(accept=True, delay=_FOR_EVER),
    Fault.accept_then_cut,
    Fault.accept_then_error,
    Fault.garbage,
    lambda: Fault.slow(0.5),
    Fault.too_many,
    Fault.cut,
    lambda: Fault(status=503, body=b"Service Unavailable"),
)
_MAIL_WAYS: dict[Step, tuple[Callable[[], MailFault], ...]] = {
    "MAIL": (lambda: MailFault.refuse("MAIL", "451 4.3.0 Try again later"),),
    "RCPT": (
        lambda: MailFault.refuse("RCPT", "450 4.2.1 Try again later"),
        lambda: MailFault.cut("RCPT"),
    ),
    "DATA": (
        lambda: MailFault.cut("DATA", keep=True),
        lambda: MailFault.cut("DATA"),
        lambda: MailFault.refuse("DATA", "451 4.3.0 Try again later"),
    ),
}


def failing_twilio(chance: random.Random, part: float) -> TwilioServer:
    twilio = TwilioServer()

    def choose(form: Form) -> Fault | None:
        return chance.choice(_EVERY_WAY)() if chance.random() < part else None

    twilio.choose = choose
    return twilio


class FailingMail(SmtpServer):
    """Each mail may fail at one step. After its last byte more seldom: nobody can be asked about a mail."""

    def __init__(self, chance: random.Random, part: float) -> None:
        super().__init__()
        self._chance, self._part = chance, part

    def fault(self, step: Step) -> MailFault | None:
        ways = _MAIL_WAYS.get(step, ())
        part = self._part / (8 if step == "DATA" else 2)
        return self._chance.choice(ways)() if ways and self._chance.random() < part else None


def taken_by(twilio: TwilioServer, mail: SmtpServer) -> list[Taken]:
    """A text is a new one each time; a mail that comes again under its Message-ID is the same one."""
    texts = [
        Taken(str(message["to"]), str(message["body"]), str(message["sid"]))
        for message in twilio.messages
        if str(message["direction"]).startswith("outbound")
    ]
    mails = [
        Taken(received.recipients[0], _words(received.message), str(received.message["Message-ID"]))
        for received in mail.mails
    ]
    return texts + mails


def _words(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""

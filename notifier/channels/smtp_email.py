"""E-mail by SMTP: the conversation with the server, step by step, so that a failure says what it means."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifier.channels.deadline import Deadline, Watchdog
from notifier.channels.smtp_errors import Step, failed, readable
from notifier.channels.smtp_mime import Mail, compose
from notifier.channels.smtp_pool import Connection, Pool
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status

if TYPE_CHECKING:
    from notifier.config import EmailSettings

_GOODBYE = 2.0


@dataclass(slots=True)
class _Progress:
    step: Step = Step.CONNECT


class SmtpEmail:
    provider = "smtp"

    def __init__(
        self,
        settings: EmailSettings,
        *,
        threads: int = 8,
        tls: ssl.SSLContext | None = None,
        ask_after: float = 30.0,
    ) -> None:
        """`ask_after`: seconds of idleness after which the server may have hung up, so it is asked first."""
        self._settings = settings
        self._seconds = settings.timeout.total_seconds()
        self._watchdog = Watchdog()
        if tls is None and settings.security != "none":
            tls = ssl.create_default_context()  # trusts the system's store and SSL_CERT_FILE
        self._pool = Pool(settings, threads=threads, tls=tls, ask_after=ask_after)

    def send(self, message: OutboundMessage) -> Accepted:
        mail = compose(message, self._settings)
        progress = _Progress()
        with self._watchdog.limit(self._seconds) as deadline:
            try:
                with self._pool.place(deadline):
                    note = self._deliver(mail, deadline, progress)
            except Exception as failure:
                # A refusal goes without its cause, because the server's words may hold the patient's address.
                refusal = isinstance(failure, smtplib.SMTPResponseException)
                raise failed(failure, progress.step, deadline) from (None if refusal else failure)
        return Accepted(mail.message_id, Status.SENT, self.provider, note)

    def check(self) -> None:
        """Connects and signs in without sending a mail; raises ChannelError when that fails."""
        with self._watchdog.limit(self._seconds) as deadline:
            try:
                connection = self._pool.open(deadline)
                try:
                    _expect(250, connection.noop())
                    with suppress(smtplib.SMTPException):
                        connection.quit()
                finally:
                    connection.close()
            except Exception as failure:
                raise failed(failure, Step.CONNECT, deadline) from failure

    def close(self) -> None:
        with self._watchdog.limit(_GOODBYE) as deadline:
            self._pool.close(deadline)
        self._watchdog.close()

    def _deliver(self, mail: Mail, deadline: Deadline, progress: _Progress) -> str:
        """What the server said at the end.

        A connection that the server dropped while it was idle is replaced: nothing was sent over it.
        """
        while True:
            progress.step = Step.CONNECT
            connection = self._pool.take(deadline)
            try:
                note = _converse(connection, mail, progress)
            except Exception as failure:
                again = connection.reused and progress.step is Step.SENDER and _dropped(failure)
                self._after_failure(connection, failure)
                if not again:
                    raise
            else:
                self._pool.give_back(connection)
                return note

    def _after_failure(self, connection: Connection, failure: Exception) -> None:
        """A refused message leaves the connection good for the next one; anything else ends it."""
        if _refused(failure):
            with suppress(smtplib.SMTPException, OSError):
                _expect(250, connection.rset())
                self._pool.give_back(connection)
                return
        connection.close()


def _converse(connection: Connection, mail: Mail, progress: _Progress) -> str:
    options = _options(connection, mail)
    progress.step = Step.SENDER
    _expect(250, connection.mail(mail.sender.text, options))
    progress.step = Step.RECIPIENT
    _expect(250, connection.rcpt(mail.recipient.text))
    progress.step = Step.WORDS
    _expect(354, connection.docmd("DATA"))
    # When this fails the final dot did not leave, for it is the last of what is sent.
    connection.send(re.sub(rb"(?m)^\.", b"..", mail.data) + b".\r\n")
    progress.step = Step.ANSWER
    return readable(_expect(250, connection.getreply()))


def _options(connection: Connection, mail: Mail) -> tuple[str, ...]:
    if not mail.needs_utf8:
        return ()
    if connection.has_extn("smtputf8"):
        return ("SMTPUTF8", "BODY=8BITMIME")
    if not mail.sender.text.isascii():
        raise ChannelError(
            ErrorClass.CONFIGURATION,
            "The mail server takes no address with letters outside ASCII; change email.from_address.",
        )
    raise ChannelError(
        ErrorClass.ADDRESS,
        "The mail server takes no address with letters outside ASCII; ask the patient for another one.",
    )


def _expect(wanted: int, reply: tuple[int, bytes]) -> bytes:
    """Replies are told apart by their hundreds: 251 for a forwarded recipient is as good as 250."""
    code, words = reply
    if code // 100 != wanted // 100:
        raise smtplib.SMTPResponseException(code, words)
    return words


def _refused(failure: Exception) -> bool:
    """A plain no, after which the conversation can go on."""
    if not isinstance(failure, smtplib.SMTPResponseException):
        return False
    return 400 <= failure.smtp_code < 600 and failure.smtp_code != 421


def _dropped(failure: Exception) -> bool:
    if isinstance(failure, smtplib.SMTPResponseException):
        return failure.smtp_code == 421
    return isinstance(failure, (smtplib.SMTPServerDisconnected, OSError))

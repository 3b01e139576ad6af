"""A connection to the mailbox server within one deadline, and what its failures mean in words."""

from __future__ import annotations

import base64
import imaplib
import re
import socket
import ssl
from typing import TYPE_CHECKING

from notifier.channels.deadline import Deadline, connect
from notifier.channels.smtp_errors import readable
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass

if TYPE_CHECKING:
    from notifier.config import InboundMailSettings

# What a server adds when it is not the name or the password that it minds.
_FOR_NOW = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]|too many|try again|temporar", re.IGNORECASE)


class Connection(imaplib.IMAP4):
    """The library's, over TLS from its first byte."""

    def __init__(self, settings: InboundMailSettings, *, tls: ssl.SSLContext, deadline: Deadline) -> None:
        self._settings, self._tls, self._deadline = settings, tls, deadline
        super().__init__(settings.host, settings.port)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = connect(self._settings.host, self._settings.port, self._deadline)
        return self._tls.wrap_socket(sock, server_hostname=self._settings.host)

    def sign_in(self) -> None:
        name, password = self._settings.username, self._settings.password
        try:
            if name.isascii() and password.isascii():
                self.login(quoted(name), password)
            else:
                # The plain command knows no letters outside ASCII.
                self.authenticate("PLAIN", lambda _: f"\0{name}\0{password}".encode())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as refused:
            raise _refused(_said(refused)) from None  # the server's words may repeat the name

    def open_folder(self) -> tuple[int, int | None]:
        """Read-only, so that nothing changes. Its UIDVALIDITY, and the UID that comes next where it says."""
        folder = self._settings.folder
        answer, words = self.select(quoted(in_utf7(folder)), readonly=True)
        if answer != "OK":
            said = readable(_first(words))
            raise ChannelError(
                ErrorClass.CONFIGURATION,
                f'The mailbox has no folder "{folder}" that we may read ({said}); check inbound_mail.folder.',
            )
        return self._number("UIDVALIDITY") or 0, self._number("UIDNEXT")

    def _number(self, name: str) -> int | None:
        found = _first(self.response(name)[1])
        return int(found) if found.isdigit() else None

    def leave(self) -> None:
        """The end of the connection, whether or not the server answers."""
        try:
            self.logout()
        except (imaplib.IMAP4.error, OSError):
            self.shutdown()


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def in_utf7(name: str) -> str:
    """IMAP's own way to write letters outside ASCII in the name of a folder (RFC 3501, 5.1.3)."""
    shifted = re.sub("&", "&-", name)
    return re.sub(r"[^\x20-\x7e]+", lambda found: f"&{_base64(found[0])}-", shifted)


def failed(failure: Exception, deadline: Deadline) -> ChannelError:
    if isinstance(failure, ChannelError):
        return failure
    if isinstance(failure, ssl.SSLCertVerificationError):
        return ChannelError(
            ErrorClass.CONFIGURATION,
            "The mailbox server showed a certificate that this machine does not trust "
            f"({failure.verify_message}); check inbound_mail.host, the machine's clock and SSL_CERT_FILE.",
        )
    if deadline.passed:
        why = f"did not answer within {deadline.seconds:g} s"
    elif isinstance(failure, ssl.SSLError):
        why = "does not speak TLS there; inbound_mail.port is usually 993"
    elif isinstance(failure, OSError):
        why = f"could not be reached ({failure.strerror or failure})"
    else:
        why = f"hung up ({_said(failure)})"
    return ChannelError(ErrorClass.TRANSIENT, f"The mailbox server {why}.")


def _refused(said: str) -> ChannelError:
    if _FOR_NOW.search(said):
        return ChannelError(
            ErrorClass.TRANSIENT, f"The mailbox server lets nobody in at this moment ({said})."
        )
    return ChannelError(
        ErrorClass.CONFIGURATION,
        f"The mailbox server refused our sign-in ({said}); check inbound_mail.username and "
        "inbound_mail.password. Some providers want an app password made for this.",
    )


def _said(failure: Exception) -> str:
    words = failure.args[0] if failure.args else type(failure).__name__
    return readable(words if isinstance(words, bytes) else str(words)).rstrip(".")


def _first(found: list[bytes | None]) -> str:
    return (found[0] or b"").decode("utf-8", "replace") if found else ""


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")

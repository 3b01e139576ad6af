"""An OutboundMessage as the bytes of an e-mail, and the addresses of its envelope.

The lines are put together here and their values by the standard library. An EmailMessage costs more than ten
times as much, about half of a send over an open connection. No value can begin a line of its own.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, quote
from functools import lru_cache
from typing import TYPE_CHECKING

from notifier.envelope import OutboundMessage
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass

if TYPE_CHECKING:
    from notifier.config import EmailSettings

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)")
_ONE_LINE = 66  # with the longest of our names before it, still within the 78 that mail asks for


@dataclass(frozen=True, slots=True)
class Address:
    """As it goes over the wire: the domain in ASCII; the part before the @ may not be (SMTPUTF8)."""

    text: str
    domain: str


@dataclass(frozen=True, slots=True)
class Mail:
    sender: Address
    recipient: Address
    message_id: str
    data: bytes

    @property
    def needs_utf8(self) -> bool:
        return not (self.sender.text.isascii() and self.recipient.text.isascii())


def compose(message: OutboundMessage, settings: EmailSettings) -> Mail:
    recipient = _address(message.to)
    if recipient is None:
        raise ChannelError(
            ErrorClass.ADDRESS, "This is not a valid e-mail address; correct it on the patient's page."
        )
    sender = _ours(message.sender or settings.from_address, "email.from_address")
    message_id = f"<{_identity(message.reference)}@{sender.domain}>"
    headers = [
        ("From", _named(message.sender_name, sender)),
        ("To", recipient.text),
        ("Subject", _words("Subject", message.subject)),
        ("Date", format_datetime(datetime.now(UTC))),
        ("Message-ID", message_id),
        *_answers(message.reply_to or settings.reply_to),
        *_continues(message.in_reply_to),
        *_unsubscribe(message),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return Mail(sender, recipient, message_id, head.encode() + _body(message))


@lru_cache(maxsize=256)
def _address(written: str) -> Address | None:
    """None where it cannot be one.

    What the domain is for is not judged, because an intranet has its own; the library would refuse those.
    """
    plain = _PLAIN_ADDRESS.fullmatch(written)
    if plain and len(written) <= 254:
        domain = plain[2].lower()
        return Address(f"{plain[1]}@{domain}", domain)
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(written, check_deliverability=False, allow_quoted_local=True)
    except EmailNotValidError:
        return None
    return Address(f"{found.local_part}@{found.ascii_domain}", found.ascii_domain)


def _ours(written: str, setting: str) -> Address:
    address = _address(written)
    if address is None:
        raise ChannelError(
            ErrorClass.CONFIGURATION,
            f"Our own address is not a valid e-mail address; correct {setting} or the clinic's sender.",
        )
    return address


def _answers(written: str) -> list[tuple[str, str]]:
    return [("Reply-To", _ours(written, "email.reply_to").text)] if written else []


def _continues(answered: str) -> list[tuple[str, str]]:
    """A mail without a Message-ID of its own cannot be named."""
    if not re.fullmatch(r"<[!-;=?-~]{1,252}>", answered):
        return []
    return [("In-Reply-To", answered), ("References", answered)]


def _unsubscribe(message: OutboundMessage) -> list[tuple[str, str]]:
    """RFC 8058 asks for https; another link stays in the words of the mail, where a person follows it."""
    url = message.unsubscribe.url if message.unsubscribe else ""
    if not url.startswith("https://"):
        return []
    if not re.fullmatch(r"[!-;=?-~]{1,900}", url):
        raise ChannelError(ErrorClass.CONTENT, "The unsubscribe link has characters that no link may have.")
    return [("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]


def _identity(reference: str) -> str:
    """The same for every attempt, so that a mail program shows a second copy as the first."""
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", reference) and len(reference) <= 200:
        return reference
    return hashlib.sha256(reference.encode()).hexdigest()[:40]


def _one_line(value: str) -> str:
    folded = " ".join(value.split())
    return "".join(char for char in folded if unicodedata.category(char) not in ("Cc", "Cs"))


def _named(name: str, address: Address) -> str:
    plain = _one_line(name)
    if not plain:
        return address.text
    if plain.isascii() and len(plain) <= _ONE_LINE:
        return f'"{quote(plain)}" <{address.text}>'
    return f"{_encoded('From', plain)} <{address.text}>"


def _words(header: str, value: str) -> str:
    plain = _one_line(value)
    if plain.isascii() and len(plain) <= _ONE_LINE and "=?" not in plain:
        return plain
    return _encoded(header, plain)


def _encoded(header: str, value: str) -> str:
    return Header(value, "utf-8", header_name=header).encode(linesep="\r\n")


def _body(message: OutboundMessage) -> bytes:
    plain = _part("text/plain", message.text)
    if not message.html:
        return plain
    # An equals sign and an underscore never meet in quoted-printable, so no text can hold the boundary.
    boundary = f"=_{message.message_id}_{message.attempt}"
    mark = f"--{boundary}".encode()
    html = _part("text/html", message.html)
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode()
    return b"".join((head, mark, b"\r\n", plain, mark, b"\r\n", html, mark, b"--\r\n"))


def _part(kind: str, text: str) -> bytes:
    lines = re.sub(r"\r\n?", "\n", text).encode("utf-8", errors="replace")
    head = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    # Encoded with bare newlines, because it would end its own, softer lines with those in any case.
    return head.encode() + binascii.b2a_qp(lines).replace(b"\n", b"\r\n") + b"\r\n"

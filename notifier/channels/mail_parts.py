"""A raw mail taken apart: its headers as words, the text that a person reads, the mail that it returns.

Whatever the bytes, this does not raise: mails are malformed in more ways than any parser was told of.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr
from functools import cached_property

from notifier.channels.mail_html import plain_text

_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_RETURNED_ID = re.compile(rb"^[ \t>]*message-id:\s*(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)
_DEEPEST = 20
_LONGEST = 100_000  # characters; nobody writes as much
_LONGEST_HEADER = 4_000
_STRUCTURE = re.compile(
    rb"^content-(?:type|disposition):[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE
)
# What the library raises for mails that were made to break it, or by a program that knew no better.
_BROKEN = (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
_UNWANTED: dict[int, str | None] = {code: None for code in range(32) if chr(code) not in "\t\n\r"}
_UNWANTED |= {0x7F: None, 0xFEFF: None, 0x200B: None, 0x200E: None, 0x200F: None, 0xAD: None, 0xA0: " "}


class Parts:
    """One mail. Every property is words for a person, without what a database or a terminal chokes on."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        try:
            # The library takes half a minute for one such header that is a megabyte long.
            bounded = _STRUCTURE.sub(lambda found: found[0][:_LONGEST_HEADER], raw)
            self._top = email.message_from_bytes(bounded, policy=email.policy.compat32)
        except _BROKEN:
            self._top = Message()
            self._top.set_payload(clean(raw.decode("utf-8", "replace")))

    def header(self, name: str) -> str:
        """Unfolded and decoded, "" where there is none."""
        return _decoded(self._raw_header(name))

    def has(self, name: str) -> bool:
        return name in self._top

    def address(self, *names: str) -> tuple[str, str]:
        """Name and address from the first of these headers that has one."""
        for name in names:
            with suppress(*_BROKEN):
                # Taken apart before it is decoded: an encoded name may hold commas and brackets.
                who, where = parseaddr(_whole(self._raw_header(name)))
                if "@" in where:
                    return _decoded(who), _one_line(where)[:254]
        return "", ""

    def _raw_header(self, name: str) -> str:
        """As it came: what the library makes of a header with bytes above 127 cannot be undone."""
        wanted = name.casefold()
        found = next((str(value) for key, value in self._top.raw_items() if key.casefold() == wanted), "")
        return found[:_LONGEST_HEADER]

    @property
    def report_type(self) -> str:
        with suppress(*_BROKEN):
            return str(self._top.get_param("report-type") or "").casefold()
        return ""

    @cached_property
    def text(self) -> str:
        """What a person reads of it, in plain words."""
        with suppress(*_BROKEN):
            return _words(self._top, 0).strip()[:_LONGEST]
        return ""

    @cached_property
    def attachments(self) -> list[str]:
        with suppress(*_BROKEN):
            return [_named(part) for part in self._parts if _is_attached(part)]
        return []

    @cached_property
    def delivery_blocks(self) -> list[dict[str, str]]:
        """The groups of fields of a delivery status notification, names in small letters."""
        with suppress(*_BROKEN):
            found = (part for part in self._parts if _kind(part) == "message/delivery-status")
            return [block for part in found for block in _blocks(part)]
        return []

    @cached_property
    def returned_ids(self) -> list[str]:
        """The Message-IDs of mails that stand inside this one, as they are or encoded."""
        inside = _HEADERS_END.split(self.raw, maxsplit=1)[1:]
        readable = [self.text.encode("utf-8", "replace"), *self._texts()]
        found = [match.decode("ascii", "replace") for body in inside for match in _RETURNED_ID.findall(body)]
        found += [
            match.decode("ascii", "replace") for body in readable for match in _RETURNED_ID.findall(body)
        ]
        return list(dict.fromkeys(found))

    def _texts(self) -> Iterator[bytes]:
        with suppress(*_BROKEN):
            for part in self._parts:
                if _kind(part).startswith("text/"):
                    yield _content(part).encode("utf-8", "replace")

    @cached_property
    def _parts(self) -> list[Message]:
        return list(self._top.walk())


def _kind(part: Message) -> str:
    try:
        return part.get_content_type()
    except _BROKEN:
        return "text/plain"


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    payload = part.get_payload()
    groups = payload if isinstance(payload, list) else [email.message_from_string(str(payload))]
    for group in groups:
        if isinstance(group, Message):
            fields = {name.casefold(): _decoded(str(value)) for name, value in group.items()}
            if fields:
                yield fields


def _words(part: Message, depth: int) -> str:
    if depth > _DEEPEST or _is_attached(part) or _kind(part).startswith("message/"):
        return ""
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if _kind(part) == "multipart/alternative":
            return _best(children, depth)
        return "\n\n".join(filter(None, (_words(child, depth + 1).strip() for child in children)))
    if _kind(part) == "text/html":
        return clean(plain_text(_content(part)))
    # One that says it has parts, and has none that can be found, is read as it stands.
    return _content(part) if _kind(part).startswith(("text/", "multipart/")) else ""


def _best(children: list[Message], depth: int) -> str:
    """Plain words before others, where there are any."""
    ordered = sorted(children, key=lambda child: _kind(child) != "text/plain")
    return next(filter(None, (_words(child, depth + 1).strip() for child in ordered)), "")


def _is_attached(part: Message) -> bool:
    if part.is_multipart() and not _kind(part).startswith("message/"):
        return False
    disposition = str(part.get("Content-Disposition", "")).strip().casefold()
    if disposition.startswith("attachment"):
        return True
    return not _kind(part).startswith(("text/", "message/")) and _named(part) != ""


def _named(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except _BROKEN:
        name = ""
    return _decoded(name)[:80] or ("a file" if part.get("Content-Disposition") else "")


def _content(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
    except _BROKEN:
        payload = str(part.get_payload()).encode("utf-8", "replace")
    data = payload if isinstance(payload, bytes) else b""
    try:
        charset = str(part.get_content_charset() or "utf-8")
    except _BROKEN:
        charset = "utf-8"
    return clean(_read(data, charset))


def _read(data: bytes, charset: str) -> str:
    """In the charset it names; in the two that are most likely where that is wrong."""
    for name in (charset, "utf-8", "cp1252"):
        with suppress(*_BROKEN):
            return data.decode(name)
    return data.decode("latin-1")


def clean(text: str) -> str:
    """Without control signs, halves of characters and invisible marks, lines ended in one way."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"\r\n?", "\n", whole).translate(_UNWANTED)


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _whole(written: str) -> str:
    """The parser keeps bytes above 127 as lone surrogates: what they most likely are."""
    return written if written.isascii() else _read(written.encode("utf-8", "surrogateescape"), "utf-8")


def _decoded(written: str) -> str:
    """RFC 2047's encoded words read, and all in one line."""
    text = _whole(written)
    try:
        pieces = decode_header(text)
        text = "".join(_piece(words, charset) for words, charset in pieces)
    except _BROKEN:
        pass
    return _one_line(text)


def _piece(words: bytes | str, charset: str | None) -> str:
    if isinstance(words, str):
        return words
    # What stands between encoded words, as the library escapes it.
    return _read(words, charset) if charset else words.decode("raw-unicode-escape", "replace")

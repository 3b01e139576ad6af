"""The words of an HTML mail as plain text, with what it quotes marked by "> " as plain mails mark it.

The library's parser takes a minute for some mails of 300 kB made to hurt it, so tags are cut out here.
"""

from __future__ import annotations

import re
from html import unescape

_LONGEST = 300_000  # characters; what a person wrote stands at the beginning
_DEEPEST = 200
_PIECES = re.compile(r"</?[A-Za-z][^<>]*>|<[!?][^<>]*>|[^<]+|<")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_SILENT = re.compile(r"script|style|head|title|template|noscript")
_BLOCK = re.compile(
    r"address|article|blockquote|d[dlt]|div|footer|form|h[1-6]|header|hr|li|main|ol|p|pre|section|table|t[dhr]|ul"
)
_EMPTY = re.compile(r"area|base|br|col|embed|hr|img|input|link|meta|param|source|wbr")
# What mail programs put around the mail that is answered.
_QUOTES = re.compile(r"<blockquote\b|gmail_quote|yahoo_quoted|protonmail_quote|moz-cite", re.IGNORECASE)


def plain_text(html: str) -> str:
    words = _Words()
    for piece in _PIECES.findall(_without_comments(html[:_LONGEST])):
        tag = _TAG.match(piece)
        if tag and tag[1]:
            words.close(tag[2].casefold())
        elif tag:
            words.open(tag[2].casefold(), quotes=_QUOTES.search(piece) is not None)
        elif not piece.startswith(("<!", "<?")):
            words.write(piece)
    return words.text()


def _without_comments(html: str) -> str:
    kept: list[str] = []
    at = 0
    while (begin := html.find("<!--", at)) >= 0 and (end := html.find("-->", begin)) >= 0:
        kept.append(html[at:begin])
        at = end + 3
    return "".join([*kept, html[at:]])


class _Words:
    """Grows the text tag by tag, and knows which tags are open."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._open: list[tuple[str, bool, bool]] = []  # tag, quotes, silent
        self._quoted = self._silent = 0

    def open(self, tag: str, *, quotes: bool) -> None:
        if tag == "br":
            self._new_line()
        if _BLOCK.fullmatch(tag):
            self._block(rule=tag == "hr")
        if _EMPTY.fullmatch(tag) or len(self._open) > _DEEPEST:
            return
        silent = _SILENT.fullmatch(tag) is not None
        self._open.append((tag, quotes, silent))
        self._quoted += quotes
        self._silent += silent
        if quotes:
            self._new_line()

    def close(self, tag: str) -> None:
        """With all that was opened inside it and never closed; one that was never opened means nothing."""
        if not any(name == tag for name, _, _ in self._open):
            return
        name = ""
        while name != tag:
            name, quotes, silent = self._open.pop()
            self._quoted -= quotes
            self._silent -= silent
            if quotes:
                self._new_line()
        if _BLOCK.fullmatch(tag):
            self._block()

    def write(self, data: str) -> None:
        if self._silent:
            return
        words = re.sub(r"[ \t\r\n]+", " ", unescape(data))
        self._pieces.append(words.lstrip(" ") if self._at_start() else words)

    def text(self) -> str:
        lines = "".join(self._pieces).split("\n")
        kept = (line if line == "-- " else line.rstrip() for line in lines)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()

    def _at_start(self) -> bool:
        return not self._pieces or self._pieces[-1].endswith(("\n", "> "))

    def _block(self, *, rule: bool = False) -> None:
        if not self._at_start():
            self._new_line()
        if rule and not self._silent:
            self._pieces.append("_" * 32)
            self._new_line()

    def _new_line(self) -> None:
        self._pieces.append("\n" + "> " * bool(self._quoted))

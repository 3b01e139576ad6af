"""The little Markdown that e-mails are written in: paragraphs, lists, **bold**; every line break stays.

One parse serves the HTML and the plain version, so the two cannot say different things.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_ESCAPES = str.maketrans({char: f"\\{char}" for char in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"})
_PARAGRAPH = "margin:0 0 16px"
_LEAD_IN = "margin:0 0 4px"  # belongs to what follows
_TEL = "color:#0b6285;white-space:nowrap"
_STYLES = {
    "paragraph_open": _PARAGRAPH,
    "bullet_list_open": "margin:0 0 16px;padding:0 0 0 24px",
    "ordered_list_open": "margin:0 0 16px;padding:0 0 0 24px",
    "list_item_open": "margin:0 0 4px",
}
_LISTS = ("bullet_list_open", "ordered_list_open")
_local = threading.local()


def escape(value: object) -> str:
    """A value as literal text: what looks like Markdown in it shows as it was typed."""
    return str(value).translate(_ESCAPES)


def parse(source: str) -> list[Token]:
    return _parser().parse(source.strip())


def to_html(tokens: Sequence[Token], *, phones: re.Pattern[str] | None = None) -> str:
    """Safe HTML with its styles inline, as mail programs want it; what `phones` finds becomes a tel: link.

    `phones` has one group, the whole of the match.
    """
    for index, token in enumerate(tokens):
        if style := _STYLES.get(token.type):
            token.attrSet("style", _LEAD_IN if _leads_in(tokens, index) else style)
    md = _parser()
    return str(md.renderer.render(tokens, md.options, {"phones": phones})).strip()


def to_plain(tokens: Sequence[Token]) -> str:
    """The same words without the marks, with blank lines where the author left them."""
    lines: list[str] = []
    depth, marker, last_line = 0, "", 0
    for token in tokens:
        if token.type in _LISTS:
            depth += 1
        elif token.type == "list_item_open":
            marker = f"{token.info}{token.markup} " if token.info else "- "
        elif token.type.endswith("_list_close"):
            depth -= 1
        elif token.type == "inline" and token.map:
            if lines and token.map[0] > last_line:
                lines.append("")
            margin = "  " * (depth - 1) if marker else "  " * depth
            lines.append(margin + marker + _words(token).replace("\n", "\n" + "  " * depth))
            marker, last_line = "", token.map[1]
    return "\n".join(lines)


def _words(inline: Token) -> str:
    return "".join("\n" if part.type.endswith("break") else part.content for part in inline.children or ())


def _leads_in(tokens: Sequence[Token], index: int) -> bool:
    """Whether this is a line in bold alone, as over a paragraph, or one that a list follows without a gap."""
    if tokens[index].type != "paragraph_open":
        return False
    marks = [part.type for part in tokens[index + 1].children or () if part.type != "text" or part.content]
    if marks[:1] == ["strong_open"] and marks.index("strong_close") == len(marks) - 1:
        return True
    after = index + 3  # paragraph_open, inline, paragraph_close
    if after >= len(tokens) or tokens[after].type not in _LISTS:
        return False
    here, there = tokens[index].map, tokens[after].map
    return here is not None and there is not None and here[1] == there[0]


def _parser() -> MarkdownIt:
    """One for each thread: building it is slow, and nothing promises that a parser may be shared."""
    if not hasattr(_local, "parser"):
        parser = MarkdownIt("zero", {"breaks": True, "html": False})
        parser.enable(["list", "emphasis", "escape", "newline"])
        parser.add_render_rule("text", _text)
        _local.parser = parser
    found: MarkdownIt = _local.parser
    return found


def _text(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Mapping[str, Any]
) -> str:
    words = tokens[index].content
    phones: re.Pattern[str] | None = env.get("phones")
    if phones is None:
        return escapeHtml(words)
    pieces = phones.split(words)  # every second one is a number
    return "".join(_tel_link(piece) if at % 2 else escapeHtml(piece) for at, piece in enumerate(pieces))


def _tel_link(number: str) -> str:
    digits = "".join(char for char in number if char.isdecimal() or char == "+")
    return f'<a href="tel:{digits}" style="{_TEL}">{escapeHtml(number)}</a>'

"""A patient's e-mail as its own small page inside ours: the real HTML, with no more rights than a picture.

Its styles are inline, as mail programs want them. The policy lets in exactly those, by their hashes: no
script, no picture, no form, and nothing from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from typing import Literal

from fastapi.responses import HTMLResponse

Scheme = Literal["light", "dark", ""]

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_ATTRIBUTE = re.compile(r'\sstyle="([^"]*)"')
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{\n(.*?\}\n)\}\n", re.DOTALL)
_SCHEME = re.compile(r"(color-scheme: ?|name=\"(?:supported-)?color-schemes?\" content=\")light dark")


def framed(html: str, *, scheme: Scheme = "") -> HTMLResponse:
    """`scheme`: as a reader with a light or a dark screen sees it, whatever screen this one is."""
    shown = in_scheme(html, scheme).replace("<head>", '<head>\n<base target="_blank">', 1)
    return HTMLResponse(
        shown,
        headers={"Content-Security-Policy": _policy(shown), "Cache-Control": "no-store"},
    )


def in_scheme(html: str, scheme: Scheme) -> str:
    """The layout's own rules for the dark made to hold always, or never."""
    if not scheme:
        return html
    settled = _DARK.sub(lambda block: block[1] if scheme == "dark" else "", html, count=1)
    return _SCHEME.sub(rf"\g<1>{scheme}", settled)


def _policy(html: str) -> str:
    styles = [*_STYLE.findall(html), *map(unescape, _ATTRIBUTE.findall(html))]
    hashes = " ".join(dict.fromkeys(_hash(style) for style in styles))
    return (
        f"default-src 'none'; style-src 'unsafe-hashes' {hashes}; form-action 'none'; "
        "frame-ancestors 'self'; base-uri 'none'; sandbox"
    )


def _hash(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"

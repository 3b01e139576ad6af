"""The doctor looks at the pages: the address people reach them at, its secret, and whether they answer."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from notifier.config import WebSettings
from notifier.doctor_findings import Finding, Installation

_AREA = "Pages"
_SHORTEST_KEY = 32
_HOME = ("127.0.0.1", "::1", "localhost")
_PATIENCE = 3.0  # seconds
_IN_THE_CLEAR = (
    "Put a server that speaks https in front of them, set web.base_url to its https address and leave "
    "web.host at 127.0.0.1."
)


def address(it: Installation) -> Iterator[Finding]:
    """Ours, as staff, patients and providers see it."""
    web = it.settings.web
    host = urlsplit(web.base_url).hostname or web.host
    if web.base_url.startswith("https://"):
        yield Finding("ok", _AREA, f"Their address is {web.base_url}.")
        yield from _secret(web)
    elif host not in _HOME:
        where = web.base_url or f"every address of {web.host}"
        yield Finding(
            "warning",
            _AREA,
            f"{where} is not https: passwords and patients' data can be read on the way, and no message "
            "carries a link of ours.",
            _IN_THE_CLEAR,
        )
    else:
        yield Finding("ok", _AREA, "They are for this computer only, and no message carries a link of ours.")


def _secret(web: WebSettings) -> Iterator[Finding]:
    if len(web.secret_key) >= _SHORTEST_KEY:
        return
    said = "is too short to keep links from being forged" if web.secret_key else "is missing"
    left_out = "" if web.secret_key else ", so e-mails carry no unsubscribe link"
    yield Finding(
        "warning",
        _AREA,
        f"web.secret_key {said}{left_out}.",
        f"Give it {_SHORTEST_KEY} random characters or more, and keep them: old links stop working else.",
    )


def answering(it: Installation) -> Iterator[Finding]:
    """Whether they are served at this moment; a worker alone has none, so that it is only a note."""
    web = it.settings.web
    if not web.port:
        return
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.host, web.host)
    place = f"http://[{here}]:{web.port}" if ":" in here else f"http://{here}:{web.port}"
    said = _asked(f"{place}/healthz")
    if said == "ok":
        yield Finding("ok", _AREA, f"They are served at {place}.")
    elif said is None:
        yield Finding(
            "note",
            _AREA,
            f"Nothing answers at {place}.",
            "Start them with: notifier run (with the worker), or notifier serve (without).",
        )
    else:
        yield Finding(
            "warning",
            _AREA,
            f"Another program answers at {place}.",
            "Stop that one, or set another web.port.",
        )


def _asked(url: str) -> str | None:
    """What is said there; None where nobody answers. No proxy knows the way to this computer."""
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with browser.open(url, timeout=_PATIENCE) as answer:
            return str(answer.read(100).decode("utf-8", "replace")).strip()
    except urllib.error.HTTPError as error:
        with error:
            return f"status {error.code}"
    except (OSError, ValueError) as error:
        refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError | TimeoutError)
        return None if refused else f"no page: {error}"

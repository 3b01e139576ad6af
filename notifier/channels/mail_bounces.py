"""What a mail server says about a mail of ours: delivery status notifications (RFC 3464), and the bounces of
servers that know no such form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from notifier.channels.mail_parts import Parts
from notifier.channels.smtp_errors import readable
from notifier.envelope import DeliveryReport
from notifier.rules.delivery import ErrorClass, Status
from notifier.rules.mail_codes import error_class, telling_code

# The Message-IDs that `smtp_mime` makes of a reference.
_OURS = re.compile(r"<(\d+\.\d{20}\.[^<>@\s]+|[0-9a-f]{40})@[^<>@\s]+>")
_ANY = re.compile(r"<[^<>\s]{3,252}>")
# "expanded": handed to a list; "relayed": to a server that sends no reports.
_ACTIONS = {
    "failed": Status.FAILED,
    "delayed": Status.SENT,
    "delivered": Status.DELIVERED,
    "relayed": Status.SENT,
    "expanded": Status.SENT,
}
_CAME_BACK = {
    ErrorClass.ADDRESS: "The mail came back: nobody is reached at this address; ask the patient for another",
    ErrorClass.FEW_TRIES: "The mail came back: the mailbox is full, or its server could not be reached",
    ErrorClass.CONTENT: "The mail came back: the patient's mail server refused it",
}
_ENOUGH = 160  # characters of the server's own words
_SERVERS = re.compile(
    r"(mailer-daemon|postmaster|mail-daemon|microsoftexchange[0-9a-f]*|mdaemon)@", re.IGNORECASE
)
_SAYS_SO = re.compile(
    r"undeliver|not? (be )?deliver|deliver\w* (status|fail|has failed|delay|problem|incomplete)|"
    r"failure notice|mail (delivery|system error)|returned mail|returned to sender|bounce|"
    r"message (delayed|not sent)|no se (ha podido|pudo|puede) entregar|no entregad[oa]|"
    r"entrega (fallida|retrasada)|devuelto",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"\b(delay|warning|still (being )?(trying|retried)|will (keep|continue) trying|retras|reintent)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^[ \t]*-{2,}.*(copy of the|original message|returned message|mensaje original|undelivered message)"
    r"|^(return-path|received|message-id|dkim-signature):",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class _Said:
    """About one recipient. `code` as given, "" where none is; `words` are the server's own."""

    action: str
    code: str
    words: str


def is_from_a_server(parts: Parts) -> bool:
    """Whether this is about the fate of another mail; said by its form, else by its sender and subject."""
    if parts.report_type == "delivery-status" or parts.delivery_blocks:
        return True
    if parts.has("X-Failed-Recipients") or parts.has("X-MS-Exchange-Message-Is-Ndr"):
        return True
    sender = parts.address("From")[1]
    returned = parts.header("Return-Path").strip()
    by_a_server = bool(_SERVERS.match(sender)) or returned == "<>"
    return by_a_server and bool(_SAYS_SO.search(parts.header("Subject")))


def reports(parts: Parts, received_at: datetime) -> tuple[DeliveryReport, ...]:
    """Nothing where it does not say which mail it is about."""
    about = _original(parts)
    if not about:
        return ()
    found = {(said.action, said.code): said for said in _all_said(parts)}
    return tuple(_report(said, about, received_at) for said in found.values())


def _original(parts: Parts) -> str:
    """Our Message-ID, from the mail it returns, its own words, or the mails it says that it answers."""
    returned = parts.returned_ids
    named = [match.group() for match in _OURS.finditer(parts.text)]
    answered = _ANY.findall(f"{parts.header('In-Reply-To')} {parts.header('References')}")
    envelopes = [block.get("original-message-id", "") for block in parts.delivery_blocks]
    candidates = [*returned, *named, *answered, *_ANY.findall(" ".join(envelopes))]
    ours = [candidate for candidate in candidates if _OURS.fullmatch(candidate)]
    return next(iter(ours or candidates), "")[:254]


def _report(said: _Said, about: str, received_at: datetime) -> DeliveryReport:
    words, means = readable(said.words), error_class(said.code)
    failed = _ACTIONS[said.action] is Status.FAILED
    return DeliveryReport(
        provider_id=about,
        status=_ACTIONS[said.action],
        provider_status=said.action,
        received_at=received_at,
        code=said.code or None,
        raw={"said": words},
        provider="smtp",
        error_class=means if failed else ErrorClass.UNLISTED,
        said=f"{_CAME_BACK.get(means, 'The mail came back')} ({words[:_ENOUGH]})." if failed else "",
    )


def _all_said(parts: Parts) -> Iterator[_Said]:
    blocks = [block for block in parts.delivery_blocks if "action" in block or "status" in block]
    if not blocks:
        yield _from_words(parts)
    for block in blocks:
        yield _from_block(block, parts)


def _from_block(block: dict[str, str], parts: Parts) -> _Said:
    code = re.search(r"[245]\.\d{1,3}\.\d{1,3}", block.get("status", ""))
    given = code[0] if code else ""
    words = re.sub(r"^[\w-]{1,20};\s*", "", block.get("diagnostic-code", ""))
    action = block.get("action", "").strip().casefold()
    if action not in _ACTIONS:
        action = {"4": "delayed", "2": "delivered"}.get(given[:1], "failed")
    if action != "failed":
        return _Said(action, given, words)
    return _Said(action, telling_code(given, words or _own_words(parts)), words or _own_words(parts))


def _from_words(parts: Parts) -> _Said:
    words = _own_words(parts)
    subject = parts.header("Subject")
    code = telling_code("", words)
    only_late = _DELAY.search(subject) or (code.startswith("4") and _DELAY.search(words))
    return _Said("delayed" if only_late else "failed", code, words)


def _own_words(parts: Parts) -> str:
    """What the server wrote, without the mail that it returns: that may hold codes of its own."""
    text = parts.text
    copy = _COPY.search(text)
    return text[: copy.start()] if copy and text[: copy.start()].strip() else text

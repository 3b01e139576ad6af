"""What a mail server's later refusal means, by its enhanced status code (RFC 3463).

Never `configuration`: that would stop the whole sender for what one mail server thinks of one mail.
"""

from __future__ import annotations

import re
from typing import Final

from notifier.rules.delivery import ErrorClass

_CODE: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_BASIC: Final = re.compile(r"(?<![\d.])(5[05]\d|4[25]\d)(?=[ -][^\d]|[ -][245]\.)")

NO_SUCH_ADDRESS: Final = "5.1.1"
MAILBOX_FULL: Final = "5.2.2"
REFUSED_BY_POLICY: Final = "5.7.1"

_CLASSES: Final[dict[str, ErrorClass]] = {
    "5.1.7": ErrorClass.CONTENT,  # it is our own address that they do not like
    "5.1.8": ErrorClass.CONTENT,
    "5.1.9": ErrorClass.CONTENT,
    "5.2.1": ErrorClass.ADDRESS,  # switched off
    MAILBOX_FULL: ErrorClass.FEW_TRIES,
    "5.2.3": ErrorClass.CONTENT,
    "5.2.4": ErrorClass.ADDRESS,
    "5.3.1": ErrorClass.FEW_TRIES,  # their whole system is full
    "5.3.2": ErrorClass.FEW_TRIES,
    "5.3.4": ErrorClass.CONTENT,
    "5.4.1": ErrorClass.FEW_TRIES,
    "5.4.4": ErrorClass.ADDRESS,  # the domain has no mail server
    "5.4.6": ErrorClass.ADDRESS,  # forwarded in a circle
    "5.4.7": ErrorClass.FEW_TRIES,
    "5.4.14": ErrorClass.ADDRESS,
    "5.4.300": ErrorClass.FEW_TRIES,
    "5.4.310": ErrorClass.ADDRESS,
    "5.4.316": ErrorClass.FEW_TRIES,
}
_BY_SUBJECT: Final[dict[str, ErrorClass]] = {
    "1": ErrorClass.ADDRESS,
    "6": ErrorClass.CONTENT,
    "7": ErrorClass.CONTENT,  # spam, policy, authentication: it is not the address
}
# Servers say much with a code that says little; then the words decide.
_VAGUE: Final = re.compile(r"(5\.0\.0|5\.\d{1,3}\.0|5\.4\.1|5\.5\.\d{1,3})?")
_SAID: Final = (
    (MAILBOX_FULL, re.compile(r"quota|(mailbox|inbox|storage) (is )?(too )?full|over ?limit|out of storage")),
    (
        NO_SUCH_ADDRESS,
        re.compile(
            r"(user|recipient|mailbox|address|account|addressee)s? (is )?(unknown|not found|unavailable|"
            r"invalid|disabled|inactive|suspended)|unknown (user|recipient|address|mailbox|local)|"
            r"no such (user|recipient|mailbox|address|person|local)|(does not|doesn.?t) exist|"
            r"(does not|doesn.?t) have an? \S{0,80} ?account|no mailbox here|"
            r"not a (valid|known) (user|mailbox|recipient)|invalid (recipient|mailbox|address)|"
            r"recipient address rejected|unrouteable|cannot be delivered to this address|"
            r"(domain|host)( name)? not found|address (couldn.t be|was not|wasn.t) found"
        ),
    ),
    (
        REFUSED_BY_POLICY,
        re.compile(r"spam|polic(y|ies)|black ?list|block ?list|blocked|reputation|dmarc|spf"),
    ),
)


def error_class(code: str) -> ErrorClass:
    """The class of a bounce with this code, such as "5.1.1"; "" and what is no such code are not listed."""
    found = re.fullmatch(r"([245])\.(\d{1,3})\.\d{1,3}", code)
    if found is None:
        return ErrorClass.UNLISTED
    if found[1] == "4":
        return ErrorClass.FEW_TRIES  # somebody tried for days already
    return _CLASSES.get(code) or _BY_SUBJECT.get(found[2], ErrorClass.UNLISTED)


def telling_code(given: str, said: str) -> str:
    """The code that says most: the given one, one in the server's own words, or what those words mean."""
    if not _VAGUE.fullmatch(given):
        return given
    inside = next((code for code in _CODE.findall(said) if not _VAGUE.fullmatch(code)), "")
    if inside and (not given or inside[0] == given[0]):
        return inside
    words = said.casefold()
    meant = next((code for code, pattern in _SAID if pattern.search(words)), "")
    basic = _BASIC.search(said)
    return meant or given or _first_code(said) or (f"{basic[1][0]}.0.0" if basic else "")


def _first_code(said: str) -> str:
    found = _CODE.search(said)
    return found[1] if found else ""

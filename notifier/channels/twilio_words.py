"""Twilio's words and ours: message statuses, error codes, and what each code means for a clinic."""

from __future__ import annotations

import re

from notifier.rules.delivery import ErrorClass, Status

STATUSES: dict[str, Status] = {
    "accepted": Status.ACCEPTED,
    "scheduled": Status.ACCEPTED,
    "queued": Status.ACCEPTED,
    "sending": Status.ACCEPTED,
    "sent": Status.SENT,
    "partially_delivered": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
}

E = ErrorClass
_CODES: dict[ErrorClass, dict[int, str]] = {
    E.OPT_OUT: {
        21610: "This number opted out by replying STOP; only START from that phone lifts it.",
    },
    E.ADDRESS: {
        21211: "This is not a valid phone number; correct it on the patient's page.",
        21214: "This phone number cannot be reached; correct it on the patient's page.",
        21217: "This is not a valid phone number; correct it on the patient's page.",
        21614: "This number is not a mobile number; ask the patient for one.",
        21635: "This number is a landline; ask the patient for a mobile number.",
        21408: "Twilio may not text this country; allow it in the console under Messaging, Geo permissions.",
        21608: "A trial account may only text numbers verified in the Twilio console; verify it or upgrade.",
        21612: "This number cannot be reached from our sender; try e-mail, or a sender in its country.",
        30005: "This number is unknown or no longer in use; ask the patient for the new one.",
        30006: "This number is a landline or its carrier takes no SMS; ask the patient for a mobile number.",
    },
    E.CONTENT: {
        30004: "The message was blocked; try other words, or e-mail.",
        30007: "The carrier filtered the message as unwanted; change its words, above all its links.",
        21617: "The message is longer than 1,600 characters; shorten its text.",
        30038: "The message was blocked because it looks like a one-time code; change its words.",
    },
    E.TRANSIENT: {
        429: "Twilio takes no more messages at this moment.",
        20429: "Twilio takes no more messages at this moment.",
        14107: "More messages were sent than the sender's rate allows.",
        30001: "Twilio's queue for this sender is full.",
        21611: "Twilio's queue for this sender is full.",
        30022: "More messages were sent than the carrier allows this sender.",
        30500: "Twilio had a fault of its own.",
        60005: "The carrier had a fault.",
    },
    E.FEW_TRIES: {
        30003: "The phone is switched off or out of reach.",
        30008: "The carrier did not deliver it and did not say why.",
        30017: "The carrier's network is overloaded.",
        30036: "The message could not be delivered while it was useful.",
    },
    E.CONFIGURATION: {
        20003: "Twilio refused our sign-in; check sms.account_sid and sms.auth_token.",
        20404: "Twilio does not know this account or sender; check the sms settings.",
        21606: "Our sender number cannot send SMS from this account; check sms.from_number.",
        30002: "The Twilio account is suspended; look into its console.",
        30024: "Our sender number is not set up at the carrier; look into the Twilio console.",
        30032: "Our toll-free number is not verified yet; verify it in the Twilio console.",
        30034: "Our number is not registered for US phones; register it in the console, A2P 10DLC.",
        63038: "The Twilio account reached its daily limit of messages.",
    },
}

ERROR_CLASSES: dict[int, ErrorClass] = {
    code: error_class for error_class, codes in _CODES.items() for code in codes
}
MEANINGS: dict[int, str] = {code: words for codes in _CODES.values() for code, words in codes.items()}


def error_class(code: str | int | None) -> ErrorClass:
    """The class of a code from a refusal, a look-up or a delivery report."""
    return ERROR_CLASSES.get(_number(code), ErrorClass.UNLISTED)


def meaning(code: str | int | None, said: str = "") -> str:
    """The code in words for the clinic; for one we do not know, what Twilio said and where it explains it."""
    known = MEANINGS.get(_number(code))
    if known:
        return f"{known[:-1]} (Twilio error {code})."
    if not _number(code):
        return f"Twilio refused the message{_quoted(said)} without giving a reason that we know."
    return (
        f"Twilio refused it with error {code}{_quoted(said)}; see https://www.twilio.com/docs/errors/{code}"
    )


def _quoted(said: str) -> str:
    plain = without_numbers(" ".join(said.split())[:200].rstrip("."))
    return f" ({plain})" if plain else ""


def without_numbers(said: str) -> str:
    """A provider's own words may repeat the patient's number, and reasons end up in logs."""
    return re.sub(r"\+?\d[\d ().-]{5,}\d", lambda found: "•••" + found.group()[-2:], said)


def _number(code: str | int | None) -> int:
    return int(code) if code is not None and re.fullmatch(r"[0-9]{1,9}", str(code)) else 0

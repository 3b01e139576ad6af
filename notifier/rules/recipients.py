"""Addresses as people type them → one canonical form; masking for logs; what makes two of them the same.

`phonenumbers` and `email_validator` take 40 ms each to import, which `notifier --help` should not pay.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from notifier.errors import InputError

_HIDDEN: Final = "•••"
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼʻ`´"))
# Letters that Unicode does not take apart into a base and an accent; ß and the like are left to casefold.
_BARRED: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"}
)


def phone(raw: str, *, region: str) -> str:
    """The number as E.164; `region` is the country it is read in unless it says its own, such as "US".

    Only numbers that cannot exist are refused. Whether one is in use changes faster than any table, and the
    provider knows.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType, ValidationResult

    typed = " ".join(raw.split())
    if not typed:
        raise InputError("Enter a phone number.", field="phone")
    try:
        number = phonenumbers.parse(typed, region.upper() or None)
        if typed.startswith("00") and not phonenumbers.is_possible_number(number):
            # Not every country dials abroad like this, but many people write it for "+" wherever they are.
            number = phonenumbers.parse("+" + typed[2:])
    except phonenumbers.NumberParseException as error:
        raise _not_a_phone(typed, region, _unreadable(error.error_type)) from None
    if number.extension:
        raise _not_a_phone(
            typed, region, "messages cannot reach an extension; leave it out or use a mobile number"
        )
    verdict = phonenumbers.is_possible_number_with_reason(number)
    if verdict != ValidationResult.IS_POSSIBLE:
        raise _not_a_phone(typed, region, _impossible(verdict))
    if phonenumbers.number_type(number) == PhoneNumberType.PREMIUM_RATE:
        raise InputError(
            f"'{typed}' is a premium-rate number; messages are not sent to those.", field="phone"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _not_a_phone(typed: str, region: str, why: str) -> InputError:
    where = f" in {region.upper()}" if region and not typed.startswith("+") else ""
    return InputError(f"'{typed[:40]}' cannot be a phone number{where}: {why}.", field="phone")


def _unreadable(reason: int) -> str:
    from phonenumbers import NumberParseException as Problem

    if reason == Problem.INVALID_COUNTRY_CODE:
        return "its country code is unknown; write it like +1 212 555 0100"
    if reason == Problem.TOO_LONG:
        return "it has too many digits"
    if reason == Problem.NOT_A_NUMBER:
        return "it has no digits that make a number"
    return "it has too few digits"


def _impossible(verdict: int) -> str:
    from phonenumbers import ValidationResult as Result

    if verdict == Result.TOO_LONG:
        return "it has too many digits"
    if verdict == Result.IS_POSSIBLE_LOCAL_ONLY:
        return "the area code is missing"
    if verdict == Result.INVALID_COUNTRY_CODE:
        return "its country code is unknown"
    return "it has too few digits" if verdict == Result.TOO_SHORT else "no number there has this many digits"


def can_text(e164: str) -> bool:
    """False where the numbering plan says for sure that this is a landline or another thing without SMS.

    In the US and Canada the plan does not tell landlines from mobiles, so the answer there is True.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType as Type

    kind = phonenumbers.number_type(phonenumbers.parse(e164))
    return kind not in (Type.FIXED_LINE, Type.PREMIUM_RATE, Type.SHARED_COST, Type.VOICEMAIL, Type.UAN)


def email(raw: str) -> str:
    """The address normalised, in ASCII even where its domain is not; the domain is not looked up."""
    from email_validator import EmailNotValidError, validate_email

    typed = raw.strip().removeprefix("mailto:")
    if not typed:
        raise InputError("Enter an e-mail address.", field="email")
    name, at, domain = typed.rpartition("@")
    if not at or not domain or not name:
        missing = "name before the @" if at and domain else "domain"
        raise InputError(f"'{typed[:80]}' has no {missing}; write it like name@example.com.", field="email")
    try:
        found = validate_email(
            typed, check_deliverability=False, allow_smtputf8=False, allow_display_name=True
        )
    except EmailNotValidError as error:
        why = str(error).rstrip(".")
        raise InputError(f"'{typed[:80]}' cannot be an e-mail address: {why}.", field="email") from None
    return found.ascii_email or found.normalized


def mask_phone(number: str) -> str:
    """The country and the last four digits: +1•••4567."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    digits = "".join(char for char in number if char in "0123456789")
    if len(digits) < 8:
        return _HIDDEN
    country = next((digits[:n] for n in (1, 2, 3) if int(digits[:n]) in COUNTRY_CODE_TO_REGION_CODE), "")
    return f"+{country}{_HIDDEN}{digits[-4:]}" if number.startswith("+") else _HIDDEN + digits[-4:]


def mask_email(address: str) -> str:
    """The first letter and the domain: a•••@example.com. The domain is what an operator looks for."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}{_HIDDEN}@{domain}" if at else _HIDDEN


def address_key(channel: str, address: str) -> str:
    """Two addresses on a channel are the same one exactly when their keys are equal."""
    if channel == "email":
        return address.strip().casefold()
    return "".join(char for char in address if char in "+0123456789")


def fold_name(first: str, last: str) -> str:
    """A name as it is compared when matching patients: "José  O’Brien-Łuk" and "jose obrien luk" are one."""
    plain = unicodedata.normalize("NFKD", f"{first} {last}".translate(_APOSTROPHES)).casefold()
    # Again, because taking letters apart may leave an apostrophe: ŉ is ʼ and n.
    letters = unicodedata.normalize("NFKD", plain).translate(_APOSTROPHES)
    bare = "".join(char for char in letters if not "\u0300" <= char <= "\u036f").translate(_BARRED)
    # Vowel signs and the dots of other scripts are letters there: they stay, put together again.
    whole = unicodedata.normalize("NFC", bare)
    words = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in whole)
    return " ".join(words.split())

"""What an admin changes about a clinic, a part at a time, and never over what somebody else just changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import audit, chores
from notifier.errors import ConflictError, InputError
from notifier.models import AuditEntry, Clinic
from notifier.rules.hours import DAYS, Hours, parse_hours
from notifier.rules.plan import LANGUAGES
from notifier.rules.zones import zone

_LENGTHS: Final = {"name": 120, "phone": 40, "emergency_number": 20, "crisis_line": 40}
_NEEDED: Final = {
    "name": "A clinic needs a name; patients see it at the start of every message.",
    "phone": "Patients are told to call this number, so there has to be one.",
    "emergency_number": "The warning texts name the emergency number, so there has to be one, such as 911.",
}
_TIMES = {"opening_hours", "closed_dates", "timezone"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")


def change(
    session: Session,
    clinic: Clinic,
    wanted: Mapping[str, Any],
    *,
    version: int,
    now: datetime,
    actor: str,
    **detail: str,
) -> list[str]:
    """Make these columns what they are wanted to be; the names of those that changed.

    `wanted` comes from the readers below. Raises ConflictError where `version` is no longer the current one.
    """
    session.refresh(clinic, with_for_update={"key_share": True})
    if clinic.version != version:
        raise ConflictError(_who_was_quicker(session, clinic))
    changed = [name for name, value in wanted.items() if getattr(clinic, name) != value]
    for name in changed:
        setattr(clinic, name, wanted[name])
    if changed:
        audit.note(
            session,
            clinic_id=clinic.id,
            at=now,
            actor=actor,
            action="clinic.changed",
            subject="clinic",
            subject_id=clinic.id,
            fields=changed,
            **detail,
        )
        session.flush()
    if _TIMES & set(changed):
        for name in chores.BY_OPENING_HOURS:
            chores.hurry(session, name, now=now)
    return changed


def _who_was_quicker(session: Session, clinic: Clinic) -> str:
    last = session.scalar(
        select(AuditEntry)
        .where(AuditEntry.clinic_id == clinic.id, AuditEntry.action == "clinic.changed")
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    who = last.actor if last is not None else "Somebody else"
    what = ", ".join(last.detail.get("fields", [])).replace("_", " ") if last is not None else ""
    return (
        f"{who} changed the clinic{f' ({what})' if what else ''} while you had this page open, so nothing "
        "was saved. Below is what you typed; the other parts of the page show what is stored now. Save again "
        "to replace it."
    )


def details(typed: Mapping[str, str]) -> dict[str, Any]:
    """Name, phones, zone, country and language. Raises InputError for the first that cannot be."""
    values = {name: " ".join(typed.get(name, "").split()) for name in (*_LENGTHS, "timezone")}
    for name, words in _NEEDED.items():
        if not values[name]:
            raise InputError(words, field=name)
    for name, length in _LENGTHS.items():
        if len(values[name]) > length:
            raise InputError(f"This is longer than {length} characters.", field=name)
    zone(values["timezone"])
    country, language = typed.get("country", "").strip().upper(), typed.get("language", "")
    if not _COUNTRY.fullmatch(country):
        raise InputError("Write the country in two letters, such as US or GB.", field="country")
    if language not in LANGUAGES:
        raise InputError(f"There are texts in {' and '.join(LANGUAGES)} only.", field="language")
    return values | {"country": country, "language": language}


def hours(typed: Mapping[str, str]) -> dict[str, Any]:
    """Opening hours as `hours.mon` = "09:00-13:00, 14:00-18:00", closed dates one a line."""
    week = {day: _spans(day, typed.get(f"hours.{day}", "")) for day in DAYS}
    closed = typed.get("closed_dates", "").replace(",", "\n").split("\n")
    parsed = parse_hours(week, [line for line in closed if line.strip()])
    return {
        "opening_hours": parsed.as_json(),
        "closed_dates": sorted(day.isoformat() for day in parsed.closed),
    }


def _spans(day: str, typed: str) -> list[list[str]]:
    """ "9-13, 14-18" is as good as "09:00–13:00, 14:00–18:00"; nothing, or "closed", is closed."""
    if typed.strip().lower() in ("", "closed", "-", "–"):
        return []
    spans = []
    for part in re.split(r"[,;]", typed):
        ends = re.split(r"\s*(?:-|–|—|\bto\b)\s*", part.strip())
        if len(ends) != 2:
            raise InputError(
                f'"{part.strip()}" is not a time from and to; write it like 09:00-18:00.',
                field=f"opening_hours.{day}",
            )
        spans.append([_full(end) for end in ends])
    return spans


def _full(hour: str) -> str:
    return f"{hour}:00" if re.fullmatch(r"\d{1,2}", hour) else hour


def hours_typed(clinic: Clinic) -> dict[str, str]:
    """As the form shows them, to be read again by `hours`."""
    parsed = hours_of(clinic)
    shown = {f"hours.{day}": ", ".join(str(span) for span in parsed.week.get(day, ())) for day in DAYS}
    return shown | {"closed_dates": "\n".join(clinic.closed_dates)}


def hours_of(clinic: Clinic) -> Hours:
    return parse_hours(clinic.opening_hours, clinic.closed_dates, zone(clinic.timezone))


def wording(typed: Mapping[str, str]) -> dict[str, Any]:
    """The words of consent by language; empty ones are the program's own."""
    given = {language: typed.get(f"wording.{language}", "").strip() for language in LANGUAGES}
    for language, words in given.items():
        if len(words) > 2000:
            raise InputError(
                "Nobody reads out so much; keep it below 2,000 characters.", field=f"wording.{language}"
            )
    return {"consent_wording": {language: words for language, words in given.items() if words}}


def price(typed: Mapping[str, str]) -> dict[str, Any]:
    """What an SMS segment costs. Empty: nobody has said, and pages show no cost."""
    written = typed.get("sms_price", "").strip().replace(",", ".")
    currency = typed.get("currency", "").strip().upper() or "USD"
    if not _CURRENCY.fullmatch(currency):
        raise InputError("Write the currency in three letters, such as USD or EUR.", field="currency")
    if not written:
        return {"sms_price": None, "currency": currency}
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", written):
        raise InputError("Write the price of one SMS part as a number, such as 0.0083.", field="sms_price")
    return {"sms_price": float(written), "currency": currency}


def page(typed: Mapping[str, str]) -> dict[str, Any]:
    """Whether planned SMS lead to the patient's own page."""
    return {"page_in_sms": typed.get("page_in_sms", "") == "1"}

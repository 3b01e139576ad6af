"""The owner's month by e-mail: to each admin on the first opening of the next one, and whenever asked for."""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from notifier import clinics, monthly, staff_mail
from notifier.config import Settings
from notifier.errors import ConflictError, InputError
from notifier.models import Clinic, Message, Staff
from notifier.monthly import Coverage, Report
from notifier.rules import months
from notifier.rules.months import Month
from notifier.rules.zones import to_instant, to_local, zone
from notifier.searching import midnight
from notifier.text_cost import money

log = logging.getLogger(__name__)

# A worker that was down for days still tells; after that the page says it all.
_LATELY = timedelta(days=10)
_NINE = time(9)  # where nobody has entered hours
_MOST_REASONS = 5


def send_due(session: Session, settings: Settings, now: datetime) -> datetime | None:
    """The chore: last month for each admin, once. Returns the next month's first opening of any clinic."""
    everywhere = clinics.all_clinics(session)
    for clinic in everywhere:
        this = _month_of(clinic, now)
        opening = first_opening(clinic, this)
        if opening <= now < opening + _LATELY and _sends_email(settings):
            _tell_admins(session, clinic, this.previous, settings.web.base_url, now)
    return min((_next_opening(clinic, now) for clinic in everywhere), default=None)


def _month_of(clinic: Clinic, now: datetime) -> Month:
    return months.of(to_local(now, zone(clinic.timezone)).date())


def first_opening(clinic: Clinic, month: Month) -> datetime:
    """Of the month, by the clinic's hours; nine on its first day where there are none, or they are broken."""
    tz = zone(clinic.timezone)
    try:
        found = clinics.hours(clinic).next_opening(midnight(month.first, tz) - timedelta(seconds=1))
    except InputError as error:
        log.warning("clinic %s: its opening hours cannot be read: %s", clinic.key, error)
        found = None
    if found is None or months.of(to_local(found, tz).date()) != month:
        return to_instant(datetime.combine(month.first, _NINE), tz)
    return found


def _next_opening(clinic: Clinic, now: datetime) -> datetime:
    this = _month_of(clinic, now)
    opening = first_opening(clinic, this)
    return opening if opening > now else first_opening(clinic, this.next)


def _sends_email(settings: Settings) -> bool:
    """Only live mode needs a mail server: what nobody could send would wait for ever."""
    return settings.delivery.mode != "live" or bool(settings.email.host)


def _tell_admins(session: Session, clinic: Clinic, month: Month, base_url: str, now: datetime) -> None:
    people = staff_mail.admins(session, clinic)
    if not people or clinic.created_at >= midnight(month.next.first, zone(clinic.timezone)):
        return
    made = monthly.report(session, clinic, month)
    if made.coverage.treatments or made.outcomes:
        for person in people:
            _write(session, clinic, person, made, base_url, key=f"monthly:{month}", now=now)


def send_now(
    session: Session, clinic: Clinic, person: Staff, month: Month, base_url: str, *, now: datetime
) -> None:
    """For who asks, whether or not it was sent before; once a minute, as one may press twice."""
    made = monthly.report(session, clinic, month)
    key = f"monthly:{month}:{now:%Y%m%d%H%M}"
    if _write(session, clinic, person, made, base_url, key=key, now=now) is None:
        raise ConflictError("It is on its way already, or this clinic has no sender for e-mail.")


def _write(
    session: Session, clinic: Clinic, person: Staff, made: Report, base_url: str, *, key: str, now: datetime
) -> Message | None:
    link = f"{base_url}/report/{made.month}" if base_url else ""
    values = words(made, clinic.language) | {"link": link}
    return staff_mail.write(session, clinic, person, "monthly", values, key=key, now=now)


def words(made: Report, language: str) -> dict[str, str]:
    """What the template says, each number as it is read; lines of a list are parted by line breaks."""
    coverage, outcomes = made.coverage, made.outcomes
    reasons = [f"{why.count}: {why.group.said(language)}" for why in coverage.uncovered[:_MOST_REASONS]]
    counts = {
        "treatments": coverage.treatments,
        "covered": coverage.covered,
        "waiting": coverage.waiting,
        "missed": coverage.missed,
        "arrived": outcomes["delivered"] + outcomes["sent"],
        "failed": outcomes["failed"],
        "skipped": outcomes["skipped"],
        "withdrawn": made.withdrawn,
        "opted_out": made.opted_out,
        "to_fix": made.to_fix,
        "parts": made.texts.sent,
    }
    told = {name: f"{count:,}" for name, count in counts.items()}
    return told | {
        "month": made.month.name(language),
        "share": share(coverage),
        "reasons": "\n".join(reasons),
        "cost": cost(made),
    }


def share(coverage: Coverage) -> str:
    return "" if coverage.share is None else f"{coverage.share:.0%}"


def cost(made: Report) -> str:
    """Empty where nobody has said what a part costs."""
    return "" if made.texts.cost is None else money(made.texts.cost, made.texts.currency)

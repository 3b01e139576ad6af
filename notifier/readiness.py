"""What stands between this installation and real patients, in sentences for the operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from notifier import clinics, plans
from notifier.config import Settings
from notifier.errors import ConfigError
from notifier.models import AlertContact, Clinic

NO_REPLIES = (
    "Replies are not received: this version sends, but reads no answers. What patients text back, a warning "
    "sign or a score too, stays in Twilio's console, and nobody here is told. Twilio itself honours STOP."
)
NO_CHANNEL = (
    "Neither SMS nor e-mail is configured, so nothing can be sent. "
    "Write the [sms] section or the [email] section of the configuration."
)


def unready(session: Session, settings: Settings) -> list[str]:
    """One sentence or more for each thing, with what to do; empty when all is ready. Whatever the mode."""
    found = list(_of_settings(settings))
    everywhere = clinics.all_clinics(session)
    if not everywhere:
        found.append("There is no clinic yet. Run: notifier init")
    for clinic in everywhere:
        option = f" --clinic {clinic.key}" if len(everywhere) > 1 else ""
        found += _drafts(session, clinic, option)
        found += _contacts(clinic, clinics.alert_contacts(session, clinic))
    return found


def require_ready(session: Session, settings: Settings) -> list[str]:
    """To be asked before anything is really sent: what is not ready, for the log. Only live mode asks.

    Raises ConfigError with all of it, unless delivery.unready says to go on.
    """
    if settings.delivery.mode != "live":
        return []
    found = unready(session, settings)
    if found and settings.delivery.unready == "refuse":
        listed = "\n".join(f"- {sentence}" for sentence in found)
        raise ConfigError(
            f'delivery.mode is "live", but patients should not be written to yet:\n{listed}\n'
            'Put these right, or take them on knowingly and go on with delivery.unready = "warn".'
        )
    return found


def _of_settings(settings: Settings) -> Iterator[str]:
    yield NO_REPLIES
    if not (settings.sms.account_sid or settings.email.host):
        yield NO_CHANNEL


def _drafts(session: Session, clinic: Clinic, option: str) -> Iterator[str]:
    keys = sorted(version.plan.key for _, version in plans.drafts(session, [clinic]))
    if keys:
        yield (
            f"Texts are drafts until a named clinician approves them; at {clinic.name} those of {_and(keys)} "
            f'are. For each that is used: notifier plan approve KEY --by "Name, licence"{option}'
        )


def _contacts(clinic: Clinic, contacts: Sequence[AlertContact]) -> Iterator[str]:
    if not contacts:
        yield (
            f"{clinic.name} has no alert contact, so there is nobody to tell about an emergency. "
            "This version takes them from alerts.contacts when notifier init sets the clinic up."
        )
    untested = [contact.name for contact in contacts if contact.tested_at is None]
    if untested:
        yield (
            f"No test alert has reached {_and(untested)} of {clinic.name}, and this version cannot send one. "
            "Make sure by other means that they can be reached."
        )


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

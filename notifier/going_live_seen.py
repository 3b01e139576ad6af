"""What the program sees of each step to real patients: in the clinic's rows and in the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import answer_texts, clinics, plans, receivers
from notifier.config import Settings
from notifier.models import AlertContact, Clinic, Membership, Staff

_SHORTEST_KEY = 32
NO_CHANNEL: Final = "Neither SMS nor e-mail is configured, so nothing can be sent."


@dataclass(frozen=True, slots=True)
class Seen:
    """`lacks`: what is missing; `has`: what is there; `unneeded`: why nobody need care here.

    `command` is for whoever sits at the server. `holds`: mode live waits for what is missing, where the step
    blocks at all. Of a step by hand, all but `unneeded` is only told.
    """

    lacks: str = ""
    has: str = ""
    unneeded: str = ""
    command: str = ""
    holds: bool = True


class Installation:
    def __init__(self, session: Session, settings: Settings, clinic: Clinic | None) -> None:
        self.session, self.settings, self._clinic = session, settings, clinic

    @property
    def clinic(self) -> Clinic:
        assert self._clinic is not None, "this step is the installation's"
        return self._clinic

    @property
    def has_sms(self) -> bool:
        return bool(self.settings.sms.account_sid)

    @property
    def has_mail(self) -> bool:
        return bool(self.settings.email.host)

    @property
    def no_sms(self) -> str:
        """Where nothing is set up yet, either may still come."""
        return "Not needed: SMS is not set up." if self.has_mail and not self.has_sms else ""

    @property
    def no_mail(self) -> str:
        return "Not needed: e-mail is not set up." if self.has_sms and not self.has_mail else ""

    @cached_property
    def contacts(self) -> list[AlertContact]:
        return clinics.alert_contacts(self.session, self.clinic)


def _numbers(it: Installation) -> Seen:
    wanted = {"its own phone number": it.clinic.phone, "the emergency number": it.clinic.emergency_number}
    missing = [words for words, number in wanted.items() if not number]
    if missing:
        return Seen(lacks=f"Not entered: {_and(missing)}.")
    return Seen(has=f"{it.clinic.phone}, and {it.clinic.emergency_number} in an emergency.")


def _hours(it: Installation) -> Seen:
    if not clinics.hours(it.clinic):
        return Seen(lacks="Nobody has entered any, so the line never knows that you are closed.")
    return Seen(has="Entered.")


def _name(it: Installation) -> Seen:
    return Seen(has=f"Every SMS begins “{it.clinic.name}:”.")


def _people(it: Installation) -> Seen:
    rows = it.session.execute(
        select(Staff.name, Staff.password_hash, Membership.role)
        .join(Membership, Membership.staff_id == Staff.id)
        .where(Membership.clinic_id == it.clinic.id, Staff.disabled_at.is_(None))
        .order_by(Staff.name)
    ).all()
    waiting = [row.name for row in rows if row.password_hash is None]
    if waiting:
        return Seen(lacks=f"Without a password: {_and(waiting)}.")
    if not rows:
        return Seen(lacks="Nobody works here yet.", command="Run: notifier user add")
    return Seen(has=f"{len(rows)} {'person has' if len(rows) == 1 else 'people have'} a password.")


def _plans(it: Installation) -> Seen:
    keys = plans.draft_keys(it.session, it.clinic)
    if keys:
        return Seen(
            lacks=f"Texts are drafts until a named clinician approves them; those of {_and(keys)} are.",
            command='For each that is used: notifier plan approve KEY --by "Name, licence"',
        )
    return Seen(has="All that are in use.")


def _answers(it: Installation) -> Seen:
    if not answer_texts.is_approved(it.clinic):
        return Seen(
            lacks="The automatic answers are drafts until a named clinician approves them.",
            command="An admin does that on the page Answers. The pages alone: notifier serve",
        )
    return Seen(has=f"By {it.clinic.reply_approval['by']}.")


def _receiving_sms(it: Installation) -> Seen:
    if it.no_sms:
        return Seen(unneeded=it.no_sms)
    why_not = receivers.is_receiving(it.session, it.settings, "sms")
    if why_not:
        return Seen(lacks=why_not, holds=not receivers.has_received(it.session, "sms"))
    return Seen(has="They do.")


def _receiving_mail(it: Installation) -> Seen:
    if it.no_mail:
        return Seen(unneeded=it.no_mail)
    why_not, reply_to = receivers.is_receiving(it.session, it.settings, "email"), it.settings.email.reply_to
    if why_not and reply_to and not it.settings.inbound_mail.host:
        return Seen(has=f"A person has to read {reply_to} every working day.")
    return Seen(lacks=why_not) if why_not else Seen(has="They do.")


def _contacts(it: Installation) -> Seen:
    if not it.contacts:
        return Seen(lacks="There is no alert contact, so there is nobody to tell about an emergency.")
    untested = [contact.name for contact in it.contacts if contact.tested_at is None]
    if untested:
        return Seen(lacks=f"No test alert was acknowledged yet by {_and(untested)}.")
    return Seen(has=f"{_and(contact.name for contact in it.contacts)}.")


def _channel(it: Installation) -> Seen:
    if not (it.has_sms or it.has_mail):
        return Seen(lacks=NO_CHANNEL)
    return Seen(has=" and ".join(name for name, is_there in _channels(it) if is_there) + ".")


def _channels(it: Installation) -> tuple[tuple[str, bool], ...]:
    return ("SMS", it.has_sms), ("E-mail", it.has_mail)


def _address(it: Installation) -> Seen:
    web = it.settings.web
    if not web.base_url.startswith("https://"):
        return Seen(lacks="web.base_url names no https address.")
    if len(web.secret_key) < _SHORTEST_KEY:
        return Seen(lacks=f"web.secret_key has fewer than {_SHORTEST_KEY} characters.")
    return Seen(has=web.base_url)


def _price(it: Installation) -> Seen:
    if it.no_sms:
        return Seen(unneeded=it.no_sms)
    price = it.clinic.sms_price
    if price is None:
        return Seen(lacks="Nobody has said what a part costs.")
    return Seen(has=f"{price:g} {it.clinic.currency} a part.")


def _mode(it: Installation) -> Seen:
    mode = it.settings.delivery.mode
    return Seen() if mode == "live" else Seen(lacks=f'delivery.mode is "{mode}".')


_ABROAD: Final = {
    "US": "In the US: HIPAA for health data, the TCPA for texts.",
    "CA": "In Canada: CASL, PIPEDA and your province's health privacy act.",
    "GB": "In the UK: the UK GDPR (health data, Article 9) and PECR.",
    "AU": "In Australia: the Spam Act and the Privacy Act; the register of sender names.",
}


def _counsel(it: Installation) -> Seen:
    other = "Ask too what your country says about health data and about messages by SMS."
    return Seen(has=_ABROAD.get(it.clinic.country, other))


def _registration(it: Installation) -> Seen:
    if it.no_sms:
        return Seen(unneeded=it.no_sms)
    if it.clinic.country not in ("US", "CA"):
        return Seen(has="Outside the US and Canada: what Twilio's SMS guidelines say for your country.")
    return Seen()


def _needs_sms(it: Installation) -> Seen:
    return Seen(unneeded=it.no_sms)


def _needs_mail(it: Installation) -> Seen:
    return Seen(unneeded=it.no_mail)


def _by_people(it: Installation) -> Seen:
    return Seen()


LOOK: Final[Mapping[str, Callable[[Installation], Seen]]] = {
    "numbers": _numbers,
    "hours": _hours,
    "name": _name,
    "people": _people,
    "plans": _plans,
    "answers": _answers,
    "translation": _by_people,
    "receiving-sms": _receiving_sms,
    "receiving-mail": _receiving_mail,
    "contacts": _contacts,
    "calls": _needs_sms,
    "channel": _channel,
    "address": _address,
    "dns": _needs_mail,
    "price": _price,
    "backup": _by_people,
    "submitted": _registration,
    "registered": _needs_sms,
    "sms-agreement": _needs_sms,
    "mail-agreement": _needs_mail,
    "counsel": _counsel,
    "mode": _mode,
}


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

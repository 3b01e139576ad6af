"""What the SMS of a plan's steps cost a month, at the volume that the clinic has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from notifier.models import Clinic, Message, Patient, PlanRow, PlanVersion
from notifier.rules.delivery import Kind, Status
from notifier.rules.plan import LANGUAGES

MONTH = timedelta(days=30)
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$", "MXN": "MX$"}
_NEVER_TRIED = (Status.SKIPPED, Status.CANCELLED, Status.SCHEDULED, Status.HELD)
_WAITING = (Status.SCHEDULED, Status.HELD)


@dataclass(frozen=True, slots=True)
class Volume:
    """SMS of one step in one language: those of the last 30 days, or, `planned`, those of the next."""

    count: int = 0
    planned: bool = False

    def words(self) -> str:
        if not self.count:
            return "No SMS of this step went out in the last 30 days, and none is planned."
        if self.planned:
            return f"{self.count:,} planned in the next 30 days"
        return f"{self.count:,} went out in the last 30 days"


Volumes = Mapping[tuple[str, str], Volume]  # by step and language


def volumes(session: Session, clinic: Clinic, plan: PlanRow, *, now: datetime, step: str = "") -> Volumes:
    """For every step of the plan that has any, or for one of them."""
    tried = Message.status.not_in([str(status) for status in _NEVER_TRIED])
    past = _counted(session, clinic, plan, step, tried, now - MONTH, now)
    waiting = Message.status.in_([str(status) for status in _WAITING])
    coming = _counted(session, clinic, plan, step, waiting, now, now + MONTH)
    planned = {place: Volume(count, planned=True) for place, count in coming.items()}
    return planned | {place: Volume(count) for place, count in past.items()}


def _counted(
    session: Session,
    clinic: Clinic,
    plan: PlanRow,
    step: str,
    which: ColumnElement[bool],
    begins: datetime,
    ends: datetime,
) -> dict[tuple[str, str], int]:
    versions = session.scalars(select(PlanVersion.id).where(PlanVersion.plan_id == plan.id)).all()
    query = (
        select(Message.step, Patient.language, func.count())
        .join(Patient, Patient.id == Message.patient_id)
        .where(Message.clinic_id == clinic.id, Message.due_at > begins, Message.due_at <= ends)
        .where(Message.channel == "sms", Message.kind == str(Kind.PLANNED), which)
        .where(Message.plan_version_id.in_(versions))
        .group_by(Message.step, Patient.language)
    )
    if step:
        query = query.where(Message.step == step)
    found: dict[tuple[str, str], int] = {}
    for key, language, count in session.execute(query):
        # Who speaks a language without texts reads English.
        place = (key or "", language if language in LANGUAGES else "en")
        found[place] = found.get(place, 0) + count
    return found


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a month. `price` is that of one part; None: nobody has said."""

    volume: Volume
    parts: int
    parts_before: int
    price: float | None
    currency: str

    @property
    def amount(self) -> float:
        return self.volume.count * self.parts * (self.price or 0.0)

    @property
    def more(self) -> float:
        return self.volume.count * (self.parts - self.parts_before) * (self.price or 0.0)

    def words(self) -> str:
        """Empty where there is nothing to reckon with."""
        if self.price is None or not self.volume.count:
            return ""
        return f"about {money(self.amount, self.currency)} a month"

    def difference(self) -> str:
        """Against the version that is current: "+1 part: about +$4.10 a month"."""
        more = self.parts - self.parts_before
        if not more or not self.parts or not self.parts_before:
            return ""
        sign = "+" if more > 0 else "−"
        words = f"{sign}{abs(more)} part{'' if abs(more) == 1 else 's'}"
        if self.price is None or not self.volume.count:
            return words
        return f"{words}: about {sign}{money(abs(self.more), self.currency)} a month"


def money(amount: float, currency: str) -> str:
    """$4.10; 4.10 CHF where the sign is not known."""
    sign = _SIGNS.get(currency)
    written = f"{amount:,.2f}"
    return f"{sign}{written}" if sign else f"{written} {currency}"

"""Whose message a text is shown as: a made-up patient's, one with long names, or that of a real treatment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from notifier import practitioners, rendering, wording
from notifier.models import Clinic, PlanRow, Treatment
from notifier.rendering import Context
from notifier.rules.plan import Plan
from notifier.rules.templating import VARIABLES
from notifier.rules.timing import say
from notifier.rules.zones import to_local, zone

MADE_UP, LONG = "made-up", "long"
_NAMES = {"en": "Alex", "es": "Ana"}
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Sample:
    key: str
    label: str


def choices(session: Session, clinic: Clinic, plan: PlanRow) -> list[Sample]:
    """Real ones are told apart by their time: a list of names would be a look at every patient in it."""
    recent = session.scalars(
        select(Treatment)
        .where(Treatment.clinic_id == clinic.id, Treatment.plan_id == plan.id, Treatment.voided_at.is_(None))
        .order_by(Treatment.id.desc())
        .limit(_RECENT)
    )
    tz = zone(clinic.timezone)
    real = [Sample(f"treatment-{row.id}", f"The real treatment of {say(row.ended_at, tz)}") for row in recent]
    return [
        Sample(MADE_UP, "A made-up patient"),
        Sample(LONG, "A made-up patient with long names"),
        *real,
    ]


def treatment_of(session: Session, clinic: Clinic, key: str) -> Treatment | None:
    """The real one that a key names; None for a made-up one, and for one that is not this clinic's."""
    number = key.removeprefix("treatment-")
    if not key.startswith("treatment-") or not number.isdecimal() or len(number) > 18:
        return None
    return session.scalar(
        select(Treatment)
        .where(Treatment.clinic_id == clinic.id, Treatment.id == int(number))
        .options(joinedload(Treatment.patient))
    )


def of_treatment(
    clinic: Clinic, treatment: Treatment, plan: Plan, language: str, *, reply_address: str = ""
) -> Context:
    tz = zone(treatment.patient.timezone or clinic.timezone)
    return wording.context_of(
        clinic, treatment.patient, treatment, plan, tz, language=language, reply_address=reply_address
    )


def made_up(
    session: Session,
    clinic: Clinic,
    plan: Plan,
    language: str,
    *,
    now: datetime,
    long: bool = False,
    reply_address: str = "",
) -> Context:
    """With the clinic's own name and numbers, as it would read for somebody treated yesterday."""
    today = to_local(now, zone(clinic.timezone)).date()
    treats = next(iter(practitioners.of_clinic(session, clinic)), None)
    first_name = VARIABLES["patient.first_name"].long if long else _NAMES.get(language, _NAMES["en"])
    practitioner = treats.name if treats is not None else "Dr Ana Ruiz"
    treated, visit = today - timedelta(days=1), today + timedelta(days=7)
    return rendering.context(
        language=language,
        clinic=wording.clinic_values(clinic) | {"reply_address": reply_address},
        patient={"first_name": first_name},
        practitioner={"name": VARIABLES["practitioner.name"].long if long else practitioner},
        treatment={
            "date": VARIABLES["treatment.date"].long if long else treated,
            "name": plan.treatment.replace("-", " "),
        },
        next_visit={
            "date": VARIABLES["next_visit.date"].long if long else visit,
            "time": VARIABLES["next_visit.time"].long if long else time(10, 30),
        },
    )


def values_of(context: Context) -> Mapping[str, str]:
    """What each variable says in this sample, empty where it has none."""
    found = {}
    for name in VARIABLES:
        group, _, word = name.partition(".")
        value = context.values[group].get(word)
        found[name] = value if isinstance(value, str) else ""
    return found

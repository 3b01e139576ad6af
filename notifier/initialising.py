"""A new installation: schema, clinic, senders, plans, first admin, alert contacts. Again, it adds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from notifier import clinics, db, plans, staff
from notifier.errors import ConfigError
from notifier.models import Clinic
from notifier.planfiles import shipped_plans


@dataclass(frozen=True, slots=True)
class Contact:
    name: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new clinic has to say about itself. Without `admin_email` nobody can sign in yet."""

    name: str
    phone: str
    timezone: str
    country: str = "US"
    language: str = "en"
    emergency_number: str = ""
    crisis_line: str = ""
    admin_email: str = ""
    admin_name: str = ""
    admin_password: str = ""
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Initialised:
    clinic: str
    is_new: bool
    plans: tuple[str, ...]  # loaded now


def initialise(engine: Engine, answers: Answers, *, now: datetime, actor: str) -> Initialised:
    """An entry point with its own transactions. Everything of a new clinic is one of them."""
    db.upgrade(engine)
    _require(answers)
    with db.transaction(engine) as session:
        for clinic in clinics.all_clinics(session):
            if clinic.name == answers.name.strip():
                return Initialised(clinic.key, False, _load_plans(session, clinic, now, actor))
        clinic = clinics.create(
            session,
            name=answers.name,
            phone=answers.phone,
            timezone=answers.timezone,
            country=answers.country,
            language=answers.language,
            emergency_number=answers.emergency_number,
            crisis_line=answers.crisis_line,
            now=now,
        )
        clinics.ensure_senders(session, clinic)
        loaded = _load_plans(session, clinic, now, actor)
        for contact in answers.contacts:
            clinics.add_alert_contact(
                session, clinic, name=contact.name, phone=contact.phone or None, email=contact.email or None
            )
        if answers.admin_email:
            staff.add(
                session,
                clinic,
                email=answers.admin_email,
                name=answers.admin_name,
                role="admin",
                password=answers.admin_password or None,
                now=now,
                actor=actor,
            )
        return Initialised(clinic.key, True, loaded)


def _require(answers: Answers) -> None:
    missing = [
        f"clinic.{name}" for name in ("name", "phone", "timezone") if not getattr(answers, name).strip()
    ]
    if missing:
        raise ConfigError(
            f"A clinic needs {', '.join(missing)}: set them in config.toml, or run notifier init "
            "on a terminal, which asks for them."
        )


def _load_plans(session: db.Session, clinic: Clinic, now: datetime, actor: str) -> tuple[str, ...]:
    """The shipped plans that the clinic does not have yet; what it has made its own is left alone."""
    known = plans.current_versions(session, clinic)
    missing = [folder for folder in shipped_plans() if folder.name not in known]
    for folder in missing:
        plans.load_folder(session, clinic, folder, now=now, actor=actor)
    return tuple(folder.name for folder in missing)

"""A new installation: schema, clinic, senders, plans, first admin, alert contacts. Again, it adds nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import clinics, db, plans, staff
from notifier.errors import ConfigError, ConflictError
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
    clinic: str  # its key
    name: str
    is_new: bool
    plans: tuple[str, ...]  # loaded now


def is_missing(engine: Engine) -> bool:
    """Whether there is no database file yet. SQLite would make one as soon as it is asked for anything."""
    if engine.url.get_backend_name() != "sqlite":
        return False
    file = engine.url.database or ""
    return bool(file) and not file.startswith((":memory:", "file:")) and not Path(file).exists()


def existing(engine: Engine) -> list[str]:
    """The names of the clinics that are set up; none where there is no database or no schema in it yet.

    Raises SchemaMismatch where there is one of another version: bringing it up is for `notifier migrate`.
    """
    if is_missing(engine) or db.revisions(engine)[0] is None:
        return []
    db.require_current_schema(engine)
    with db.reading(engine) as session:
        return [clinic.name for clinic in clinics.all_clinics(session)]


def initialise(
    engine: Engine, answers: Answers, *, now: datetime, actor: str, another: bool = False
) -> Initialised:
    """An entry point with its own transactions. Everything of a new clinic is one of them.

    `another`: a name that is not known yet means a further clinic, and not a slip of the pen.
    """
    known, name = existing(engine), answers.name.strip()
    if not known or (another and name not in known):
        _require(answers)
    _make_private(engine)
    db.upgrade(engine)
    with db.transaction(engine) as session:
        everywhere = clinics.all_clinics(session)
        for clinic in everywhere:
            if name == clinic.name or (not name and len(everywhere) == 1):
                loaded = _load_plans(session, clinic, now, actor)
                return Initialised(clinic.key, clinic.name, False, loaded)
        if everywhere and not another:
            raise ConflictError(_already(everywhere, name))
        clinic = open_clinic(session, answers, now=now, actor=actor)
        return Initialised(clinic.key, clinic.name, True, tuple(plans.current_versions(session, clinic)))


def _make_private(engine: Engine) -> None:
    """A new SQLite file holds patients' data: only its owner may read it."""
    if is_missing(engine):
        with suppress(OSError):
            os.close(os.open(engine.url.database or "", os.O_WRONLY | os.O_CREAT, 0o600))


def _already(everywhere: Sequence[Clinic], name: str) -> str:
    there = ", ".join(clinic.name for clinic in everywhere)
    if not name:
        return f"There are several clinics here already ({there}); name one in clinic.name or with --name."
    return f"{there} is set up here already. To add {name} as a further clinic, run it again with --another."


def open_clinic(session: Session, answers: Answers, *, now: datetime, actor: str) -> Clinic:
    """With its senders, contacts, first admin and the shipped plans, in the caller's transaction."""
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
    _load_plans(session, clinic, now, actor)
    return clinic


def _require(answers: Answers) -> None:
    missing = [
        f"clinic.{name}" for name in ("name", "phone", "timezone") if not getattr(answers, name).strip()
    ]
    if missing:
        raise ConfigError(
            f"A clinic needs {', '.join(missing)}: set them in config.toml, or run notifier init "
            "on a terminal, which asks for them."
        )


def _load_plans(session: Session, clinic: Clinic, now: datetime, actor: str) -> tuple[str, ...]:
    """The shipped plans that the clinic does not have yet; what it has made its own is left alone."""
    known = plans.current_versions(session, clinic)
    missing = [folder for folder in shipped_plans() if folder.name not in known]
    for folder in missing:
        plans.load_folder(session, clinic, folder, now=now, actor=actor)
    return tuple(folder.name for folder in missing)

"""E-mails to staff: rows like all messages, in words from `templates/staff`, with no patient in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import clinics, reach, staff
from notifier.db import wake_workers
from notifier.models import Clinic, Message, Staff
from notifier.resources import templates_dir
from notifier.rules import light_markdown
from notifier.rules.delivery import Kind, Priority, Status
from notifier.rules.plan import LANGUAGES


def admins(session: Session, clinic: Clinic) -> list[Staff]:
    """Those who may sign in."""
    return [
        person
        for person, role in staff.of_clinic(session, clinic)
        if role == "admin" and person.disabled_at is None
    ]


def write(
    session: Session,
    clinic: Clinic,
    person: Staff,
    template: str,
    values: Mapping[str, str],
    *,
    key: str,
    now: datetime,
    useful_until: datetime | None = None,
) -> Message | None:
    """One e-mail, due now; `key` makes it one of its kind: `alert:<key>:<person>:email`.

    None where it was written already, or the clinic sends no e-mail.
    """
    sender = next((row for row in clinics.active_senders(session, clinic) if row.channel == "email"), None)
    dedup_key = f"alert:{key}:{person.id}:email"
    if sender is None or _is_written(session, clinic, dedup_key):
        return None
    subject, words = render(template, clinic.language, {"clinic": clinic.name, "name": person.name, **values})
    place = (clinic.id, "email", person.email)
    message = Message(
        clinic_id=clinic.id,
        kind=str(Kind.ALERT),
        dedup_key=dedup_key,
        sender_id=sender.id,
        priority=Priority.ANSWER,
        status=str(Status.SCHEDULED),
        channel="email",
        to=person.email,
        address_id=reach.addresses_of(session, {place})[place].id,
        due_at=now,
        useful_until=useful_until,
        subject=subject,
        words=words,
        attempts=0,
        created_at=now,
    )
    session.add(message)
    session.flush()
    wake_workers(session)
    return message


def _is_written(session: Session, clinic: Clinic, dedup_key: str) -> bool:
    query = select(Message.id).where(Message.clinic_id == clinic.id, Message.dedup_key == dedup_key)
    return session.scalar(query) is not None


def render(template: str, language: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Subject, and the body in light Markdown. Our own templates, so that a missing value is our mistake."""
    chosen = language[:2] if language[:2] in LANGUAGES else "en"
    subject, body = (
        _block(_environment(markdown), f"{template}.{chosen}.j2", name, values)
        for name, markdown in (("subject", False), ("email", True))
    )
    return " ".join(subject.split()), body.strip()


def render_sms(template: str, language: str, values: Mapping[str, str]) -> str:
    chosen = language[:2] if language[:2] in LANGUAGES else "en"
    return " ".join(_block(_environment(False), f"{template}.{chosen}.j2", "sms", values).split())


def what(language: str, values: Mapping[str, str]) -> str:
    """What an alert is about, in a sentence or two that say nothing about anybody."""
    chosen = language[:2] if language[:2] in LANGUAGES else "en"
    template = _environment(False).get_template(f"alert-what.{chosen}.j2")
    return " ".join(template.render(values).split())


def _block(environment: Environment, file: str, name: str, values: Mapping[str, str]) -> str:
    template = environment.get_template(file)
    return "".join(template.blocks[name](template.new_context(dict(values))))


@cache
def _environment(markdown: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(templates_dir() / "staff"),
        undefined=StrictUndefined,
        autoescape=False,  # the body is Markdown, and what it is made into is escaped there
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=light_markdown.escape if markdown else None,
    )

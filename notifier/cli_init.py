"""`notifier init`: asks on a terminal, takes the configuration's word elsewhere, and never asks twice."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import ConfigOption, JsonOption, actor, command, say
from notifier.cli_output import echo_json
from notifier.errors import InputError

if TYPE_CHECKING:
    from notifier.config import Settings
    from notifier.initialising import Answers, Contact

_SENDERS = """\
# Written by notifier init. Every other setting, with its default, is in config.example.toml.

[delivery]
mode = "outbox"  # nothing reaches anyone; then "allowlist" for your own phones, and "live" for patients
allowlist = []
"""


@command
def init(
    config: ConfigOption = None,
    name: Annotated[str, typer.Option(help="The clinic's name, as patients read it.")] = "",
    phone: Annotated[str, typer.Option(help="The number that patients call.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as America/New_York.")] = "",
    admin_email: Annotated[str, typer.Option(help="The first person who may sign in.")] = "",
    admin_name: Annotated[str, typer.Option(help="Their name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Set up the database, the clinic, its plans, the first admin, the sender and an alert contact."""
    from datetime import UTC, datetime

    from notifier import config as configuration
    from notifier import db
    from notifier.initialising import initialise

    asks = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if asks:
        _ask_for_senders(config)
    settings = configuration.load(config)
    answers = _answers(settings, name, phone, timezone, admin_email, admin_name, asks)
    engine = db.open_engine(settings.database.url)
    done = initialise(engine, answers, now=datetime.now(UTC), actor=actor())
    engine.dispose()
    if as_json:
        echo_json(done)
        return
    say(f"{answers.name} is set up." if done.is_new else f"{answers.name} was there already.")
    if done.plans:
        say(f"Plans loaded: {', '.join(done.plans)}. Their texts are drafts until a named clinician approves")
        say('them: notifier plan approve KEY --by "Name, licence".')
    say(f"Messages go to: {settings.delivery.mode}. Next: notifier doctor")


def _answers(
    settings: Settings,
    name: str,
    phone: str,
    timezone: str,
    admin_email: str,
    admin_name: str,
    asks: bool,
) -> Answers:
    from notifier.initialising import Answers, Contact

    said = settings.clinic
    name, phone, timezone = name or said.name, phone or said.phone, timezone or said.timezone
    password = ""
    contacts = tuple(Contact(c.name, c.phone, c.email) for c in settings.alerts.contacts)
    if asks:
        name = name or _ask("The clinic's name, as patients read it")
        phone = phone or _ask("The number that patients call")
        timezone = _ask_zone(timezone)
        admin_email = admin_email or _ask("E-mail of the first admin", optional=True)
        if admin_email:
            admin_name = admin_name or _ask("Their name")
            password = _ask_password()
        contacts = contacts or _ask_contact()
    return Answers(
        name=name,
        phone=phone,
        timezone=timezone,
        country=said.country,
        language=said.language,
        emergency_number=said.emergency_number,
        crisis_line=said.crisis_line,
        admin_email=admin_email,
        admin_name=admin_name,
        admin_password=password,
        contacts=contacts,
    )


def _ask(question: str, *, optional: bool = False) -> str:
    hint = " (empty: later)" if optional else ""
    answer: str = typer.prompt(question + hint, default="" if optional else None, show_default=False)
    return answer.strip()


def _ask_zone(given: str) -> str:
    from notifier.rules.zones import zone

    while True:
        name = given or _ask("Time zone, such as America/New_York")
        try:
            zone(name)
        except InputError as error:
            say(str(error))
            given = ""
        else:
            return name


def _ask_password() -> str:
    from notifier.staff import SHORTEST_PASSWORD

    while True:
        password: str = typer.prompt(
            f"Their password ({SHORTEST_PASSWORD} characters or more)",
            hide_input=True,
            confirmation_prompt=True,
        )
        if len(password) >= SHORTEST_PASSWORD:
            return password
        say("That is too short.")


def _ask_contact() -> tuple[Contact, ...]:
    from notifier.initialising import Contact

    say("Who is to hear of an emergency reply at once?")
    name = _ask("Name of the alert contact", optional=True)
    if not name:
        return ()
    return (Contact(name, _ask("Their mobile phone", optional=True), _ask("Their e-mail", optional=True)),)


def _ask_for_senders(config: Path | None) -> None:
    """Write a first config.toml, where there is none: secrets belong there, never into the database."""
    path = config or Path(os.environ.get("NOTIFIER_CONFIG") or "config.toml")
    if path.exists():
        return
    say(f"There is no {path} yet; it will hold the senders. Everything may be filled in later.")
    parts = [_SENDERS]
    if sid := _ask("Twilio account SID for SMS", optional=True):
        token = typer.prompt("Twilio auth token", hide_input=True)
        number = _ask("The number to send from, such as +15551234567")
        parts.append(_section("sms", account_sid=sid, auth_token=token, from_number=number))
    if host := _ask("SMTP host for e-mail", optional=True):
        user = _ask("User name there")
        password = typer.prompt("Password there", hide_input=True)
        sender = _ask("The address to send from")
        parts.append(_section("email", host=host, username=user, password=password, from_address=sender))
    # Only its owner may read it: it holds secrets.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(parts))


def _section(name: str, **values: str) -> str:
    # A JSON string is a TOML string too, whatever a password holds.
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())

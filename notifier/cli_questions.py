"""What `notifier init` and others ask a person at a terminal: again where the answer cannot be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from notifier.cli_context import say
from notifier.errors import InputError

if TYPE_CHECKING:
    from notifier.initialising import Answers, Contact

_HEAD = """\
# Written by notifier init. Every other setting, with its default, is in config.example.toml.

[delivery]
mode = "outbox"  # nothing reaches anyone; then "allowlist" for your own phones, and "live" for patients
allowlist = []
"""

Check = Callable[[str], str]


def ask(question: str, *, default: str = "", optional: bool = False, check: Check = str.strip) -> str:
    """Asked until `check` takes it; it returns the answer in its usual form, or raises InputError."""
    while True:
        answer: str = typer.prompt(
            f"{question} (empty: later)" if optional else question,
            default=default if default or optional else None,
            show_default=bool(default),
        )
        if optional and not answer.strip():
            return ""
        try:
            if checked := check(answer.strip()):
                return checked
        except InputError as error:
            say(str(error))


def ask_password() -> str:
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


def _as_setting(kind: Any) -> Check:
    """What the configuration would say to it."""

    def check(answer: str) -> str:
        from pydantic import TypeAdapter, ValidationError

        try:
            return str(TypeAdapter(kind).validate_python(answer))
        except ValidationError as refused:
            context = refused.errors()[0].get("ctx", {})
            raise InputError(f'"{answer}" {context.get("error", "is not possible.")}') from None

    return check


def ask_for_clinic(said: Answers) -> Answers:
    """What was not said by options or the configuration. Country and emergency numbers are always shown."""
    from notifier.config_values import Country, TimeZone
    from notifier.rules import recipients
    from notifier.rules.plan import LANGUAGES

    name = said.name or ask("The clinic's name, as patients read it")
    phone = said.phone or ask("The number that patients call")
    timezone = _zone(said.timezone, _as_setting(TimeZone))
    country = ask("Its country, in two letters", default=said.country, check=_as_setting(Country))
    emergency = ask("The number patients call in an emergency", default=said.emergency_number)
    crisis = ask("The number patients call in a mental-health crisis", default=said.crisis_line)
    language = ask(
        f"The language of patients who named none ({' or '.join(LANGUAGES)})",
        default=said.language,
        check=_one_of(LANGUAGES),
    )
    email = said.admin_email or ask("E-mail of the first admin", optional=True, check=recipients.email)
    admin, password = said.admin_name, ""
    if email:
        admin = admin or ask("Their name")
        password = ask_password()
    return replace(
        said,
        name=name,
        phone=phone,
        timezone=timezone,
        country=country,
        language=language,
        emergency_number=emergency,
        crisis_line=crisis,
        admin_email=email,
        admin_name=admin,
        admin_password=password,
        contacts=said.contacts or _ask_for_contact(country),
    )


def _zone(said: str, check: Check) -> str:
    if said:
        try:
            return check(said)
        except InputError as error:
            say(str(error))
    return ask("Its time zone, such as America/New_York", check=check)


def _one_of(choices: tuple[str, ...]) -> Check:
    def check(answer: str) -> str:
        if answer not in choices:
            raise InputError(f'"{answer}" is not possible; write {" or ".join(choices)}.')
        return answer

    return check


def _ask_for_contact(country: str) -> tuple[Contact, ...]:
    from notifier.initialising import Contact
    from notifier.rules import recipients

    say("Who is to hear of an emergency reply at once?")
    name = ask("Name of the alert contact", optional=True)
    while name:
        phone = ask(
            "Their mobile phone", optional=True, check=lambda typed: recipients.phone(typed, region=country)
        )
        email = ask("Their e-mail", optional=True, check=recipients.email)
        if phone or email:
            return (Contact(name, phone, email),)
        say("One of the two is needed, else nobody could reach them.")
    return ()


def ask_for_senders(config: Path | None) -> None:
    """Write a first config.toml, where there is none: secrets belong there, never into the database."""
    path = config or Path(os.environ.get("NOTIFIER_CONFIG") or "config.toml")
    if path.exists():
        return
    if not path.absolute().parent.is_dir():
        raise InputError(f"There is no folder {path.absolute().parent}; make it first, or correct --config.")
    say(f"There is no {path} yet; it will hold what sends the messages. All of it can be filled in later.")
    parts = [_HEAD, *_ask_for_sms(), *_ask_for_email()]
    # Only its owner may read it: it holds secrets.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(parts))
    say(f"Written: {path}")


def _ask_for_sms() -> list[str]:
    from notifier.config_values import SenderNumber

    sid = ask("Twilio Account SID for SMS", optional=True, check=_account_sid)
    if not sid:
        return []
    token = typer.prompt("Twilio Auth Token", hide_input=True)
    number = ask("The number to send from, such as +15551234567", check=_as_setting(SenderNumber))
    return [_section("sms", account_sid=sid, auth_token=token, from_number=number)]


def _account_sid(answer: str) -> str:
    if not answer.startswith("AC"):
        raise InputError('An Account SID begins with "AC"; copy it from the Twilio console.')
    return answer


def _ask_for_email() -> list[str]:
    from notifier.config_values import Mail

    host = ask("SMTP host for e-mail", optional=True)
    if not host:
        return []
    user = ask("User name there")
    password = typer.prompt("Password there", hide_input=True)
    sender = ask("The address to send from", check=_as_setting(Mail))
    return [_section("email", host=host, username=user, password=password, from_address=sender)]


def _section(name: str, **values: str) -> str:
    # A JSON string is a TOML string too, whatever a password holds.
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())

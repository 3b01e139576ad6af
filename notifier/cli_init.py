"""`notifier init`: asks on a terminal, takes the configuration's word elsewhere, and never asks twice."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import ConfigOption, JsonOption, actor, command, say
from notifier.cli_output import echo_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from notifier.config import Settings
    from notifier.initialising import Answers, Initialised


@command
def init(
    config: ConfigOption = None,
    name: Annotated[str, typer.Option(help="The clinic's name, as patients read it.")] = "",
    phone: Annotated[str, typer.Option(help="The number that patients call.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as America/New_York.")] = "",
    admin_email: Annotated[str, typer.Option(help="The first person who may sign in.")] = "",
    admin_name: Annotated[str, typer.Option(help="Their name.")] = "",
    another: Annotated[
        bool, typer.Option("--another", help="Add a clinic to one that is there already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Set up the database, the clinic, its plans, the first admin, the sender and an alert contact."""
    from datetime import UTC, datetime

    from notifier import config as configuration
    from notifier import db
    from notifier.cli_questions import ask_for_clinic, ask_for_senders
    from notifier.initialising import initialise

    asks = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if asks:
        ask_for_senders(config)
    settings = configuration.load(config)
    answers = _answers(settings, name, phone, timezone, admin_email, admin_name)
    engine = db.open_engine(settings.database.url)
    try:
        if asks and not _is_there(engine, answers.name, another):
            answers = ask_for_clinic(answers)
        done = initialise(engine, answers, now=datetime.now(UTC), actor=actor(), another=another)
        if asks and done.is_new and answers.contacts:
            _offer_test(engine, done.clinic)
    finally:
        engine.dispose()
    if as_json:
        echo_json(done)
    else:
        _tell(done, answers, settings)


def _offer_test(engine: Engine, clinic: str) -> None:
    """An alert contact who was never reached is a name on paper."""
    from notifier import clinics, db
    from notifier.cli_alerts import send
    from notifier.clock import clock_for

    if typer.confirm("Send each alert contact a test alert, as soon as the program runs?", default=True):
        with db.transaction(engine) as session:
            send(session, clinics.only(session, clinic), "", clock_for(engine).now())


def _is_there(engine: Engine, name: str, another: bool) -> bool:
    """Whether there is nothing to ask about, because the clinic has been set up before."""
    from notifier.initialising import existing

    known = existing(engine)
    return bool(known) and not (another and name not in known)


def _answers(
    settings: Settings, name: str, phone: str, timezone: str, admin_email: str, admin_name: str
) -> Answers:
    """What the options say, else the configuration."""
    from notifier.initialising import Answers, Contact

    said = settings.clinic
    return Answers(
        name=name or said.name,
        phone=phone or said.phone,
        timezone=timezone or said.timezone,
        country=said.country,
        language=said.language,
        emergency_number=said.emergency_number,
        crisis_line=said.crisis_line,
        admin_email=admin_email,
        admin_name=admin_name,
        contacts=tuple(Contact(c.name, c.phone, c.email) for c in settings.alerts.contacts),
    )


def _tell(done: Initialised, answers: Answers, settings: Settings) -> None:
    if not done.is_new:
        say(f"{done.name} was there already; nothing of it was changed.")
    else:
        say(f"{done.name} is set up. It is {done.clinic} for --clinic, where there are several.")
        emergency, crisis = answers.emergency_number, answers.crisis_line
        say(f"Patients are told to call {emergency} in an emergency and {crisis} in a crisis.")
    if done.plans:
        say(f"Plans loaded: {', '.join(done.plans)}. Their texts are drafts until a named clinician approves")
        say('them: notifier plan approve KEY --by "Name, licence".')
    reaches = {
        "outbox": "Messages stay in the outbox and reach nobody",
        "allowlist": "Messages reach only the addresses in delivery.allowlist",
        "live": "Messages reach patients",
    }[settings.delivery.mode]
    say(f'{reaches}: delivery.mode is "{settings.delivery.mode}". Next: notifier doctor')

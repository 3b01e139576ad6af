"""`notifier user`: who may sign in once the pages are there."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from notifier.cli_context import (
    ClinicOption,
    ConfigOption,
    JsonOption,
    actor,
    clinic_of,
    command,
    open_app,
    say,
)
from notifier.cli_output import echo_json, table

user_app = typer.Typer(no_args_is_help=True, help="Staff: who may sign in.")


@user_app.command("add")
@command
def add(
    email: Annotated[str, typer.Argument(metavar="E-MAIL")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="front_desk or admin.")] = "front_desk",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """Add a person. On a terminal their password is asked for; elsewhere they choose it later."""
    from notifier import db, staff

    password = None
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    with open_app(config) as app, db.transaction(app.engine) as session:
        at = clinic_of(session, clinic)
        person = staff.add(
            session,
            at,
            email=email,
            name=name,
            role=role,
            password=password,
            now=app.clock.now(),
            actor=actor(),
        )
        say(f"{person.name} <{person.email}> is on the staff of {at.name} as {role}.")


@user_app.command("list")
@command
def list_users(config: ConfigOption = None, clinic: ClinicOption = None, as_json: JsonOption = False) -> None:
    """Everybody on the staff."""
    from notifier import db, staff

    with open_app(config) as app, db.reading(app.engine) as session:
        rows = [
            {
                "email": person.email,
                "name": person.name,
                "role": role,
                "may_sign_in": person.disabled_at is None and person.password_hash is not None,
            }
            for person, role in staff.of_clinic(session, clinic_of(session, clinic))
        ]
    if as_json:
        echo_json(rows)
    elif rows:
        table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        say("Nobody yet. Add the first one: notifier user add E-MAIL --name NAME --role admin")


@user_app.command("disable")
@command
def disable(
    email: Annotated[str, typer.Argument(metavar="E-MAIL")],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """Stop a person from signing in."""
    from notifier import db, staff

    with open_app(config) as app, db.transaction(app.engine) as session:
        person = staff.disable(session, clinic_of(session, clinic), email, now=app.clock.now(), actor=actor())
        say(f"{person.email} can no longer sign in.")

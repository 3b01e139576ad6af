"""`notifier user`: who may sign in, and the link by which they choose a password."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from notifier.cli_context import (
    ClinicOption,
    ConfigOption,
    JsonOption,
    actor,
    change,
    clinic_of,
    command,
    one_of,
    open_app,
    say,
)
from notifier.cli_output import echo_json, table
from notifier.cli_questions import ask_password
from notifier.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from notifier.cli_context import App
    from notifier.config import WebSettings
    from notifier.models import Staff

user_app = typer.Typer(no_args_is_help=True, help="Staff: who may sign in.")

EmailArgument = Annotated[str, typer.Argument(metavar="E-MAIL")]


@user_app.command("add")
@command
def add(
    email: EmailArgument,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(metavar="front_desk|admin", help="What they may do.")] = "front_desk",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person. On a terminal their password is asked for; elsewhere they have none yet."""
    from notifier import staff

    one_of(role, staff.ROLES, "role")
    with open_app(config) as app:

        def work(session: Session) -> tuple[dict[str, Any], str]:
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
            return _row(person, role), at.name

        password = _password(app, clinic, email, as_json)
        row, where = change(app, work)
    if as_json:
        echo_json(row)
        return
    say(f"{row['name']} <{row['email']}> is on the staff of {where} as {row['role']}.")
    if not row["may_sign_in"]:
        say(f"They have no password yet. For a link to choose one: notifier user link {row['email']}")


def _password(app: App, clinic: str | None, email: str, as_json: bool) -> str | None:
    """Asked for where there is a person to ask, and only when it will be used."""
    from notifier import db, staff

    with db.reading(app.engine) as session:
        known = staff.require_new(session, clinic_of(session, clinic), email)
    if known is not None or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return ask_password()


def _row(person: Staff, role: str) -> dict[str, Any]:
    return {
        "email": person.email,
        "name": person.name,
        "role": role,
        "may_sign_in": person.disabled_at is None and person.password_hash is not None,
    }


@user_app.command("list")
@command
def list_users(config: ConfigOption = None, clinic: ClinicOption = None, as_json: JsonOption = False) -> None:
    """Everybody on the staff."""
    from notifier import db, staff

    with open_app(config) as app, db.reading(app.engine) as session:
        people = staff.of_clinic(session, clinic_of(session, clinic))
        rows = [_row(person, role) for person, role in people]
    if as_json:
        echo_json(rows)
    elif rows:
        shown = [[*list(row.values())[:3], "yes" if row["may_sign_in"] else "no"] for row in rows]
        table(["e-mail", "name", "role", "may sign in"], shown)
    else:
        say("Nobody yet. Add the first one: notifier user add E-MAIL --name NAME --role admin")


@user_app.command("disable")
@command
def disable(
    email: EmailArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a person from signing in, at every clinic."""
    row = _switch("disable", email, config, clinic)
    if as_json:
        echo_json(row)
    else:
        say(f"{row['email']} can no longer sign in.")


@user_app.command("enable")
@command
def enable(
    email: EmailArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo disable: the person may sign in again."""
    row = _switch("enable", email, config, clinic)
    if as_json:
        echo_json(row)
    else:
        say(f"{row['email']} is enabled again.")


@user_app.command("link")
@command
def link(
    email: EmailArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """A link for a person to choose a new password. An earlier one is no longer valid."""
    with open_app(config) as app:
        row = change(app, lambda session: _invitation(session, app, clinic, email))
    if as_json:
        echo_json(row)
        return
    say(f"With this link {row['name']} chooses a password, once, within {row['days']} days:")
    say(f"\n    {row['link']}\n")
    say("Whoever has it can do so: hand it to nobody else.")


def _invitation(session: Session, app: App, clinic: str | None, email: str) -> dict[str, Any]:
    from notifier import audit, staff, staff_links

    at = clinic_of(session, clinic)
    person = staff.find(session, at, email)
    if person.disabled_at is not None:
        raise ConflictError(f"{person.email} is disabled. First: notifier user enable {person.email}")
    secret = staff_links.create(session, at, person, staff_links.INVITATION, actor=actor())
    audit.note(
        session,
        clinic_id=at.id,
        at=app.clock.now(),
        actor=actor(),
        action="staff.invited",
        subject="staff",
        subject_id=person.id,
    )
    return {
        "email": person.email,
        "name": person.name,
        "link": f"{_address_of_pages(app.settings.web)}/link/{secret}",
        "days": staff_links.LASTS[staff_links.INVITATION].days,
    }


def _address_of_pages(web: WebSettings) -> str:
    """Where browsers reach them; without `web.base_url`, those on this machine."""
    everywhere = web.host in ("0.0.0.0", "::", "")
    host = "localhost" if everywhere else f"[{web.host}]" if ":" in web.host else web.host
    return web.base_url.rstrip("/") or f"http://{host}:{web.port}"


def _switch(
    how: Literal["disable", "enable"], email: str, config: Path | None, clinic: str | None
) -> dict[str, Any]:
    from notifier import staff

    with open_app(config) as app:

        def work(session: Session) -> dict[str, Any]:
            at, act = clinic_of(session, clinic), staff.disable if how == "disable" else staff.enable
            person = act(session, at, email, now=app.clock.now(), actor=actor())
            return _row(person, next(m.role for m in person.memberships if m.clinic_id == at.id))

        return change(app, work)

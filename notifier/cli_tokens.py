"""`notifier token`: let another program in by the API, see which may, and shut one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from notifier.models import ApiToken

token_app = typer.Typer(no_args_is_help=True, help="API tokens: which other programs may come in.")


@token_app.command("create")
@command
def create(
    name: Annotated[str, typer.Argument(help="The program that will use it; it stands in the audit trail.")],
    scope: Annotated[
        str, typer.Option(metavar="read|write", help="What it may do; write includes read.")
    ] = "read",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for a clinic. Its secret is shown now and never again."""
    from notifier import api_tokens

    one_of(scope, api_tokens.SCOPES, "scope")
    with open_app(config) as app:

        def work(session: Session) -> tuple[dict[str, Any], str]:
            at = clinic_of(session, clinic)
            created = api_tokens.create(
                session, at, name=name, scope=scope, now=app.clock.now(), actor=actor()
            )
            return _row(created.token) | {"secret": created.secret}, at.name

        row, where = change(app, work)
    if as_json:
        echo_json(row)
        return
    say(f'Token {row["id"]}, "{row["name"]}", may {_may(row)} at {where}. Its secret, shown only now:')
    say(f"\n    {row['secret']}\n")
    say("The program sends it with every request: Authorization: Bearer SECRET")


@token_app.command("list")
@command
def list_tokens(
    config: ConfigOption = None, clinic: ClinicOption = None, as_json: JsonOption = False
) -> None:
    """The clinic's tokens, in use or revoked."""
    from notifier import api_tokens, db

    with open_app(config) as app, db.reading(app.engine) as session:
        rows = [_row(token) for token in api_tokens.listing(session, clinic_of(session, clinic))]
    if as_json:
        echo_json(rows)
    elif rows:
        table(
            ["id", "name", "may", "ends in", "created", "last used", "revoked"],
            [
                [row["id"], row["name"], _may(row), row["hint"]]
                + [f"{row[when]:%Y-%m-%d}" if row[when] else "" for when in _TIMES]
                for row in rows
            ],
        )
    else:
        say("No other program may come in yet. Make a token: notifier token create NAME --scope write")


@token_app.command("revoke")
@command
def revoke(
    token: Annotated[int, typer.Argument(metavar="TOKEN", help="The number that list shows.")],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shut a program out, for good: its next request is refused."""
    from notifier import api_tokens

    with open_app(config) as app:

        def work(session: Session) -> dict[str, Any]:
            at = clinic_of(session, clinic)
            return _row(api_tokens.revoke(session, at, token, now=app.clock.now(), actor=actor()))

        row = change(app, work)
    if as_json:
        echo_json(row)
    else:
        say(f'Token {row["id"]}, "{row["name"]}", is revoked. Whoever still uses it is refused from now on.')


_TIMES = ("created_at", "last_used_at", "revoked_at")


def _row(token: ApiToken) -> dict[str, Any]:
    names = ("id", "name", "scope", "hint", "created_by", *_TIMES)
    return {name: getattr(token, name) for name in names}


def _may(row: dict[str, Any]) -> str:
    return "read and write" if row["scope"] == "write" else "read"

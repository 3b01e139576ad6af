"""The command line: every command by name. What they do is in the `cli_*` modules beside this one."""

from __future__ import annotations

from typing import Annotated

import typer

from notifier.cli_alerts import alert_test
from notifier.cli_backup import backup, release, restore
from notifier.cli_bounce import bounce
from notifier.cli_context import App, ConfigOption, JsonOption, command, open_app, say
from notifier.cli_desk import import_treatments, log_treatment
from notifier.cli_doctor import doctor
from notifier.cli_init import init
from notifier.cli_messages import list_messages
from notifier.cli_output import echo_json, table
from notifier.cli_patient_data import erase_patient, export_patient
from notifier.cli_patients import patient_app
from notifier.cli_plans import plan_app
from notifier.cli_staff import user_app
from notifier.cli_tokens import token_app
from notifier.cli_treatments import treatment_app
from notifier.cli_web import run, serve
from notifier.cli_worker import send_test, worker

app = typer.Typer(
    name="notifier",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The right aftercare words at the right hour, by SMS or e-mail, after a treatment at your clinic.",
)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        from importlib.metadata import version as installed

        say(installed("aftercare-notifier"))
        raise typer.Exit


@command
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the week at once, and end.")] = False,
    folder: Annotated[str, typer.Option(help="Where to keep the demo; else a temporary folder.")] = "",
) -> None:
    """A week of aftercare at a demo clinic, in fast time, with its pages. Nothing reaches anyone.

    On a terminal the pages stay open until Ctrl-C.
    """
    import sys
    from pathlib import Path

    from notifier.demo import play, stay

    to_end = once or not sys.stdout.isatty()
    (play if to_end else stay)(Path(folder) if folder else None, say=say, table=table)


@command
def migrate(
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="On SQLite: you have one, or there is no room for one.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database up to this version of the program. On SQLite it makes a backup first."""
    from notifier import db

    kept = ""
    with open_app(config, need_schema=False) as opened:
        before, needed = db.revisions(opened.engine)
        if before != needed:
            kept = "" if no_backup else _back_up(opened, before)
            _upgrade(opened)
    if as_json:
        echo_json({"before": before, "after": needed, "backup": kept})
    elif before == needed:
        say("The database is up to date.")
    else:
        say(f"The database was brought from {before or 'nothing'} to {needed}.")


def _back_up(opened: App, before: str | None) -> str:
    """Said before anything is changed, for whoever has to go back. Empty where there is nothing to keep."""
    from notifier import backup as backups
    from notifier import db

    if opened.engine.dialect.name != "sqlite" or before is None or not db.knows(before):
        return ""
    made = backups.make(opened.engine)
    say(f"A backup was made first: {made.file}", err=True)
    return str(made.file)


def _upgrade(opened: App) -> None:
    from alembic.util import CommandError

    from notifier import db

    try:
        db.upgrade(opened.engine)
    except CommandError:
        # It has a revision that this program does not know.
        db.require_current_schema(opened.engine)
        raise


app.command("init")(init)
app.command("demo")(demo)
app.command("run")(run)
app.command("serve")(serve)
app.command("worker")(worker)
app.command("log")(log_treatment)
app.command("import")(import_treatments)
app.add_typer(plan_app, name="plan")
app.add_typer(treatment_app, name="treatment")
app.add_typer(patient_app, name="patient")
app.command("export-patient")(export_patient)
app.command("erase-patient")(erase_patient)
app.command("messages")(list_messages)
app.command("send-test")(send_test)
app.command("bounce")(bounce)
app.command("alert-test")(alert_test)
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")
app.command("doctor")(doctor)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("release")(release)
app.command("migrate")(migrate)


def main() -> None:
    app()

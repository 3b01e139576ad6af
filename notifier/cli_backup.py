"""Keeping the database and bringing it back: backup, restore, and letting senders go on afterwards."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from notifier.cli_output import bar, echo_json
from notifier.cli_patients import ChannelArgument
from notifier.errors import InputError
from notifier.rules.plan import CHANNELS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@command
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A new file, or a folder; else the folder backups beside the database."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, metavar="N", help="Remove older backups there, and keep N."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a backup of the database. Everything may go on running meanwhile."""
    from notifier import backup as backups

    with open_app(config) as app, bar("Backing up") as tell:
        made = backups.make(app.engine, file, keep=keep, tell=tell)
    if as_json:
        about = {"made_at": made.about.made_at, "revision": made.about.revision}
        echo_json({"file": made.file, **about, "bytes": made.size, "removed": made.removed})
        return
    say(f"{made.file} holds everything until {made.about.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    if made.removed:
        say(f"Removed {len(made.removed)} older.")


@command
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where a database is in use: it is moved aside.")
    ] = False,
    made_at: Annotated[
        str,
        typer.Option(
            "--made-at",
            metavar="TIME",
            help="When it was made, for a copy of the SQLite file that was not made by notifier backup.",
        ),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back, and make sure that nothing is sent twice. Stop everything else first."""
    from notifier import backup_restoring

    moment = _moment(made_at)
    with open_app(config, need_schema=False) as app, bar("Restoring") as tell:
        done = backup_restoring.restore(
            app.engine,
            app.clock,
            app.settings,
            file,
            made_at=moment,
            replace=yes,
            tell=tell,
            actor=actor(),
        )
    if as_json:
        about = {"made_at": done.about.made_at, "revision": done.about.revision}
        echo_json(
            {**about, "aside": done.aside, "in_doubt": done.safe.doubtful, "waiting": done.safe.waiting}
        )
        return
    say(
        f"Restored as of {done.about.made_at:%Y-%m-%d %H:%M:%S} UTC. What came later has to be entered again."
    )
    if done.aside:
        say(f"What was there is kept as {done.aside}.")
    if done.safe.doubtful:
        say(
            f"{done.safe.doubtful} messages may have been sent since; a worker finds out before it sends any."
        )
    for sentence in done.safe.waiting:
        say(sentence)


def _moment(typed: str) -> datetime | None:
    if not typed:
        return None
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError('Write --made-at with its zone, such as "2026-03-05T02:00Z".', field="made_at")
    return moment


@command
def release(
    channel: ChannelArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """After a restore: let a channel send again whose replies since the backup cannot be fetched."""
    from notifier import clinics, restored
    from notifier.errors import NotFoundError

    one_of(channel, CHANNELS, "channel")
    with open_app(config) as app:

        def let_go(session: Session) -> None:
            found = clinic_of(session, clinic)
            senders = [s for s in clinics.active_senders(session, found) if s.channel == channel]
            if not senders:
                raise NotFoundError(f"{found.name} has no sender for {channel}.")
            for sender in senders:
                restored.release(session, sender, app.settings, now=app.clock.now(), actor=actor())

        change(app, let_go)
    say("Released: what waits and is still useful goes out.")

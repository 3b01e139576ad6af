"""`notifier export-patient` and `erase-patient`: everything that is kept about a person, and its end."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from notifier.cli_context import (
    App,
    ClinicOption,
    ConfigOption,
    JsonOption,
    actor,
    change,
    clinic_of,
    command,
    open_app,
    say,
)
from notifier.cli_output import echo_json
from notifier.errors import NeedsConfirmation

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from notifier.patient_erasing import Counts

PatientArgument = Annotated[int, typer.Argument(metavar="PATIENT", help="The number that find shows.")]


@command
def export_patient(
    patient: PatientArgument,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write it there, readable by you only.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything that is kept about a patient, as JSON: for the patient, who may ask for it."""
    with open_app(config) as app:

        def work(session: Session) -> dict[str, Any]:
            from notifier import patient_export, patients

            at = clinic_of(session, clinic)
            found = patients.get(session, at, patient)
            return patient_export.export(session, at, found, now=app.clock.now(), actor=actor())

        taken = change(app, work)
    if not out:
        echo_json(taken)
        return
    _write(Path(out), taken)
    rows = sum(len(rows) for rows in taken["tables"].values())
    if as_json:
        echo_json({"file": out, "rows": rows})
    else:
        say(f"{rows} rows are in {out}. Whoever has the file reads all of it: hand it over safely.")


def _write(path: Path, taken: dict[str, Any]) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        json.dump(taken, opened, ensure_ascii=False, indent=2)
        opened.write("\n")


@command
def erase_patient(
    patient: PatientArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase all that names a patient. Pending messages are cancelled, and what was refused stays refused."""
    with open_app(config) as app:
        if not yes:
            _confirm(app, clinic, patient)

        def work(session: Session) -> Counts:
            from notifier import patient_erasing, patients

            found = patients.get(session, clinic_of(session, clinic), patient)
            return patient_erasing.erase(session, found, now=app.clock.now(), actor=actor())

        counts = change(app, work)
        outbox = app.settings.delivery.outbox_file
    if as_json:
        echo_json({"erased": patient} | asdict(counts))
        return
    say(f"The data of patient {patient} were erased. {_under_way(counts)}".rstrip())
    say("Backups and the providers hold theirs until they delete them; see docs/privacy.md.")
    if outbox.exists():
        say(f"The outbox {outbox} may still hold messages to the patient: delete it when you can.")


def _confirm(app: App, clinic: str | None, patient: int) -> None:
    from notifier import db, patient_erasing, patients

    with db.reading(app.engine) as session:
        found = patients.get(session, clinic_of(session, clinic), patient)
        counts = patient_erasing.counts(session, found)
    words = f"Erases all that names patient {patient}: {_what(counts)}. This cannot be undone."
    if not sys.stdin.isatty():
        raise NeedsConfirmation(words, field="yes", flag="--yes")
    say(words)
    if not typer.confirm("Erase?", default=False):
        raise typer.Exit(1)


def _what(counts: Counts) -> str:
    told = (
        _counted(counts.treatments, "treatment"),
        f"{_counted(counts.messages, 'message')} ({counts.pending} of them waiting, which are cancelled)",
        _counted(counts.replies, "reply", "replies") + (f", {counts.unread} unread" if counts.unread else ""),
    )
    return ", ".join(told)


def _counted(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _under_way(counts: Counts) -> str:
    if not counts.under_way:
        return ""
    return f"{_counted(counts.under_way, 'message')} just on the way may still arrive."

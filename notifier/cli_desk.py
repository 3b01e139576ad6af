"""What the front desk does most, from the keyboard: log a treatment, or import the day's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    open_app,
    say,
)
from notifier.cli_output import echo_json
from notifier.cli_treatments import ConfirmOption, Logged, logged, show
from notifier.typed_times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from notifier.treatments import ConsentGiven


@command
def log_treatment(
    plan: Annotated[str, typer.Option(help="The plan's key, such as dry-needling.")],
    first_name: Annotated[str, typer.Option(help="The patient's first name.")],
    last_name: Annotated[str, typer.Option(help="The patient's last name.")] = "",
    record_number: Annotated[str, typer.Option(help="The clinic's own number for the patient.")] = "",
    phone: Annotated[str, typer.Option(help="A mobile phone.")] = "",
    email: Annotated[str, typer.Option(help="An e-mail address.")] = "",
    language: Annotated[str, typer.Option(help="en or es; else the clinic's.")] = "",
    timezone: Annotated[str, typer.Option(help="The patient's time zone; else the clinic's.")] = "",
    ended_at: Annotated[
        str,
        typer.Option(
            help="When it ended, on the clinic's clock: 17:30 (today) or 2026-03-07 17:30; else now."
        ),
    ] = "",
    practitioner: Annotated[str, typer.Option(help="Who treated.")] = "",
    area: Annotated[list[str] | None, typer.Option(help="A body area; may be given several times.")] = None,
    next_visit: Annotated[str, typer.Option(help="The next visit, if booked, on the clinic's clock.")] = "",
    consent_sms: Annotated[bool, typer.Option("--consent-sms", help="The patient agrees to SMS.")] = False,
    consent_email: Annotated[
        bool, typer.Option("--consent-email", help="The patient agrees to e-mail.")
    ] = False,
    wording: Annotated[str, typer.Option(help="The words of consent that were read out.")] = "",
    external_id: Annotated[str, typer.Option(help="The booking system's number for the treatment.")] = "",
    confirm: ConfirmOption = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log a treatment: the patient's messages are planned at once."""
    from notifier import treatments
    from notifier.patients import PatientEntry

    patient = PatientEntry(
        first_name,
        last_name,
        record_number=record_number,
        phone=phone,
        email=email,
        language=language,
        timezone=timezone,
    )
    with open_app(config) as app:
        now = app.clock.now()

        def work(session: Session) -> Logged:
            at = clinic_of(session, clinic)
            entry = treatments.Entry(
                patient,
                plan,
                moment(ended_at, at, now) if ended_at else now,
                practitioner=practitioner,
                areas=tuple(area or ()),
                next_visit=moment(next_visit, at, now) if next_visit else None,
                external_id=external_id,
                consents=_consents(consent_sms, consent_email, now, wording),
                source="cli",
                confirmed=confirm,
            )
            recorded, _ = treatments.record(session, at, entry, now=now, actor=actor())
            return logged(session, at, recorded.treatment, is_new=recorded.is_new)

        done = change(app, work)
    show("Logged" if done.is_new else "Logged before, and no second one was added", done, as_json)


def _consents(sms: bool, email: bool, now: datetime, wording: str) -> tuple[ConsentGiven, ...]:
    from notifier.treatments import ConsentGiven

    given = [channel for channel, said in (("sms", sms), ("email", email)) if said]
    return tuple(ConsentGiven(channel, True, now, "front desk", wording) for channel in given)


@command
def import_treatments(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="One treatment a row.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")
    ] = False,
    confirm: ConfirmOption = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import the day's treatments from the booking system. Good rows go in, bad ones are listed."""
    from notifier.importing import import_file, report_text

    with open_app(config) as app, _bar(quiet=as_json) as step:
        report = import_file(
            app.engine,
            clinic,
            file,
            now=app.clock.now(),
            actor=actor(),
            dry_run=dry_run,
            confirmed=confirm,
            progress=step,
        )
    if as_json:
        echo_json(report)
    else:
        say(report_text(report))
    if report.problems:
        raise typer.Exit(1)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal's stderr; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Importing")
        yield lambda done, total: shown.update(task, completed=done, total=total)

"""What the front desk does, from the keyboard: log and import treatments, correct them, record consent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import (
    App,
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
from notifier.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from notifier.models import Clinic, Patient, Treatment
    from notifier.planning_rows import Changes
    from notifier.treatments import ConsentGiven

treatment_app = typer.Typer(no_args_is_help=True, help="A treatment that was logged: void, correct, visit.")
patient_app = typer.Typer(no_args_is_help=True, help="A patient: find, change, consent.")

TreatmentArgument = Annotated[
    str, typer.Argument(metavar="TREATMENT", help="Its number here, or its external_id.")
]
PatientArgument = Annotated[int, typer.Argument(metavar="PATIENT", help="The number that find shows.")]
ConfirmOption = Annotated[
    bool, typer.Option("--confirm", help="The time is meant, though it lies ahead or long ago.")
]


def moment(text: str, clinic: Clinic) -> datetime:
    """A time as typed: with an offset as it says, else on the clinic's wall clock."""
    from notifier.rules.zones import to_instant, zone

    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f'"{text}" is not a time; write it like 2026-03-07T17:30 or 2026-03-07T17:30-05:00.'
        ) from None
    return typed if typed.tzinfo is not None else to_instant(typed, zone(clinic.timezone))


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
        str, typer.Option(help="When the treatment ended, on the clinic's clock; else now.")
    ] = "",
    practitioner: Annotated[str, typer.Option(help="Who treated.")] = "",
    area: Annotated[list[str] | None, typer.Option(help="A body area; may be given several times.")] = None,
    next_visit: Annotated[str, typer.Option(help="The next visit, if booked.")] = "",
    consent_sms: Annotated[bool, typer.Option(help="The patient agrees to SMS.")] = False,
    consent_email: Annotated[bool, typer.Option(help="The patient agrees to e-mail.")] = False,
    wording: Annotated[str, typer.Option(help="The words of consent that were read out.")] = "",
    external_id: Annotated[str, typer.Option(help="The booking system's number for the treatment.")] = "",
    confirm: ConfirmOption = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log a treatment: the patient's messages are planned at once."""
    from notifier import db, treatments
    from notifier.patients import PatientEntry

    with open_app(config) as app, db.transaction(app.engine) as session:
        at, now = clinic_of(session, clinic), app.clock.now()
        entry = treatments.Entry(
            PatientEntry(
                first_name,
                last_name,
                record_number=record_number,
                phone=phone,
                email=email,
                language=language,
                timezone=timezone,
            ),
            plan,
            moment(ended_at, at) if ended_at else now,
            practitioner=practitioner,
            areas=tuple(area or ()),
            next_visit=moment(next_visit, at) if next_visit else None,
            external_id=external_id,
            consents=_consents(consent_sms, consent_email, now, wording),
            source="cli",
            confirmed=confirm,
        )
        recorded, _ = treatments.record(session, at, entry, now=now, actor=actor())
        if not recorded.is_new:
            say("This treatment is logged already; nothing was added.", err=True)
        _show(session, at, recorded.treatment, as_json)


def _consents(sms: bool, email: bool, now: datetime, wording: str) -> tuple[ConsentGiven, ...]:
    from notifier.treatments import ConsentGiven

    given = [channel for channel, said in (("sms", sms), ("email", email)) if said]
    return tuple(ConsentGiven(channel, True, now, "front desk", wording) for channel in given)


def _show(session: Session, clinic: Clinic, treatment: Treatment, as_json: bool) -> None:
    from notifier import messages
    from notifier.rules.timing import say as spoken
    from notifier.rules.zones import zone

    session.flush()
    listed = messages.listing(session, clinic, treatment_id=treatment.id)
    if as_json:
        echo_json({"id": treatment.id, "messages": [messages.as_json(item) for item in listed]})
        return
    tz = zone(treatment.patient.timezone or clinic.timezone)
    say(f"Treatment {treatment.id}, {treatment.plan.key}, ended {spoken(treatment.ended_at, tz)}:")
    table(
        ["when", "step", "by", "status", "why"],
        [
            [spoken(m.due_at, tz) if m.due_at else "", m.step, m.channel, m.status, m.reason]
            for m in (item.message for item in listed)
        ],
    )


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


@treatment_app.command("void")
@command
def void(
    treatment: TreatmentArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "Logged by mistake.",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """Logged by mistake: what was not sent yet is cancelled."""
    from notifier import treatments

    with open_app(config) as app, _changing(app, clinic, treatment) as (session, found):
        changes = treatments.void(session, found, reason=reason, now=app.clock.now(), actor=actor())
        _say_changes("Voided", changes)


@treatment_app.command("unvoid")
@command
def unvoid(treatment: TreatmentArgument, config: ConfigOption = None, clinic: ClinicOption = None) -> None:
    """Undo: what was never sent and is still useful comes back."""
    from notifier import treatments

    with open_app(config) as app, _changing(app, clinic, treatment) as (session, found):
        _say_changes("Restored", treatments.unvoid(session, found, now=app.clock.now(), actor=actor()))


@treatment_app.command("correct")
@command
def correct(
    treatment: TreatmentArgument,
    ended_at: Annotated[str, typer.Option(help="When it really ended, on the clinic's clock.")],
    confirm: ConfirmOption = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """The time was wrong: what was not sent yet moves with it."""
    from notifier import treatments

    with open_app(config) as app, _changing(app, clinic, treatment) as (session, found):
        changes = treatments.correct_end(
            session,
            found,
            moment(ended_at, clinic_of(session, clinic)),
            now=app.clock.now(),
            actor=actor(),
            confirmed=confirm,
        )
        _say_changes("Corrected", changes)


@treatment_app.command("visit")
@command
def visit(
    treatment: TreatmentArgument,
    at: Annotated[str, typer.Option(help="The next visit, on the clinic's clock; empty: called off.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """The next visit was booked, moved or called off."""
    from notifier import treatments

    with open_app(config) as app, _changing(app, clinic, treatment) as (session, found):
        booked = moment(at, clinic_of(session, clinic)) if at else None
        changes = treatments.book_visit(session, found, booked, now=app.clock.now(), actor=actor())
        _say_changes("Noted", changes)


@contextmanager
def _changing(app: App, clinic: str | None, reference: str) -> Iterator[tuple[Session, Treatment]]:
    """One transaction about one treatment."""
    from notifier import db, treatments

    with db.transaction(app.engine) as session:
        yield session, treatments.find(session, clinic_of(session, clinic), reference)


def _say_changes(done: str, changes: Changes) -> None:
    count = changes.added + changes.changed
    say(f"{done}. {count} {'message was' if count == 1 else 'messages were'} changed.")


@patient_app.command("find")
@command
def find_patient(
    words: Annotated[str, typer.Argument(help="A name, a record number, a phone or an e-mail.")],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find patients by any of what the desk knows."""
    from notifier import db, patients

    with open_app(config) as app, db.reading(app.engine) as session:
        rows = [_patient(p) for p in patients.search(session, clinic_of(session, clinic), words)]
    if as_json:
        echo_json(rows)
    elif rows:
        table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        say(f'Nobody matches "{words}".')


def _patient(patient: Patient) -> dict[str, object]:
    return {
        "id": patient.id,
        "record_number": patient.record_number or "",
        "name": f"{patient.first_name} {patient.last_name}".strip(),
        "phone": patient.phone or "",
        "email": patient.email or "",
        "language": patient.language,
        "essentials": patient.essentials,
        "problem": " ".join(filter(None, [patient.phone_problem, patient.email_problem])),
    }


@patient_app.command("change")
@command
def change_patient(
    patient: PatientArgument,
    phone: Annotated[str, typer.Option(help="The new phone number.")] = "",
    email: Annotated[str, typer.Option(help="The new e-mail address.")] = "",
    language: Annotated[str, typer.Option(help="en or es.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as America/Chicago.")] = "",
    preferred_channel: Annotated[str, typer.Option(help="sms or email.")] = "",
    contact_name: Annotated[str, typer.Option(help="Who is written to instead, such as a parent.")] = "",
    name_treatment: Annotated[
        bool | None, typer.Option(help="The patient wishes that messages may name the treatment.")
    ] = None,
    essentials: Annotated[bool | None, typer.Option(help="Safety messages only, or all again.")] = None,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """Change how a patient is written to; what was not sent yet follows."""
    from notifier import db, patients
    from notifier.patients import PatientEntry
    from notifier.planning import replan

    with open_app(config) as app, db.transaction(app.engine) as session:
        at, now = clinic_of(session, clinic), app.clock.now()
        found = patients.get(session, at, patient)
        said = PatientEntry(
            found.first_name,
            phone=phone,
            email=email,
            language=language,
            timezone=timezone,
            preferred_channel=preferred_channel,
            contact_name=contact_name,
            name_treatment=name_treatment,
        )
        patients.update(session, found, patients.clean(said, at), now=now, actor=actor())
        if essentials is not None:
            patients.set_essentials(session, found, essentials, now=now, actor=actor())
        _say_changes("Changed", replan(session, [found], now=now, actor=actor()))


@patient_app.command("consent")
@command
def record_consent(
    patient: PatientArgument,
    channel: Annotated[str, typer.Argument(metavar="sms|email")],
    granted: Annotated[bool, typer.Option("--yes/--no", help="What the patient said.")],
    method: Annotated[str, typer.Option(help="How: at the desk, by phone, on a form.")] = "front desk",
    wording: Annotated[str, typer.Option(help="The words that were read out.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
) -> None:
    """Record what a patient said about being written to; a no stops what was not sent yet."""
    from notifier import consent, db, patients
    from notifier.planning import replan
    from notifier.rules.plan import CHANNELS

    if channel not in CHANNELS:
        raise InputError(f'"{channel}" is not a channel; write {" or ".join(CHANNELS)}.')
    with open_app(config) as app, db.transaction(app.engine) as session:
        now = app.clock.now()
        found = patients.get(session, clinic_of(session, clinic), patient)
        consent.record(
            session,
            found,
            channel,
            granted=granted,
            at=now,
            now=now,
            method=method,
            wording=wording,
            actor=actor(),
        )
        _say_changes("Recorded", replan(session, [found], now=now, actor=actor()))

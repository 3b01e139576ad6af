"""`notifier patient`: find one, put right how they are written to, record what they said about it."""

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
from notifier.rules.plan import CHANNELS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from notifier.models import Patient
    from notifier.planning_rows import Changes

patient_app = typer.Typer(no_args_is_help=True, help="A patient: find, change, consent.")

PatientArgument = Annotated[int, typer.Argument(metavar="PATIENT", help="The number that find shows.")]
ChannelArgument = Annotated[str, typer.Argument(metavar="sms|email", show_default=False)]


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
        at = clinic_of(session, clinic)
        rows = _described(session, patients.search(session, at, words))
        where = at.name
    if as_json:
        echo_json(rows)
    elif rows:
        headers = [
            "id",
            "record number",
            "name",
            "phone",
            "e-mail",
            "language",
            "by SMS",
            "by e-mail",
            "essentials",
        ]
        table(headers, [[_said(value) for value in row.values()] for row in rows])
    else:
        say(f'Nobody at {where} matches "{words}".')


def _described(session: Session, found: list[Patient]) -> list[dict[str, Any]]:
    """With what each channel needs: an address, a yes, and no trouble."""
    from notifier import reach

    known = reach.load(session, found)
    return [
        {
            "id": patient.id,
            "record_number": patient.record_number or "",
            "name": f"{patient.first_name} {patient.last_name}".strip(),
            "phone": patient.phone or "",
            "email": patient.email or "",
            "language": patient.language,
            "by_sms": known.obstacle(patient, "sms") or "yes",
            "by_email": known.obstacle(patient, "email") or "yes",
            "essentials": patient.essentials,
        }
        for patient in found
    ]


def _said(value: object) -> str:
    return ("yes" if value else "") if isinstance(value, bool) else str(value)


@patient_app.command("change")
@command
def change_patient(
    patient: PatientArgument,
    phone: Annotated[str, typer.Option(help="The new phone number.")] = "",
    email: Annotated[str, typer.Option(help="The new e-mail address.")] = "",
    language: Annotated[str, typer.Option(help="en or es.")] = "",
    timezone: Annotated[str, typer.Option(help="Such as America/Chicago.")] = "",
    preferred_channel: Annotated[
        str, typer.Option(metavar="sms|email", help="Which of the two is tried first.")
    ] = "",
    contact_name: Annotated[str, typer.Option(help="Who is written to instead, such as a parent.")] = "",
    name_treatment: Annotated[
        bool | None, typer.Option(help="The patient wishes that messages may name the treatment.")
    ] = None,
    essentials: Annotated[bool | None, typer.Option(help="Safety messages only, or all again.")] = None,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how a patient is written to; what was not sent yet follows."""
    said: dict[str, Any] = {
        "phone": phone,
        "email": email,
        "language": language,
        "timezone": timezone,
        "preferred_channel": one_of(preferred_channel, CHANNELS, "channel") if preferred_channel else "",
        "contact_name": contact_name,
    }
    if not any(said.values()) and name_treatment is None and essentials is None:
        raise typer.BadParameter("Say what to change, such as --phone.")

    with open_app(config) as app:
        now = app.clock.now()

        def work(session: Session) -> dict[str, Any]:
            from notifier import patients
            from notifier.planning import replan

            at = clinic_of(session, clinic)
            found = patients.get(session, at, patient)
            entry = patients.PatientEntry(found.first_name, **said, name_treatment=name_treatment)
            patients.update(session, found, patients.clean(entry, at), now=now, actor=actor())
            if essentials is not None:
                patients.set_essentials(session, found, essentials, now=now, actor=actor())
            return _outcome(session, found, replan(session, [found], now=now, actor=actor()))

        done = change(app, work)
    _tell("Changed", done, as_json)


@patient_app.command("consent")
@command
def record_consent(
    patient: PatientArgument,
    channel: ChannelArgument,
    granted: Annotated[bool, typer.Option("--yes/--no", help="What the patient said.")],
    method: Annotated[str, typer.Option(help="How: at the desk, by phone, on a form.")] = "front desk",
    wording: Annotated[str, typer.Option(help="The words that were read out.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what a patient said about being written to; a no stops what was not sent yet."""
    one_of(channel, CHANNELS, "channel")
    with open_app(config) as app:
        now = app.clock.now()

        def work(session: Session) -> dict[str, Any]:
            from notifier import consent, patients
            from notifier.planning import replan

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
            return _outcome(session, found, replan(session, [found], now=now, actor=actor()))

        done = change(app, work)
    _tell(f"Recorded: {'yes' if granted else 'no'} to {channel}", done, as_json)


def _outcome(session: Session, patient: Patient, changes: Changes) -> dict[str, Any]:
    session.flush()
    (described,) = _described(session, [patient])
    return {"patient": described, "messages_added": changes.added, "messages_changed": changes.changed}


def _tell(done: str, outcome: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(outcome)
        return
    patient = outcome["patient"]
    count = outcome["messages_added"] + outcome["messages_changed"]
    say(f"{done}, {patient['name']}. {count} {'message' if count == 1 else 'messages'} changed with it.")
    for name, called in (("by_sms", "SMS"), ("by_email", "E-mail")):
        say(f"{called}: {patient[name] if patient[name] != 'yes' else 'may be sent.'}")

"""`notifier messages`: what was sent, what will be, and why not; and the whole story of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from notifier.cli_context import (
    ClinicOption,
    ConfigOption,
    JsonOption,
    clinic_of,
    command,
    one_of,
    open_app,
    say,
)
from notifier.cli_output import echo_json, table
from notifier.cli_times import told
from notifier.rules.delivery import Status

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from notifier.messages import Listed, Moment
    from notifier.models import Clinic, Patient


@command
def list_messages(
    why: Annotated[int | None, typer.Option(metavar="ID", help="The whole story of one message.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Only these; may be given several times.")
    ] = None,
    patient: Annotated[
        int | None, typer.Option(metavar="ID", help="Only this patient's, by the number that find shows.")
    ] = None,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was sent, what will be, and why not."""
    from notifier import db, messages

    wanted = [one_of(name, list(Status), "status") for name in status or ()]
    with open_app(config) as app, db.reading(app.engine) as session:
        at = clinic_of(session, clinic)
        if why is not None:
            _tell(session, at, messages.get(session, at, why), as_json)
            return
        found = messages.listing(session, at, statuses=wanted, patient_id=patient)
        if as_json:
            echo_json([messages.as_json(item) for item in found])
        elif found:
            _list(session, at, found)
        elif status or patient is not None:
            say(f"{at.name} has no such messages.")
        else:
            say("There are no messages yet. Log a treatment: notifier log, or notifier import FILE.csv")


def _list(session: Session, clinic: Clinic, listed: list[Listed]) -> None:
    from notifier import messages
    from notifier.rules.zones import zone

    tz = zone(clinic.timezone)
    names = messages.names(session, listed)
    table(
        ["id", f"when ({tz.key})", "patient", "step", "by", "to", "status", "why"],
        [
            [
                item.message.id,
                told(_when(item), tz),
                names.get(item.message.patient_id, ""),
                item.message.step or item.message.kind,
                item.message.channel,
                _masked(item),
                item.message.status,
                messages.remark(item),
            ]
            for item in listed
        ],
    )


def _when(item: Listed) -> datetime | None:
    """When it was handed over, or is to be."""
    message = item.message
    waits = message.status in (Status.SCHEDULED, Status.HELD)
    return message.due_at if waits or message.claimed_at is None else message.claimed_at


def _masked(item: Listed) -> str:
    """In full only in the story of one message: lists are read over shoulders and end up in files."""
    from notifier.rules.recipients import mask_email, mask_phone

    message = item.message
    if not message.to:
        return ""
    return mask_phone(message.to) if message.channel == "sms" else mask_email(message.to)


def _tell(session: Session, clinic: Clinic, listed: Listed, as_json: bool) -> None:
    from notifier import messages
    from notifier.models import Patient
    from notifier.rules.zones import zone

    moments = messages.story(session, listed)
    if as_json:
        echo_json(messages.as_json(listed) | {"story": moments})
        return
    message = listed.message
    patient = session.get(Patient, message.patient_id) if message.patient_id else None
    tz = zone((patient.timezone if patient else None) or clinic.timezone)
    say(_title(listed, patient))
    say(_state(listed, tz))
    say()
    say(f"Times in {tz.key}:")
    for moment in moments:
        _say_moment(moment, tz)
    if not listed.attempts:
        return
    say()
    if not listed.attempts[-1].words:
        say("Its words are no longer kept.")
    else:
        say(f"The words of attempt {listed.attempts[-1].number}:")
        for line in listed.attempts[-1].words.splitlines():
            say(f"    {line}".rstrip())


def _title(listed: Listed, patient: Patient | None) -> str:
    message = listed.message
    by = "SMS" if message.channel == "sms" else "e-mail"
    whose = f", {patient.first_name} {patient.last_name}".rstrip() if patient else ""
    of = f", treatment {listed.external_id or message.treatment_id}" if message.treatment_id else ""
    what = message.step or message.kind
    return f"Message {message.id}: {what} by {by} to {message.to or 'nobody'}{whose}{of}."


def _state(listed: Listed, tz: ZoneInfo) -> str:
    from notifier import messages

    message = listed.message
    parts = [message.status.capitalize()]
    if message.status == Status.SCHEDULED:
        parts.append(f"due {told(message.due_at, tz)}")
    if message.useful_until is not None and message.status in (Status.SCHEDULED, Status.HELD):
        parts.append(f"useful until {told(message.useful_until, tz)}")
    return f"{', '.join(parts)}. {messages.remark(listed)}".rstrip()


def _say_moment(moment: Moment, tz: ZoneInfo) -> None:
    who = f"  ({moment.who})" if moment.who else ""
    say(f"  {told(moment.at, tz, seconds=True)}  {moment.what}{who}")
    if moment.why:
        say(f"      {moment.why}")

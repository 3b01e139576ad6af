"""A treatment that was logged: what will be sent for it, and what the desk may still put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from notifier.cli_output import echo_json, table
from notifier.cli_times import told
from notifier.typed_times import moment

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from notifier.messages import Listed
    from notifier.models import Clinic, Patient, Treatment
    from notifier.planning_rows import Changes

treatment_app = typer.Typer(
    no_args_is_help=True, help="A treatment that was logged: void, unvoid, correct, visit."
)

TreatmentArgument = Annotated[
    str, typer.Argument(metavar="TREATMENT", help="Its number here, or its external_id.")
]
ConfirmOption = Annotated[
    bool, typer.Option("--confirm", help="The time is meant, though it lies ahead or long ago.")
]


@dataclass(frozen=True, slots=True)
class Logged:
    """A treatment as it stands, ready to be told. `nothing_because`: why no channel reaches the patient."""

    id: int
    external_id: str | None
    patient_id: int
    is_new: bool
    nothing_because: str
    title: str
    advice: list[str]
    zone: str
    rows: list[list[str]]
    messages: list[dict[str, Any]]


def logged(session: Session, clinic: Clinic, treatment: Treatment, *, is_new: bool = False) -> Logged:
    """Read within the transaction, shown after it."""
    from notifier import messages, reach
    from notifier.rules.plan import CHANNELS
    from notifier.rules.zones import zone

    session.flush()
    patient, tz = treatment.patient, zone(treatment.patient.timezone or clinic.timezone)
    known = reach.load(session, [patient])
    obstacles = {channel: known.obstacle(patient, channel) for channel in CHANNELS}
    unreachable = all(obstacles.values()) and treatment.voided_at is None
    listed = messages.listing(session, clinic, treatment_id=treatment.id)
    name = f"{patient.first_name} {patient.last_name}".strip()
    return Logged(
        id=treatment.id,
        external_id=treatment.external_id,
        patient_id=patient.id,
        is_new=is_new,
        nothing_because=" ".join(filter(None, obstacles.values())) if unreachable else "",
        title=f"treatment {treatment.id}, {name}, {treatment.plan.key}, "
        f"ended {told(treatment.ended_at, tz)} ({tz.key})",
        advice=_advice(patient, obstacles) if unreachable else [],
        zone=tz.key,
        rows=[
            _row(item, tz)
            for item in sorted(messages.leading(listed), key=lambda item: item.message.due_at is None)
        ],
        messages=[messages.as_json(item) for item in listed],
    )


def _row(item: Listed, tz: ZoneInfo) -> list[str]:
    from notifier.messages import remark

    message = item.message
    return [
        told(message.due_at, tz),
        message.step or message.kind,
        message.channel,
        message.status,
        remark(item),
    ]


def _advice(patient: Patient, obstacles: dict[str, str | None]) -> list[str]:
    from notifier.reach import address_of

    return [
        f"As soon as the patient agrees: notifier patient consent {patient.id} {channel} --yes"
        for channel, obstacle in obstacles.items()
        if address_of(patient, channel) and (obstacle or "").startswith("No consent")
    ]


def show(done: str, treatment: Logged, as_json: bool) -> None:
    if as_json:
        names = ("id", "external_id", "patient_id", "is_new", "nothing_because", "messages")
        echo_json({name: getattr(treatment, name) for name in names})
        return
    say(f"{done}: {treatment.title}.")
    if treatment.nothing_because:
        say(f"Nothing will be sent. {treatment.nothing_because}")
        for line in treatment.advice:
            say(line)
        return
    if not any(status in ("scheduled", "sending", "held") for _, _, _, status, _ in treatment.rows):
        say("Nothing more will be sent:")
    table([f"when ({treatment.zone})", "step", "by", "status", "why"], treatment.rows)


@treatment_app.command("show")
@command
def show_treatment(
    treatment: TreatmentArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was sent for a treatment, what will be, and why not."""
    from notifier import db, treatments

    with open_app(config) as app, db.reading(app.engine) as session:
        at = clinic_of(session, clinic)
        found = logged(session, at, treatments.find(session, at, treatment))
    show("As it stands", found, as_json)


@treatment_app.command("void")
@command
def void(
    treatment: TreatmentArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "Logged by mistake.",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Logged by mistake: what was not sent yet is cancelled."""
    from notifier import treatments

    with open_app(config) as app:
        _change(
            "Voided",
            app,
            clinic,
            treatment,
            lambda session, found, at: treatments.void(
                session, found, reason=reason, now=app.clock.now(), actor=actor()
            ),
            as_json,
        )


@treatment_app.command("unvoid")
@command
def unvoid(
    treatment: TreatmentArgument,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo: what was never sent and is still useful comes back."""
    from notifier import treatments

    with open_app(config) as app:
        _change(
            "Restored",
            app,
            clinic,
            treatment,
            lambda session, found, at: treatments.unvoid(session, found, now=app.clock.now(), actor=actor()),
            as_json,
        )


@treatment_app.command("correct")
@command
def correct(
    treatment: TreatmentArgument,
    ended_at: Annotated[str, typer.Option(help="When it really ended, on the clinic's clock.")],
    confirm: ConfirmOption = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """The time was wrong: what was not sent yet moves with it."""
    from notifier import treatments

    with open_app(config) as app:
        now = app.clock.now()
        _change(
            "Corrected",
            app,
            clinic,
            treatment,
            lambda session, found, at: treatments.correct_end(
                session, found, moment(ended_at, at, now), now=now, actor=actor(), confirmed=confirm
            ),
            as_json,
        )


@treatment_app.command("visit")
@command
def visit(
    treatment: TreatmentArgument,
    at: Annotated[str, typer.Option(help="The next visit, on the clinic's clock; empty: called off.")],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """The next visit was booked, moved or called off."""
    from notifier import treatments

    with open_app(config) as app:
        now = app.clock.now()
        _change(
            "Noted",
            app,
            clinic,
            treatment,
            lambda session, found, where: treatments.book_visit(
                session, found, moment(at, where, now) if at.strip() else None, now=now, actor=actor()
            ),
            as_json,
        )


def _change(
    done: str,
    app: App,
    clinic: str | None,
    reference: str,
    act: Callable[[Session, Treatment, Clinic], Changes],
    as_json: bool,
) -> None:
    """One transaction about one treatment; then how it stands."""
    from notifier import treatments

    def work(session: Session) -> Logged:
        at = clinic_of(session, clinic)
        found = treatments.find(session, at, reference)
        act(session, found, at)
        return logged(session, at, found)

    show(done, change(app, work), as_json)

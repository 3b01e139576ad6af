"""Whether alerts reach those who are to hear of an emergency."""

from __future__ import annotations

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
from notifier.errors import NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from notifier.models import Clinic

Sent = dict[str, str]


@command
def alert_test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One contact; else each of them.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test alert; whoever takes it by its link or texts its code back is noted as reached."""
    with open_app(config) as app:
        mode = app.settings.delivery.mode
        sent = change(app, lambda session: send(session, clinic_of(session, clinic), name, app.clock.now()))
    if as_json:
        echo_json(sent)
        return
    for each in sent:
        say(f"A test alert to {each['name']} leaves as soon as a worker runs. Its code is {each['code']}.")
    if mode == "outbox":
        say('It reaches nobody: delivery.mode is "outbox". Look at it in the phone view.')


def send(session: Session, clinic: Clinic, name: str, now: datetime) -> list[Sent]:
    """To the contact of this name, or to all who can be reached."""
    from notifier import alerts

    people = alerts.contacts(session, clinic)
    chosen = [each for each in people if not name or each.name.casefold() == name.casefold()]
    if not chosen:
        there = ", ".join(each.name for each in people)
        known = f"There are: {there}." if there else f"Enter one on the page of {clinic.name}."
        raise NotFoundError(f"There is no alert contact{f' {name}' if name else ''} to be reached. {known}")
    return [
        {"name": each.name, "code": alerts.test(session, clinic, each, now=now, actor=actor()).code}
        for each in chosen
    ]

"""What sends: the worker, one test message, and what became of messages."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import (
    App,
    ClinicOption,
    ConfigOption,
    JsonOption,
    clinic_of,
    command,
    open_app,
    say,
)
from notifier.cli_output import echo_json, table
from notifier.errors import ConfigError, DatabaseUnavailable, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from notifier.channels import Channel
    from notifier.messages import Listed, Moment

log = logging.getLogger(__name__)


@command
def worker(
    once: Annotated[bool, typer.Option("--once", help="Send what is due now, and end.")] = False,
    config: ConfigOption = None,
) -> None:
    """Send what is due, as long as it runs. SIGTERM finishes what is in flight and ends."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    app = _wait_for_database(config, stopping, patient=not once)
    if app is None:
        return
    with app:
        channels = _channels(app)
        if once:
            _drain(app, channels)
        else:
            _run(app, channels, stopping)
        for channel in set(channels.values()):
            channel.close()


def _wait_for_database(config: Path | None, stopping: threading.Event, *, patient: bool) -> App | None:
    """A worker that starts before its database waits for it and says so."""
    wait = 1.0
    while not stopping.is_set():
        try:
            return open_app(config)
        except DatabaseUnavailable as error:
            if not patient:
                raise
            log.warning("%s Trying again in %d s.", error, wait)
            stopping.wait(wait)
            wait = min(wait * 2, 15.0)
    return None


def _channels(app: App) -> dict[str, Channel]:
    """Opened only when this installation may really send; says what is missing otherwise."""
    from notifier import db
    from notifier.channels import open_channels
    from notifier.readiness import require_ready

    with db.reading(app.engine) as session:
        for missing in require_ready(session, app.settings):
            log.warning("not ready: %s", missing)
    channels = open_channels(app.settings)
    if not channels:
        raise ConfigError("Nothing can be sent: set up sms (account_sid …) or email (host …) in config.toml.")
    return channels


def _drain(app: App, channels: dict[str, Channel]) -> None:
    from notifier.worker import open_dispatcher

    dispatcher = open_dispatcher(app.engine, app.clock, channels, app.settings)
    attempts = dispatcher.drain()
    dispatcher.close()
    log.info("%d attempts; nothing more is due", attempts)


def _run(app: App, channels: dict[str, Channel], stopping: threading.Event) -> None:
    from notifier.worker import Worker

    running = Worker(app.engine, app.clock, channels, app.settings)
    running.start()
    log.info("worker started, delivery.mode is %s", app.settings.delivery.mode)
    stopping.wait()
    log.info("stopping: finishing what is in flight")
    running.stop()
    log.info("stopped")


@command
def send_test(
    channel: Annotated[str, typer.Argument(metavar="sms|email")],
    to: Annotated[str, typer.Argument(metavar="TO", help="Your own phone number or e-mail address.")],
    language: Annotated[str, typer.Option(help="en or es; else the clinic's.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send one real message to yourself, wait for its outcome, and explain it."""
    from notifier import db, messages, sending_test
    from notifier.channels import open_channels
    from notifier.rules.plan import CHANNELS

    if channel not in CHANNELS:
        raise InputError(f'"{channel}" is not a channel; write {" or ".join(CHANNELS)}.')
    with open_app(config) as app:
        channels = open_channels(app.settings)
        if channel not in channels:
            raise ConfigError(
                f"{channel} is not set up: fill in [{channel}] in config.toml, then run notifier doctor."
            )
        result = sending_test.send(
            app.engine, app.clock, channels, app.settings, clinic, channel, to, language=language
        )
        with db.reading(app.engine) as session:
            listed = messages.get(session, clinic_of(session, clinic), result.message_id)
    if as_json:
        echo_json(messages.as_json(listed) | {"explanation": result.explanation})
    else:
        say(result.explanation)
    if not result.went_out:
        raise typer.Exit(1)


@command
def list_messages(
    why: Annotated[int | None, typer.Option(metavar="ID", help="The whole story of one message.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only these; may be given several times.")] = None,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was sent, what will be, and why not."""
    from notifier import db, messages
    from notifier.rules.delivery import Status

    for name in status or ():
        if name not in list(Status):
            raise InputError(f'"{name}" is not a status; there are {", ".join(Status)}.')
    with open_app(config) as app, db.reading(app.engine) as session:
        at = clinic_of(session, clinic)
        if why is not None:
            listed = messages.get(session, at, why)
            _tell(listed, messages.story(session, listed), as_json)
            return
        found = messages.listing(session, at, statuses=status or ())
        if as_json:
            echo_json([messages.as_json(item) for item in found])
        else:
            _list(found)


def _list(listed: list[Listed]) -> None:
    from notifier.rules.recipients import mask_email, mask_phone

    if not listed:
        say("There are no messages yet. Log a treatment: notifier log, or notifier import FILE.csv")
        return
    table(
        ["id", "due (UTC)", "step", "by", "to", "status", "why"],
        [
            [
                m.id,
                f"{m.due_at:%Y-%m-%d %H:%M}" if m.due_at else "",
                m.step or m.kind,
                m.channel,
                (mask_phone if m.channel == "sms" else mask_email)(m.to) if m.to else "",
                m.status,
                m.reason,
            ]
            for m in (item.message for item in listed)
        ],
    )


def _tell(listed: Listed, moments: list[Moment], as_json: bool) -> None:
    from notifier.messages import as_json as shape

    if as_json:
        echo_json(shape(listed) | {"story": moments})
        return
    message = listed.message
    say(
        f"Message {message.id}: {message.step or message.kind}, {message.channel} to {message.to or 'nobody'}"
    )
    say(f"{message.status}. {message.reason}".strip())
    for moment in moments:
        say(f"  {moment.at:%Y-%m-%d %H:%M:%S} UTC  {moment.what}  ({moment.who})")
        if moment.why:
            say(f"      {moment.why}")

"""What sends: the worker, one test message, and what became of messages."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import (
    App,
    ClinicOption,
    ConfigOption,
    JsonOption,
    clinic_of,
    command,
    one_of,
    open_app,
    say,
)
from notifier.cli_output import echo_json
from notifier.cli_patients import ChannelArgument
from notifier.cli_running import log_to_stderr, on_signal, sending_channels, wait_for_database
from notifier.errors import ConfigError
from notifier.rules.plan import CHANNELS

if TYPE_CHECKING:
    from notifier.channels import Channel

log = logging.getLogger(__name__)


@command
def worker(
    once: Annotated[bool, typer.Option("--once", help="Send what is due now, and end.")] = False,
    config: ConfigOption = None,
) -> None:
    """Send what is due, as long as it runs. SIGTERM finishes what is in flight and ends."""
    log_to_stderr()
    stopping = threading.Event()
    with on_signal(stopping.set), ExitStack() as closing:
        app = wait_for_database(config, stopping, patient=not once)
        if app is None:
            return
        closing.enter_context(app)
        channels = sending_channels(app, closing)
        if once:
            _drain(app, channels, stopping)
        else:
            _run(app, channels, stopping)


def _drain(app: App, channels: dict[str, Channel], stopping: threading.Event) -> None:
    from notifier import db, messages
    from notifier.receiving import Receiving
    from notifier.worker import open_dispatcher
    from notifier.worker_chores import ChoreRunner

    receiving = Receiving(app.engine, app.clock, app.settings)
    receiving.once()
    receiving.stop()
    ChoreRunner(app.engine, app.clock, app.settings, worker="worker --once").run_due()
    dispatcher = open_dispatcher(app.engine, app.clock, channels, app.settings)
    with on_signal(dispatcher.stop):
        if stopping.is_set():
            dispatcher.stop()
        attempts = dispatcher.drain()
    dispatcher.close()
    with db.reading(app.engine) as session:
        for stopped in messages.behind_stopped_senders(session, app.clock.now()):
            log.warning("%s", stopped)
    log.info("%d %s; nothing more can be sent now", attempts, "attempt" if attempts == 1 else "attempts")


def _run(app: App, channels: dict[str, Channel], stopping: threading.Event) -> None:
    from notifier.receiving import Receiving
    from notifier.retiming_run import Retimer
    from notifier.worker import Worker

    running = (
        Worker(app.engine, app.clock, channels, app.settings),
        Retimer(app.engine, app.clock),
        Receiving(app.engine, app.clock, app.settings),
    )
    for each in running:
        each.start()
    log.info("worker started, delivery.mode is %s", app.settings.delivery.mode)
    stopping.wait()
    log.info("stopping: finishing what is in flight")
    for each in running:
        each.stop()
    log.info("stopped")


@command
def send_test(
    channel: ChannelArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="Your own phone number or e-mail address.")],
    language: Annotated[str, typer.Option(help="en or es; else the clinic's.")] = "",
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send one real message to yourself, wait for its outcome, and explain it."""
    from notifier import db, messages, sending_test
    from notifier.channels import open_channels

    one_of(channel, CHANNELS, "channel")
    # What goes wrong is explained below, in words; the log's own line would only repeat it.
    logging.getLogger("notifier").addHandler(logging.NullHandler())
    with open_app(config) as app, ExitStack() as closing:
        channels = open_channels(app.settings)
        for opened in set(channels.values()):
            closing.callback(opened.close)
        if channel not in channels:
            raise ConfigError(
                f"{channel} is not set up: fill in [{channel}] in config.toml, then run notifier doctor."
            )
        result = sending_test.send(
            app.engine, app.clock, channels, app.settings, clinic, channel, to, language=language
        )
        with db.reading(app.engine) as session:
            listed = messages.get(session, clinic_of(session, clinic), result.message_id)
            shape = messages.as_json(listed)
    if as_json:
        echo_json(shape | {"explanation": result.explanation})
    else:
        say(result.explanation)
    if not result.went_out:
        raise typer.Exit(1)

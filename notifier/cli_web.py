"""What serves the pages: alone, or together with the worker in one process."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from notifier.cli_context import App, ConfigOption, command
from notifier.cli_running import log_to_stderr, on_signal, sending_channels, wait_for_database

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


@command
def run(config: ConfigOption = None) -> None:
    """Serve the pages and send what is due, in one process. SIGTERM finishes what is in flight and ends."""
    _serve(config, with_worker=True)


@command
def serve(config: ConfigOption = None) -> None:
    """Serve the pages only; something else runs the worker. More of them may share one PostgreSQL."""
    _serve(config, with_worker=False)


def _serve(config: Path | None, *, with_worker: bool) -> None:
    log_to_stderr()
    stopping = threading.Event()
    with on_signal(stopping.set), ExitStack() as closing:
        app = wait_for_database(config, stopping)
        if app is not None:
            closing.enter_context(app)
            _answer(app, stopping, closing, with_worker=with_worker)


def _answer(app: App, stopping: threading.Event, closing: ExitStack, *, with_worker: bool) -> None:
    from notifier.receiving import Receiving
    from notifier.retiming_run import Retimer
    from notifier.web.app import create_app
    from notifier.web.server import address_of, listen, serve
    from notifier.web.site import Beside
    from notifier.worker import Worker

    listening = closing.enter_context(listen(app.settings.web.host, app.settings.web.port))
    beside: list[Beside] = [
        Retimer(app.engine, app.clock),
        Receiving(app.engine, app.clock, app.settings),
    ]
    if with_worker:
        channels = sending_channels(app, closing)
        beside.append(Worker(app.engine, app.clock, channels, app.settings))
    pages = create_app(app.settings, app.engine, app.clock, beside=beside)
    address, mode = address_of(listening), app.settings.delivery.mode
    who = "pages and worker" if with_worker else "pages, without a worker,"

    def ready() -> None:
        log.info("%s ready at %s, delivery.mode is %s", who, address, mode)

    if not stopping.is_set():
        serve(pages, listening, ready)
    log.info("stopped")

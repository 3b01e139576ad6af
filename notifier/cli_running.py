"""What the commands share that run until they are told to stop: log, signals, waiting for the database."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from notifier.cli_context import App, open_app
from notifier.errors import ConfigError, DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from notifier.channels import Channel

log = logging.getLogger(__name__)


def log_to_stderr() -> None:
    """One line for each thing that happened, for the journal."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its plug-ins at every start


@contextmanager
def on_signal(act: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and Ctrl-C do this instead of ending the program in the middle of something."""
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(name, lambda *_: act()) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def wait_for_database(config: Path | None, stopping: threading.Event, *, patient: bool = True) -> App | None:
    """Who starts before the database waits for it and says so. None: told to stop meanwhile."""
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


def sending_channels(app: App, closing: ExitStack) -> dict[str, Channel]:
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
    for channel in set(channels.values()):
        closing.callback(channel.close)
    return channels

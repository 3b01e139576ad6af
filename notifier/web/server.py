"""Serving the pages: the socket, uvicorn, and how it begins and ends."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from notifier.errors import ConfigError, NotifierError
from notifier.web.access import AccessLog

log = logging.getLogger(__name__)

# How long requests that are under way when it is told to stop may take, in seconds.
_LAST_WORDS = 20
_PATIENCE = 30.0
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Raises ConfigError, in words, where nobody could be answered there. Port 0: any that is free."""
    where = f"web.host {host}, web.port {port}"
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Or an answer's words wait 40 ms for the other side to acknowledge its headers: asyncio sees to it only
    # for sockets that were made otherwise.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
        # At once, so that a second start is refused: what is merely bound, others may bind as well.
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(_why(error, host, port)) from None
    except OverflowError:
        listening.close()
        raise ConfigError(f"{where}: a port is a number up to 65535.") from None
    return listening


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program. Stop that one, or set another web.port."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Set web.port to 1024 or more."
    return f"Nothing can listen on web.host {host}: {error.strerror or error}. Write an address of this host."


def listen_near(host: str, port: int, tries: int = 50) -> socket.socket:
    """On this port or the next free one."""
    for number in range(port, port + tries):
        try:
            return listen(host, number)
        except ConfigError:
            continue
    return listen(host, 0)


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class PageServer(uvicorn.Server):
    """`ready` is called as soon as requests are answered."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                AccessLog(app),
                lifespan="on",
                ws="none",
                # Who asks is who connects: a header that anybody can send is not believed.
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=_LAST_WORDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Until SIGTERM or Ctrl-C: then what is under way is finished, and what runs beside the pages stopped.

    uvicorn raises the signal once more at the end, for the handler that was there before.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        PageServer(app, ready).run([listening])
    except SystemExit:
        raise NotifierError("The pages could not be started; the log says why.") from None


@contextmanager
def serving(app: ASGIApp, listening: socket.socket) -> Iterator[str]:
    """In a thread, for as long as this lasts; the address."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    ready = threading.Event()
    address = address_of(listening)
    server = PageServer(app, ready.set)
    thread = threading.Thread(target=server.run, args=([listening],), name="pages", daemon=True)
    thread.start()
    try:
        if not ready.wait(_PATIENCE):
            raise NotifierError("The pages could not be started; the log says why.")
        yield address
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)

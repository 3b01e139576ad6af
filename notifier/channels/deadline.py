"""One total time-out for a whole exchange with a provider: connect, send and every byte of the answer.

A socket's own time-out starts again with each byte, so a server that dribbles could hold a call, and with it
a lease, for ever. Here one thread per adapter shuts the socket down when the call's time is up.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self


class DeadlinePassed(TimeoutError):
    """The time was up before this step began."""


class Watchdog:
    """Watches all the calls of one adapter with one thread, started by the first of them.

    A call costs two uncontended locks. The thread wakes at the earliest end among the running calls, so with
    equal time-outs about once per time-out however many calls there were, and sleeps when there are none.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._wakes_at = float("inf")
        self._thread: threading.Thread | None = None
        self._stopping = False

    def limit(self, seconds: float) -> Deadline:
        return Deadline(self, seconds)

    def close(self) -> None:
        with self._changed:
            thread, self._thread, self._stopping = self._thread, None, True
            self._changed.notify()
        if thread is not None:
            thread.join()
        self._stopping = False

    def add(self, call: Deadline) -> None:
        with self._changed:
            self._running.add(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            elif call.ends_at < self._wakes_at:
                self._changed.notify()

    def remove(self, call: Deadline) -> None:
        """After this returns, nothing of the call is touched by the thread any more."""
        with self._changed:
            self._running.discard(call)

    def _watch(self) -> None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                for call in [call for call in self._running if call.ends_at <= now]:
                    self._running.discard(call)
                    call.cut()
                self._wakes_at = min((call.ends_at for call in self._running), default=float("inf"))
                wait = self._wakes_at - time.monotonic()
                self._changed.wait(None if wait == float("inf") else max(wait, 0))


class Deadline:
    """One call's end on the monotonic clock; use it as a context manager around the whole call."""

    def __init__(self, watchdog: Watchdog, seconds: float) -> None:
        self.seconds = seconds
        self.ends_at = time.monotonic() + seconds
        self._watchdog = watchdog
        self._guard: socket.socket | None = None
        self._watched: socket.socket | None = None

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.ends_at

    def remaining(self) -> float:
        """Seconds that are left, never zero (which a socket would take for "do not block")."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise DeadlinePassed(f"no time was left of {self.seconds:g} s")
        return left

    def watch(self, sock: socket.socket) -> None:
        """From now on the end of the call ends this connection, whatever object reads from it then.

        The guard is a second descriptor of the same connection: it stays good when TLS wraps the first one,
        and cannot come to mean another connection when the first one is closed and its number used again.
        """
        if sock is self._watched:
            return
        sock.settimeout(self.remaining())
        self._release()
        self._watched = sock
        self._guard = socket.fromfd(sock.fileno(), sock.family, sock.type)
        self._watchdog.add(self)

    def cut(self) -> None:
        """Called by the watchdog only."""
        try:
            if self._guard is not None:
                self._guard.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was faster
            pass

    def _release(self) -> None:
        if self._guard is not None:
            self._watchdog.remove(self)
            self._guard.close()
        self._guard = self._watched = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """`socket.create_connection` with one limit for all addresses, and the connection watched from its start.

    Each address gets an equal share of what is left, so one that swallows packets leaves time for the next.
    Resolving the name cannot be interrupted; when that alone took too long, nothing is connected any more.
    """
    addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        share = deadline.remaining() / (len(addresses) - tried)
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            deadline.watch(sock)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure

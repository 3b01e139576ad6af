"""Connections to the mail server: opened, signed in, kept for the next mail, and replaced when dropped."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from notifier.channels.deadline import Deadline, DeadlinePassed, connect

if TYPE_CHECKING:
    from notifier.config import EmailSettings

_ASK_FOR = 5.0
_TOO_OLD = 300.0  # RFC 5321 lets a server hang up then, and firewalls forget connections without a word


class Connection(smtplib.SMTP):
    """smtplib's, within a deadline. `reused` is whether an earlier mail went over it.

    `tls` is None only where email.security is "none".
    """

    def __init__(
        self, settings: EmailSettings, *, hello: str, tls: ssl.SSLContext | None, deadline: Deadline
    ) -> None:
        self.reused = False
        self._idle_since = time.monotonic()
        self._deadline = deadline
        self._wrap = tls if settings.security == "tls" else None
        super().__init__(settings.host, settings.port, local_hostname=hello, timeout=deadline.remaining())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = connect(host, port, self._deadline)
        return self._wrap.wrap_socket(sock, server_hostname=host) if self._wrap else sock

    def sign_in(self, settings: EmailSettings, tls: ssl.SSLContext | None) -> None:
        if settings.security == "starttls":
            self.starttls(context=tls)
        self.ehlo_or_helo_if_needed()
        if settings.username:
            self.login(settings.username, settings.password)

    def rest(self) -> None:
        """Makes it ready for the next mail."""
        self.reused, self._idle_since = True, time.monotonic()

    def wakes(self, deadline: Deadline, ask_after: float) -> bool:
        """Whether it may be used again; asks the server only when it was idle for long."""
        idle = time.monotonic() - self._idle_since
        if self.sock is None or idle > _TOO_OLD:
            return False
        deadline.watch(self.sock)
        if idle < ask_after:
            return True
        self.sock.settimeout(min(_ASK_FOR, deadline.remaining()))
        try:
            alive = self.noop()[0] == 250
        except smtplib.SMTPException:
            return False
        self.sock.settimeout(deadline.remaining())
        return alive


class Pool:
    """At most `threads` connections; the one used last is used next, so that few stay open."""

    def __init__(
        self, settings: EmailSettings, *, threads: int, tls: ssl.SSLContext | None, ask_after: float
    ) -> None:
        self._settings, self._tls, self._ask_after = settings, tls, ask_after
        self._places = threading.BoundedSemaphore(threads)
        self._idle: list[Connection] = []

    @contextlib.contextmanager
    def place(self, deadline: Deadline) -> Iterator[None]:
        if not self._places.acquire(timeout=deadline.remaining()):
            raise DeadlinePassed("all connections were busy")
        try:
            yield
        finally:
            self._places.release()

    def take(self, deadline: Deadline) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self.open(deadline)
            if connection.wakes(deadline, self._ask_after):
                return connection
            connection.close()

    def open(self, deadline: Deadline) -> Connection:
        connection = Connection(self._settings, hello=self._hello, tls=self._tls, deadline=deadline)
        try:
            connection.sign_in(self._settings, self._tls)
        except BaseException:
            connection.close()
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        connection.rest()
        self._idle.append(connection)

    def close(self, deadline: Deadline) -> None:
        while self._idle:
            connection = self._idle.pop()
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if connection.sock is not None:
                    deadline.watch(connection.sock)
                    connection.quit()
            connection.close()

    @cached_property
    def _hello(self) -> str:
        """Asked once, because the answer may take the name service seconds."""
        name = socket.getfqdn()
        return name if "." in name and name.isascii() else "[127.0.0.1]"

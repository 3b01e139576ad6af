"""A mailbox server on this machine: a real one, pymap, over TLS and in memory.

with ImapServer() as server:
    server.deliver(raw)
    ...  # point inbound_mail.host and inbound_mail.port at server.host and server.port
"""

from __future__ import annotations

import asyncio
import imaplib
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self

from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pysasl.hashing import BuiltinHash

from notifier.channels.imap_connection import in_utf7, quoted
from tests.servers.certificates import Certificates

NAME, PASSWORD = "care@clinic.example", "a password"


class ImapServer:
    host = "localhost"

    def __init__(self) -> None:
        certificates = Certificates()
        self.client_tls = certificates.client()
        self._tls = certificates.server()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="imap server")
        self.port = 0
        self._folder = "INBOX"
        self.hangs_up_at = b""  # a part of a command

    def deliver(self, *mails: bytes, at: datetime | None = None, flags: str = "") -> None:
        """As a user's own program would put mails into the folder made last."""
        with self.visit() as there:
            for raw in mails:
                answer, said = there.append(
                    self._folder, flags, imaplib.Time2Internaldate(at) if at else "", raw
                )
                assert answer == "OK", said

    def make(self, folder: str) -> None:
        """Anew, where it is there already."""
        self._folder = quoted(in_utf7(folder))
        with self.visit() as there:
            there.delete(self._folder)
            assert there.create(self._folder)[0] == "OK"

    def unread(self) -> int:
        with self.visit() as there:
            there.select(self._folder, readonly=True)
            return len(there.search(None, "UNSEEN")[1][0].split())

    @contextmanager
    def visit(self) -> Iterator[imaplib.IMAP4]:
        """Somebody else with a mail program."""
        with imaplib.IMAP4_SSL(self.host, self.port, ssl_context=self.client_tls) as there:
            there.login(quoted(NAME), PASSWORD)
            yield there

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        backend, config = await DictBackend.init(_SETTINGS, hash_context=BuiltinHash(rounds=1))
        config.apply_context()
        imap = IMAPServer(backend.login, config)

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            listening: Any = _Listener(self, reader, writer)
            await imap(listening, writer, SocketInfoLocal(writer))

        server = await asyncio.start_server(talk, self.host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        async with server:
            await self._stopping.wait()


class _Listener:
    """Hears every command first."""

    def __init__(
        self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self.readexactly = reader.readexactly

    async def readline(self) -> bytes:
        line = await self._reader.readline()
        if self._server.hangs_up_at and self._server.hangs_up_at in line:
            self._writer.transport.abort()
            return b""
        return line


# What its own command line would be told.
_SETTINGS = Namespace(
    host=None,
    port="0",
    cert=None,
    key=None,
    tls=False,
    proxy_protocol=None,
    inherited_sockets=None,
    debug=False,
    demo_data=False,
    demo_user=NAME,
    demo_password=PASSWORD,
    passlib_cfg=None,
)

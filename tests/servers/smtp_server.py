"""A mail server on this machine: what it was given, and every way a conversation with it can fail.

with SmtpServer() as server:
    server.next(MailFault.refuse("RCPT", "550 5.1.1 No such user"))
    ...  # point email.host and email.port at server.host and server.port
    assert server.mails[0].message["Subject"] == "…"
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
import warnings
from collections import deque
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

Step = Literal["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]
Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class MailFault:
    """What happens when the conversation reaches a step. At DATA the whole mail has arrived."""

    step: Step
    ending: Literal["answer", "hang", "cut", "dribble"] = "answer"
    answer: str = ""
    keep: bool = False

    @classmethod
    def refuse(cls, step: Step, answer: str) -> MailFault:
        return cls(step, answer=answer)

    @classmethod
    def hang(cls, step: Step, *, keep: bool = False) -> MailFault:
        return cls(step, "hang", keep=keep)

    @classmethod
    def cut(cls, step: Step, *, keep: bool = False) -> MailFault:
        return cls(step, "cut", keep=keep)

    @classmethod
    def dribble(cls, step: Step) -> MailFault:
        return cls(step, "dribble", keep=True)


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    options: tuple[str, ...]
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.content, policy=email.policy.SMTPUTF8)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpServer:
    """In a thread, from `with` to the end of it. With `users` every client has to sign in."""

    host = "localhost"

    def __init__(
        self,
        *,
        security: Security = "none",
        tls: ssl.SSLContext | None = None,
        users: dict[str, str] | None = None,
        smtputf8: bool = True,
    ) -> None:
        self.mails: list[ReceivedMail] = []
        self.commands: list[str] = []
        self.connections = 0
        self._security, self._tls, self._users, self._smtputf8 = security, tls, users, smtputf8
        self._faults: deque[MailFault] = deque()
        self._transports: list[asyncio.Transport] = []
        self._started = threading.Event()

    def next(self, *faults: MailFault) -> None:
        """Each happens once, at its step, in this order."""
        self._faults.extend(faults)

    def drop_connections(self) -> None:
        """As a server does that has waited long enough for the next mail."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(5)

    def fault(self, step: Step) -> MailFault | None:
        return self._faults.popleft() if self._faults and self._faults[0].step == step else None

    def opened(self, transport: asyncio.Transport) -> None:
        self.connections += 1
        self._transports.append(transport)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="smtp-server")
        self._thread.start()
        if not self._started.wait(5):
            raise RuntimeError("the mail server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        implicit = self._tls if self._security == "tls" else None
        server = await self._loop.create_server(self._conversation, "127.0.0.1", 0, ssl=implicit)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        await self._drop()

    async def _drop(self) -> None:
        for transport in self._transports:
            transport.abort()
        self._transports.clear()
        await asyncio.sleep(0.02)

    def _conversation(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # signing in without TLS is what some tests are about
            return _Conversation(
                self,
                loop=self._loop,
                hostname="mail.test",
                enable_SMTPUTF8=self._smtputf8,
                tls_context=self._tls if self._security == "starttls" else None,
                require_starttls=self._security == "starttls",
                auth_required=self._users is not None,
                auth_require_tls=self._security == "starttls",
                authenticator=self._authenticate,
            )

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        good = (self._users or {}).get(user) == password
        return AuthResult(success=good, handled=good, auth_data=user)

    # What aiosmtpd calls at each step; "MISSING" of its own is the plain answer.

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self.act("MAIL", server)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self.act("RCPT", server)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        fault = self._faults[0] if self._faults and self._faults[0].step == "DATA" else None
        if fault is None or fault.keep:
            self._keep(session, envelope)
        return await self.act("DATA", server) or "250 2.0.0 queued"

    def _keep(self, session: Session, envelope: Envelope) -> None:
        self.mails.append(
            ReceivedMail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=bytes(envelope.original_content or b""),
                options=tuple(envelope.mail_options),
                encrypted=session.ssl is not None or self._security == "tls",
                user=session.auth_data if isinstance(session.auth_data, str) else None,
            )
        )

    async def act(self, step: Step, conversation: Any) -> str | None:
        """The answer of a fault, after whatever it does first; None without one."""
        fault = self.fault(step)
        if fault is None:
            return None
        if fault.ending == "cut":
            conversation.transport.abort()
        if fault.ending in ("cut", "hang"):
            await self._stop.wait()
        if fault.ending == "dribble":
            for byte in b"250-" + b"x" * 400:
                conversation.transport.write(bytes([byte]))
                await asyncio.sleep(0.05)
        return fault.answer


class _Conversation(SMTP):
    def __init__(self, owner: SmtpServer, **settings: Any) -> None:
        super().__init__(owner, **settings)
        self._owner = owner

    def connection_made(self, transport: Any) -> None:
        if self._original_transport is None:  # not the second time, when STARTTLS has put TLS between
            self._owner.opened(transport)
        super().connection_made(transport)

    async def push(self, status: Any) -> None:
        """The greeting is pushed before any command, and nothing else tells of it."""
        if self.session is not None and self.session.host_name is None and str(status).startswith("220 mail"):
            status = await self._owner.act("CONNECT", self) or status
        await super().push(status)

    async def smtp_EHLO(self, hostname: str) -> None:
        answer = await self._owner.act("EHLO", self)
        await (self.push(answer) if answer else super().smtp_EHLO(hostname))

    async def smtp_AUTH(self, argument: str) -> None:
        answer = await self._owner.act("AUTH", self)
        await (self.push(answer) if answer else super().smtp_AUTH(argument))

    async def smtp_NOOP(self, argument: str) -> None:
        self._owner.commands.append("NOOP")
        await super().smtp_NOOP(argument)

    async def smtp_RSET(self, argument: str) -> None:
        self._owner.commands.append("RSET")
        await super().smtp_RSET(argument)

    async def smtp_QUIT(self, argument: str) -> None:
        self._owner.commands.append("QUIT")
        await super().smtp_QUIT(argument)

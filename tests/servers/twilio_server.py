"""Twilio's Messages resource on this machine: what it accepts, refuses and keeps, and every way it can fail.

with TwilioServer() as twilio:
    twilio.next(Fault.accept_then_hang())
    ...  # point sms.api_base_url at twilio.url
    assert twilio.messages[0]["body"] == "…"
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.servers.sockets import Tracked
from tests.servers.twilio_rules import (
    Form,
    Message,
    basic,
    matches,
    now,
    problem,
    problem_with,
    resource,
)

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "a-token-for-tests"
SERVICE = "MG" + "0123456789abcdef" * 2

Operation = Literal["create", "list", "fetch", "account"]


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request goes wrong. `accept`: the message is taken first, as when only the answer is lost."""

    accept: bool = False
    ending: Literal["answer", "hang", "cut"] = "answer"
    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    dribble: Literal["", "head", "body"] = ""
    pause: float = 0.05

    @classmethod
    def accept_then_hang(cls) -> Fault:
        return cls(accept=True, ending="hang")

    @classmethod
    def accept_then_cut(cls) -> Fault:
        return cls(accept=True, ending="cut")

    @classmethod
    def accept_then_error(cls, status: int = 500) -> Fault:
        return cls(accept=True, status=status, body=b"<h1>Internal Server Error</h1>")

    @classmethod
    def cut(cls) -> Fault:
        return cls(ending="cut")

    @classmethod
    def refuse(cls, code: int, status: int = 400, said: str = "No.") -> Fault:
        return cls(status=status, body=problem(code, status, said))

    @classmethod
    def too_many(cls, retry_after: str | None = None) -> Fault:
        headers = {"Retry-After": retry_after} if retry_after else {}
        return cls(status=429, body=problem(20429, 429, "Too Many Requests"), headers=headers)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        return cls(accept=True, delay=seconds)

    @classmethod
    def trickle(cls, part: Literal["head", "body"], pause: float = 0.05) -> Fault:
        return cls(accept=True, dribble=part, pause=pause)

    @classmethod
    def garbage(cls, body: bytes = b"<html>hello</html>", status: int = 201) -> Fault:
        return cls(accept=True, status=status, body=body)


class TwilioServer:
    """In a thread, from `with` to the end of it. `url` goes into sms.api_base_url.

    `choose` may pick a fault for a form at random or by rule; `next` comes first, then `for_number`.
    """

    def __init__(
        self,
        *,
        account: str = ACCOUNT,
        token: str = TOKEN,
        tls: ssl.SSLContext | None = None,
        prefix: str = "",
    ) -> None:
        self.account, self.token, self.prefix = account, token, prefix
        self.account_status = "active"
        self.messages: list[Message] = []
        self.forms: list[Form] = []
        self.choose: Callable[[Form], Fault | None] = lambda form: None
        self.lock = threading.Lock()
        self._faults: dict[Operation, deque[Fault]] = defaultdict(deque)
        self._by_number: dict[str, Fault] = {}
        self._tls = tls

    @property
    def connections(self) -> int:
        """How many were accepted so far."""
        return self._server.accepted

    def next(self, *faults: Fault, on: Operation = "create") -> None:
        self._faults[on].extend(faults)

    def for_number(self, to: str, fault: Fault | None) -> None:
        """Every message to this number, until called again with None."""
        if fault is None:
            self._by_number.pop(to, None)
        else:
            self._by_number[to] = fault

    def advance(self, sid: str, status: str, *, error_code: int | None = None) -> None:
        """What happens to a message later: it is sent, delivered, fails."""
        with self.lock:
            message = next(message for message in self.messages if message["sid"] == sid)
            message.update(status=status, error_code=error_code, date_updated=now())
            if message["date_sent"] is None:
                message["date_sent"] = now()

    def receive(self, sender: str, body: str, *, to: str, at: str | None = None) -> str:
        """A phone texts one of our numbers; its sid. It stands in the list from then on."""
        message = resource(self.account, {"To": to, "Body": body, "From": sender})
        message |= {"direction": "inbound", "status": "received", "date_sent": at or now()}
        message["date_created"] = message["date_sent"]
        with self.lock:
            self.messages.append(message)
        return str(message["sid"])

    def signature(self, url: str, form: Form) -> str:
        """What Twilio puts into X-Twilio-Signature: as its documentation says, not as its library does."""
        said = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        return base64.b64encode(hmac.digest(self.token.encode(), said.encode(), "sha1")).decode()

    def fault(self, operation: Operation, form: Form) -> Fault | None:
        with self.lock:
            if self._faults[operation]:
                return self._faults[operation].popleft()
        if operation != "create":
            return None
        return self._by_number.get(form.get("To", "")) or self.choose(form)

    def take(self, form: Form) -> Message:
        message = resource(self.account, form)
        with self.lock:
            self.messages.append(message)
        return message

    def __enter__(self) -> Self:
        self._server = Tracked(("127.0.0.1", 0), _Handler)
        self._server.twilio = self
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://localhost:{self._server.server_port}{self.prefix}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), name="twilio-server"
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Tracked

    def do_POST(self) -> None:
        self._answer_to(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

    def do_GET(self) -> None:
        self._answer_to(urlsplit(self.path).query)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    @property
    def _twilio(self) -> TwilioServer:
        twilio: TwilioServer = self.server.twilio
        return twilio

    def _answer_to(self, encoded: str) -> None:
        form = dict(parse_qsl(encoded, keep_blank_values=True))
        operation, status, answer = self._route(form)
        fault = self._twilio.fault(operation, form) if status < 300 else None
        if operation == "create" and status < 300 and (fault is None or fault.accept):
            answer = self._twilio.take(form)
        body = json.dumps(answer).encode()
        if fault is None:
            self._send(status, body, {})
        else:
            self._fail(fault, status, body)

    def _fail(self, fault: Fault, status: int, body: bytes) -> None:
        if fault.ending == "hang":
            self.server.stopping.wait()
        elif fault.ending == "cut":
            self.server.cut(self.connection)
        else:
            self.server.stopping.wait(fault.delay)
            body = body if fault.body is None else fault.body
            self._send(fault.status or status, body, fault.headers, fault)
            return
        self.close_connection = True

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        lines = {
            "Date": now(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        head = f"HTTP/1.1 {status} Answer\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        slow = fault.dribble if fault else ""
        pause = fault.pause if fault else 0.0
        self._write(head.encode(), pause if slow == "head" else 0.0)
        self._write(body, pause if slow == "body" else 0.0)

    def _write(self, data: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(data)
            return
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(pause):
                return

    def _route(self, form: Form) -> tuple[Operation, int, Any]:
        twilio = self._twilio
        base = f"{twilio.prefix}/2010-04-01/Accounts/{twilio.account}"
        path = urlsplit(self.path).path
        operation: Operation = "create" if self.command == "POST" else "list"
        if self.headers.get("Authorization") != basic(twilio.account, twilio.token):
            return operation, 401, json.loads(problem(20003, 401, "Authenticate"))
        if path == f"{base}.json":
            return "account", 200, {"sid": twilio.account, "status": twilio.account_status, "type": "Full"}
        if path == f"{base}/Messages.json":
            return self._create(form) if self.command == "POST" else self._list(form)
        found = re.fullmatch(re.escape(base) + r"/Messages/(\w+)\.json", path)
        known = [m for m in twilio.messages if found and m["sid"] == found[1]]
        if known:
            return "fetch", 200, known[0]
        return "fetch", 404, json.loads(problem(20404, 404, f"The requested resource {path} was not found"))

    def _create(self, form: Form) -> tuple[Operation, int, Any]:
        with self._twilio.lock:
            self._twilio.forms.append(form)
        wrong = problem_with(form)
        if wrong:
            return "create", 400, json.loads(problem(wrong[0], 400, wrong[1]))
        return "create", 201, None

    def _list(self, form: Form) -> tuple[Operation, int, Any]:
        twilio = self._twilio
        with twilio.lock:
            found = [message for message in reversed(twilio.messages) if matches(message, form)]
        size, page = int(form.get("PageSize", "50")), int(form.get("Page", "0"))
        start, end = page * size, (page + 1) * size
        path = f"/2010-04-01/Accounts/{twilio.account}/Messages.json"
        following = f"{path}?{urlencode(form | {'Page': str(page + 1)})}" if end < len(found) else None
        return (
            "list",
            200,
            {
                "messages": found[start:end],
                "first_page_uri": f"{path}?{urlencode(form | {'Page': '0'})}",
                "next_page_uri": following,
                "previous_page_uri": None,
                "page": page,
                "page_size": size,
                "start": start,
                "end": min(end, len(found)) - 1,
                "uri": self.path,
            },
        )

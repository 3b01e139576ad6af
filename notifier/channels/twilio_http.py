"""Carries the Twilio client's requests: pooled, each within one total time-out, and knowing what left.

The client's own transport has no time-out, trusts certifi's list instead of the system's, and logs numbers.
"""

from __future__ import annotations

import base64
import logging
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse

from notifier.channels.deadline import Deadline, Watchdog, connect

_LARGEST_ANSWER = 4_000_000

# A list's address holds the patient's number, which urllib3 would write into its debug lines.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(slots=True)
class Call:
    """What the transport learns while the client works: whether anything may have reached the other side."""

    deadline: Deadline
    keep_for: float = 30.0
    left: bool = False
    status: int | None = None
    headers: Mapping[str, str] | None = None


_current: ContextVar[Call] = ContextVar("_current")


class _Watched(HTTPConnection):
    """Not a connection by itself: what the two below share."""

    _last_used = 0.0

    def _new_conn(self) -> Any:
        return connect(self._dns_host, self.port or self.default_port, _current.get().deadline)

    def send(self, data: Any) -> None:
        call = _current.get()
        if self.sock is None:
            self.connect()
        call.deadline.watch(self.sock)
        self._last_used = time.monotonic()
        call.left = True
        super().send(data)

    @property
    def is_connected(self) -> bool:
        """False makes the pool open a new one.

        Firewalls forget idle connections without telling either side, and what is sent over such a one is in
        doubt after a whole time-out.
        """
        return super().is_connected and time.monotonic() - self._last_used < _current.get().keep_for


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class Transport(HttpClient):  # type: ignore[misc]
    """`base_url` replaces the scheme, host and beginning of the path of every address the client asks for."""

    def __init__(self, base_url: str, *, threads: int, tls: ssl.SSLContext | None, keep_for: float) -> None:
        super().__init__(logging.getLogger(__name__), False)
        self._keep_for = keep_for
        self._base = urlsplit(base_url)
        if tls is None and self._base.scheme == "https":
            tls = ssl.create_default_context()  # trusts the system's store and SSL_CERT_FILE
        self._pools = PoolManager(num_pools=2, maxsize=threads, ssl_context=tls)
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._watchdog = Watchdog()

    @contextmanager
    def call(self, seconds: float) -> Iterator[Call]:
        """Everything that the client asks for inside shares this limit."""
        with self._watchdog.limit(seconds) as deadline:
            call = Call(deadline, self._keep_for)
            token = _current.set(call)
            try:
                yield call
            finally:
                _current.reset(token)

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The client's contract. Its time-out and redirects are not used: the call's limit stands."""
        call = _current.get()
        answer = self._pools.urlopen(
            method.upper(),
            self._address(url, params),
            body=urlencode(data, doseq=True) if data else None,
            headers=dict(headers or {}) | _authorization(auth),
            timeout=Timeout(total=call.deadline.remaining()),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        call.status, call.headers = answer.status, answer.headers
        return Response(answer.status, _text(answer), answer.headers)

    def close(self) -> None:
        self._pools.clear()
        self._watchdog.close()

    def _address(self, url: str, params: Mapping[str, Any] | None) -> str:
        asked = urlsplit(url)
        query = "&".join(part for part in (asked.query, urlencode(params or {}, doseq=True)) if part)
        path = self._base.path.rstrip("/") + asked.path
        return urlunsplit((self._base.scheme, self._base.netloc, path, query, ""))


def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(":".join(auth).encode()).decode()}


def _text(answer: BaseHTTPResponse) -> str:
    """What cannot be decoded is replaced: a refusal with a bad byte in it is still a refusal."""
    body = answer.read(_LARGEST_ANSWER)
    if answer.read(1):
        answer.close()
        raise ValueError(f"the answer was longer than {_LARGEST_ANSWER:,} bytes")
    answer.release_conn()
    return body.decode("utf-8", errors="replace")

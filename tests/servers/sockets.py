"""A threading HTTP server that counts its connections, can cut one, and leaves none behind."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import Any


class Tracked(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    twilio: Any

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self.accepted = 0
        self.stopping = threading.Event()
        self.errors: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self.accepted += 1
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about; anything else is a mistake in the server."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)

    def cut(self, request: socket.socket) -> None:
        """Resets the connection, so that the other side sees an error rather than an end."""
        request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with self._lock:
            self._open.discard(request)
        # Its files still hold the object open; only closing the descriptor itself sends the reset.
        os.close(request.detach())

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for request in self._open:
                try:
                    socket.socket.shutdown(request, socket.SHUT_RDWR)
                except OSError:
                    continue
        self.server_close()
        if self.errors:
            raise self.errors[0]

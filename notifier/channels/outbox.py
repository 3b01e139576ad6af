"""Keeps what would be sent, one JSON line for each message, and never reaches anyone.

The default of a new installation, what the demo shows, and the double that tests use.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from notifier.envelope import Accepted, Found, OutboundMessage
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status

Entry = dict[str, Any]


class Outbox:
    """`on_keep` hears each entry after it is safely in the file; `clock` tells `kept_at`."""

    provider = "outbox"

    def __init__(
        self,
        path: Path,
        *,
        on_keep: Callable[[Entry], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path, self._on_keep, self._clock = path, on_keep, clock
        # Within one process a half-written line is never seen, and so never taken for a torn one.
        self._writing = threading.Lock()

    def send(self, message: OutboundMessage) -> Accepted:
        entry = self._entry(message)
        try:
            self._append(json.dumps(entry, ensure_ascii=False).encode(errors="backslashreplace"))
        except OSError as error:
            raise ChannelError(
                ErrorClass.CONFIGURATION,
                f"The outbox file {self._path} cannot be written ({error.strerror or error}): "
                "free some space or make it writable, or name another in delivery.outbox_file.",
            ) from error
        if self._on_keep is not None:
            self._on_keep(entry)
        return Accepted(provider_id=entry["provider_id"], status=Status.SENT, provider=self.provider)

    def find(self, message: OutboundMessage, since: datetime) -> list[Found] | None:
        """By id, attempt and reference: numbers alone start again when a database does, the file may not.

        `since` is not compared, because `kept_at` is in plan time, which the demo jumps.
        """
        wanted = (message.message_id, message.attempt, message.reference)
        try:
            entries = self.entries()
        except OSError:
            return None
        return [
            Found(provider_id=entry["provider_id"], status=Status.SENT)
            for entry in entries
            if (entry["message_id"], entry["attempt"], entry["reference"]) == wanted
        ]

    def entries(self) -> list[Entry]:
        """Everything kept, oldest first, without a line that a crash or a full disk cut short."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return list(_readable(lines))

    def close(self) -> None:
        """The file is opened for each message, so that it may be moved away at any time."""

    def _entry(self, message: OutboundMessage) -> Entry:
        entry: Entry = {
            "message_id": message.message_id,
            "attempt": message.attempt,
            "reference": message.reference,
            "channel": message.channel,
            "to": message.to,
            "sender": message.sender,
            "subject": message.subject,
            "text": message.text,
            "kept_at": self._clock().astimezone(UTC).isoformat(),
            "provider_id": f"outbox-{uuid.uuid4().hex}",
        }
        return entry | {"html": message.html} if message.html else entry

    def _append(self, line: bytes) -> None:
        """One write in append mode, so that the lines of threads and processes never mix."""
        with self._writing:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                data = (b"\n" if _torn(file) else b"") + line + b"\n"
                if os.write(file, data) < len(data):
                    raise OSError("there was no room for the whole message")
            finally:
                os.close(file)


def _torn(file: int) -> bool:
    """Whether the last writer did not get to the end of its line."""
    size = os.fstat(file).st_size
    if size == 0:
        return False
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1) != b"\n"


def _readable(lines: list[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry

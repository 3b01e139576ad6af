"""The mailbox that replies and bounces come to, read by IMAP.

It is only ever read: nothing is deleted, moved or marked as read, so a person may look into it as well. What
was taken is known by the cursor, and a mail that comes twice is known by its Message-ID.
"""

from __future__ import annotations

import imaplib
import logging
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from notifier.channels import mail_words
from notifier.channels.deadline import Deadline, Watchdog
from notifier.channels.imap_connection import Connection, failed
from notifier.channels.mail_words import Mail
from notifier.envelope import SINCE_BACKUP, Batch

if TYPE_CHECKING:
    from notifier.config import Settings

log = logging.getLogger(__name__)

_LARGEST = 1_000_000  # bytes of a mail; pictures come at its end, and are not kept anyway
_LOOK_BACK = timedelta(days=7)
_TRIES = 3
_FAILURES = (imaplib.IMAP4.error, OSError, ValueError)


class ImapMailbox:
    """`poll` is called by one thread at a time."""

    name = "imap"
    every = timedelta(seconds=30)

    def __init__(
        self,
        settings: Settings,
        *,
        tls: ssl.SSLContext | None = None,
        seconds: float = 30.0,
        at_once: int = 50,
    ) -> None:
        """`seconds` is the longest that one look may take, `at_once` the most mails that it brings."""
        self._at_once = at_once
        self._settings = settings.inbound_mail
        self._tls = tls or ssl.create_default_context()  # trusts the system's store and SSL_CERT_FILE
        self._seconds = seconds
        self._watchdog = Watchdog()
        self._stuck = (0, 0)  # a UID, and how often the connection ended over it

    def poll(self, cursor: dict[str, Any]) -> Batch:
        """What came since `cursor`, the oldest first. Raises ChannelError in words."""
        with self._open() as (connection, validity, following):
            uids = self._new(connection, cursor, validity)
            mails, last = self._fetch_all(connection, uids[: self._at_once])
            complete = len(uids) <= self._at_once and last == (uids[-1] if uids else 0)
            if complete:
                known = cursor.get("uid", 0) if cursor.get("validity") == validity else 0
                last = max(last, known, (following or 1) - 1)
        inbound = tuple(mail.inbound for mail in mails if mail.inbound is not None)
        reports = tuple(report for mail in mails for report in mail.reports)
        is_known = last > 0 or following is not None
        next_cursor = {"validity": validity, "uid": last} if is_known else dict(cursor)
        return Batch(inbound, reports, next_cursor, complete)

    def check(self) -> None:
        """Signs in and opens the folder; raises ChannelError when that fails."""
        with self._open():
            pass

    def close(self) -> None:
        self._watchdog.close()

    @contextmanager
    def _open(self) -> Iterator[tuple[Connection, int, int | None]]:
        with self._watchdog.limit(self._seconds) as deadline:
            connection = None
            try:
                connection = Connection(self._settings, tls=self._tls, deadline=deadline)
                connection.sign_in()
                yield connection, *connection.open_folder()
            except _FAILURES as failure:
                raise failed(failure, deadline) from failure
            finally:
                if connection is not None:
                    _leave(connection, deadline)

    def _new(self, connection: Connection, cursor: dict[str, Any], validity: int) -> list[int]:
        """The UIDs to take.

        At first only what nobody has read. In a mailbox made anew all UIDs are new, so the latest are looked
        through again; what was taken before is known.
        """
        since = imaplib.Time2Internaldate(_back_to(cursor))[1:12]
        if not cursor:
            wanted, after = f"UNSEEN SINCE {since}", 0
        elif cursor.get("validity") != validity:
            wanted, after = f"SINCE {since}", 0
        else:
            after = int(cursor.get("uid", 0))
            wanted = f"UID {after + 1}:*"
        _, found = connection.uid("SEARCH", wanted)
        uids = {int(uid) for line in found if isinstance(line, bytes) for uid in line.split()}
        # Where nothing is newer, "*" is the newest that we know.
        return sorted(uid for uid in uids if uid > after)

    def _fetch_all(self, connection: Connection, uids: Sequence[int]) -> tuple[list[Mail], int]:
        """The mails, and the last UID that is done with; where the connection ends, those until then."""
        mails: list[Mail] = []
        last = 0
        for uid in uids:
            if self._stuck == (uid, _TRIES):
                log.error("mail %s of the mailbox cannot be fetched and is left there", uid)
            else:
                try:
                    mails += _fetch(connection, uid)
                except _FAILURES:
                    self._stuck = (uid, self._stuck[1] + 1 if self._stuck[0] == uid else 1)
                    if not last:
                        raise
                    break
            last = uid
        return mails, last


def _back_to(cursor: dict[str, Any]) -> datetime:
    """A day earlier, because servers count days in a zone of their own."""
    usual = datetime.now(UTC) - _LOOK_BACK
    backup = cursor.get(SINCE_BACKUP)
    return min(usual, datetime.fromisoformat(backup) - timedelta(days=1)) if backup else usual


def _leave(connection: Connection, deadline: Deadline) -> None:
    if deadline.passed:
        connection.shutdown()
    else:
        connection.leave()


def _fetch(connection: Connection, uid: int) -> list[Mail]:
    """One mail; none where somebody deleted it meanwhile, or the server does not give it out."""
    _, answer = connection.uid("FETCH", str(uid), f"(UID INTERNALDATE BODY.PEEK[]<0.{_LARGEST}>)")
    raw = next((piece[1] for piece in answer if isinstance(piece, tuple)), None)
    if raw is None:
        log.warning("mail %s of the mailbox is no longer there", uid)
        return []
    around = b" ".join(piece[0] if isinstance(piece, tuple) else piece or b"" for piece in answer)
    return [mail_words.read(raw, received_at=_received(around))]


def _received(said: bytes) -> datetime:
    """When the server took it, by the server's clock, which may go wrong."""
    now = datetime.now(UTC)
    found = re.search(rb'INTERNALDATE "([^"]+)"', said)
    try:
        at = parsedate_to_datetime(found[1].decode("ascii", "replace").strip()) if found else now
    except (ValueError, TypeError):
        return now
    return min(at if at.tzinfo else at.replace(tzinfo=UTC), now)

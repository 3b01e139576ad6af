"""Fetches what patients sent and what became of messages, for as long as it runs. An entry point.

Each way has a row with a lease by the database's clock, so that one program asks, and with a cursor that
moves only when all that a look brought is kept: what was sent while nobody ran still comes in.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Engine, or_, select, update

from notifier import in_flight, replies, reply_rules, reports, restored
from notifier.clock import Clock
from notifier.config import Settings
from notifier.db import RealTime, insert_missing, reading, transaction
from notifier.envelope import SINCE_BACKUP, Batch, DeliveryReport, InboundMessage
from notifier.errors import ChannelError, DatabaseUnavailable
from notifier.models import Receiver, Sender
from notifier.outcomes import policy_of

log = logging.getLogger(__name__)

_LEASE = 90.0  # seconds; longer than the longest look
_AFTER_TROUBLE = (5.0, 15.0, 60.0, 300.0)
_TRIES = 20


class Source(Protocol):
    """One way by which things come in. `poll` sees no database, and raises ChannelError in words."""

    name: str
    every: timedelta

    def poll(self, cursor: dict[str, Any]) -> Batch: ...
    def close(self) -> None: ...


@runtime_checkable
class Asking(Protocol):
    """A source that can be asked how far messages are."""

    def statuses(self, sids: Sequence[str]) -> list[DeliveryReport]: ...


@runtime_checkable
class Numbered(Protocol):
    """A source that asks for what came to these numbers of ours; none: for all."""

    numbers: tuple[str, ...]


def sources(settings: Settings) -> list[Source]:
    """The ways that the settings open; none where nothing leaves the house."""
    found: list[Source] = []
    if settings.sms.account_sid and settings.delivery.mode != "outbox":
        from notifier.channels.twilio_inbox import TwilioInbox

        found.append(TwilioInbox(settings))
    if settings.inbound_mail.host and settings.delivery.mode != "outbox":
        from notifier.channels.mailbox import ImapMailbox

        found.append(ImapMailbox(settings))
    return found


class Receiving:
    """A thread for each source. `start` returns at once; `stop` ends after the look that is under way."""

    def __init__(
        self, engine: Engine, clock: Clock, settings: Settings, found: Sequence[Source] | None = None
    ) -> None:
        self._engine, self._clock, self._settings = engine, clock, settings
        self._sources = sources(settings) if found is None else list(found)
        self._worker = f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(source,), name=f"receive-{source.name}", daemon=True)
            for source in self._sources
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for source in self._sources:
            source.close()
        self._let_go()

    def _let_go(self) -> None:
        """Another program need not wait until the lease has run out."""
        with contextlib.suppress(DatabaseUnavailable), transaction(self._engine) as session:
            mine = update(Receiver).where(Receiver.worker == self._worker)
            session.execute(mine.values(lease_until=None))

    def once(self) -> None:
        """One look at each, for a worker that does what is due and ends."""
        for source in self._sources:
            try:
                self.look(source)
            except ChannelError as error:
                log.warning("receiving by %s: %s", source.name, error)

    def look(self, source: Source) -> bool:
        """Once, where nobody else is at it; whether it was looked. Raises DatabaseUnavailable."""
        cursor = self._take(source.name)
        if cursor is None:
            return False
        if isinstance(source, Numbered):
            source.numbers = self._numbers()
        try:
            batch = source.poll(cursor)
            lost = self._keep_all(batch)
            self._ask(source)
        except ChannelError as error:
            self._done(source.name, cursor, str(error))
            raise
        everything = batch.complete and not lost
        since_backup = cursor.get(SINCE_BACKUP, "") if everything else ""
        self._done(source.name, self._following(cursor, batch, lost), "", since_backup)
        return True

    def _numbers(self) -> tuple[str, ...]:
        """A clinic's sender may have a number of its own; a Messaging Service may use any of the account."""
        with reading(self._engine) as session:
            own = session.scalars(select(Sender.identity).where(Sender.channel == "sms", Sender.active)).all()
        numbers = {identity or self._settings.sms.from_number for identity in own}
        is_known = all(number.startswith("+") for number in numbers)
        return tuple(sorted(numbers)) if is_known else ()

    def _following(self, cursor: dict[str, Any], batch: Batch, lost: int) -> dict[str, Any]:
        """What could not be kept is fetched again, but not for ever: later ones must not wait for it."""
        tries = int(cursor.get("tries", 0)) + 1
        if lost and tries < _TRIES:
            return cursor | {"tries": tries}
        if lost:
            log.error("%d items could not be kept after %d tries and are left at the provider", lost, tries)
        kept = {SINCE_BACKUP} & cursor.keys() if not batch.complete else set()
        return batch.cursor | {name: cursor[name] for name in kept}

    def _work(self, source: Source) -> None:
        troubles = 0
        while not self._stopping.is_set():
            wait = source.every.total_seconds()
            try:
                self.look(source)
                troubles = 0
            except Exception as error:
                wait = _AFTER_TROUBLE[min(troubles, len(_AFTER_TROUBLE) - 1)]
                troubles += 1
                self._tell(source, error, wait)
            self._wake.wait(wait)
            self._wake.clear()

    def _tell(self, source: Source, error: Exception, wait: float) -> None:
        if isinstance(error, ChannelError | DatabaseUnavailable):
            log.warning(
                "receiving by %s: %s Trying again in %d s; nothing is lost.", source.name, error, wait
            )
        else:
            log.exception("receiving by %s failed; trying again in %d s", source.name, wait)

    def _take(self, name: str) -> dict[str, Any] | None:
        """The cursor, and the lease that goes with it; None while another program has it."""
        with transaction(self._engine) as session:
            session.execute(
                insert_missing(session, Receiver).values(name=name, cursor={}, worker="", problem="")
            )
            taken = session.execute(
                update(Receiver)
                .where(
                    Receiver.name == name,
                    or_(
                        Receiver.lease_until.is_(None),
                        Receiver.lease_until < RealTime(),
                        Receiver.worker == self._worker,
                    ),
                )
                .values(lease_until=RealTime(_LEASE), worker=self._worker)
            )
            if not taken.rowcount:  # type: ignore[attr-defined]
                return None
            return dict(session.scalars(select(Receiver.cursor).where(Receiver.name == name)).one())

    def _keep_all(self, batch: Batch) -> int:
        """Each in a transaction of its own. How many could not be kept: they cost the others nothing."""
        lost = 0
        keep: list[Callable[[], None]] = [partial(self._receive, message) for message in batch.inbound]
        keep += [partial(self._apply, report) for report in batch.reports]
        for each in keep:
            try:
                each()
            except DatabaseUnavailable:
                raise
            except Exception:
                log.exception("something that came in could not be kept")
                lost += 1
        return lost

    def _receive(self, message: InboundMessage) -> None:
        reply_rules.make_ready()
        with transaction(self._engine) as session:
            received = replies.receive(session, message, settings=self._settings, now=self._clock.now())
        in_flight.wait(self._engine, received.stopped, seconds=self._settings.sms.timeout.total_seconds())

    def _apply(self, report: DeliveryReport) -> None:
        with transaction(self._engine) as session:
            policy = policy_of(self._settings)
            reports.apply(session, report, policy=policy, now=self._clock.now(), actor=report.provider)

    def _ask(self, source: Source) -> None:
        """How far messages are whose last word is still to come."""
        if not isinstance(source, Asking):
            return
        with reading(self._engine) as session:
            if not reports.is_awaited(session):
                return
        with transaction(self._engine) as session:
            sids = reports.awaited(session, now=self._clock.now())
        for report in source.statuses(sids) if sids else ():
            self._apply(report)

    def _done(self, name: str, cursor: dict[str, Any], problem: str, since_backup: str = "") -> None:
        """`since_backup`: that moment, where with this look all is in that came since it."""
        values: dict[str, Any] = {"cursor": cursor, "problem": problem}
        if not problem:
            values["worked_at"] = RealTime()
        with transaction(self._engine) as session:
            mine = session.execute(
                update(Receiver)
                .where(Receiver.name == name, Receiver.worker == self._worker)
                # The lease stays with whoever has it; others take over when it is not renewed.
                .values(lease_until=RealTime(_LEASE), **values)
            )
            if since_backup and mine.rowcount:  # type: ignore[attr-defined]
                restored.fetched(session, self._settings, name, since_backup, now=self._clock.now())

"""Asking providers about messages in doubt.

In threads of its own, so that a slow answer keeps no other message waiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import Engine

from notifier import reports, settling
from notifier.channels import Channel, Findable, Searchable
from notifier.db import reading, transaction
from notifier.errors import DatabaseUnavailable
from notifier.outcomes import Policy
from notifier.senders import Terms
from notifier.settling import Answer, Doubt

log = logging.getLogger(__name__)

_AT_A_TIME = 4
# Seconds between two looks for doubts while there is other work.
_EVERY = 1.0


class Doubts:
    """`answered` hears each answer, from another thread; `busy` counts those that are awaited."""

    def __init__(
        self,
        engine: Engine,
        channels: Mapping[str, Channel],
        terms: Terms,
        *,
        policy: Policy,
        lookup_gap: timedelta,
        answered: Callable[[Answer], None],
    ) -> None:
        self._engine, self._channels, self._terms = engine, channels, terms
        self._policy, self._lookup_gap = policy, lookup_gap
        self._answered = answered
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="ask")
        self._looked_at = float("-inf")
        self.busy = 0

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def begin(self, now: datetime) -> None:
        """Expire the leases that ran out, and ask about what is due to be asked about."""
        if self.busy or time.monotonic() - self._looked_at < _EVERY or not self._are_due():
            return
        with transaction(self._engine) as session:
            lost = settling.expire_leases(
                session, now=now, lookup_after=self._policy.lookup_after, worker=self._terms.worker
            )
            doubts = settling.take_doubts(
                session, self._terms.channels, gap=self._lookup_gap, limit=_AT_A_TIME
            )
        if lost:
            log.warning("%d messages are in doubt: a worker stopped while sending them", lost)
        if doubts:
            self._looked_at = float("-inf")  # there may be more, to be asked about as soon as these are
        for doubt in doubts:
            self.busy += 1
            self._pool.submit(self._ask_and_tell, doubt)

    def settle(self, answer: Answer, now: datetime) -> None:
        """Write down what the answer means. Where that fails, the provider is asked again after a while."""
        self.busy -= 1
        try:
            with transaction(self._engine) as session:
                worker = self._terms.worker
                report = settling.settle(session, answer, now=now, gap=self._lookup_gap, worker=worker)
                if report is not None:
                    reports.apply(session, report, policy=self._policy, now=now, actor=worker)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("message %s: the answer could not be used", answer.doubt.outbound.message_id)

    def _are_due(self) -> bool:
        self._looked_at = time.monotonic()
        with reading(self._engine) as session:
            wait = settling.wait_for_doubt(session, self._terms.channels)
        return wait is not None and not wait

    def _ask_and_tell(self, doubt: Doubt) -> None:
        self._answered(self._ask(doubt))

    def _ask(self, doubt: Doubt) -> Answer:
        channel = self._channels[doubt.outbound.channel]
        if not isinstance(channel, Findable):
            return Answer(doubt, None, possible=False)
        try:
            found = channel.find(doubt.outbound, doubt.since)
            if doubt.is_restored and found == [] and isinstance(channel, Searchable):
                strays = channel.strays(doubt.outbound, doubt.since)
                found = None if strays is None else found
                return Answer(doubt, found, provider=channel.provider, strays=strays or ())
            return Answer(doubt, found, provider=channel.provider)
        except Exception:
            log.exception("message %s: the look-up failed", doubt.outbound.message_id)
            return Answer(doubt, None)

"""The dispatch loop: record what came back, claim what is due, hand it to threads; until nothing is due.

One commit does both, so a message costs a fraction of one, and a crash leaves at most as many in doubt as
there are threads. No transaction is open while a provider is called.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from notifier import claiming, outcomes, settling
from notifier.channels import Channel, Findable
from notifier.claiming import Claim, Claimed, Terms
from notifier.clock import Clock
from notifier.db import reading, transaction
from notifier.errors import ChannelError
from notifier.outcomes import Outcome, Policy
from notifier.rules.delivery import ErrorClass
from notifier.settling import Answer, Doubt

log = logging.getLogger(__name__)

# A call is not begun when less than its time-out and this is left of the lease.
_SPARE = 1.0


@dataclass(frozen=True, slots=True)
class _Lease:
    """Until when a claim is ours, on the monotonic clock, which no time server turns back."""

    claimed: Claimed
    ends: float
    turn: float


class Dispatcher:
    """`timeouts` are the channels' total deadlines, in seconds."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        channels: Mapping[str, Channel],
        *,
        terms: Terms,
        policy: Policy,
        lookup_gap: timedelta,
        timeouts: Mapping[str, float],
        threads: int,
    ) -> None:
        self._engine, self._clock, self._channels = engine, clock, channels
        self._terms, self._policy, self._lookup_gap = terms, policy, lookup_gap
        self._timeouts, self._threads = timeouts, threads
        # One thread more than planned messages may fill: alerts and safety answers find it free.
        self._pool = ThreadPoolExecutor(threads + 1, thread_name_prefix="send")
        self._came_back: queue.Queue[Outcome] = queue.Queue()
        self._unrecorded: list[Outcome] = []
        self._in_flight = 0
        self._stopping = threading.Event()

    def stop(self) -> None:
        """No new claims; what is in flight is finished, what waits for its turn is released."""
        self._stopping.set()

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def drain(self) -> int:
        """Send all that is due, and come back when nothing is. Returns how many attempts were made.

        Raises DatabaseUnavailable; what came back from providers meanwhile is kept and recorded next time.
        """
        self._settle_doubts()
        attempts = 0
        while True:
            claim = self._record_and_claim()
            attempts += len(claim.messages)
            progress = claim.messages or claim.settled or self._in_flight or self._unrecorded
            if not progress:
                return attempts
            if self._in_flight:
                self._collect()

    def _record_and_claim(self) -> Claim:
        free = self._threads - self._in_flight
        may_claim = not self._stopping.is_set() and free >= 0
        if not self._unrecorded and not (may_claim and self._is_work_due()):
            return Claim([])
        recorded = list(self._unrecorded)
        mark = time.monotonic()
        with transaction(self._engine) as session:
            now = self._clock.now()
            outcomes.record_all(session, recorded, self._policy, now=now, worker=self._terms.worker)
            claim = Claim([])
            if may_claim:
                claim = claiming.claim_due(session, self._terms, now=now, limit=free, urgent=1)
        del self._unrecorded[: len(recorded)]
        for claimed in claim.messages:
            self._in_flight += 1
            lease = _Lease(claimed, mark + self._terms.lease.total_seconds(), mark + claimed.wait)
            self._pool.submit(self._send, lease)
        return claim

    def _is_work_due(self) -> bool:
        """Looked up without the write lock, so that an idle worker costs others nothing."""
        with reading(self._engine) as session:
            due = claiming.next_due(session, self._terms.channels, self._terms.kinds)
        return due is not None and due <= self._clock.now()

    def _collect(self) -> None:
        """Wait for one outcome, and take with it what else has come back."""
        self._unrecorded.append(self._came_back.get())
        self._in_flight -= 1
        while True:
            try:
                self._unrecorded.append(self._came_back.get_nowait())
            except queue.Empty:
                return
            self._in_flight -= 1

    def _send(self, lease: _Lease) -> None:
        outbound = lease.claimed.outbound
        try:
            outcome = self._call(lease)
        except ChannelError as error:
            outcome = Outcome(outbound.message_id, outbound.attempt, error=error)
        except Exception as error:
            # An adapter's mistake. It may have happened after the provider took the message.
            log.exception("message %s: the channel failed", outbound.message_id)
            wrapped = ChannelError(ErrorClass.AMBIGUOUS, f"The channel failed: {type(error).__name__}.")
            outcome = Outcome(outbound.message_id, outbound.attempt, error=wrapped)
        log.info(
            "message %s, attempt %s, by %s: %s",
            outbound.message_id,
            outbound.attempt,
            outbound.channel,
            _said(outcome),
        )
        self._came_back.put(outcome)

    def _call(self, lease: _Lease) -> Outcome:
        outbound = lease.claimed.outbound
        wait = lease.turn - time.monotonic()
        if wait > 0 and self._stopping.wait(wait):
            return Outcome(outbound.message_id, outbound.attempt, released="The worker was stopped.")
        if lease.ends - time.monotonic() < self._timeouts[outbound.channel] + _SPARE:
            return Outcome(
                outbound.message_id, outbound.attempt, released="The worker was too slow and let it go."
            )
        accepted = self._channels[outbound.channel].send(outbound)
        return Outcome(outbound.message_id, outbound.attempt, accepted=accepted)

    def _settle_doubts(self) -> None:
        """Leases that ran out, and messages that somebody has to ask the provider about."""
        if self._stopping.is_set() or not self._is_doubt_due():
            return
        now = self._clock.now()
        with transaction(self._engine) as session:
            lost = settling.expire_leases(
                session, now=now, lookup_after=self._policy.lookup_after, worker=self._terms.worker
            )
            doubts = settling.take_doubts(session, self._terms.channels, gap=self._lookup_gap)
        if lost:
            log.warning("%d messages are in doubt: a worker stopped while sending them", lost)
        for doubt in doubts:
            answer = self._ask(doubt)
            with transaction(self._engine) as session:
                settling.settle(session, answer, now=now, gap=self._lookup_gap, worker=self._terms.worker)

    def _is_doubt_due(self) -> bool:
        with reading(self._engine) as session:
            return settling.is_doubt_due(session)

    def _ask(self, doubt: Doubt) -> Answer:
        channel = self._channels[doubt.outbound.channel]
        if not isinstance(channel, Findable):
            return Answer(doubt, None, possible=False)
        try:
            return Answer(doubt, channel.find(doubt.outbound, doubt.since))
        except Exception:
            log.exception("message %s: the look-up failed", doubt.outbound.message_id)
            return Answer(doubt, None)


def _said(outcome: Outcome) -> str:
    """For the log: what came of it, without an address or a word of the message."""
    if outcome.accepted is not None:
        return str(outcome.accepted.status)
    if outcome.error is not None:
        return f"{outcome.error.error_class} {outcome.error.code or ''}".strip()
    return f"released. {outcome.released}"

"""The dispatch loop: record what came back, claim what is due, hand it to threads; until nothing is due.

One commit does both, so a message costs a fraction of one, and a crash leaves at most as many in doubt as
there are threads. No transaction is open while a provider is called.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import claiming, expiring, outcomes, senders, settling
from notifier.channels import Channel
from notifier.claiming import Claim, Claimed
from notifier.clock import Clock, pace_of
from notifier.db import reading, transaction
from notifier.dispatcher_doubts import Doubts
from notifier.errors import ChannelError, DatabaseUnavailable
from notifier.outcomes import Outcome, Policy
from notifier.rules.delivery import ErrorClass, Priority
from notifier.senders import Terms
from notifier.settling import Answer

log = logging.getLogger(__name__)

# Outcomes that come back this close together, in seconds, are recorded together.
_TOGETHER = 0.002
# A call is not begun when less than its time-out and this is left of the lease.
_SPARE = 1.0
_NOW = timedelta(0)
_WHEN_STUCK = 0.05  # seconds
_AT_MOST = 15.0


@dataclass(frozen=True, slots=True)
class _Lease:
    """Until when a claim is ours, on the monotonic clock, which no time server turns back."""

    claimed: Claimed
    ends: float


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
        self._terms, self._policy = terms, policy
        self._timeouts, self._threads = timeouts, threads
        # One thread more than planned messages may fill: alerts and safety answers find it free.
        self._pool = ThreadPoolExecutor(threads + 1, thread_name_prefix="send")
        # None stands for news: something may be due that was not.
        self._came_back: queue.Queue[Outcome | Answer | None] = queue.Queue()
        self._nudged = threading.Event()
        self._unrecorded: list[Outcome] = []
        self._in_flight = 0
        self._stopping = threading.Event()
        self._doubts = Doubts(
            engine,
            channels,
            terms,
            policy=policy,
            lookup_gap=lookup_gap,
            answered=self._came_back.put,
        )

    def stop(self) -> None:
        """No new claims; what is in flight is finished, what waits for its turn is released."""
        self._stopping.set()

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._doubts.close()

    def nudge(self) -> None:
        """Something may be due that was not: look now, even while calls are under way."""
        if not self._nudged.is_set():
            self._nudged.set()
            self._came_back.put(None)

    def drain(self) -> int:
        """Send all that is due, and come back when nothing is. Returns how many attempts were made.

        Raises DatabaseUnavailable; what came back from providers meanwhile is kept and recorded next time.
        """
        attempts = 0
        self._collect()
        while True:
            claim = self._record_and_claim()
            attempts += len(claim.messages)
            if not self._stopping.is_set():
                self._doubts.begin(self._clock.now())
            if claim.settled:
                self._collect()
            elif self._in_flight or self._doubts.busy:
                self._collect(self._patience())
            elif not self._expire():
                return attempts

    def _expire(self) -> bool:
        """Let go of what a stopped sender can no longer send in time. Whether there was any."""
        if self._stopping.is_set() or self._terms.kinds is not None:
            return False
        now, channels = self._clock.now(), self._terms.channels
        with reading(self._engine) as session:
            if not expiring.is_due(session, channels, now=now):
                return False
        with transaction(self._engine) as session:
            return expiring.expire(session, channels, now=now, actor=self._terms.worker) > 0

    def next_wait(self) -> timedelta | None:
        """How long until there is something to do; zero: now. None: nothing is planned."""
        with reading(self._engine) as session:
            waits = (
                self._wait_for(session, Priority.ALL),
                settling.wait_for_doubt(session, self._terms.channels),
            )
        return min((wait for wait in waits if wait is not None), default=None)

    def _record_and_claim(self) -> Claim:
        free = self._threads - self._in_flight
        may_claim = not self._stopping.is_set() and free >= 0
        # Looked up without the write lock, so that an idle worker costs others nothing.
        if not self._unrecorded and not (may_claim and self._wait_for_work() == _NOW):
            return Claim([])
        recorded = list(self._unrecorded)
        mark = time.monotonic()
        try:
            with transaction(self._engine) as session:
                now = self._clock.now()
                outcomes.record_all(session, recorded, self._policy, now=now, worker=self._terms.worker)
                claim = Claim([])
                if may_claim:
                    claim = claiming.claim_due(session, self._terms, now=now, limit=free, urgent=1)
        except DatabaseUnavailable:
            raise
        except Exception:
            if not recorded:
                raise
            log.exception("outcomes could not be recorded together")
            self._record_apart(recorded)
            return Claim([], settled=len(recorded))  # and now claim
        del self._unrecorded[: len(recorded)]
        for claimed in claim.messages:
            self._in_flight += 1
            lease = _Lease(claimed, mark + self._terms.lease.total_seconds())
            self._pool.submit(self._send, lease)
        return claim

    def _record_apart(self, recorded: Sequence[Outcome]) -> None:
        """One by one: an outcome that cannot be written leaves its message in doubt, and stops no other."""
        for outcome in recorded:
            try:
                with transaction(self._engine) as session:
                    now, worker = self._clock.now(), self._terms.worker
                    outcomes.record_all(session, [outcome], self._policy, now=now, worker=worker)
            except DatabaseUnavailable:
                raise
            except Exception:
                log.exception("message %s: its outcome could not be recorded", outcome.message_id)
            self._unrecorded.remove(outcome)

    def _wait_for_work(self) -> timedelta | None:
        """How long until a message may be claimed; with all threads but one busy, an urgent one."""
        priorities = Priority.ALL if self._in_flight < self._threads else (Priority.ALERT,)
        with reading(self._engine) as session:
            return self._wait_for(session, priorities)

    def _wait_for(self, session: Session, priorities: Collection[int]) -> timedelta | None:
        now, pace = self._clock.now(), pace_of(self._clock)
        return senders.wait_for_work(session, self._terms, now=now, priorities=priorities, pace=pace)

    def _patience(self) -> float:
        """How long to wait for what comes back before looking for work again."""
        if not self._came_back.empty() or self._stopping.is_set():
            return _AT_MOST
        wait = self._wait_for_work()
        # What is due and could not be claimed waits for another worker's transaction.
        return _AT_MOST if wait is None else min(max(wait.total_seconds(), _WHEN_STUCK), _AT_MOST)

    def _collect(self, patience: float = 0.0) -> None:
        """Take what has come back; wait for it as long as `patience` says.

        What follows within a moment comes along: a commit for eight messages costs little more than one for
        one. A quick channel gains threefold by it.
        """
        try:
            self._take_in(self._came_back.get(timeout=patience) if patience else self._came_back.get_nowait())
            while True:
                waiting = self._in_flight > 0 and patience > 0
                self._take_in(
                    self._came_back.get(timeout=_TOGETHER) if waiting else self._came_back.get_nowait()
                )
        except queue.Empty:
            pass

    def _take_in(self, item: Outcome | Answer | None) -> None:
        if isinstance(item, Outcome):
            self._in_flight -= 1
            self._unrecorded.append(item)
        elif isinstance(item, Answer):
            self._doubts.settle(item, self._clock.now())
        else:
            self._nudged.clear()

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
        wait = lease.claimed.turn - time.monotonic()
        if wait > 0 and self._stopping.wait(wait):
            return Outcome(outbound.message_id, outbound.attempt, released="The worker was stopped.")
        if lease.ends - time.monotonic() < self._timeouts[outbound.channel] + _SPARE:
            return Outcome(
                outbound.message_id, outbound.attempt, released="The worker was too slow and let it go."
            )
        accepted = self._channels[outbound.channel].send(outbound)
        return Outcome(outbound.message_id, outbound.attempt, accepted=accepted)


def _said(outcome: Outcome) -> str:
    """For the log: what came of it, without an address or a word of the message."""
    if outcome.accepted is not None:
        return str(outcome.accepted.status)
    if outcome.error is not None:
        return f"{outcome.error.error_class} {outcome.error.code or ''}".strip()
    return f"released. {outcome.released}"

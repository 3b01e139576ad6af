"""What became of attempts: the row, its event, and what follows for the sender, the address and the step."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from notifier import alerts_delivery, fallback, settling, suppressions
from notifier.cases import gather
from notifier.config import Settings
from notifier.db import RealTime
from notifier.envelope import Accepted
from notifier.errors import ChannelError
from notifier.models import Attempt, Message, MessageEvent, Patient, Sender
from notifier.reason_groups import NOT_KEPT
from notifier.rules.delivery import (
    RANK,
    ErrorClass,
    GiveUp,
    Kind,
    Retry,
    RetryPolicy,
    Status,
    StopSender,
    after_error,
    may_move,
    report_applies,
)

log = logging.getLogger(__name__)


_AWAITED = (Status.ACCEPTED, Status.SENT, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one attempt: accepted, or the error; neither when it was released before the call, and why."""

    message_id: int
    attempt: int
    accepted: Accepted | None = None
    error: ChannelError | None = None
    released: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    retry: RetryPolicy
    lookup_after: timedelta
    breaker_probe: timedelta


def policy_of(settings: Settings) -> Policy:
    delivery = settings.delivery
    return Policy(
        RetryPolicy(base=delivery.retry_base, longest=delivery.retry_max),
        lookup_after=delivery.lookup_after,
        breaker_probe=delivery.breaker_probe,
    )


def record_all(
    session: Session, outcomes: Sequence[Outcome], policy: Policy, *, now: datetime, worker: str
) -> None:
    """Write what the attempts became. An older attempt never changes a row that a newer one holds."""
    if not outcomes:
        return
    recorder = Recorder(session, policy, now, worker)
    _lock_patients(session, outcomes)
    messages, attempts = _rows(session, outcomes)
    for outcome in outcomes:
        recorder.record(messages[outcome.message_id], attempts[outcome.message_id, outcome.attempt], outcome)
    recorder.finish()


def _lock_patients(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Those whose address may be flagged; before their messages, as everybody who locks both does."""
    ids = [o.message_id for o in outcomes if o.error and o.error.error_class is ErrorClass.ADDRESS]
    if ids:
        of_messages = select(Message.patient_id).where(Message.id.in_(ids))
        query = select(Patient).where(Patient.id.in_(of_messages)).order_by(Patient.id)
        session.scalars(query.with_for_update(key_share=True)).all()


def _rows(
    session: Session, outcomes: Sequence[Outcome]
) -> tuple[dict[int, Message], dict[tuple[int, int], Attempt]]:
    keys = [(outcome.message_id, outcome.attempt) for outcome in outcomes]
    messages = session.scalars(
        select(Message)
        .where(Message.id.in_({key[0] for key in keys}))
        .order_by(Message.id)
        .with_for_update(key_share=True)
    )
    by_id = {message.id: message for message in messages}
    attempts = session.scalars(select(Attempt).where(tuple_(Attempt.message_id, Attempt.number).in_(keys)))
    return by_id, {(attempt.message_id, attempt.number): attempt for attempt in attempts}


class Recorder:
    def __init__(self, session: Session, policy: Policy, now: datetime, worker: str) -> None:
        self.session, self.policy, self.now, self.worker = session, policy, now, worker
        self.events: list[dict[str, Any]] = []
        self.failed: list[Message] = []
        self.unheard: list[Message] = []  # alerts that were refused, whether or not they are tried again
        self.stopping: dict[int, Sender] = {}  # that worked until now
        # Not those that wait since a restore: what the outbox takes opens none of them.
        tried = (Sender.stopped_at.is_not(None), Sender.probe_at.is_not(None))
        stopped = session.scalars(select(Sender).where(*tried))
        self.stopped = {sender.id: sender for sender in stopped}

    def record(self, message: Message, attempt: Attempt, outcome: Outcome) -> None:
        attempt.finished_at = self.now
        # The fence: the attempt number. What a row says is said by its latest attempt.
        latest = message.attempts == attempt.number
        current = latest and message.status in (Status.SENDING, Status.UNKNOWN)
        if outcome.accepted is not None:
            self._accepted(message, attempt, outcome.accepted, latest)
        elif outcome.error is not None:
            self._refused(message, attempt, outcome.error, current)
        else:
            attempt.outcome, attempt.error = "released", outcome.released
            if current:
                self._move(message, Status.SCHEDULED, outcome.released, attempt.number)

    def reported(
        self, message: Message, attempt: Attempt, status: Status, error: ChannelError | None
    ) -> bool:
        """What the provider later said about this attempt; whether that changed the row.

        Words come late, twice and in any order: only a higher one counts, for the attempt as for the row.
        """
        known = RANK.get(Status(attempt.outcome), 0) if attempt.outcome in RANK else 0
        if RANK[status] <= known:
            return False
        latest = message.attempts == attempt.number
        before = Status(message.status)
        applies = latest and report_applies(before, status)
        if error is not None:
            self._refused(message, attempt, error, applies, status)
            attempt.outcome = str(status)
            return applies
        attempt.outcome = str(status)
        if applies:
            self._move(message, status, "", attempt.number)
        return applies

    def _accepted(self, message: Message, attempt: Attempt, accepted: Accepted, latest: bool) -> None:
        attempt.provider, attempt.provider_id = accepted.provider, accepted.provider_id
        # A report was quicker than our own commit, and knew as much or more.
        told = attempt.outcome in RANK and RANK[Status(attempt.outcome)] >= RANK[accepted.status]
        attempt.outcome = attempt.outcome if told else str(accepted.status)
        sender = self.stopped.pop(message.sender_id, None)
        if sender is not None:
            log.warning("sender %s works again", sender.id)
            sender.stopped_at, sender.stopped_reason, sender.probe_at, sender.probes = None, "", None, 0
            alerts_delivery.works_again(self.session, sender, now=self.now)
        before = Status(message.status)
        if told or not latest or before not in RANK or RANK[accepted.status] <= RANK[before]:
            return
        if may_move(before, accepted.status):
            self._move(message, accepted.status, accepted.note, attempt.number)
            if accepted.provider in settling.REPORTING and accepted.status in (Status.ACCEPTED, Status.SENT):
                message.lookups, message.lookup_at = 0, RealTime(settling.FIRST_LOOK.total_seconds())
        elif before is Status.SCHEDULED:
            # It was thought lost and about to be sent again. A report still settles it.
            said = f"The provider took it after all, as {accepted.provider_id}; it was not sent again."
            self._move(message, Status.HELD, said, attempt.number)

    def _refused(
        self,
        message: Message,
        attempt: Attempt,
        error: ChannelError,
        current: bool,
        final: Status = Status.FAILED,
    ) -> None:
        """`final`: what it is where nothing more is tried."""
        said = str(error) or f"The provider gave no reason ({error.error_class})."
        if not message.to:
            # The patient was erased while it was under way, and a provider's words name the number.
            said = NOT_KEPT
        attempt.error_class, attempt.error_code, attempt.error = (
            str(error.error_class),
            error.code or "",
            said,
        )
        self._heed(message, error.error_class, said)
        after = after_error(
            error.error_class,
            attempt=attempt.number,
            now=self.now,
            useful_until=message.useful_until,
            policy=self.policy.retry,
            chance=random.random(),  # spreads retries, guards nothing
            retry_after=error.retry_after,
        )
        attempt.outcome = str(after.status if isinstance(after, GiveUp) else Status.FAILED)
        if not current:
            return
        if message.kind == Kind.ALERT:
            self.unheard.append(message)
        match after:
            case Retry():
                message.due_at = after.at
                self._move(message, Status.SCHEDULED, f"Tried again later: {said}", attempt.number)
            case StopSender():
                waits = f"Waits until the sender works again: {said}"
                self._move(message, Status.SCHEDULED, waits, attempt.number)
            case GiveUp(Status.UNKNOWN):
                self._doubt(message, attempt, said)
            case GiveUp():
                self._move(message, final, f"{said}{self._last_try(attempt)}", attempt.number)
                self.failed.append(message)

    def _heed(self, message: Message, error_class: ErrorClass, said: str) -> None:
        """What an answer says about the sender or the address is true whichever attempt it is about."""
        if error_class is ErrorClass.CONFIGURATION:
            self._stop_sender(message, said)
        elif error_class is ErrorClass.ADDRESS:
            self._flag_address(message, said)
        elif error_class is ErrorClass.OPT_OUT and message.to:
            sender = self.session.get_one(Sender, message.sender_id)
            suppressions.suppress(
                self.session, sender, message.to, reason=said, now=self.now, actor=self.worker
            )

    def _last_try(self, attempt: Attempt) -> str:
        """For an error that is tried again, as a rule: why not this time."""
        if attempt.error_class == ErrorClass.FEW_TRIES and attempt.number > self.policy.retry.few_tries:
            return " That was the last try."
        tried_again = attempt.error_class in (ErrorClass.FEW_TRIES, ErrorClass.TRANSIENT)
        return " Another try would come too late." if tried_again else ""

    def _doubt(self, message: Message, attempt: Attempt, said: str) -> None:
        if settling.goes_again_at_once(message.priority, attempt.number):
            self._move(message, Status.SCHEDULED, f"{settling.TWICE_BEATS_NEVER} {said}", attempt.number)
        elif message.status != Status.UNKNOWN:
            message.lookups, message.lookup_at = 0, None
            if message.to:  # else there is nothing left to ask by
                message.lookup_at = RealTime(self.policy.lookup_after.total_seconds())
            self._move(message, Status.UNKNOWN, said, attempt.number)

    def _flag_address(self, message: Message, problem: str) -> None:
        """For the desk to put right; until then nothing more is tried there."""
        if message.patient_id is None:
            return
        patient = self.session.get_one(Patient, message.patient_id)
        if message.channel == "sms" and patient.phone == message.to:
            patient.phone_problem = problem
        elif message.channel == "email" and patient.email == message.to:
            patient.email_problem = problem

    def _stop_sender(self, message: Message, reason: str) -> None:
        sender = self.session.get_one(Sender, message.sender_id)
        if sender.stopped_at and not sender.probe_at:
            return  # it waits since a restore, for something else than this
        if sender.stopped_at is None:
            log.error("sender %s stopped: %s", sender.id, reason)
            sender.stopped_at = RealTime()
            self.stopping[sender.id] = sender
        sender.stopped_reason = reason
        sender.probes += 1
        sender.probe_at = RealTime(self.policy.breaker_probe.total_seconds())

    def _move(self, message: Message, status: Status, reason: str, attempt: int) -> None:
        before = Status(message.status)
        assert may_move(before, status), f"{before} → {status}"
        message.status, message.reason, message.reason_code = str(status), reason, ""
        message.lease_until = None
        if status not in _AWAITED:
            message.lookup_at = None
        self.events.append(
            {
                "message_id": message.id,
                "at": self.now,
                "from_status": str(before),
                "to_status": str(status),
                "reason": reason,
                "actor": self.worker,
                "attempt": attempt,
            }
        )

    def finish(self) -> None:
        if self.events:
            self.session.execute(insert(MessageEvent), self.events)
        self.session.flush()
        planned = [message for message in self.failed if message.kind == Kind.PLANNED]
        if planned:
            for case in gather(self.session, planned, self.now):
                fallback.take_over(self.session, case, now=self.now, actor=self.worker)
        for message in self.failed:
            if message.kind == Kind.ANSWER:
                alerts_delivery.unanswered(self.session, message.reply_id)
        for message in self.unheard:
            alerts_delivery.failed(self.session, message, now=self.now, actor=self.worker)
        for sender in self.stopping.values():
            alerts_delivery.stopped(self.session, sender, now=self.now, actor=self.worker)

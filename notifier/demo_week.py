"""The week of the demo played at once, on a clock that jumps; and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import clinics, consent, db, senders, treatments
from notifier.channels import open_channels
from notifier.channels.outbox import Entry, Outbox
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.demo_replies import REPLIES, Taken, Written
from notifier.demo_screen import Screen
from notifier.dispatcher import Dispatcher
from notifier.models import Patient
from notifier.planning import replan
from notifier.worker import open_dispatcher

LENGTH = timedelta(days=8)
_DESK = "demo desk"
_VOIDED, _WITHDREW = "NP-2140", "1031"


@dataclass(frozen=True, slots=True)
class DeskMoment:
    """Something that happens at the desk in the middle of the week."""

    after: timedelta
    what: str
    act: Callable[[Session, datetime], None]

    def happen(self, engine: Engine, settings: Settings, screen: Screen, now: datetime) -> None:
        with db.transaction(engine) as session:
            self.act(session, now)
        screen.desk(now, self.what)


class Week:
    """The worker's own dispatcher, on a clock that jumps from one due time to the next."""

    def __init__(
        self, engine: Engine, settings: Settings, screen: Screen, clock: JumpingClock, *, until: datetime
    ) -> None:
        self._engine, self._settings, self._screen, self._clock = engine, settings, screen, clock
        self._start, self._until = clock.now(), until
        self._kept: list[Entry] = []
        outbox = Outbox(settings.delivery.outbox_file, on_keep=self._kept.append, clock=clock.now)
        channels = open_channels(settings, outbox=outbox)
        self._channels = frozenset(channels)
        self._dispatcher: Dispatcher = open_dispatcher(engine, clock, channels, settings)

    def play(self) -> None:
        moments = list(MOMENTS)
        while (at := self._next()) is not None:
            if moments and self._start + moments[0].after <= at:
                self._happen(moments.pop(0))
                continue
            self._clock.jump(at)
            self._dispatcher.drain()
            self._show()
        self._dispatcher.close()

    def _next(self) -> datetime | None:
        with db.reading(self._engine) as session:
            due = senders.next_due(session, self._channels)
        return due if due is not None and due <= self._until else None

    def _happen(self, moment: DeskMoment | Written | Taken) -> None:
        self._clock.jump(self._start + moment.after)
        moment.happen(self._engine, self._settings, self._screen, self._clock.now())

    def _show(self) -> None:
        """In the order of their numbers: threads finish as they like."""
        kept, self._kept[:] = sorted(self._kept, key=lambda entry: entry["message_id"]), []
        for entry in kept:
            self._screen.message(self._engine, entry)


def _void(session: Session, now: datetime) -> None:
    treatment = treatments.find(session, clinics.only(session), _VOIDED)
    if treatment.voided_at is None:
        treatments.void(session, treatment, reason="Logged for the wrong patient.", now=now, actor=_DESK)


def _withdraw(session: Session, now: datetime) -> None:
    patient = session.scalars(select(Patient).where(Patient.record_number == _WITHDREW)).one()
    consent.record(
        session,
        patient,
        "sms",
        granted=False,
        at=now,
        now=now,
        method="phone",
        wording="No more texts, please.",
        actor=_DESK,
    )
    replan(session, [patient], now=now, actor=_DESK)


AT_THE_DESK = (
    DeskMoment(timedelta(minutes=10), f"treatment {_VOIDED} was logged by mistake and is voided", _void),
    DeskMoment(
        timedelta(hours=17), f"patient {_WITHDREW} calls: no more texts; consent is withdrawn", _withdraw
    ),
)

MOMENTS: tuple[DeskMoment | Written | Taken, ...] = tuple(
    sorted((*AT_THE_DESK, *REPLIES), key=lambda moment: moment.after)
)

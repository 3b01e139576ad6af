"""A week of aftercare at a demo clinic in fast time: the real importer and dispatcher on a jumping clock."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import clinics, consent, db, senders, treatments
from notifier.channels import open_channels
from notifier.channels.outbox import Entry, Outbox
from notifier.clock import JumpingClock
from notifier.config import Settings, load
from notifier.demo_screen import Say, Screen, ShowTable
from notifier.dispatcher import Dispatcher
from notifier.errors import InputError
from notifier.importing import import_file
from notifier.initialising import Answers, Contact, initialise
from notifier.models import Patient
from notifier.planning import replan
from notifier.worker import open_dispatcher

# Tuesday, 3 March 2026, 17:00 in New York: the clocks change in the night to Sunday.
START = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
LENGTH = timedelta(days=8)
_DESK = "demo desk"
_CSV = Path(__file__).resolve().parent / "demo_data" / "treatments.csv"
_PAUSE = 0.12  # seconds for a person to see each message by

_CONFIG = """\
# The demo's own settings: nothing in it can reach anyone.
[database]
url = "sqlite:///demo.db"

[delivery]
mode = "outbox"
outbox_file = "outbox.jsonl"
"""

_CLINIC = Answers(
    name="Northside Physio",
    phone="212-555-0100",
    timezone="America/New_York",
    emergency_number="911",
    crisis_line="988",
    contacts=(Contact("Maya Johnson", "+12125550199", "maya@northside.example"),),
)


@dataclass(frozen=True, slots=True)
class DeskMoment:
    """Something that happens at the desk in the middle of the week."""

    after: timedelta
    what: str
    act: Callable[[Session, datetime], None]


def play(folder: Path | None, *, hurry: bool, say: Say, table: ShowTable) -> None:
    """Set up, import, play the week, sum up; ends by itself. `say` and `table` put it on the screen."""
    home = folder or Path(tempfile.mkdtemp(prefix="notifier-demo-"))
    settings = _settings(home)
    engine = db.open_engine(settings.database.url)
    screen = Screen(say, table)
    initialise(engine, _CLINIC, now=START, actor=_DESK)
    screen.open(engine, home, START)
    report = import_file(engine, None, _CSV, now=START, actor=_DESK, progress=screen.bar)
    screen.imported(report)
    pause = 0.0 if hurry or not screen.is_terminal else _PAUSE
    _Week(engine, settings, screen, pause).play()
    screen.sum_up(engine, home)
    engine.dispose()


def _settings(home: Path) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    theirs = config.read_text("utf-8", "replace") != _CONFIG if config.exists() else any(home.iterdir())
    if theirs:
        raise InputError(f"{home} holds something else than a demo; name an empty folder, or none.")
    for name in ("demo.db", "demo.db-wal", "demo.db-shm", "outbox.jsonl"):
        (home / name).unlink(missing_ok=True)
    config.write_text(_CONFIG, "utf-8")
    return load(config, environ={})


class _Week:
    """The worker's own dispatcher, on a clock that jumps from one due time to the next."""

    def __init__(self, engine: Engine, settings: Settings, screen: Screen, pause: float) -> None:
        self._engine, self._screen, self._pause = engine, screen, pause
        self._clock = JumpingClock(START)
        self._kept: list[Entry] = []
        outbox = Outbox(settings.delivery.outbox_file, on_keep=self._kept.append, clock=self._clock.now)
        channels = open_channels(settings, outbox=outbox)
        self._channels = frozenset(channels)
        self._dispatcher: Dispatcher = open_dispatcher(engine, self._clock, channels, settings)

    def play(self) -> None:
        moments = list(_AT_THE_DESK)
        while (at := self._next()) is not None:
            if moments and START + moments[0].after <= at:
                self._happen(moments.pop(0))
                continue
            self._clock.jump(at)
            self._dispatcher.drain()
            self._show()
        self._dispatcher.close()

    def _next(self) -> datetime | None:
        with db.reading(self._engine) as session:
            due = senders.next_due(session, self._channels)
        return due if due is not None and due <= START + LENGTH else None

    def _happen(self, moment: DeskMoment) -> None:
        self._clock.jump(START + moment.after)
        with db.transaction(self._engine) as session:
            moment.act(session, self._clock.now())
        self._screen.desk(self._clock.now(), moment.what)

    def _show(self) -> None:
        """In the order of their numbers: threads finish as they like."""
        kept, self._kept[:] = sorted(self._kept, key=lambda entry: entry["message_id"]), []
        for entry in kept:
            self._screen.message(self._engine, entry)
            if self._pause:
                threading.Event().wait(self._pause)


def _patient(session: Session, record_number: str) -> Patient:
    return session.scalars(select(Patient).where(Patient.record_number == record_number)).one()


def _void(session: Session, now: datetime) -> None:
    treatment = treatments.find(session, clinics.only(session), _VOIDED)
    treatments.void(session, treatment, reason="Logged for the wrong patient.", now=now, actor=_DESK)


def _withdraw(session: Session, now: datetime) -> None:
    patient = _patient(session, _WITHDREW)
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


_VOIDED, _WITHDREW = "NP-2140", "1031"
_AT_THE_DESK = (
    DeskMoment(timedelta(minutes=10), f"treatment {_VOIDED} was logged by mistake and is voided", _void),
    DeskMoment(
        timedelta(hours=17), f"patient {_WITHDREW} calls: no more texts; consent is withdrawn", _withdraw
    ),
)

"""The demo clinic and its week of aftercare: played in one go, or kept open for a person to look at.

The real importer, dispatcher, worker and pages, on clocks of the demo's own; nothing in it can reach anyone.
"""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from notifier import clinics, db, practitioners, staff, staff_links
from notifier.clock import JumpingClock
from notifier.config import Settings, load
from notifier.demo_door import look_in
from notifier.demo_live import keep_open
from notifier.demo_screen import Say, Screen, ShowTable
from notifier.demo_week import LENGTH, Week
from notifier.errors import InputError
from notifier.importing import import_file
from notifier.initialising import Answers, Contact, initialise
from notifier.web.app import create_app
from notifier.web.server import listen_near, serving

# Tuesday, 3 March 2026, 17:00 in New York: the clocks change in the night to Sunday.
START = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
HOST, PORT = "127.0.0.1", 8000
_DESK = "demo desk"
_CSV = Path(__file__).resolve().parent / "demo_data" / "treatments.csv"

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
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
_HOURS = {day: [["08:00", "18:00"]] for day in _WEEKDAYS} | {"sat": [["09:00", "13:00"]]}
_PRACTITIONERS = ("Dr. Maya Johnson", "Olivia Park", "Sam Rivera")
_STAFF = (
    ("Maya Johnson", "maya@northside.example", "admin"),
    ("Dana Reyes", "dana@northside.example", "front_desk"),
)


@dataclass(frozen=True, slots=True)
class Demo:
    """A clinic that was just set up; `links` are the paths by which its people are signed in, by name."""

    home: Path
    settings: Settings
    engine: Engine
    screen: Screen
    links: dict[str, str]


def play(folder: Path | None, *, say: Say, table: ShowTable) -> None:
    """The whole week at once, then a look at its pages; ends by itself. `say` and `table` show it."""
    demo = set_up(folder, Screen(say, table))
    clock = JumpingClock(START)
    Week(demo.engine, demo.settings, demo.screen, clock, until=START + LENGTH).play()
    demo.screen.sum_up(demo.engine, demo.home)
    with listen_near(HOST, PORT) as listening:
        pages = create_app(demo.settings, demo.engine, clock)
        with serving(pages, listening) as address:
            demo.screen.door(address, demo.links)
            demo.screen.looked_in(look_in(address, demo.links[_STAFF[0][0]], _CLINIC.name))
    demo.engine.dispose()


def stay(folder: Path | None, *, say: Say, table: ShowTable) -> None:
    """The pages stay open while the week passes, until Ctrl-C."""
    demo = set_up(folder, Screen(say, table))
    with listen_near(HOST, PORT) as listening:
        keep_open(demo.settings, demo.engine, demo.screen, listening, demo.links, START)
    demo.screen.sum_up(demo.engine, demo.home)
    demo.engine.dispose()


def set_up(folder: Path | None, screen: Screen) -> Demo:
    """A clinic of its own in this folder, else in a temporary one, with the day's treatments imported."""
    home = folder or Path(tempfile.mkdtemp(prefix="notifier-demo-"))
    settings = _settings(home)
    engine = db.open_engine(settings.database.url)
    initialise(engine, _CLINIC, now=START, actor=_DESK)
    links = _people(engine)
    screen.open(engine, home, START)
    report = import_file(engine, None, _CSV, now=START, actor=_DESK, progress=screen.bar)
    screen.imported(report)
    return Demo(home, settings, engine, screen, links)


def _settings(home: Path) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    theirs = config.read_text("utf-8", "replace") != _CONFIG if config.exists() else any(home.iterdir())
    if theirs:
        raise InputError(f"{home} holds something else than a demo; name an empty folder, or none.")
    for name in ("demo.db", "demo.db-wal", "demo.db-shm", "outbox.jsonl"):
        (home / name).unlink(missing_ok=True)
    config.write_text(_CONFIG, "utf-8")
    settings = load(config, environ={})
    # For the patients' own pages; whoever is shown them is at this machine.
    web = settings.web.model_copy(update={"secret_key": secrets.token_urlsafe(32)})
    return settings.model_copy(update={"web": web})


def _people(engine: Engine) -> dict[str, str]:
    """The hours of the clinic and who works there; a way in for each of the staff."""
    links = {}
    with db.transaction(engine) as session:
        clinic = clinics.only(session)
        clinic.opening_hours, clinic.sms_price = _HOURS, 0.0083
        for name in _PRACTITIONERS:
            practitioners.add(session, clinic, name, now=START, actor=_DESK)
        for name, email, role in _STAFF:
            person = staff.add(
                session, clinic, email=email, name=name, role=role, password=None, now=START, actor=_DESK
            )
            secret = staff_links.create(session, clinic, person, staff_links.DEMO, actor=_DESK)
            links[name] = f"/link/{secret}"
    return links

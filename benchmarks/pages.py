"""How long every page takes over two busy years on SQLite: each is to answer within 300 ms, 95 times of 100.

Asked through the whole application, sign-in, scoping and templates included, by somebody who looks at another
patient, treatment or day each time.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fastapi.routing import APIRoute
from sqlalchemy import Engine, func, select
from starlette.testclient import TestClient

from benchmarks.seed import ADMIN, NOW, Size, fill
from notifier import alerts, api_tokens, clinics, db, plans, signin
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.models import Reply, Staff
from notifier.web.app import AREAS, create_app
from notifier.web.auth import SIGN_IN
from notifier.web.site import Site

PROMISE = 300  # milliseconds
# What is no page, or cannot be without something that the seed does not have.
EXCUSED = {
    "/link/{secret}": "works once",
    "/import/{run_id:int}": "needs a file",
    "/import/{run_id:int}/columns": "needs a file",
    "/import/{run_id:int}/progress": "needs a file",
    "/plans/{key}/texts/{step}/tests/{message_id:int}": "needs a test message",
    "/demo/now": "is the demo's",
    "/a/{token}": "is a contact's, and the token the key",
    "/u/{token}": "is the patient's, and the token the key",
    "/p/{token}": "is the patient's, and the token the key",
    "/delivery.csv": "is a file of any length",
    "/audit.csv": "is a file of any length",
    "/patients/{patient_id:int}/export": "is a file of any length",
}
# The same page asked for otherwise, as people do. Fields in braces are filled in anew each time.
VARIANTS = (
    "/?patient={patient_id}",
    "/log/patients?who={name}",
    "/log/patients?who={digits}",
    "/patients?q={name}",
    "/patients/found?q={digits}",
    "/today?day={day}",
    "/inbox?show=done",
    "/inbox?show=mine",
    "/inbox/{reply_id}/who?who={name}",
    "/delivery?from={day}&to={day}",
    "/delivery?outcome=failed",
    "/delivery?reason=no-consent",
    "/delivery?plan=cupping",
    "/delivery?q=r{patient_id}&from=2024-04-01",
    "/delivery?from=2025-12-02&to=2026-03-03",
    "/report/{month}?before=yes",
    "/audit?q=r{patient_id}&from=2024-04-01",
    "/audit?person=ana&kind=looked",
    "/audit?from=2025-12-02&to=2026-03-03&kind=plans",
    "/api/v1/patients?q={name}",
    "/api/v1/messages?status=failed",
    "/api/v1/messages?patient_id={patient_id}",
    "/api/v1/replies?patient_id={patient_id}",
    "/api/v1/treatments?date={day}",
    "/api/v1/plans/{key}/preview?ended_at=2026-03-03T17:30&timezone=America/New_York",
)


@dataclass(frozen=True)
class Took:
    address: str
    half: float
    most: float  # of 95 in 100
    status: int


class Visitor:
    """The admin's browser, and a program with a token; both against a database that is full."""

    def __init__(self, engine: Engine, folder: Path, size: Size, clock: Callable[[], float]) -> None:
        self.size, self.clock, self.chance = size, clock, random.Random(11)
        settings = Settings.model_validate({"delivery": {"outbox_file": folder / "outbox.jsonl"}})
        app = create_app(settings, engine, JumpingClock(NOW))
        site: Site = app.state.site
        with db.transaction(engine) as session:
            clinic = clinics.only(session)
            person = session.scalars(select(Staff).where(Staff.email == ADMIN)).one()
            secret = signin.begin(session, person.id, now=NOW)
            named = f"Bench {secret[:6]}"
            made = api_tokens.create(session, clinic, name=named, scope="read", now=NOW, actor=ADMIN)
            version = plans.current_versions(session, clinic)["dry-needling"]
            self.step = version.content["plan"]["steps"][0]["key"]
            self.staff_id, self.token = person.id, made.secret
            raised = alerts.raise_alert(
                session,
                clinic,
                kind="sender",
                severity="normal",
                summary="SMS cannot be sent.",
                now=NOW,
                actor=ADMIN,
            )
            self.alert_id = raised.id
            self.replies = session.scalar(select(func.max(Reply.id))) or 1
        self.client = TestClient(app)
        self.client.cookies.set(site.cookie(SIGN_IN), secret)

    def fields(self) -> dict[str, object]:
        """Somebody and some day, another one each time."""
        patient = self.chance.randrange(1, self.size.patients)
        treatment = self.chance.randrange(1, self.size.treatments)
        message = self.chance.randrange(1, self.size.messages)
        return {
            "patient_id": patient,
            "treatment_id": treatment,
            "treatment": treatment,
            "message_id": message,
            "alert_id": self.alert_id,
            "reply_id": self.chance.randrange(1, max(2, self.replies)),
            "attempt_id": self.chance.randrange(1, self.size.messages // 2),
            "staff_id": self.staff_id,
            "name": self.chance.choice(("mar", "elena", "gra", "hugo it", "dubois ka", "lop", "zz")),
            "digits": f"{2_000_000 + patient}"[-5:],
            "day": (NOW - timedelta(days=self.chance.randrange(700))).date(),
            "month": f"2025-{self.chance.randrange(1, 13):02}",
            "key": "dry-needling",
            "step": self.step,
            "answer": "fallback",
            "version": 1,
        }

    def ask(self, address: str) -> tuple[float, int]:
        """Milliseconds and status."""
        headers = {"Authorization": f"Bearer {self.token}"} if address.startswith("/api/v1") else {}
        start = self.clock()
        answer = self.client.get(address, headers=headers, follow_redirects=False)
        return (self.clock() - start) * 1000, answer.status_code


def addresses() -> Iterator[str]:
    """Of every page that there is, with fields in braces."""
    for area in AREAS:
        for route in area.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and route.path not in EXCUSED:
                yield route.path.replace(":int}", "}").replace(":path}", "}")
    yield from VARIANTS


def measure(visitor: Visitor, address: str, times: int) -> Took:
    visitor.ask(address.format_map(visitor.fields()))  # templates are compiled once
    taken = [visitor.ask(address.format_map(visitor.fields())) for _ in range(times)]
    order = sorted(milliseconds for milliseconds, _ in taken)
    worst = max(status for _, status in taken)
    return Took(address, order[len(order) // 2], order[math.ceil(len(order) * 0.95) - 1], worst)


def run(path: Path, size: Size, times: int, clock: Callable[[], float], say: Callable[[str], None]) -> None:
    engine = db.open_engine(f"sqlite:///{path}")
    visitor = Visitor(engine, path.parent, size, clock)
    took = []
    for address in addresses():
        try:
            took.append(measure(visitor, address, times))
        except KeyError as field:
            say(f"not measured, as nothing fills in {field}: {address}")
    took.sort(key=lambda one: -one.most)
    say(f"{'half':>7} {'95 %':>7}  page, milliseconds over {times} requests each")
    for one in took:
        told = "  OVER" if one.most > PROMISE else ""
        odd = "" if one.status < 400 else f"  answered {one.status}"
        say(f"{one.half:7.1f} {one.most:7.1f}  {one.address}{odd}{told}")
    over = sum(one.most > PROMISE for one in took)
    say(f"{len(took)} addresses, {over} of them slower than {PROMISE} ms in more than 5 of 100 requests.")
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, help="one that benchmarks.seed made; else a new one is made")
    parser.add_argument("--requests", type=int, default=40, help="for each page")
    parser.add_argument("--cpu", action="store_true", help="count processor time: for a busy machine")
    given = parser.parse_args()
    clock = time.process_time if given.cpu else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        path = given.database or Path(folder) / "bench.db"
        if given.database is None:
            print("Filling a database with 1,000,000 messages, which takes a minute or two.")
            fill(path)
        run(path, Size(), given.requests, clock, print)


if __name__ == "__main__":
    main()

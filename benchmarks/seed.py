"""A SQLite database as two busy years leave it: 100,000 patients, 250,000 treatments, 1,000,000 messages.

Written past the program's own rules, which would take hours; what the rows say is what they would have said.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from notifier import db
from notifier.initialising import Answers, initialise
from notifier.rules.recipients import fold_name

NOW = datetime(2026, 3, 3, 19, 30, tzinfo=UTC)  # a Tuesday, half past two in New York
ADMIN, DESK = "ana.ruiz@clinic.example", "sam.rivera@clinic.example"
PASSWORD = "a long enough password"
YEARS = timedelta(days=730)

_FIRST = ("Ana", "Ben", "Carla", "David", "Elena", "Felix", "Grace", "Hugo", "Ines")
_LAST = (
    "Alvarez",
    "Baker",
    "Castillo",
    "Dubois",
    "Evans",
    "Ferrari",
    "Garcia",
    "Hughes",
    "Ito",
    "Johnson",
    "Kim",
    "Lopez",
    "Moreau",
)
_PRACTITIONERS = ("Sam Rivera", "Dr Ruiz", "Jo Hart", "Lee Wong", "Nadia Bell", "Tom Ochoa")
_WORDS = (
    "Bench: Hi {name}. Feeling sore where the needles were is usual for 24 to 48 hours, like the day after a "
    "hard workout. Warmth and easy movement help. Reply STOP to end."
)


@dataclass(frozen=True)
class Size:
    patients: int = 100_000
    treatments: int = 250_000
    messages: int = 1_000_000


class _Writer:
    """Rows by the ten thousand, in one statement each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        places = ", ".join("?" * len(columns.split()))
        names = ", ".join(f'"{name}"' for name in columns.split())
        self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)


def _text(at: datetime) -> str:
    """As SQLAlchemy keeps times in SQLite."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def fill(path: Path, size: Size = Size(), *, now: datetime = NOW) -> None:
    """Make the database. `now` is the moment at which somebody looks at it."""
    engine = db.open_engine(f"sqlite:///{path}")
    answers = Answers(
        "Bench Physio",
        "212-555-0100",
        "America/New_York",
        admin_email=ADMIN,
        admin_name="Ana Ruiz",
        admin_password=PASSWORD,
    )
    initialise(engine, answers, now=now - YEARS, actor="bench")
    engine.dispose()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    _Filling(connection, size, now).run()
    connection.execute("COMMIT")
    connection.execute("PRAGMA optimize")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


class _Filling:
    def __init__(self, connection: sqlite3.Connection, size: Size, now: datetime) -> None:
        self.connection, self.size, self.now = connection, size, now
        self.chance = random.Random(7)  # the same database every time
        self.write = _Writer(connection).add
        versions = connection.execute("SELECT id, plan_id, content FROM plan_versions ORDER BY id").fetchall()
        self.plans = [
            (plan_id, version_id, [step["key"] for step in json.loads(content)["plan"]["steps"]])
            for version_id, plan_id, content in versions
        ]
        self.senders = dict(connection.execute("SELECT channel, id FROM senders"))
        self.names = [self._name(number) for number in range(size.patients)]

    def _name(self, number: int) -> tuple[str, str]:
        first = _FIRST[number % len(_FIRST)]
        return first, f"{_LAST[number // 7 % len(_LAST)]} {_LAST[number // 91 % len(_LAST)]}"

    def run(self) -> None:
        self._patients()
        treatments = list(self._treatments())
        self._messages(treatments)
        self._replies(treatments)
        self._audit(treatments)

    def _patients(self) -> None:
        size, begun = self.size.patients, _text(self.now - YEARS)
        self.write(
            "patients",
            "id clinic_id record_number first_name last_name folded_name phone email contact_name "
            "contact_relation language preferred_channel name_treatment essentials paused_reason "
            "phone_problem email_problem created_at version",
            (
                (
                    *(number + 1, 1, f"r{number + 1}", *self.names[number], fold_name(*self.names[number])),
                    *(_phone(number), f"p{number}@example.com" if number % 2 else None, "", ""),
                    *(
                        "es" if number % 3 == 0 else "en",
                        "email" if number % 5 == 0 and number % 2 else "sms",
                    ),
                    *(0, 0, "", "This number is a landline; ask for another." if number % 400 == 9 else ""),
                    *("", begun, 1),
                )
                for number in range(size)
            ),
        )
        self.write(
            "addresses",
            "id clinic_id channel address",
            ((number + 1, 1, "sms", _phone(number)) for number in range(size)),
        )
        said = [(number + 1, 1, begun) for number in range(size) if number % 25]
        said += [(number + 1, 0, self._once()) for number in range(size) if number % 50 == 1]
        self.write(
            "consents",
            "clinic_id patient_id channel granted at recorded_at method wording recorded_by",
            ((1, patient, "sms", granted, at, at, "form", "", DESK) for patient, granted, at in said),
        )

    def _once(self) -> str:
        return _text(self.now - YEARS * self.chance.random())

    def _treatments(self) -> Iterator[tuple[int, int, int, datetime]]:
        """Id, patient, plan, end: in the order of time, in opening hours, on six days of the week."""
        count = self.size.treatments
        begin, rows = self.now - YEARS + timedelta(hours=4), []
        for number in range(count):
            day = begin + timedelta(days=int(number * 730 / count))
            at = day.replace(hour=13, minute=0) + timedelta(minutes=self.chance.randrange(540))
            if at.weekday() == 6:
                at -= timedelta(days=1)
            at = min(at, self.now - timedelta(minutes=5))
            patient, plan = 1 + self.chance.randrange(self.size.patients), number % len(self.plans)
            rows.append((number + 1, patient, plan, at))
        self.write(
            "treatments",
            "id clinic_id patient_id plan_id plan_version_id external_id practitioner ended_at logged_at "
            "areas source logged_by voided_reason version",
            (
                (
                    *(number, 1, patient, *self.plans[plan][:2], f"x{number}"),
                    *(_PRACTITIONERS[number % len(_PRACTITIONERS)], _text(at)),
                    *(_text(at + timedelta(minutes=5)), '["neck"]', "import", DESK, "", 1),
                )
                for number, patient, plan, at in rows
            ),
        )
        return iter(rows)

    def _messages(self, treatments: list[tuple[int, int, int, datetime]]) -> None:
        each, messages, attempts, events = self.size.messages // self.size.treatments, [], [], []
        ids = 0
        for treatment, patient, plan, ended in treatments:
            steps = self.plans[plan][2]
            for place in range(each):
                ids += 1
                step = steps[place] if place < len(steps) else f"again-{place}"
                due = ended + self._after(place)
                row = self._message(ids, treatment, patient, plan, step, due, ended, place)
                messages.append(row)
                events.append((ids, _text(ended), "", "scheduled", "", DESK))
                if row[_ATTEMPTS]:
                    attempts.append(self._attempt(row, patient))
                    events.append((ids, _text(due), "sending", row[_STATUS], "", "worker"))
            if len(messages) > 20_000:
                self._flush(messages, attempts, events)
        self._flush(messages, attempts, events)

    def _after(self, place: int) -> timedelta:
        """The last of a treatment goes before the next visit, which may be months ahead."""
        return (
            timedelta(hours=(2, 22, 46)[place])
            if place < 3
            else timedelta(days=self.chance.randrange(3, 150))
        )

    def _message(
        self,
        number: int,
        treatment: int,
        patient: int,
        plan: int,
        step: str,
        due: datetime,
        ended: datetime,
        place: int,
    ) -> tuple[Any, ...]:
        by_mail = place == 3 and patient % 2 == 0
        channel = "email" if by_mail else "sms"
        status, reason, code = self._outcome(due, channel)
        planned_out = status == "skipped" and code in ("audience", "unreachable")
        tried = status in ("sent", "delivered", "failed", "undelivered")
        return (
            *(number, 1, "planned", f"plan:{treatment}:{step}:{channel}", self.senders[channel], 2, status),
            *(reason, code, None if planned_out else _text(due), _text(due + timedelta(hours=20)), channel),
            *(f"p{patient - 1}@example.com" if by_mail else _phone(patient - 1), patient, patient, treatment),
            *(self.plans[plan][1], step, int(place == 0), "", "", int(tried)),
            *(
                _text(due + timedelta(seconds=1)) if tried else None,
                "worker" if tried else "",
                0,
                _text(ended),
            ),
        )

    def _outcome(self, due: datetime, channel: str) -> tuple[str, str, str]:
        chance = self.chance.random()
        for share, status, reason, code in _STOPPED:
            if chance < share:
                return status, reason, code
            chance -= share
        if due > self.now:
            return "scheduled", "", ""
        for share, status, reason in _FAILED:
            if chance < share:
                return status, reason, ""
            chance -= share
        return ("sent" if channel == "email" else "delivered"), "", ""

    def _attempt(self, row: tuple[Any, ...], patient: int) -> tuple[Any, ...]:
        words = _WORDS.format(name=self.names[patient - 1][0])
        refused = row[_STATUS] == "failed"
        return (
            *(row[0], 1, row[_CHANNEL], row[_TO], "+12125550100", "", words, "GSM-7", 2),
            *(row[_CLAIMED], "worker", "failed" if refused else "accepted", row[_CLAIMED], "twilio"),
            *(f"SM{row[0]:032x}", "address" if refused else "", "", row[_REASON] if refused else ""),
        )

    def _flush(self, messages: list[Any], attempts: list[Any], events: list[Any]) -> None:
        self.write("messages", _MESSAGE, messages)
        self.write(
            "attempts",
            "message_id number channel address sender subject words encoding segments claimed_at worker "
            "outcome finished_at provider provider_id error_class error_code error",
            attempts,
        )
        self.write("message_events", "message_id at from_status to_status reason actor", events)
        for rows in (messages, attempts, events):
            rows.clear()

    def _replies(self, treatments: list[tuple[int, int, int, datetime]]) -> None:
        answered = [row for row in treatments if row[0] % 8 == 0 and row[3] < self.now - timedelta(days=2)]
        self.write(
            "replies",
            "clinic_id patient_id treatment_id channel provider_id from_address to_address body received_at "
            "intent red_flags score handled_by handled_how rank handled_at",
            (
                (
                    *(1, patient, treatment, "sms", f"IN{treatment}", _phone(patient - 1), "+12125550100"),
                    *(str(treatment % 8), _text(ended + timedelta(hours=47)), "score", "[]", treatment % 8),
                    *self._handled(treatment % 8, ended + timedelta(hours=49)),
                )
                for treatment, patient, _, ended in answered
            ),
        )
        self.write(
            "scores",
            "clinic_id treatment_id value at source",
            (
                (1, treatment, treatment % 8, _text(ended + timedelta(hours=47)), "reply")
                for treatment, _, _, ended in answered
            ),
        )

    def _handled(self, score: int, at: datetime) -> tuple[str, str, int, str | None]:
        """Low scores need nobody; the others were read within hours, but for those of the last day."""
        if score < 4:
            return ("", "", 9, None)
        rank = 1 if score == 7 else 3
        if at > self.now - timedelta(days=1):
            return ("", "", rank, None)
        return (DESK, "no answer needed", rank, _text(at))

    def _audit(self, treatments: list[tuple[int, int, int, datetime]]) -> None:
        """Each treatment was logged, and its patient looked at once."""
        self.write(
            "audit",
            "clinic_id at actor action subject subject_id detail",
            (
                entry
                for treatment, patient, _, ended in treatments
                for entry in (
                    (
                        1,
                        _text(ended),
                        DESK,
                        "treatment.logged",
                        "treatment",
                        treatment,
                        '{"source": "import"}',
                    ),
                    (1, _text(ended), ADMIN, "patient.viewed", "patient", patient, "{}"),
                )
            ),
        )


_MESSAGE = (
    "id clinic_id kind dedup_key sender_id priority status reason reason_code due_at useful_until channel to "
    "address_id patient_id treatment_id plan_version_id step safety subject words attempts claimed_at worker "
    "lookups created_at"
)
_PLACE = {name: place for place, name in enumerate(_MESSAGE.split())}
_STATUS, _REASON, _CHANNEL, _TO = (_PLACE[name] for name in ("status", "reason", "channel", "to"))
_ATTEMPTS, _CLAIMED = _PLACE["attempts"], _PLACE["claimed_at"]

_STOPPED = (
    (0.10, "skipped", "Only for a first treatment, and the patient received it within 90 days.", "audience"),
    (0.06, "skipped", "No consent to SMS is on record.", "unreachable"),
    (0.02, "skipped", "The number is a landline, which cannot receive SMS.", "unreachable"),
    (
        0.03,
        "skipped",
        "It was useful until Tue 3 Mar 09:00, and the first moment it could leave is later.",
        "too_late",
    ),
    (0.04, "cancelled", "The newer treatment of Tue 3 Mar 09:00 takes over.", "superseded"),
)
_FAILED = (
    (0.02, "undelivered", "The phone is switched off or out of reach. That was the last try."),
    (0.01, "failed", "This number is unknown or no longer in use; ask the patient for the new one."),
)


def _phone(number: int) -> str:
    return f"+1212{2_000_000 + number}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    start = time.perf_counter()
    fill(path)
    megabytes = path.stat().st_size / 2**20
    print(f"{path}: {megabytes:.0f} MB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""What the demo shows: each message as a phone would, and at the end what was sent, what was not, and why."""

from __future__ import annotations

import sys
import textwrap
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from notifier import clinics, db, plans, reason_groups
from notifier.import_report import ImportReport, report_text
from notifier.models import Message, Patient, PlanVersion, Treatment
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Kind, Status
from notifier.rules.sms_text import measure
from notifier.rules.timing import say as spoken
from notifier.rules.zones import to_local, zone

_WIDE = 46  # characters, about what a phone shows in a line
_MAIL_LINES = 6


class Say(Protocol):
    def __call__(self, text: str = "", /) -> None: ...


class ShowTable(Protocol):
    def __call__(self, headers: Sequence[str], rows: Iterable[Sequence[object]], /) -> None: ...


class Screen:
    def __init__(self, say: Say, table: ShowTable) -> None:
        self._say, self._table = say, table
        # Messages and the desk are shown by different threads, one after the other.
        self._turn = threading.Lock()
        self._day = ""
        self._tz = ZoneInfo("UTC")

    def open(self, engine: Engine, home: Path, start: datetime) -> None:
        with db.reading(engine) as session:
            clinic = clinics.only(session)
            self._tz = zone(clinic.timezone)
            drafts = plans.drafts(session, [clinic])
            names = ", ".join(plans.definition(version).plan.name_in("en") for _, version in drafts)
            self._say(f"{clinic.name}, {clinic.timezone}. It is {spoken(start, self._tz)}.")
        self._say("This is a demo: every message stays in an outbox, and nothing reaches anyone.")
        self._say(f"The texts are drafts until a named clinician approves them: {names}.")
        self._say(f"Its database and outbox are in {home}")
        self._say()

    def bar(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\rImporting {done} of {total} rows" + ("\n" if done >= total else ""))

    def imported(self, report: ImportReport) -> None:
        self._say(report_text(report))

    def desk(self, at: datetime, what: str) -> None:
        with self._turn:
            self._day_line(at)
            self._say(f"{to_local(at, self._tz):%H:%M}  At the desk: {what}.")
            self._say()

    def reply(self, at: datetime, name: str, words: str) -> None:
        with self._turn:
            self._day_line(at)
            self._say(f"{to_local(at, self._tz):%H:%M}  {name} writes: {words}")
            self._say()

    def message(self, engine: Engine, entry: dict[str, Any]) -> None:
        with db.reading(engine) as session:
            row = session.get_one(Message, entry["message_id"])
            patient = session.get(Patient, row.patient_id) if row.patient_id else None
            at, what = row.claimed_at, row.step or row.kind
            own_zone = (patient.timezone if patient else None) or str(self._tz)
            name = f"{patient.first_name} {patient.last_name[:1]}. " if patient else ""
        assert at is not None
        by = "SMS" if entry["channel"] == "sms" else "E-mail"
        with self._turn:
            self._day_line(at)
            self._say(f"{self._times(at, own_zone)}  {by} to {name}{entry['to']}  [{what}]")
            for line in _bubble(entry):
                self._say(f"       {line}")
            self._say()

    def _day_line(self, at: datetime) -> None:
        local = to_local(at, self._tz)
        day = f"{local:%A} {local.day} {local:%B}"
        if day != self._day:
            self._day = day
            self._say(f"── {day} ".ljust(78, "─"))
            self._say()

    def _times(self, at: datetime, own_zone: str) -> str:
        here = f"{to_local(at, self._tz):%H:%M}"
        if own_zone == str(self._tz):
            return here
        there = f"{to_local(at, zone(own_zone)):%H:%M}"
        return f"{here} ({there} in {own_zone.rpartition('/')[2].replace('_', ' ')})"

    def door(self, address: str, links: dict[str, str], *, stays: bool = False) -> None:
        self._say()
        self._say("── The pages ".ljust(78, "─"))
        self._say()
        for name, link in links.items():
            self._say(f"As {name}:  {address}{link}")
        self._say()
        if stays:
            self._say("Open one of them. A minute passes in each second; the bar on the pages changes that.")
            self._say("Ctrl-C ends it. What leaves meanwhile:")
            self._say()

    def looked_in(self, seen: str) -> None:
        self._say(seen)
        self._say("To keep them open, run it on a terminal without --once.")

    def sum_up(self, engine: Engine, home: Path) -> None:
        steps, reasons = _count(engine)
        self._say("── The week in numbers ".ljust(78, "─"))
        self._say()
        self._table(
            ["plan", "step", "sent", "by SMS", "by e-mail", "not sent", "still to come"],
            [
                [
                    plan,
                    step,
                    n["sent"],
                    n["sms"] or "",
                    n["email"] or "",
                    n["stopped"] or "",
                    n["waiting"] or "",
                ]
                for (plan, step), n in steps.items()
            ],
        )
        total: Counter[str] = sum(steps.values(), Counter())
        self._say()
        self._say(
            f"{total['sent']} messages sent, {total['stopped']} not sent, {total['waiting']} still to come. "
            "Why not:"
        )
        for reason, count in reasons.most_common():
            self._say(f"  {count:3}  {reason}")
        self._say()
        self._say(f"Look closer:  notifier messages --config {home / 'config.toml'}")
        self._say(f"One story:    notifier messages --why 1 --config {home / 'config.toml'}")


def _bubble(entry: dict[str, Any]) -> list[str]:
    """The words as a phone shows them: a framed SMS with its price, or the first lines of an e-mail."""
    if entry["channel"] == "sms":
        lines = textwrap.wrap(entry["text"], _WIDE)
        size = measure(entry["text"])
        below = f"{size.segments} {'part' if size.segments == 1 else 'parts'}, {size.encoding}"
    else:
        body = [part for line in entry["text"].splitlines() for part in textwrap.wrap(line, _WIDE)]
        lines = [entry["subject"], "", *body[:_MAIL_LINES], *(["…"] if len(body) > _MAIL_LINES else [])]
        below = "text and HTML"
    top, bottom = f"╭{'─' * (_WIDE + 2)}╮", f"╰{'─' * (_WIDE + 2)}╯"
    framed = [f"│ {line.ljust(_WIDE)} │" for part in lines for line in textwrap.wrap(part, _WIDE) or [""]]
    return [top, *framed, f"{bottom} {below}"]


def _count(engine: Engine) -> tuple[dict[tuple[str, str], Counter[str]], Counter[str]]:
    """By plan and step in the order of the plan; and how often each reason, without its dates."""
    steps: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    with db.reading(engine) as session:
        rows = session.execute(
            select(Message, PlanVersion)
            .outerjoin(Treatment, Treatment.id == Message.treatment_id)
            .outerjoin(PlanVersion, PlanVersion.id == Treatment.plan_version_id)
            .order_by(PlanVersion.id.is_(None), PlanVersion.id)
        )
        for message, version in rows:
            tally = steps[_BESIDE, _called(message)]
            if version is not None and message.step:
                plan = plans.definition(version).plan
                for step in plan.steps:
                    steps[plan.key, step.key] += Counter()  # in the plan's order, also what was never sent
                tally = steps[plan.key, message.step]
            if message.status in MAY_HAVE_ARRIVED:
                tally["sent"] += 1
                tally[message.channel] += 1
            elif message.status == Status.SCHEDULED:
                tally["waiting"] += 1
            else:
                tally["stopped"] += 1
                reasons[reason_groups.group_of(message.reason, message.reason_code).words] += 1
    return {named: tally for named, tally in steps.items() if tally or named[0] != _BESIDE}, reasons


_BESIDE = "beside plans"


def _called(message: Message) -> str:
    if message.kind == Kind.ANSWER and message.reply_id is None:
        return "first text to a number"
    return {Kind.ANSWER: "automatic answers", Kind.STAFF: "written by staff", Kind.ALERT: "alerts"}.get(
        Kind(message.kind), "tests"
    )

"""Riverside's alert contacts in their order, and short ways to say what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from notifier import alerts, clinics, staff
from notifier.channels.outbox import Entry
from notifier.models import Alert, AlertContact, Chore, Clinic, Message, Patient
from notifier.worker_chores import ChoreRunner
from tests import cast
from tests.worker_cast import Shift

HOURS = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
ADA, BEN = "+12125550190", "+12125550191"
AT_NIGHT = "2026-02-05 03:00"


class Watch(Shift):
    """Ada has a phone and an e-mail address, Ben a phone, Cy an e-mail address; Olga owns the clinic."""

    def __init__(
        self, engine: Engine, clinic: Clinic, folder: Path, now: str = AT_NIGHT, **given: Any
    ) -> None:
        super().__init__(engine, clinic, folder, now=cast.at(now), **given)
        with self.change() as session:
            riverside = clinics.only(session)
            riverside.opening_hours = HOURS
            for name, phone, email in (
                ("Ada", ADA, "ada@riverside.example"),
                ("Ben", BEN, None),
                ("Cy", None, "cy@riverside.example"),
            ):
                clinics.add_alert_contact(session, riverside, name=name, phone=phone, email=email)
            staff.add(
                session,
                riverside,
                email="olga@riverside.example",
                name="Olga",
                role="admin",
                password=None,
                now=cast.OPENED,
                actor="test",
            )
            self.alice = cast.log(session, riverside, cast.ALICE, "dry-needling").patient_id

    def contacts(self, **changes: Sequence[str]) -> None:
        """`keep=` these names and no others; `on_call=` these."""
        with self.change() as session:
            riverside = clinics.only(session)
            for contact in clinics.alert_contacts(session, riverside):
                contact.on_call = contact.name in changes.get("on_call", ())
                if contact.name not in changes.get("keep", ("Ada", "Ben", "Cy")):
                    clinics.remove_alert_contact(session, riverside, contact.id)

    def rings(self, severity: str = "emergency", kind: str = "red_flag", **given: Any) -> int:
        with self.change() as session:
            alert = alerts.raise_alert(
                session,
                clinics.only(session),
                kind=kind,
                severity=severity,
                summary="May be a warning sign.",
                now=self.clock.now(),
                actor="reply",
                patient=session.get_one(Patient, self.alice) if given.pop("known", True) else None,
                **given,
            )
            return alert.id

    def takes(self, alert_id: int, by: str = "Ada", how: str = "inbox") -> bool:
        with self.change() as session:
            alert = session.get_one(Alert, alert_id)
            return alerts.acknowledge(session, alert, by=by, how=how, now=self.clock.now())

    def alert(self, alert_id: int) -> Alert:
        with self.look() as session:
            return session.get_one(Alert, alert_id)

    def passes(self, when: str | datetime) -> None:
        """A worker looks at its chores then."""
        self.clock.jump(cast.at(when) if isinstance(when, str) else when)
        ChoreRunner(self.engine, self.clock, self.settings, worker="w1").run_due()

    def sent(self, **channels: Any) -> list[Entry]:
        """What goes out about alerts by now, as it was written; what else is due goes too."""
        kept = {entry["message_id"]: entry for entry in self.drain(channels=channels)}
        return [kept[row.id] for row in self.all() if row.alert_id is not None and row.id in kept]

    def due(self, chore: str = "alerts") -> str:
        with self.look() as session:
            return cast.wall(session.get_one(Chore, chore).due_at)

    def told(self, alert_id: int) -> list[str]:
        """Who was called or told what, and when: "03:00 Ada sms"."""
        with self.look() as session:
            names = {row.id: row.name for row in session.scalars(select(AlertContact))}
            rows = session.scalars(select(Message).where(Message.alert_id == alert_id).order_by(Message.id))
            return [self._said(row, names) for row in rows]

    @staticmethod
    def _said(row: Message, names: dict[int, str]) -> str:
        _, _, who, *mark, channel = row.dedup_key.split(":")
        name = names.get(int(who), who) if mark else row.to
        told = "" if (mark and mark[0].isdecimal()) or not mark else f" {mark[0]}"
        return f"{cast.wall(row.created_at)[11:]} {name} {channel}{told}"

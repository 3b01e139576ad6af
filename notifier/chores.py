"""Chores: work that is done once per installation, by whichever worker comes to it first.

Each is a row with its due time, in plan time. A new one is a function and its line in CHORES: it does a short
piece of work in the transaction it is given, and says when it wants to be run next. None: in a day, or when
`hurry` calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from notifier import alerts_escalation, alerts_unread, monthly_mail, purging, retention
from notifier import missing_log as nothing_logged
from notifier.chore_times import hurry as hurry
from notifier.clock import real_wait
from notifier.config import Settings
from notifier.db import RealTime, insert_missing
from notifier.missing_log import missing_log as missing_log
from notifier.models import Chore

Run = Callable[[Session, Settings, datetime], datetime | None]

CHORES: Mapping[str, Run] = {
    "alerts": alerts_escalation.escalate,
    "monthly-report": monthly_mail.send_due,
    "nothing-logged": nothing_logged.tell_admins,
    "purge": purging.purge,
    "retention": retention.blank_old,
    "unread": alerts_unread.tell_owners,
}
# Due at opening or closing times: who changes those calls `hurry` for them.
BY_OPENING_HOURS = ("nothing-logged", "monthly-report", "alerts", "unread")

_AT_THE_LATEST = timedelta(days=1)
_AFTER_TROUBLE = 300.0  # seconds
_SOONER = {"alerts": 10.0}  # somebody may be waiting for help
_NOW = timedelta(0)


def absent(session: Session) -> list[str]:
    """Those that have no row yet: of a new installation, or new in this version."""
    known = set(session.scalars(select(Chore.name)))
    return [name for name in CHORES if name not in known]


def add(session: Session, names: list[str], *, now: datetime) -> None:
    """Due at once. Another worker may be adding them too."""
    session.execute(insert_missing(session, Chore), [{"name": name, "due_at": now} for name in names])


def wait_for_chore(session: Session, *, now: datetime, pace: float = 1.0) -> timedelta | None:
    """How long in real time until one is to be done; zero: now. None: there is none."""
    rows = session.execute(
        select(Chore.due_at, Chore.lease_until, RealTime()).where(Chore.name.in_(CHORES))
    ).all()
    waits = []
    for due_at, lease_until, real in rows:
        due_in = real_wait(due_at - now, pace)
        if due_in is not None:
            waits.append(max(due_in, lease_until - real if lease_until else _NOW, _NOW))
    return min(waits, default=None)


def take(session: Session, *, now: datetime) -> str | None:
    """The first that is due, nobody else's until this transaction ends. One that failed lately waits."""
    return session.scalar(
        select(Chore.name)
        .where(
            Chore.name.in_(CHORES),
            Chore.due_at <= now,
            or_(Chore.lease_until.is_(None), Chore.lease_until <= RealTime()),
        )
        .order_by(Chore.due_at, Chore.name)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def do(session: Session, name: str, settings: Settings, *, now: datetime, worker: str) -> None:
    """Do it, and write down when it is due next, in the transaction that took it."""
    next_due = CHORES[name](session, settings, now) or now + _AT_THE_LATEST
    session.execute(
        update(Chore).where(Chore.name == name).values(due_at=next_due, lease_until=None, worker=worker)
    )


def put_off(session: Session, name: str) -> None:
    """It failed: nobody tries again for some minutes, or seconds."""
    pause = RealTime(_SOONER.get(name, _AFTER_TROUBLE))
    session.execute(update(Chore).where(Chore.name == name).values(lease_until=pause))

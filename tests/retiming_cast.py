"""Short ways to change a plan and to say what its pending messages became."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import plans, retiming
from notifier.models import Clinic, Message, PlanVersion, Retiming
from notifier.retiming_batches import batches
from notifier.retiming_deed import advance, target

Content = dict[str, Any]
Change = Callable[[Content], object]
ADMIN = "ana@riverside.example"


def content_of(session: Session, clinic: Clinic, key: str = "dry-needling") -> Content:
    return deepcopy(dict(plans.current_version(session, plans.find(session, clinic, key)).content))


def step(content: Content, key: str) -> dict[str, Any]:
    return next(table for table in content["plan"]["steps"] if table["key"] == key)


def later(key: str, after: str) -> Change:
    return lambda content: step(content, key).update(after=after)


def changed(session: Session, clinic: Clinic, *changes: Change, key: str = "dry-needling") -> Content:
    content = content_of(session, clinic, key)
    for change in changes:
        change(content)
    return content


def without(key: str) -> Change:
    def drop(content: Content) -> None:
        content["plan"]["steps"] = [it for it in content["plan"]["steps"] if it["key"] != key]

    return drop


def with_step(key: str, after: str, **settings: Any) -> Change:
    def add(content: Content) -> None:
        content["plan"]["steps"].append({"key": key, "after": after, **settings})
        content["texts"][f"{key}.en"] = "{% block sms %}How are you?{% endblock %}"

    return add


def save(
    session: Session, clinic: Clinic, *changes: Change, now: datetime, key: str = "dry-needling"
) -> PlanVersion:
    content = changed(session, clinic, *changes, key=key)
    return plans.save(session, clinic, content, now=now, actor=ADMIN).version


def begun(session: Session, clinic: Clinic, version: PlanVersion, now: datetime) -> Retiming:
    plan = plans.find(session, clinic, version.content["key"])
    return retiming.begin(session, clinic, plan, version, now=now, actor=ADMIN)


def carry_out(session: Session, begun: Retiming, now: datetime, *, size: int = 1) -> Retiming:
    """As the runner does, but in the transaction of the test."""
    aim = target(session, begun.id)
    cursor = 0
    while found := batches(session, aim.plan_id, aim.version_id, now=now, after=cursor, size=size):
        for batch in found:
            advance(session, aim, batch, now=now)
            cursor = batch.cursor
    retiming.finish(session, begun.id, now=now)
    session.expire_all()
    return begun


def retimed(
    session: Session, clinic: Clinic, *changes: Change, now: datetime, key: str = "dry-needling"
) -> Retiming:
    return carry_out(
        session, begun(session, clinic, save(session, clinic, *changes, now=now, key=key), now), now
    )


_ROW = (
    *("status", "reason", "reason_code", "due_at", "useful_until", "to", "safety", "sender_id"),
    *("plan_version_id", "attempts", "claimed_at"),
)


def all_rows(session: Session) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Every message as the database has it, but for the numbers that hang on the order of writing."""
    session.flush()
    session.expire_all()
    return {
        (row.treatment_id, row.step, row.channel, row.dedup_key): tuple(getattr(row, name) for name in _ROW)
        for row in session.scalars(select(Message).order_by(Message.id))
    }

"""Short ways to change a plan and to say what its pending messages became."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import plans, retiming, retiming_effect
from notifier.models import Clinic, Message, Patient, PlanVersion, Retiming, Treatment
from notifier.planning import replan
from notifier.retiming_batches import batches, waiting
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


def first(content: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = content["plan"]["steps"][0]
    return table


# Each for any plan: what an admin might change.
CHANGES: dict[str, Change] = {
    "sooner": lambda content: [it.update(after="30m") for it in content["plan"]["steps"][1:2]],
    "later": lambda content: [it.update(after="30h") for it in content["plan"]["steps"][1:]],
    "shorter": lambda content: [it.update(useful_for="31h") for it in content["plan"]["steps"][1:]],
    "longer": lambda content: [it.update(useful_for="20d") for it in content["plan"]["steps"]],
    "window": lambda content: content["plan"].update(window=["11:00", "16:00"]),
    "pace": lambda content: content["plan"].update(min_gap="50h", max_per_week=2),
    "free": lambda content: content["plan"].update(min_gap="0m", max_per_day=0, max_per_week=0),
    "keep": lambda content: content["plan"].update(supersede="keep"),
    "email": lambda content: first(content).update(channels=["email"]),
    "each": lambda content: first(content).update(channels=["sms", "email"], deliver="each"),
    "everybody": lambda content: [it.update(audience="every") for it in content["plan"]["steps"]],
    "off": lambda content: first(content).update(on=False),
    "gone": lambda content: content["plan"]["steps"].pop(0),
    "new": with_step("day2-ask", "52h", useful_for="9d"),
    "nothing but words": lambda content: content["plan"].update(name="Other"),
}


def both_ways(
    session: Session, clinic: Clinic, version: PlanVersion, now: datetime, size: int
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """What planning says of everybody at once, and what a retiming leaves."""
    brought = session.execute(waiting(version.plan_id, version.id, now)).all()
    savepoint = session.begin_nested()
    session.execute(
        update(Treatment)
        .where(Treatment.id.in_([treatment_id for treatment_id, _ in brought]))
        .values(plan_version_id=version.id)
    )
    session.expire_all()
    patients = session.scalars(
        select(Patient).where(Patient.id.in_([patient for _, patient in brought]))
    ).all()
    replan(session, patients, now=now, actor=ADMIN)
    planned = all_rows(session)
    savepoint.rollback()
    savepoint = session.begin_nested()
    carry_out(session, begun(session, clinic, version, now), now, size=size)
    retimed = all_rows(session)
    savepoint.rollback()
    session.expire_all()
    return planned, retimed


def check_effect(
    effect: retiming_effect.Effect, before: dict[Any, Any], after: dict[Any, Any], treatments: set[int]
) -> None:
    """What was foreseen is what came."""
    mine = {key for key in after if key[0] in treatments}
    pending = {
        key for key in mine & set(before) if before[key][0] in ("scheduled", "held") and not before[key][9]
    }
    goes = {key for key in mine if after[key][0] in ("scheduled", "held") and not after[key][9]}
    total = effect.total
    assert effect.treatments == len(treatments)
    assert total.pending == len(pending) == total.moved + total.stay + total.skipped + total.cancelled
    assert total.moved == sum(before[key][3] != after[key][3] for key in pending & goes)
    assert total.skipped + total.cancelled == len(pending - goes)
    assert total.added == len(goes - set(before))
    assert total.missed == len(mine - goes - set(before))
    assert total.returned == len((goes & set(before)) - pending)
    others = set(before) - mine
    assert effect.elsewhere == sum(
        (before[key][0], before[key][3]) != (after[key][0], after[key][3]) for key in others
    )
    if total.shift is not None:
        shifts = sorted(
            after[key][3] - before[key][3] for key in pending & goes if after[key][3] != before[key][3]
        )
        assert (total.shift.earliest, total.shift.latest) == (shifts[0], shifts[-1])

"""A retimed database is the one that planning makes of the same treatments on the new version."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import retiming_effect, treatments
from notifier.models import Clinic, Patient, PlanVersion, Treatment
from notifier.patients import PatientEntry
from notifier.planning import replan
from notifier.retiming_batches import waiting
from tests import retiming_cast as cast
from tests.cast import (
    ALICE,
    CAROL,
    EDWARD,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    attempted,
    log,
    messages,
    on_sqlite,
    plan_of,
    save_cupping,
    says,
)
from tests.retiming_cast import ADMIN, Change, later, with_step
from tests.test_planning_properties import Action, Desk, actions

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


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
    planned = cast.all_rows(session)
    savepoint.rollback()
    savepoint = session.begin_nested()
    cast.carry_out(session, cast.begun(session, clinic, version, now), now, size=size)
    retimed = cast.all_rows(session)
    savepoint.rollback()
    session.expire_all()
    return planned, retimed


@on_sqlite
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions,
    st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=3, unique=True),
    st.sampled_from(["dry-needling", "cupping"]),
    st.integers(0, 30),
    st.sampled_from([1, 2, 100]),
)
def test_whatever_happened_before_and_whatever_changes(
    session: Session,
    clinic: Clinic,
    actions: list[Action],
    names: list[str],
    key: str,
    hours: int,
    size: int,
) -> None:
    savepoint = session.begin_nested()
    desk = Desk(session, clinic)
    for action in (("log", 0, 0), ("log", 1, 1), *actions):
        desk.do(action)
    now = desk.now + hours * HOUR
    before = cast.all_rows(session)
    content = cast.changed(session, clinic, *(CHANGES[name] for name in names), key=key)
    foreseen = retiming_effect.effect(session, clinic, key, content, now=now)
    version = cast.save(session, clinic, *(CHANGES[name] for name in names), now=now, key=key)
    planned, retimed = both_ways(session, clinic, version, now, size)
    assert retimed == planned
    check_effect(
        foreseen,
        before,
        retimed,
        {id for id, _ in session.execute(waiting(version.plan_id, version.id, now))},
    )
    savepoint.rollback()


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


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_on_both_databases(session: Session, clinic: Clinic, name: str) -> None:
    """A family on one phone, several treatments, a visit, and messages that have left."""
    week_ago = log(session, clinic, CAROL, ended_at=ENDED - 3 * DAY, next_visit=ENDED + 5 * DAY)
    attempted(messages(session, week_ago)["day0-what-you-may-feel"])
    for patient in (ALICE, MIA, LEO, EDWARD):
        log(session, clinic, patient)
    log(session, clinic, ALICE, "cupping", ended_at=ENDED + HOUR)
    log(session, clinic, MIA, "sports-massage", ended_at=ENDED + 2 * HOUR)
    log(session, clinic, CAROL, ended_at=ENDED + HOUR)
    now = LOGGED + 3 * HOUR
    version = cast.save(session, clinic, CHANGES[name], now=now)
    planned, retimed = both_ways(session, clinic, version, now, 1)
    assert retimed == planned


# Alike in all but one thing each; of every sort there are several.
SORTS: tuple[dict[str, Any], ...] = (
    {},
    {"language": "es"},
    {"email": "mail"},
    {"email": "mail", "preferred_channel": "email"},
    {"email": "mail", "name_treatment": True},
    {"timezone": "America/Los_Angeles"},
    {"phone": "", "email": "mail"},
)


@pytest.mark.parametrize("name", sorted(CHANGES))
@pytest.mark.parametrize("minutes", [1, 20, 26 * 60])
@on_sqlite
def test_patients_who_are_alike_get_what_each_would_get(
    session: Session, clinic: Clinic, name: str, minutes: int
) -> None:
    """They are planned only once; whatever makes a difference to a message must make one to them."""
    number = 0
    for _ in range(3):
        for traits in SORTS:
            number += 1
            values = {"phone": f"(212) 555-{1000 + number}"} | traits
            if values.get("email"):
                values["email"] = f"patient{number}@example.com"
            treatment = log(session, clinic, PatientEntry("Grace", f"Sample{number}", **values))
            alter(session, treatment, number)
    now = LOGGED + timedelta(minutes=minutes)
    content = cast.changed(session, clinic, CHANGES[name])
    before = cast.all_rows(session)
    foreseen = retiming_effect.effect(session, clinic, "dry-needling", content, now=now)
    version = cast.save(session, clinic, CHANGES[name], now=now)
    brought = {found for found, _ in session.execute(waiting(version.plan_id, version.id, now))}
    planned, retimed = both_ways(session, clinic, version, now, 8)
    assert retimed == planned
    check_effect(foreseen, before, retimed, brought)


def test_whoever_shares_a_phone_is_like_nobody(session: Session, clinic: Clinic) -> None:
    """Leo's one message keeps his sister's away, and makes no difference to Alice."""
    save_cupping(session, clinic, {"key": "day3-marks", "after": "3d"})
    cast.save(session, clinic, cast.without("day3-check-in"), cast.without("day3-still-sore"), now=LOGGED)
    log(session, clinic, LEO, "cupping")
    alone = [
        log(session, clinic, PatientEntry("Grace", f"Sample{it}", phone=f"(212) 555-016{it}"))
        for it in (1, 2)
    ]
    sister = log(session, clinic, MIA)
    now = LOGGED + HOUR
    moved = {"after": "70h", "useful_for": "5d"}
    version = cast.save(
        session, clinic, lambda it: cast.step(it, "day2-soreness-score").update(moved), now=now
    )
    before = {it.id: plan_of(session, it) for it in (*alone, sister)}
    assert len({tuple(planned.items()) for planned in before.values()}) == 1
    planned, retimed = both_ways(session, clinic, version, now, 100)
    assert retimed == planned
    due = {key[0]: row[3] for key, row in retimed.items() if key[1] == "day2-soreness-score"}
    assert due[alone[0].id] == due[alone[1].id] != due[sister.id]


def alter(session: Session, treatment: Treatment, number: int) -> None:
    """Every seventh stays as it is."""
    rows = messages(session, treatment)
    patient = session.get_one(Patient, treatment.patient_id)
    match number // 7:
        case 1 if number % 7 == 1:
            attempted(rows["day0-what-you-may-feel"])
        case 1 if number % 7 == 2:
            treatments.book_visit(session, treatment, ENDED + 5 * DAY, now=LOGGED, actor=ADMIN)
        case 1 if number % 7 == 3:
            treatments.void(session, treatment, reason="Mistake.", now=LOGGED, actor=ADMIN)
        case 2 if number % 7 == 1:
            rows["day2-soreness-score"].status, rows["day2-soreness-score"].reason = "held", "A score of 8."
        case 2 if number % 7 == 2:
            patient.essentials = True
            replan(session, [patient], now=LOGGED, actor=ADMIN)
        case 2 if number % 7 == 3:
            says(session, patient, "sms", False, LOGGED, now=LOGGED)
    session.flush()


def test_it_is_not_simply_the_same_as_before(session: Session, clinic: Clinic) -> None:
    """Of the comparison above: a change that moves something shows in it."""
    log(session, clinic)
    before = cast.all_rows(session)
    version = cast.save(session, clinic, later("day1-soreness-is-normal", "24h"), now=LOGGED)
    planned, _ = both_ways(session, clinic, version, LOGGED, 1)
    assert planned != before

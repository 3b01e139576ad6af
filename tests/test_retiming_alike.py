"""Of many patients who are alike one is planned; that must be right for each of the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier import retiming_effect, treatments
from notifier.models import Clinic, Patient, Treatment
from notifier.patients import PatientEntry
from notifier.planning import replan
from notifier.retiming_batches import waiting
from tests import retiming_cast as cast
from tests.cast import (
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
from tests.retiming_cast import ADMIN, CHANGES, both_ways, check_effect

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

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


WHEN = [(name, 20) for name in sorted(CHANGES)]
WHEN += [(name, minutes) for name in ("later", "new", "shorter") for minutes in (1, 26 * 60)]


@pytest.mark.parametrize(("name", "minutes"), WHEN)
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

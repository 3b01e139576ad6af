"""Patients in a list."""

from __future__ import annotations

from sqlalchemy.orm import Session

from notifier import finding, treatments
from notifier.finding import Found
from notifier.models import Clinic
from tests.cast import ALICE, BOB, CAROL, DESK, LOGGED, at, log, on_sqlite, wall
from tests.query_plans import asked


def told(found: list[Found]) -> list[tuple[str, str]]:
    return [(item.name, wall(item.treated_at)) for item in found]


def test_who_was_treated_last_stands_first_and_once(session: Session, clinic: Clinic) -> None:
    log(session, clinic, BOB, ended_at=at("2026-02-02 10:00"))
    log(session, clinic, ALICE, ended_at=at("2026-02-01 10:00"))
    log(session, clinic, BOB, ended_at=at("2026-01-20 10:00"))
    assert told(finding.lately(session, clinic)) == [
        ("Bob Tanaka", "2026-02-02 10:00"),
        ("Alice Moreau", "2026-02-01 10:00"),
    ]


def test_a_voided_treatment_and_an_erased_patient_are_left_out(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    log(session, clinic, CAROL).patient.erased_at = LOGGED
    treatments.void(session, treatment, reason="", now=LOGGED, actor=DESK)
    assert finding.lately(session, clinic) == []
    assert told(finding.find(session, clinic, "bob")) == [("Bob Tanaka", "")]


def test_nothing_asked_is_nothing_found(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    log(session, clinic)
    assert finding.find(session, clinic, "  ") == []
    assert finding.find(session, other_clinic, "alice") == []
    assert finding.lately(session, other_clinic) == []
    assert told(finding.find(session, clinic, "moreau al")) == [("Alice Moreau", "2026-02-03 15:30")]


@on_sqlite
def test_a_look_walks_through_no_whole_table(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    with asked(session) as found:
        finding.lately(session, clinic)
        finding.find(session, clinic, "alice")
    assert found.scans == []

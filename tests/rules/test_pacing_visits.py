"""Newer treatments and treatments of one visit: tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest

from notifier.rules.pacing import Treated, spoken_for, superseded_by


def at(text: str) -> datetime:
    """In March 2026: "3 09:00" is the 3rd."""
    day, clock = text.split()
    return datetime.combine(datetime(2026, 3, int(day), tzinfo=UTC), time.fromisoformat(clock), UTC)


def treated(id_: str, ended: str, **fields: Any) -> Treated:
    return Treated(id_, fields.pop("plan", "needling"), at(ended), **fields)


SUPERSEDED = [
    ([treated("old", "3 10:00"), treated("new", "5 10:00")], {"old": "new"}),
    # One entered late: logged last, but it ended first.
    ([treated("new", "5 10:00"), treated("late", "3 10:00", order=9)], {"late": "new"}),
    ([treated("a", "3 10:00"), treated("b", "5 10:00", plan="cupping")], {}),
    ([treated("only", "3 10:00")], {}),
    ([], {}),
    # The newest takes over from all.
    ([treated("a", "3 10:00"), treated("b", "5 10:00"), treated("c", "7 10:00")], {"a": "c", "b": "c"}),
    (
        [
            treated("a", "3 10:00"),
            treated("x", "4 10:00", plan="cupping"),
            treated("b", "5 10:00"),
            treated("y", "6 10:00", plan="cupping"),
        ],
        {"a": "b", "x": "y"},
    ),
    # Ended at the same moment: the one that was logged last.
    ([treated("b", "3 10:00", order=2), treated("a", "3 10:00", order=1)], {"a": "b"}),
]


@pytest.mark.parametrize(("treatments", "expected"), SUPERSEDED)
def test_a_newer_treatment_on_the_same_plan_supersedes(
    treatments: list[Treated], expected: dict[str, str]
) -> None:
    for order in (treatments, treatments[::-1]):
        assert {old: new.id for old, new in superseded_by(order).items()} == expected


def needling(ended: str, **fields: Any) -> Treated:
    return treated("needling", ended, caution=3, **fields)


def cupping(ended: str, **fields: Any) -> Treated:
    return treated("cupping", ended, plan="cupping", caution=1, **fields)


def massage(ended: str, **fields: Any) -> Treated:
    return treated("massage", ended, plan="massage", caution=1, **fields)


VISITS = [
    ([needling("3 10:00"), cupping("3 11:00")], {"cupping": "needling"}),
    ([cupping("3 10:00"), needling("3 11:00")], {"cupping": "needling"}),
    ([needling("3 10:00"), cupping("3 14:00")], {"cupping": "needling"}),  # exactly 4 hours: one visit
    ([needling("3 10:00"), cupping("3 14:01")], {}),
    ([needling("3 10:00")], {}),
    ([], {}),
    # What has been said cannot be taken back; what is more cautious is said all the same.
    ([cupping("3 10:00", spoke=True), needling("3 11:00")], {}),
    ([needling("3 10:00", spoke=True), cupping("3 11:00")], {"cupping": "needling"}),
    ([needling("3 10:00", spoke=True), cupping("3 11:00", spoke=True)], {}),
    # Equal caution: the latest, unless one of them has spoken.
    ([cupping("3 10:00"), massage("3 11:00")], {"cupping": "massage"}),
    ([massage("3 10:00"), cupping("3 11:00")], {"massage": "cupping"}),
    ([cupping("3 10:00", spoke=True), massage("3 11:00")], {"massage": "cupping"}),
    ([cupping("3 10:00", order=2), massage("3 10:00", order=1)], {"massage": "cupping"}),
    # Three in one visit: one speaks.
    (
        [cupping("3 10:00"), massage("3 11:00"), needling("3 12:00")],
        {"cupping": "needling", "massage": "needling"},
    ),
    # A visit is counted from its first treatment: 10:00 and 13:00 are one, 16:00 is another.
    ([cupping("3 10:00"), massage("3 13:00"), needling("3 16:00")], {"cupping": "massage"}),
]


@pytest.mark.parametrize(("treatments", "expected"), VISITS)
def test_one_visit_gets_one_first_day_message(treatments: list[Treated], expected: dict[str, str]) -> None:
    for order in (treatments, treatments[::-1]):
        assert {silent: speaker.id for silent, speaker in spoken_for(order).items()} == expected

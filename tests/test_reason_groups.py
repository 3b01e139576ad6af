"""Reasons in few plain sentences, alike for a program and for the database."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import reason_groups
from notifier.models import Clinic, Message
from tests.cast import log

CASES = [
    ("The newer treatment of Tue 3 Mar 09:00 takes over.", "superseded", "superseded"),
    (
        "It was useful until Tue 3 Mar 09:00, and the first moment it could leave is Wed.",
        "too_late",
        "logged-too-late",
    ),
    ("It was useful until Tue 3 Mar 09:00 and could not leave before.", "too_late", "not-in-time"),
    ("It was useful until Tue 3 Mar 09:00, and SMS is not set up.", "too_late", "sender-stopped"),
    ("No consent to SMS is on record. No e-mail address is on record.", "unreachable", "no-consent"),
    ("Consent to SMS was withdrawn on 2026-03-01.", "unreachable", "withdrawn"),
    ("This number opted out on 2026-03-01.", "unreachable", "opted-out"),
    ("Replied STOP.", "opt_out", "opted-out"),
    ("The number is a landline, which cannot receive SMS.", "unreachable", "landline"),
    ("This number is a landline; ask the patient for a mobile number.", "", "landline"),
    ("Not for this patient: the step is for score>=4, and no score came.", "audience", "still-sore"),
    ("Not for this patient. Who gets it: a score of 4 or more. No score came.", "audience", "still-sore"),
    (
        "Not for this patient. Who gets it: at neck and no score of 4 or more. The latest score is 5.",
        "audience",
        "too-sore",
    ),
    ("Not for this patient. Who gets it: treated at neck.", "audience", "others-only"),
    ("Only for a first treatment, and the patient received it within 90 days.", "audience", "first-only"),
    ("No next visit is booked.", "audience", "no-visit"),
    ("The wrong patient.", "void", "void"),
]


@pytest.mark.parametrize(("reason", "code", "group"), CASES)
def test_reasons_that_differ_only_in_their_moments_are_one(reason: str, code: str, group: str) -> None:
    assert reason_groups.group_of(reason, code).key == group


def test_a_providers_own_words_are_a_group_without_what_is_said_of_the_try() -> None:
    words = "The phone is switched off or out of reach."
    assert reason_groups.group_of(f"{words} That was the last try.", "").key == words


def test_the_database_finds_the_same_messages_by_a_group(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    own = "Twilio's queue for this sender is full."
    cases = [*CASES, (f"{own} Another try would come too late.", "", own)]
    rows = list(session.scalars(select(Message).order_by(Message.id)))
    for start in range(0, len(cases), len(rows)):
        # Fewer rows than cases: they say one after the other.
        said = dict(zip(rows, cases[start:], strict=False))
        for row in rows:
            row.reason, row.reason_code, _ = said.get(row, ("", "", ""))
        session.flush()
        for group in {group for _, _, group in said.values()}:
            found = set(session.scalars(select(Message.id).where(reason_groups.in_group(group))))
            assert found == {row.id for row, case in said.items() if case[2] == group}, group


def test_every_group_has_a_key_and_words_of_its_own() -> None:
    groups = reason_groups.GROUPS
    assert len({group.key for group in groups}) == len({group.words for group in groups}) == len(groups)

"""The owner's month: whom the aftercare reached, whom not and why, opt-outs, what it cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import monthly, treatments
from notifier.models import Attempt, Clinic, Message
from notifier.rules.months import Month
from tests import cast
from tests.cast import ALICE, BOB, CAROL, DAY0, DAY1, EDWARD, LOGGED, MIA, log

FEBRUARY = Month(2026, 2)


def report(session: Session, clinic: Clinic, month: Month = FEBRUARY) -> monthly.Report:
    session.flush()
    return monthly.report(session, clinic, month)


def tried(
    session: Session, message: Message, segments: int, *, outcome: str, provider: str = "twilio"
) -> None:
    session.add(
        Attempt(
            message_id=message.id,
            number=1,
            channel=message.channel,
            address=message.to,
            words="Hi.",
            segments=segments,
            claimed_at=LOGGED,
            outcome=outcome,
            provider=provider,
        )
    )


# Treatments


def test_a_treatment_is_covered_once_a_message_may_have_arrived(session: Session, clinic: Clinic) -> None:
    cast.attempted(cast.messages(session, log(session, clinic, ALICE))[DAY0], "delivered")
    log(session, clinic, EDWARD)  # all still to come
    log(session, clinic, BOB)  # who never said yes
    found = report(session, clinic).coverage
    assert (found.treatments, found.covered, found.waiting, found.missed) == (3, 1, 1, 1)
    assert [(why.group.key, why.count) for why in found.uncovered] == [("no-consent", 1)]
    assert found.share == 0.5


def test_why_a_treatment_is_uncovered_is_what_somebody_can_act_upon(session: Session, clinic: Clinic) -> None:
    for row in cast.messages(session, log(session, clinic, ALICE)).values():
        row.status, row.reason, row.reason_code = "cancelled", "A newer one.", "superseded"
    bad = cast.messages(session, log(session, clinic, CAROL))
    for row in bad.values():
        row.status, row.reason, row.reason_code = "skipped", "The patient gets less.", "essentials"
    bad[DAY1].reason, bad[DAY1].reason_code = "No consent to SMS is on record.", "unreachable"
    found = {why.group.key: why.count for why in report(session, clinic).coverage.uncovered}
    assert found == {"superseded": 1, "no-consent": 1}


def test_voided_treatments_and_those_of_other_months_do_not_count(session: Session, clinic: Clinic) -> None:
    voided = log(session, clinic, BOB)
    treatments.void(session, voided, reason="Twice.", now=LOGGED, actor=cast.DESK)
    log(session, clinic, EDWARD, ended_at=cast.at("2026-01-31 23:30"))
    assert report(session, clinic).coverage.treatments == 0
    assert report(session, clinic, Month(2026, 1)).coverage.treatments == 1
    assert report(session, clinic).coverage.share is None


def test_a_treatment_without_any_message_says_so(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    for row in cast.messages(session, treatment).values():
        row.treatment_id = None
    assert [why.group.key for why in report(session, clinic).coverage.uncovered] == ["nothing-planned"]


# Messages


def test_messages_are_counted_by_what_became_of_them_and_why(session: Session, clinic: Clinic) -> None:
    messages = cast.messages(session, log(session, clinic, ALICE))
    cast.attempted(messages[DAY0], "delivered")
    cast.attempted(messages[DAY1], "failed")
    messages[DAY1].reason = "This number is unknown or no longer in use; ask the patient for the new one."
    found = report(session, clinic)
    assert (found.outcomes["delivered"], found.outcomes["failed"], found.outcomes["skipped"]) == (1, 1, 1)
    assert {why.group.key for why in found.reasons} == {"wrong-number", "no-visit"}


def test_parts_of_texts_cost_what_the_clinic_says(session: Session, clinic: Clinic) -> None:
    messages = cast.messages(session, log(session, clinic, ALICE))
    tried(session, messages[DAY0], 2, outcome="accepted")
    tried(session, messages[DAY1], 3, outcome="failed")
    texts = report(session, clinic).texts
    assert (texts.sent, texts.kept, texts.cost) == (2, 0, None)
    clinic.sms_price, clinic.currency = 0.0083, "EUR"
    texts = report(session, clinic).texts
    assert texts.cost == pytest.approx(0.0166)
    assert texts.currency == "EUR"


def test_what_stayed_in_the_outbox_costs_nothing(session: Session, clinic: Clinic) -> None:
    clinic.sms_price = 0.01
    messages = cast.messages(session, log(session, clinic, ALICE))
    tried(session, messages[DAY0], 2, outcome="sent", provider="outbox")
    texts = report(session, clinic).texts
    assert (texts.sent, texts.kept, texts.cost, texts.would_cost) == (0, 2, 0, 0.02)


# Who wants no more, and what is to be put right


def test_a_no_counts_as_taken_back_only_after_a_yes(session: Session, clinic: Clinic) -> None:
    alice, bob = (log(session, clinic, patient).patient for patient in (ALICE, BOB))
    later = LOGGED + timedelta(hours=1)
    for patient in (alice, bob):
        cast.says(session, patient, "sms", False, later, now=later)
    cast.says(session, alice, "email", False, later, now=later)
    assert report(session, clinic).withdrawn == 1
    assert report(session, clinic, Month(2026, 1)).withdrawn == 0


def test_addresses_that_opted_out_count_once(session: Session, clinic: Clinic) -> None:
    mia = log(session, clinic, MIA).patient
    cast.stop(session, mia, LOGGED)
    assert report(session, clinic).opted_out == 1
    assert report(session, clinic, Month(2026, 3)).opted_out == 0


def test_another_clinic_has_a_month_of_its_own(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    patient = log(session, clinic, ALICE).patient
    patient.phone_problem = "It is a landline."
    cast.stop(session, patient, LOGGED)
    message = session.scalars(select(Message).order_by(Message.id)).first()
    assert message is not None
    tried(session, message, 2, outcome="sent")
    found = report(session, other_clinic)
    assert found.coverage.treatments == found.withdrawn == found.opted_out == found.to_fix == 0
    assert found.texts.sent == 0
    assert not found.outcomes

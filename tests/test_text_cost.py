from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from notifier import audit, plans, text_cost, text_samples, text_trials
from notifier.errors import InputError
from notifier.messages import Listed
from notifier.models import Attempt, Clinic, Message
from notifier.rules.templating import TextTemplate
from notifier.text_cost import Cost, Volume, money, volumes
from tests import cast
from tests.cast import ALICE, BOB, DAY0, DAY1, LOGGED, attempted, messages

MARIA = replace(ALICE, first_name="María", phone="(212) 555-0177", email="maria@example.com", language="es")


def test_sms_that_went_out_count_and_else_those_that_are_planned(session: Session, clinic: Clinic) -> None:
    treatment = cast.log(session, clinic)
    cast.log(session, clinic, MARIA)
    cast.log(session, clinic, BOB)  # who said no: nothing is planned that would cost
    attempted(messages(session, treatment)[DAY0])
    row = plans.find(session, clinic, "dry-needling")
    found = volumes(session, clinic, row, now=cast.at("2026-02-03 18:00"))
    assert found[DAY0, "en"] == Volume(1)
    # Hers was due as well and has not left: neither gone nor to come.
    assert (DAY0, "es") not in found
    assert found[DAY1, "en"] == found[DAY1, "es"] == Volume(1, planned=True)
    only = volumes(session, clinic, row, now=LOGGED, step=DAY1)
    assert set(only) == {(DAY1, "en"), (DAY1, "es")}


def test_what_went_out_long_ago_and_on_other_plans_does_not_count(session: Session, clinic: Clinic) -> None:
    attempted(messages(session, cast.log(session, clinic))[DAY0])
    row, other = (plans.find(session, clinic, key) for key in ("dry-needling", "cupping"))
    assert volumes(session, clinic, row, now=LOGGED + timedelta(days=60)) == {}
    assert volumes(session, clinic, other, now=LOGGED) == {}


def cost(parts: int, before: int, price: float | None = 0.0083, count: int = 500) -> Cost:
    return Cost(Volume(count), parts, before, price, "USD")


def test_a_part_more_is_reckoned_at_the_clinics_volume() -> None:
    assert cost(2, 1).words() == "about $8.30 a month"
    assert cost(2, 1).difference() == "+1 part: about +$4.15 a month"
    assert cost(1, 3).difference() == "−2 parts: about −$8.30 a month"
    assert cost(2, 2).difference() == ""
    assert cost(2, 1, price=None).difference() == "+1 part"
    assert cost(2, 1, count=0).words() == ""


@pytest.mark.parametrize(
    ("currency", "says"), [("USD", "$1,234.50"), ("EUR", "€1,234.50"), ("CHF", "1,234.50 CHF")]
)
def test_money_reads_as_people_write_it(currency: str, says: str) -> None:
    assert money(1234.5, currency) == says


def test_only_this_clinics_treatments_are_samples(session: Session, clinic: Clinic) -> None:
    treatment = cast.log(session, clinic)
    row = plans.find(session, clinic, "dry-needling")
    choices = text_samples.choices(session, clinic, row)
    assert [each.key for each in choices] == ["made-up", "long", f"treatment-{treatment.id}"]
    assert "Alice" not in " ".join(each.label for each in choices)
    assert text_samples.treatment_of(session, clinic, choices[-1].key) == treatment
    elsewhere = Clinic(id=clinic.id + 1)
    assert text_samples.treatment_of(session, elsewhere, choices[-1].key) is None
    for key in ("treatment-", "treatment-x", "treatment-999999", "made-up", ""):
        assert text_samples.treatment_of(session, clinic, key) is None


def test_a_real_sample_can_be_read_in_the_other_language(session: Session, clinic: Clinic) -> None:
    treatment = cast.log(session, clinic)
    plan = plans.definition(treatment.plan_version).plan
    spanish = text_samples.of_treatment(clinic, treatment, plan, "es")
    values = text_samples.values_of(spanish)
    assert (values["patient.first_name"], values["treatment.date"]) == ("Alice", "3 feb")
    assert values["next_visit.date"] == ""


def send(session: Session, clinic: Clinic, template: TextTemplate, to: str, minutes: int = 0) -> Message:
    row = plans.find(session, clinic, "dry-needling")
    plan = plans.definition(plans.current_version(session, row)).plan
    context = text_samples.made_up(session, clinic, plan, "en", now=LOGGED)
    channel = "email" if "@" in to else "sms"
    now = LOGGED + timedelta(minutes=minutes)
    return text_trials.send(
        session, clinic, row, DAY0, template, context, channel, to, now=now, actor="ada@riverside.example"
    )


def test_a_test_says_the_words_with_made_up_values(session: Session, clinic: Clinic) -> None:
    template = TextTemplate(
        "Hi {{ patient.first_name }}", "On {{ treatment.date }}", "**Hi** {{ clinic.name }}"
    )
    sms = send(session, clinic, template, "212 555 0155")
    assert (sms.kind, sms.to, sms.words, sms.patient_id) == ("test", "+12125550155", "Hi Alex", None)
    mail = send(session, clinic, template, "ada@riverside.example")
    assert (mail.subject, mail.words) == ("On 2 Feb", "**Hi** Riverside Physio")


def test_ten_tests_an_hour_are_enough(session: Session, clinic: Clinic) -> None:
    template = TextTemplate(sms="Hi")
    for minute in range(text_trials.MOST):
        send(session, clinic, template, "212 555 0155", minute)
    with pytest.raises(InputError, match="10 tests within an hour"):
        send(session, clinic, template, "212 555 0155", 30)
    # Others are not kept from it, and an hour later it may go on.
    audit.note(session, clinic_id=clinic.id, at=LOGGED, actor="hugo@x.example", action="text.tested")
    send(session, clinic, template, "212 555 0155", 70)


@pytest.mark.parametrize(
    ("template", "to", "says"),
    [
        (TextTemplate(sms="Hi"), "12", "cannot be a phone number"),
        (TextTemplate(subject="x", email="y"), "212 555 0155", "no words that could be sent"),
        (TextTemplate(sms="{{ clinic.opens_next }}"), "212 555 0155", "The text needs clinic.opens_next"),
    ],
)
def test_what_cannot_be_sent_is_said(
    session: Session, clinic: Clinic, template: TextTemplate, to: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        send(session, clinic, template, to)
    assert session.query(Message).filter_by(kind="test").count() == 0


def test_volumes_of_an_unknown_step_are_none(session: Session, clinic: Clinic) -> None:
    row = plans.find(session, clinic, "dry-needling")
    assert text_cost.volumes(session, clinic, row, now=LOGGED, step="no-such-step") == {}


def test_a_test_that_stays_in_the_outbox_says_so_and_is_done(session: Session, clinic: Clinic) -> None:
    message = send(session, clinic, TextTemplate(sms="Hi"), "212 555 0155")

    def listed() -> Listed:
        found = text_trials.find(session, clinic, message.id)
        assert found is not None
        return found

    assert not text_trials.is_settled(listed(), LOGGED)
    late = LOGGED + timedelta(minutes=11)
    assert text_trials.is_settled(listed(), late)
    assert "Is the program that sends running?" in text_trials.became(listed(), late)
    message.status, message.attempts = "accepted", 1
    session.add(
        Attempt(
            message_id=message.id,
            number=1,
            channel="sms",
            address=message.to,
            words="Hi",
            claimed_at=LOGGED,
            provider="outbox",
        )
    )
    session.flush()
    assert text_trials.was_kept(listed())
    assert text_trials.is_settled(listed(), LOGGED)
    assert text_trials.became(listed(), LOGGED).startswith("It was kept in the outbox")


def test_other_messages_are_no_tests(session: Session, clinic: Clinic) -> None:
    row = messages(session, cast.log(session, clinic))[DAY0]
    assert text_trials.find(session, clinic, row.id) is None

"""A contact texts a code back: the alert is theirs, and they get the number to call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import alert_codes, alerts, clinics
from notifier.config import Settings
from notifier.envelope import InboundMessage
from notifier.models import Alert, AlertContact, Clinic, Message, Patient
from tests import cast
from tests.cast import on_sqlite

ADA, BEN = "+12125550190", "+12125550191"
NOW = cast.at("2026-02-05 03:00")


@pytest.fixture
def ada(session: Session, clinic: Clinic) -> AlertContact:
    """Told first; Ben comes after her."""
    ada = clinics.add_alert_contact(session, clinic, name="Ada", phone=ADA, email="ada@riverside.example")
    clinics.add_alert_contact(session, clinic, name="Ben", phone=BEN, email=None)
    return ada


@pytest.fixture
def alert(session: Session, clinic: Clinic, ada: AlertContact) -> Alert:
    """About Alice, at night."""
    patient = session.get_one(Patient, cast.log(session, clinic, cast.ALICE, "dry-needling").patient_id)
    return alerts.raise_alert(
        session,
        clinic,
        kind="red_flag",
        severity="emergency",
        summary="May be a warning sign.",
        now=NOW,
        actor="reply",
        patient=patient,
    )


def texts(session: Session, body: str, *, sender: str = ADA, sid: str = "SM1") -> bool:
    inbound = InboundMessage(sid, "sms", sender, "+12125550100", body, NOW)
    return alert_codes.take(session, inbound, settings=Settings(), now=NOW + timedelta(minutes=2))


def answers(session: Session, to: str = ADA) -> list[str]:
    query = select(Message.words).where(Message.to == to, Message.dedup_key.like("%:code-%"))
    return list(session.scalars(query.order_by(Message.id)))


@pytest.mark.parametrize("written", ["{}", "code {}", "ok, {}. On my way", " {} \n"])
def test_whoever_texts_the_code_takes_it_and_gets_the_number_to_call(
    session: Session, alert: Alert, written: str
) -> None:
    spaced = f"{alert.code[:2]} {alert.code[2:]}".lower()
    assert texts(session, written.format(spaced))
    assert texts(session, written.format(spaced))  # delivered twice
    assert (alert.acknowledged_by, alert.acknowledged_how) == ("Ada", "sms")
    (said,) = answers(session)
    assert said == f"Riverside Physio: {alert.code} is yours. Call the patient: +12125550101."


@on_sqlite
@pytest.mark.parametrize(
    ("sender", "written"),
    [
        (cast.ALICE.phone, "{}"),  # not a contact's number
        (ADA, "I am the one who had {} written on a paper, what now"),
        (ADA, "my soreness is 7"),
        (ADA, "C 3"),
    ],
)
def test_anything_else_is_a_reply_like_any_other(
    session: Session, alert: Alert, sender: str, written: str
) -> None:
    assert not texts(session, written.format(alert.code), sender=sender)
    assert alert.acknowledged_at is None
    assert answers(session) == []


@on_sqlite
def test_a_contact_who_is_a_patient_may_write_of_c6_and_c7(
    session: Session, clinic: Clinic, alert: Alert
) -> None:
    cast.log(session, clinic, replace(cast.ALICE, first_name="Ada", phone=ADA), "dry-needling")
    assert not texts(session, "C6 C7 numb and weak")
    assert texts(session, f"ok, {alert.code}. On my way")


def test_who_comes_second_hears_who_was_quicker_and_a_wrong_code_what_is_open(
    session: Session, alert: Alert
) -> None:
    wrong = "C3C3" if alert.code != "C3C3" else "D4D4"
    assert texts(session, wrong, sender=BEN, sid="SM1")
    assert alert.acknowledged_at is None
    assert texts(session, alert.code, sender=ADA, sid="SM2")
    assert texts(session, alert.code, sender=BEN, sid="SM3")
    assert answers(session, BEN) == [
        f"Riverside Physio: There is no open alert {wrong}. Open: {alert.code}.",
        f"Riverside Physio: {alert.code} was taken by Ada already (3:02 AM). Nothing to do.",
    ]


@on_sqlite
def test_the_code_of_a_test_shows_that_alerts_arrive(
    session: Session, clinic: Clinic, ada: AlertContact
) -> None:
    test = alerts.test(session, clinic, ada, now=NOW, actor=cast.DESK)
    assert alerts.open_alerts(session, clinic.id) == []
    assert texts(session, test.code)
    assert ada.tested_at == NOW + timedelta(minutes=2)
    assert answers(session) == [
        f"Riverside Physio: TEST {test.code} received. Alerts reach you, and your answer reaches us."
    ]

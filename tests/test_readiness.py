from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import answer_texts, clinics, db, plans
from notifier.config import AlertContact, DeliverySettings, EmailSettings, Settings, SmsSettings
from notifier.errors import ConfigError
from notifier.models import Clinic
from notifier.readiness import require_ready, unready
from tests.cast import DESK, LOGGED

MAIL = EmailSettings(host="mail.riverside.example", from_address="care@riverside.example")
SMS = SmsSettings(account_sid="AC1", auth_token="t", from_number="+12125550100")


def settings(mode: str = "live", unready: str = "refuse", **sections: Any) -> Settings:
    delivery = DeliverySettings.model_validate(
        {"mode": mode, "unready": unready, "allowlist": [AlertContact(name="me", phone="+12125550177").phone]}
    )
    return Settings(delivery=delivery, **{"email": MAIL} | sections)


def make_ready(session: Session, clinic: Clinic) -> None:
    for version in plans.current_versions(session, clinic).values():
        plans.approve(session, version, by="Dr Ana Ruiz, PT", now=LOGGED, actor=DESK)
    clinic.reply_approval = {"by": "Dr Ana Ruiz, PT", "digest": answer_texts.digest(clinic)}
    contact = clinics.add_alert_contact(session, clinic, name="Dr Ruiz", phone="(212) 555-0150", email=None)
    contact.tested_at = LOGGED


def test_of_a_prepared_installation_nothing_is_left(session: Session, clinic: Clinic) -> None:
    make_ready(session, clinic)
    assert unready(session, settings()) == []
    assert require_ready(session, settings()) == []


def test_an_empty_database_says_how_to_begin(engine: Engine) -> None:
    with db.reading(engine) as session:
        assert unready(session, settings()) == ["There is no clinic yet. Run: notifier init"]


def test_each_thing_is_named_with_what_to_do_about_it(session: Session, clinic: Clinic) -> None:
    plans_, answers, contact = unready(session, settings())
    assert plans_ == (
        "Riverside Physio: Texts are drafts until a named clinician approves them; those of cupping, "
        "dry-needling, shockwave and sports-massage are. "
        'For each that is used: notifier plan approve KEY --by "Name, licence"'
    )
    assert answers.startswith("Riverside Physio: The automatic answers are drafts")
    assert contact.startswith("Riverside Physio: There is no alert contact")


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"email": EmailSettings()}, "Neither SMS nor e-mail is configured, so nothing can be sent. Write"),
        ({"sms": SMS}, "Replies by SMS are not received yet: "),
        ({}, ""),
    ],
)
def test_settings_that_patients_would_notice_are_named(
    sections: dict[str, Any], named: str, session: Session, clinic: Clinic
) -> None:
    make_ready(session, clinic)
    found = [words[: len(named)] for words in unready(session, settings(**sections))]
    # Where nothing is configured, nobody can answer either.
    assert found[-1:] == ([named] if named else [])


def test_live_refuses_with_all_that_is_missing_and_the_setting_that_goes_on(
    session: Session, clinic: Clinic
) -> None:
    chosen = settings()
    with pytest.raises(ConfigError) as refused:
        require_ready(session, chosen)
    lines = str(refused.value).splitlines()
    assert lines[1:-1] == [f"- {sentence}" for sentence in unready(session, chosen)]
    assert len(lines[1:-1]) == 3
    assert lines[-1].endswith('delivery.unready = "warn".')


def test_live_goes_on_where_the_operator_says_so(session: Session, clinic: Clinic) -> None:
    chosen = settings(unready="warn")
    assert require_ready(session, chosen) == unready(session, chosen)


@pytest.mark.parametrize("mode", ["outbox", "allowlist"])
def test_as_long_as_no_patient_is_written_to_nothing_is_asked(
    mode: str, session: Session, clinic: Clinic
) -> None:
    assert require_ready(session, settings(mode)) == []

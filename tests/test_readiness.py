from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import clinics, db, plans
from notifier.config import AlertContact, DeliverySettings, EmailSettings, Settings, SmsSettings, WebSettings
from notifier.errors import ConfigError
from notifier.models import Clinic
from notifier.readiness import NO_CHANNEL, NO_REPLIES, require_ready, unready
from tests.cast import DESK, LOGGED

MAIL = EmailSettings(host="mail.riverside.example", from_address="care@riverside.example")
SMS = SmsSettings(account_sid="AC1", auth_token="t", from_number="+12125550100")
PUBLIC = WebSettings(base_url="https://riverside.example", secret_key="k" * 32)


def settings(mode: str = "live", unready: str = "refuse", **sections: Any) -> Settings:
    delivery = DeliverySettings.model_validate(
        {"mode": mode, "unready": unready, "allowlist": [AlertContact(name="me", phone="+12125550177").phone]}
    )
    return Settings(delivery=delivery, **{"email": MAIL} | sections)


def approve_all(session: Session, clinic: Clinic) -> None:
    for version in plans.current_versions(session, clinic).values():
        plans.approve(session, version, by="Dr Ana Ruiz, PT", now=LOGGED, actor=DESK)


def make_ready(session: Session, clinic: Clinic) -> None:
    """All that this version can be brought to: replies are not received whatever one does."""
    approve_all(session, clinic)
    contact = clinics.add_alert_contact(session, clinic, name="Dr Ruiz", phone="(212) 555-0150", email=None)
    contact.tested_at = LOGGED


def test_what_is_left_of_a_prepared_installation_is_that_replies_are_not_received(
    session: Session, clinic: Clinic
) -> None:
    make_ready(session, clinic)
    assert unready(session, settings()) == [NO_REPLIES]


def test_an_empty_database_says_how_to_begin(engine: Engine) -> None:
    with db.reading(engine) as session:
        assert unready(session, settings()) == [NO_REPLIES, "There is no clinic yet. Run: notifier init"]


def test_texts_that_nobody_approved_are_named_with_the_command(session: Session, clinic: Clinic) -> None:
    make_ready(session, clinic)
    plans.save(
        session,
        clinic,
        {**plans.current_versions(session, clinic)["cupping"].content, "plan": changed(session, clinic)},
        now=LOGGED,
        actor=DESK,
    )
    (_, drafts) = unready(session, settings())
    assert drafts == (
        "Texts are drafts until a named clinician approves them; at Riverside Physio those of cupping are. "
        'For each that is used: notifier plan approve KEY --by "Name, licence"'
    )


def changed(session: Session, clinic: Clinic) -> dict[str, Any]:
    """What the cupping plan says, with other hours: approval does not pass on to a new version."""
    return {
        **plans.current_versions(session, clinic)["cupping"].content["plan"],
        "window": ["10:00", "18:00"],
    }


def test_where_there_are_several_clinics_the_command_says_which(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    make_ready(session, other_clinic)
    drafts = next(words for words in unready(session, settings()) if words.startswith("Texts"))
    assert "cupping, dry-needling, shockwave and sports-massage are" in drafts
    assert drafts.endswith("--clinic riverside-physio")


def test_a_clinic_without_a_contact_and_contacts_never_tested_are_named(
    session: Session, clinic: Clinic
) -> None:
    approve_all(session, clinic)
    assert unready(session, settings())[1].startswith("Riverside Physio has no alert contact")
    for name in ("Dr Ruiz", "Sam"):
        clinics.add_alert_contact(session, clinic, name=name, phone=None, email="a@riverside.example")
    assert unready(session, settings())[1].startswith(
        "No test alert has reached Dr Ruiz and Sam of Riverside"
    )


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"email": EmailSettings()}, [NO_CHANNEL]),
        ({"email": EmailSettings(), "sms": SMS}, []),
        ({"web": PUBLIC}, []),
        ({"web": WebSettings(base_url="http://10.0.0.5")}, []),
        ({"web": WebSettings(base_url="https://riverside.example")}, []),
    ],
)
def test_settings_that_patients_would_notice_are_named(
    sections: dict[str, Any], named: list[str], session: Session, clinic: Clinic
) -> None:
    make_ready(session, clinic)
    assert unready(session, settings(**sections)) == [NO_REPLIES, *named]


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

"""A new installation is set up as one whole, on either database, and setting up again changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from notifier import clinics, db, plans, staff
from notifier.errors import ConfigError, ConflictError, InputError, SchemaMismatch
from notifier.initialising import Answers, Contact, Initialised, existing, initialise, is_missing
from notifier.models import Clinic, PlanVersion, Sender, Staff
from tests import cast
from tests.cast import OPENED

SOL = Answers(
    name=" Clínica Sol ",
    phone="(212) 555-0100",
    timezone="America/New_York",
    language="es",
    emergency_number="911",
    crisis_line="988",
    admin_email="Sol@Example.com",
    admin_name="Sol",
    admin_password="correct horse battery",
    contacts=(Contact("Dr Roe", phone="(212) 555-0199"), Contact("Dr Poe", email="poe@example.com")),
)
PLANS = ("cupping", "dry-needling", "shockwave", "sports-massage")


def set_up(engine: Engine, answers: Answers = SOL, **how: bool) -> Initialised:
    return initialise(engine, answers, now=OPENED, actor="set-up", **how)


def counts(engine: Engine) -> list[int]:
    with db.reading(engine) as session:
        tables = (Clinic, Sender, PlanVersion, Staff)
        return [session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_everything_that_a_clinic_needs_is_there(empty_engine: Engine) -> None:
    assert set_up(empty_engine) == Initialised("clinica-sol", "Clínica Sol", True, PLANS)
    with db.reading(empty_engine) as session:
        clinic = clinics.only(session)
        assert (clinic.name, clinic.language, clinic.emergency_number) == ("Clínica Sol", "es", "911")
        assert tuple(plans.current_versions(session, clinic)) == PLANS
        assert {sender.channel for sender in clinics.active_senders(session, clinic)} == {"sms", "email"}
        ((admin, role),) = staff.of_clinic(session, clinic)
        assert (admin.email, role, admin.password_hash is not None) == ("sol@example.com", "admin", True)
        roe, poe = clinics.alert_contacts(session, clinic)
        assert (roe.position, roe.name, roe.phone) == (1, "Dr Roe", "+12125550199")
        assert (poe.position, poe.name, poe.email) == (2, "Dr Poe", "poe@example.com")


def test_setting_up_again_changes_nothing_whatever_is_answered(empty_engine: Engine) -> None:
    set_up(empty_engine)
    before = counts(empty_engine)
    again = Initialised("clinica-sol", "Clínica Sol", False, ())
    assert set_up(empty_engine) == again
    assert set_up(empty_engine, replace(SOL, phone="elsewhere", timezone="Europe/London")) == again
    assert set_up(empty_engine, Answers(name="", phone="", timezone="")) == again
    assert counts(empty_engine) == before


@cast.on_sqlite
def test_a_further_clinic_has_to_be_meant(empty_engine: Engine) -> None:
    set_up(empty_engine)
    luna = replace(SOL, name="Clínica Luna", admin_email="luna@example.com")
    with pytest.raises(ConflictError, match="Clínica Sol is set up here already"):
        set_up(empty_engine, luna)
    assert set_up(empty_engine, luna, another=True).clinic == "clinica-luna"
    assert existing(empty_engine) == ["Clínica Sol", "Clínica Luna"]
    with pytest.raises(ConflictError, match="name one in"):
        set_up(empty_engine, replace(SOL, name=""))


@cast.on_sqlite
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"contacts": (Contact("Nobody"),)}, "Nobody needs a phone or an e-mail address"),
        ({"contacts": (Contact("Roe", phone="555"),)}, "cannot be a phone number"),
        ({"admin_password": "short"}, "at least 12 characters"),
        ({"timezone": "Atlantis"}, "There is no time zone"),
    ],
)
def test_what_cannot_be_leaves_no_half_clinic(
    empty_engine: Engine, changed: dict[str, object], error: str
) -> None:
    with pytest.raises(InputError, match=error):
        set_up(empty_engine, replace(SOL, **changed))  # type: ignore[arg-type]
    assert existing(empty_engine) == []
    assert counts(empty_engine) == [0, 0, 0, 0]


def test_what_is_missing_is_named_before_a_file_is_made(tmp_path: Path) -> None:
    engine = db.open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    assert is_missing(engine)
    with pytest.raises(ConfigError, match=r"A clinic needs clinic\.phone, clinic\.timezone:"):
        set_up(engine, Answers(name="Sol", phone=" ", timezone=""))
    assert is_missing(engine)
    assert existing(engine) == []
    engine.dispose()
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_version_is_not_brought_up_in_passing(empty_engine: Engine) -> None:
    set_up(empty_engine)
    with empty_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'another'")
    with pytest.raises(SchemaMismatch):
        set_up(empty_engine)

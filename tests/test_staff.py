"""Staff: added once, disabled and enabled, and a clinic is never left without an admin."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import staff
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import AuditEntry, Clinic, Staff
from tests.cast import DESK, LOGGED

PASSWORD = "correct horse battery"


def add(session: Session, clinic: Clinic, email: str, role: str = "front_desk", **given: str) -> Staff:
    said = {"name": "Roe", "password": None} | given
    return staff.add(session, clinic, email=email, role=role, now=LOGGED, actor=DESK, **said)  # type: ignore[arg-type]


def people(session: Session, clinic: Clinic) -> list[tuple[str, str]]:
    return [(person.email, role) for person, role in staff.of_clinic(session, clinic)]


def test_a_password_is_kept_only_as_its_hash(session: Session, clinic: Clinic) -> None:
    person = add(session, clinic, "roe@example.com", password=PASSWORD)
    assert person.password_hash is not None
    assert person.password_hash.startswith("$argon2id$")
    assert PASSWORD not in person.password_hash
    assert PasswordHasher().verify(person.password_hash, PASSWORD)


def test_a_short_password_is_refused(session: Session, clinic: Clinic) -> None:
    with pytest.raises(InputError, match="at least 12 characters"):
        add(session, clinic, "roe@example.com", password="short")
    assert people(session, clinic) == []


def test_without_a_password_nobody_signs_in_yet(session: Session, clinic: Clinic) -> None:
    assert add(session, clinic, "roe@example.com").password_hash is None


@pytest.mark.parametrize("spelling", ["roe@example.com", "ROE@Example.COM", " roe@EXAMPLE.com "])
def test_one_address_is_one_person_however_it_is_spelt(
    session: Session, clinic: Clinic, spelling: str
) -> None:
    add(session, clinic, "Roe@example.com")
    with pytest.raises(ConflictError, match="already on the staff of Riverside Physio"):
        add(session, clinic, spelling)
    assert people(session, clinic) == [("roe@example.com", "front_desk")]


def test_who_works_at_another_clinic_joins_with_what_they_have(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    first = add(session, clinic, "roe@example.com", name="Dr Roe", password=PASSWORD)
    hashed = first.password_hash
    again = add(session, other_clinic, "roe@example.com", "admin", name="Somebody")
    assert (again, again.name, again.password_hash) == (first, "Dr Roe", hashed)
    assert people(session, other_clinic) == [("roe@example.com", "admin")]
    assert people(session, clinic) == [("roe@example.com", "front_desk")]


@pytest.mark.parametrize(
    ("email", "role", "about"), [("roe@", "admin", "no domain"), ("roe@example.com", "owner", "not a role")]
)
def test_what_cannot_be_is_refused(
    session: Session, clinic: Clinic, email: str, role: str, about: str
) -> None:
    with pytest.raises(InputError, match=about):
        add(session, clinic, email, role)


def disable(session: Session, clinic: Clinic, email: str) -> Staff:
    return staff.disable(session, clinic, email, now=LOGGED, actor=DESK)


def test_disabling_can_be_undone(session: Session, clinic: Clinic) -> None:
    add(session, clinic, "roe@example.com", password=PASSWORD)
    person = disable(session, clinic, "ROE@example.com")
    assert person.disabled_at == LOGGED
    with pytest.raises(ConflictError, match="disabled already"):
        disable(session, clinic, "roe@example.com")
    with pytest.raises(ConflictError, match="already on the staff of Riverside Physio and is disabled"):
        add(session, clinic, "roe@example.com")
    staff.enable(session, clinic, "roe@example.com", now=LOGGED, actor=DESK)
    assert person.disabled_at is None
    assert person.password_hash is not None
    with pytest.raises(ConflictError, match="not disabled"):
        staff.enable(session, clinic, "roe@example.com", now=LOGGED, actor=DESK)


def test_the_last_admin_of_any_clinic_stays(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    add(session, clinic, "roe@example.com", "admin")
    add(session, other_clinic, "roe@example.com", "admin")
    add(session, clinic, "maya@example.com", "admin")
    with pytest.raises(ConflictError, match="only admin of Harbour Osteopathy"):
        disable(session, clinic, "roe@example.com")
    add(session, other_clinic, "sol@example.com", "admin")
    disable(session, clinic, "roe@example.com")
    with pytest.raises(ConflictError, match="only admin of Riverside Physio"):
        disable(session, clinic, "maya@example.com")


def test_a_clinic_disables_only_its_own(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    add(session, other_clinic, "sol@example.com")
    with pytest.raises(NotFoundError, match=r"Nobody at Riverside Physio has the address sol@example\.com"):
        disable(session, clinic, "sol@example.com")


def test_every_change_of_the_staff_is_on_record(session: Session, clinic: Clinic) -> None:
    person = add(session, clinic, "roe@example.com")
    disable(session, clinic, "roe@example.com")
    staff.enable(session, clinic, "roe@example.com", now=LOGGED, actor=DESK)
    session.flush()
    noted = session.scalars(select(AuditEntry).where(AuditEntry.subject == "staff").order_by(AuditEntry.id))
    assert [(entry.action, entry.subject_id, entry.actor) for entry in noted] == [
        ("staff.added", person.id, DESK),
        ("staff.disabled", person.id, DESK),
        ("staff.enabled", person.id, DESK),
    ]

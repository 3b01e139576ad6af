"""Staff: who may sign in, with which role at which clinic."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from notifier import audit
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Clinic, Membership, Staff
from notifier.rules import recipients

ROLES = ("front_desk", "admin")
SHORTEST_PASSWORD = 12


def hash_password(password: str) -> str:
    """argon2id, with the library's current recommendation."""
    from argon2 import PasswordHasher

    if len(password) < SHORTEST_PASSWORD:
        raise InputError(f"The password needs at least {SHORTEST_PASSWORD} characters.", field="password")
    return PasswordHasher().hash(password)


def add(
    session: Session,
    clinic: Clinic,
    *,
    email: str,
    name: str,
    role: str,
    password: str | None,
    now: datetime,
    actor: str,
) -> Staff:
    """A person at this clinic; one who works at another already joins this one too."""
    address = recipients.email(email)
    if role not in ROLES:
        raise InputError(f'"{role}" is not a role; write {" or ".join(ROLES)}.', field="role")
    person = session.scalar(select(Staff).where(Staff.email == address))
    if person is None:
        hashed = hash_password(password) if password else None
        person = Staff(email=address, name=name.strip() or address, password_hash=hashed, created_at=now)
        session.add(person)
        session.flush()
    if any(membership.clinic_id == clinic.id for membership in person.memberships):
        raise ConflictError(f"{address} is already on the staff of {clinic.name}.")
    person.memberships.append(Membership(clinic_id=clinic.id, role=role))
    session.flush()
    _note(session, clinic, person, now, actor, "staff.added", role=role)
    return person


def of_clinic(session: Session, clinic: Clinic) -> list[tuple[Staff, str]]:
    """Everybody with their role, by name."""
    rows = session.execute(
        select(Staff, Membership.role)
        .join(Membership, Membership.staff_id == Staff.id)
        .where(Membership.clinic_id == clinic.id)
        .options(selectinload(Staff.memberships))
        .order_by(Staff.name, Staff.id)
    )
    return list(rows.tuples())


def disable(session: Session, clinic: Clinic, email: str, *, now: datetime, actor: str) -> Staff:
    """Stop a person from signing in, anywhere. The last admin of a clinic stays."""
    people = of_clinic(session, clinic)
    found = [(person, role) for person, role in people if person.email == email.strip().lower()]
    if not found:
        raise NotFoundError(f"Nobody at {clinic.name} has the address {email}.")
    person, role = found[0]
    if person.disabled_at is not None:
        raise ConflictError(f"{person.email} is disabled already.")
    admins = [p for p, r in people if r == "admin" and p.disabled_at is None]
    if role == "admin" and admins == [person]:
        raise ConflictError(f"{person.email} is the only admin of {clinic.name}. Add another one first.")
    person.disabled_at = now
    _note(session, clinic, person, now, actor, "staff.disabled")
    return person


def _note(
    session: Session, clinic: Clinic, person: Staff, now: datetime, actor: str, action: str, **detail: str
) -> None:
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action=action,
        subject="staff",
        subject_id=person.id,
        **detail,
    )

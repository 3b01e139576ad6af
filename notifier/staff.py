"""Staff: who may sign in, with which role at which clinic."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from notifier import audit
from notifier.db import RealTime
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import AuditEntry, Clinic, Membership, Staff, StaffLink
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
    """A person at this clinic; one who works at another already joins this one too, as they are."""
    if role not in ROLES:
        raise InputError(f'"{role}" is not a role; write {" or ".join(ROLES)}.', field="role")
    person = require_new(session, clinic, email)
    if person is None:
        address, name = _address(email), " ".join(name.split())
        hashed = hash_password(password) if password else None
        person = Staff(email=address, name=name or address, password_hash=hashed, created_at=now)
        session.add(person)
        session.flush()
    withdraw_invitations(session, person)
    person.memberships.append(Membership(clinic_id=clinic.id, role=role))
    session.flush()
    _note(session, clinic, person, now, actor, "staff.added", role=role)
    return person


def require_new(session: Session, clinic: Clinic, email: str) -> Staff | None:
    """The person with this address, whom other clinics know; refused where this one does already."""
    address = _address(email)
    person = session.scalar(select(Staff).where(Staff.email == address))
    if person is not None and any(membership.clinic_id == clinic.id for membership in person.memberships):
        disabled = " and is disabled" if person.disabled_at is not None else ""
        raise ConflictError(f"{address} is already on the staff of {clinic.name}{disabled}.")
    return person


def _address(email: str) -> str:
    """In one spelling, so that nobody is added twice, or misses the way in by a capital letter."""
    return recipients.address_key("email", recipients.email(email))


def set_password(
    session: Session, person: Staff, hashed: str, *, clinic_id: int, now: datetime, actor: str
) -> None:
    """`hashed` by `hash_password`. Signing out elsewhere is the caller's."""
    person.password_hash = hashed
    audit.note(
        session,
        clinic_id=clinic_id,
        at=now,
        actor=actor,
        action="staff.password",
        subject="staff",
        subject_id=person.id,
    )


def of_clinic(session: Session, clinic: Clinic) -> list[tuple[Staff, str]]:
    """Everybody with their role, by name."""
    rows = session.execute(
        select(Staff, Membership.role)
        .join(Membership, Membership.staff_id == Staff.id)
        .where(Membership.clinic_id == clinic.id)
        .options(selectinload(Staff.memberships))
        .order_by(Staff.name, Staff.id)
    )
    return list(rows)


def disable(session: Session, clinic: Clinic, email: str, *, now: datetime, actor: str) -> Staff:
    """Stop a person from signing in, anywhere. The last admin of a clinic stays."""
    person = find(session, clinic, email)
    if person.disabled_at is not None:
        raise ConflictError(f"{person.email} is disabled already.")
    for membership in person.memberships:
        if membership.role == "admin":
            _require_other_admin(session, membership)
    person.disabled_at = now
    _note(session, clinic, person, now, actor, "staff.disabled")
    return person


def enable(session: Session, clinic: Clinic, email: str, *, now: datetime, actor: str) -> Staff:
    """Undo: the person may sign in again, with the password they had."""
    person = find(session, clinic, email)
    if person.disabled_at is None:
        raise ConflictError(f"{person.email} is not disabled.")
    person.disabled_at = None
    _note(session, clinic, person, now, actor, "staff.enabled")
    return person


def set_role(
    session: Session, clinic: Clinic, staff_id: int, role: str, *, now: datetime, actor: str
) -> Staff:
    """Another role at this clinic. The last admin stays one."""
    if role not in ROLES:
        raise InputError(f'"{role}" is not a role; write {" or ".join(ROLES)}.', field="role")
    membership = _membership(session, clinic, staff_id)
    if membership.role == "admin" and role != "admin":
        _require_other_admin(session, membership)
    membership.role = role
    _note(session, clinic, membership.staff, now, actor, "staff.role", role=role)
    return membership.staff


def leave(session: Session, clinic: Clinic, staff_id: int, *, now: datetime, actor: str) -> tuple[Staff, str]:
    """A person no longer works at this clinic; their role there, for an undo. Elsewhere nothing changes."""
    membership = _membership(session, clinic, staff_id)
    if membership.role == "admin":
        _require_other_admin(session, membership)
    person, role = membership.staff, membership.role
    session.delete(membership)
    session.flush()
    _note(session, clinic, person, now, actor, "staff.left", role=role)
    return person, role


def join(session: Session, clinic: Clinic, staff_id: int, role: str, *, now: datetime, actor: str) -> Staff:
    """Undo of `leave`, which only somebody who was there before can be brought back by."""
    left = select(AuditEntry.id).where(
        AuditEntry.clinic_id == clinic.id,
        AuditEntry.action == "staff.left",
        AuditEntry.subject_id == staff_id,
    )
    if session.scalar(left.limit(1)) is None or role not in ROLES:
        raise NotFoundError("There is nobody to bring back.")
    person = session.get_one(Staff, staff_id)
    if any(membership.clinic_id == clinic.id for membership in person.memberships):
        raise ConflictError(f"{person.email} is on the staff of {clinic.name} already.")
    withdraw_invitations(session, person)
    person.memberships.append(Membership(clinic_id=clinic.id, role=role))
    session.flush()
    _note(session, clinic, person, now, actor, "staff.added", role=role)
    return person


def withdraw_invitations(session: Session, person: Staff) -> None:
    """Links that nobody used lead nowhere any more: what a clinic made for its own must not open another."""
    unused = update(StaffLink).where(
        StaffLink.staff_id == person.id, StaffLink.purpose == "invitation", StaffLink.used_at.is_(None)
    )
    session.execute(unused.values(used_at=RealTime()))


def get(session: Session, clinic: Clinic, staff_id: int) -> Staff:
    return _membership(session, clinic, staff_id).staff


def _membership(session: Session, clinic: Clinic, staff_id: int) -> Membership:
    membership = session.scalar(
        select(Membership).where(Membership.clinic_id == clinic.id, Membership.staff_id == staff_id)
    )
    if membership is None:
        raise NotFoundError(f"Nobody with that number works at {clinic.name}.")
    return membership


def _require_other_admin(session: Session, membership: Membership) -> None:
    if not _other_admins(session, membership):
        name = session.get_one(Clinic, membership.clinic_id).name
        raise ConflictError(f"{membership.staff.email} is the only admin of {name}. Add another one first.")


def find(session: Session, clinic: Clinic, email: str) -> Staff:
    address = _address(email)
    for person, _ in of_clinic(session, clinic):
        if person.email == address:
            return person
    raise NotFoundError(f"Nobody at {clinic.name} has the address {address}.")


def _other_admins(session: Session, membership: Membership) -> bool:
    others = (
        select(Membership.id)
        .join(Staff, Staff.id == Membership.staff_id)
        .where(
            Membership.clinic_id == membership.clinic_id,
            Membership.role == "admin",
            Membership.staff_id != membership.staff_id,
            Staff.disabled_at.is_(None),
        )
    )
    return session.scalar(others.limit(1)) is not None


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

"""Secret addresses for one person: an invitation to choose a password, or the demo's way in. In real time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import signin, staff
from notifier.db import RealTime
from notifier.errors import NotFoundError
from notifier.models import Clinic, Membership, Staff, StaffLink

INVITATION, DEMO = "invitation", "demo"
LASTS = {INVITATION: timedelta(days=7), DEMO: timedelta(days=1)}

_OVER = "This link is no longer valid. It was used, replaced or is too old; ask an admin for a new one."


def create(session: Session, clinic: Clinic, person: Staff, purpose: str, *, actor: str) -> str:
    """A new secret; an earlier invitation of the person is no longer valid. The path is `/link/<secret>`."""
    if purpose == INVITATION:
        staff.withdraw_invitations(session, person)
    secret = signin.new_secret()
    real = session.execute(select(RealTime())).scalar_one()
    session.add(
        StaffLink(
            token_hash=signin.hashed(secret),
            staff_id=person.id,
            clinic_id=clinic.id,
            purpose=purpose,
            created_at=real,
            created_by=actor,
            expires_at=real + LASTS[purpose],
        )
    )
    session.flush()
    return secret


def find(session: Session, secret: str) -> StaffLink:
    """Raises NotFoundError, in words, where it leads nowhere any more."""
    link = session.scalar(
        select(StaffLink)
        .join(Staff, Staff.id == StaffLink.staff_id)
        # Who no longer works there is not let in by what was made for them there.
        .join(
            Membership,
            (Membership.staff_id == StaffLink.staff_id) & (Membership.clinic_id == StaffLink.clinic_id),
        )
        .where(
            StaffLink.token_hash == signin.hashed(secret),
            StaffLink.expires_at > RealTime(),
            StaffLink.used_at.is_(None),
            Staff.disabled_at.is_(None),
        )
    )
    if link is None:
        raise NotFoundError(_OVER)
    return link


def accept(session: Session, secret: str, hashed: str, *, now: datetime, user_agent: str = "") -> str:
    """The person chooses a password by their invitation, and is signed in: the secret for their browser.

    `hashed` by `staff.hash_password`, before the transaction: it takes its time, and on SQLite everybody's.
    """
    link = find(session, secret)
    _take(session, link)
    person = session.get_one(Staff, link.staff_id)
    staff.set_password(session, person, hashed, clinic_id=link.clinic_id, now=now, actor=person.email)
    signin.end_others(session, person.id)
    return signin.begin(session, person.id, now=now, user_agent=user_agent, clinic_id=link.clinic_id)


def _take(session: Session, link: StaffLink) -> None:
    """Once: of two at the same moment, one comes too late."""
    free = update(StaffLink).where(StaffLink.id == link.id, StaffLink.used_at.is_(None))
    taken = free.values(used_at=RealTime()).returning(StaffLink.id)
    if session.scalar(taken.execution_options(synchronize_session=False)) is None:
        raise NotFoundError(_OVER)

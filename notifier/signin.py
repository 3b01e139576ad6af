"""Who is signed in, by a secret in their browser; failed tries are counted and slowed down. In real time."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from notifier import audit
from notifier.db import RealTime, insert_missing
from notifier.errors import InputError, NotFoundError
from notifier.models import Clinic, Membership, SignIn, Staff, Throttle
from notifier.rules import recipients

# A working day without a click, and a week whatever happens: reception computers are shared.
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
_SEEN_EVERY = timedelta(minutes=5)
# Tries that are free, by a person's address and by a computer's, which a whole clinic may share.
_FREE = {"email": 5, "computer": 40}
_FORGOTTEN_AFTER = timedelta(minutes=30)
_FIRST_WAIT, _LONGEST_WAIT = 30.0, 900.0  # seconds

WRONG = "The e-mail address or the password is not right. Passwords tell capital letters apart."


@dataclass(frozen=True, slots=True)
class Signed:
    """One signed-in browser: the person, the clinic whose pages they see, and their role there."""

    id: int
    staff_id: int
    name: str
    email: str
    clinic_id: int
    clinic_name: str
    timezone: str
    role: str
    clinics: int  # how many they may switch between
    toast: dict[str, Any] | None
    seen_at: datetime
    stale: bool  # it was not noted for a while that they are still there


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def find(session: Session, secret: str) -> Signed | None:
    """None where the secret is nobody's, has expired, or the person may no longer sign in there."""
    row = session.execute(
        select(
            SignIn, Staff, Clinic, Membership.role, SignIn.seen_at < RealTime(-_SEEN_EVERY.total_seconds())
        )
        .join(Staff, Staff.id == SignIn.staff_id)
        .join(Membership, Membership.staff_id == Staff.id)
        .join(Clinic, Clinic.id == Membership.clinic_id)
        .where(
            SignIn.token_hash == hashed(secret),
            SignIn.expires_at > RealTime(),
            SignIn.seen_at > RealTime(-IDLE.total_seconds()),
            Staff.disabled_at.is_(None),
            Membership.clinic_id == SignIn.clinic_id,
        )
    ).one_or_none()
    if row is None:
        return None
    sign_in, person, clinic, role, stale = row
    return Signed(
        sign_in.id,
        person.id,
        person.name,
        person.email,
        clinic.id,
        clinic.name,
        clinic.timezone,
        role,
        len(person.memberships),
        sign_in.toast,
        sign_in.seen_at,
        bool(stale),
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to judge a password outside any transaction: argon2 takes its time on purpose."""

    staff_id: int | None
    password_hash: str | None


def known(session: Session, email: str, computer: str) -> Known:
    """Raises InputError while there were too many wrong tries; says nothing about who exists."""
    left = session.scalar(
        select(Throttle.blocked_until)
        .where(Throttle.key.in_(_keys(email, computer).values()), Throttle.blocked_until > RealTime())
        .order_by(Throttle.blocked_until.desc())
        .limit(1)
    )
    if left is not None:
        now = session.execute(select(RealTime())).scalar_one()
        raise InputError(f"Too many wrong tries. Try again in {_spoken(left - now)}.", field="password")
    person = session.scalar(select(Staff).where(Staff.email == _address(email), Staff.disabled_at.is_(None)))
    if person is None or not person.memberships:
        return Known(None, None)
    return Known(person.id, person.password_hash)


def _spoken(wait: timedelta) -> str:
    seconds = max(1, int(wait.total_seconds()) + 1)
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"


def _address(email: str) -> str:
    return recipients.address_key("email", email.strip())


def is_right(known: Known, password: str) -> bool:
    """Takes as long for an address that nobody has as for a wrong password."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        PasswordHasher().verify(known.password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return known.staff_id is not None and known.password_hash is not None


@cache
def _nobody() -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(new_secret())


def _keys(email: str, computer: str) -> dict[str, str]:
    return {"email": hashed(f"email:{_address(email)}"), "computer": hashed(f"computer:{computer}")}


def count_failure(session: Session, email: str, computer: str) -> None:
    """One more wrong try; each beyond the free ones doubles the wait."""
    for kind, key in _keys(email, computer).items():
        session.execute(
            insert_missing(session, Throttle), [{"key": key, "failures": 0, "last_at": _now(session)}]
        )
        row = session.get_one(Throttle, key, with_for_update=True, populate_existing=True)
        now = _now(session)
        row.failures = 1 if now - row.last_at > _FORGOTTEN_AFTER else row.failures + 1
        row.last_at = now
        over = row.failures - _FREE[kind]
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(over, 10))
        row.blocked_until = now + timedelta(seconds=wait) if over >= 0 else None


def _now(session: Session) -> datetime:
    return session.execute(select(RealTime())).scalar_one()


def begin(
    session: Session, staff_id: int, *, now: datetime, user_agent: str = "", clinic_id: int | None = None
) -> str:
    """Sign a person in; the secret for their browser. At the clinic they were at last, else their first."""
    person = session.get_one(Staff, staff_id)
    theirs = sorted(membership.clinic_id for membership in person.memberships)
    if clinic_id not in theirs:
        last = session.scalar(
            select(SignIn.clinic_id).where(SignIn.staff_id == staff_id).order_by(SignIn.id.desc()).limit(1)
        )
        clinic_id = last if last in theirs else theirs[0]
    session.execute(delete(Throttle).where(Throttle.key == hashed(f"email:{person.email}")))
    secret, real = new_secret(), _now(session)
    session.add(
        SignIn(
            token_hash=hashed(secret),
            staff_id=staff_id,
            clinic_id=clinic_id,
            created_at=real,
            seen_at=real,
            expires_at=real + LONGEST,
            user_agent=user_agent[:200],
        )
    )
    audit.note(
        session,
        clinic_id=clinic_id,
        at=now,
        actor=person.email,
        action="staff.signed_in",
        subject="staff",
        subject_id=staff_id,
    )
    return secret


def seen(session: Session, sign_in_id: int) -> None:
    session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(seen_at=RealTime()))


def say(session: Session, sign_in_id: int, toast: dict[str, Any] | None) -> None:
    """What the next page says once; None: it was said."""
    session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(toast=toast))


def end(session: Session, sign_in_id: int) -> None:
    session.execute(delete(SignIn).where(SignIn.id == sign_in_id))


def end_others(session: Session, staff_id: int, *, but: int | None = None) -> int:
    """Sign a person out everywhere else: their password changed, or they were disabled."""
    gone = delete(SignIn).where(SignIn.staff_id == staff_id, SignIn.id != (but or 0))
    return cast("CursorResult[Any]", session.execute(gone)).rowcount


def switch(session: Session, signed: Signed, clinic_id: int) -> Clinic:
    """Show another of the person's clinics from now on, in all tabs of this browser."""
    clinic = session.scalar(
        select(Clinic)
        .join(Membership, Membership.clinic_id == Clinic.id)
        .where(Membership.staff_id == signed.staff_id, Clinic.id == clinic_id)
    )
    if clinic is None:
        raise NotFoundError("There is no such clinic among yours.")
    session.execute(update(SignIn).where(SignIn.id == signed.id).values(clinic_id=clinic_id))
    return clinic


def clinics_of(session: Session, staff_id: int) -> list[Clinic]:
    return list(
        session.scalars(
            select(Clinic)
            .join(Membership, Membership.clinic_id == Clinic.id)
            .where(Membership.staff_id == staff_id)
            .order_by(Clinic.name)
        )
    )


def purge(session: Session) -> int:
    """Forget sign-ins that are over and tries that no longer count."""
    over = delete(SignIn).where(
        (SignIn.expires_at < RealTime()) | (SignIn.seen_at < RealTime(-IDLE.total_seconds()))
    )
    forgotten = delete(Throttle).where(
        Throttle.last_at < RealTime(-_FORGOTTEN_AFTER.total_seconds()),
        (Throttle.blocked_until.is_(None)) | (Throttle.blocked_until < RealTime()),
    )
    results = (cast("CursorResult[Any]", session.execute(gone)) for gone in (over, forgotten))
    return sum(result.rowcount for result in results)

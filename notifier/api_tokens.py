"""Tokens that let other programs in: to one clinic, to read or to write. The secret is shown once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import audit
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import ApiToken, Clinic
from notifier.signin import hashed

READ, WRITE = "read", "write"
SCOPES = (READ, WRITE)  # who may write may read
LONGEST_NAME = 60
# So that a secret that was put where it does not belong is found by those who look for such.
_PREFIX = "aftercare_"
_HINT = 4
_NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Created:
    """`secret` is known here and nowhere else: it is shown now or never."""

    token: ApiToken
    secret: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """The program that holds a token: which one, at which clinic, and what it may do."""

    token_id: int
    name: str
    scope: str
    clinic_id: int
    clinic_name: str
    timezone: str
    last_used_at: datetime | None

    @property
    def may_write(self) -> bool:
        return self.scope == WRITE

    @property
    def actor(self) -> str:
        """For the audit trail and the events of messages."""
        return f"api:{self.name}"


def create(session: Session, clinic: Clinic, *, name: str, scope: str, now: datetime, actor: str) -> Created:
    name = " ".join(name.split())
    _require_name(session, clinic, name)
    if scope not in SCOPES:
        raise InputError(f'"{scope}" is not what a token may do; write {" or ".join(SCOPES)}.', field="scope")
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        clinic_id=clinic.id,
        name=name,
        token_hash=hashed(secret),
        hint=secret[-_HINT:],
        scope=scope,
        created_at=now,
        created_by=actor,
    )
    session.add(token)
    session.flush()
    _note(session, token, now, actor, "token.created", scope=scope)
    return Created(token, secret)


def _require_name(session: Session, clinic: Clinic, name: str) -> None:
    """What a program does is told by its token's name, so two in use never share one."""
    if not name:
        raise InputError("Give the token a name, such as the program that will use it.", field="name")
    if len(name) > LONGEST_NAME:
        raise InputError(f"The name is too long; use at most {LONGEST_NAME} characters.", field="name")
    if not name.isprintable():
        raise InputError("The name has characters that nobody can read.", field="name")
    used = select(ApiToken.id).where(
        ApiToken.clinic_id == clinic.id, ApiToken.name == name, ApiToken.revoked_at.is_(None)
    )
    if session.scalar(used) is not None:
        raise InputError(
            f'A token is called "{name}" already. Choose another name, or revoke it.', field="name"
        )


def listing(session: Session, clinic: Clinic) -> list[ApiToken]:
    """Those in use first, then the revoked; the newest first in each."""
    rows = session.scalars(
        select(ApiToken)
        .where(ApiToken.clinic_id == clinic.id)
        .order_by(ApiToken.revoked_at.is_not(None), ApiToken.id.desc())
    )
    return list(rows)


def get(session: Session, clinic: Clinic, token_id: int) -> ApiToken:
    token = session.get(ApiToken, token_id)
    if token is None or token.clinic_id != clinic.id:
        raise NotFoundError(f"There is no token {token_id} at {clinic.name}.")
    return token


def revoke(session: Session, clinic: Clinic, token_id: int, *, now: datetime, actor: str) -> ApiToken:
    """For good: its next request is refused. A new one takes its place where it is still needed."""
    token = get(session, clinic, token_id)
    if token.revoked_at is not None:
        raise ConflictError(f'The token "{token.name}" was revoked already.')
    token.revoked_at = now
    _note(session, token, now, actor, "token.revoked")
    return token


def find(session: Session, secret: str) -> Bearer | None:
    """None where it is nobody's, or was revoked. 256 bits cannot be guessed, so tries are not counted."""
    row = session.execute(
        select(ApiToken, Clinic.name, Clinic.timezone)
        .join(Clinic, Clinic.id == ApiToken.clinic_id)
        .where(ApiToken.token_hash == hashed(secret), ApiToken.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    token, clinic_name, timezone = row
    return Bearer(
        token.id, token.name, token.scope, token.clinic_id, clinic_name, timezone, token.last_used_at
    )


def is_noted(bearer: Bearer, now: datetime) -> bool:
    """Whether its use was written down lately, so that not every request has to write."""
    last = bearer.last_used_at
    return last is not None and timedelta() <= now - last < _NOTED_EVERY


def note_use(session: Session, bearer: Bearer, now: datetime) -> None:
    session.execute(update(ApiToken).where(ApiToken.id == bearer.token_id).values(last_used_at=now))


def _note(session: Session, token: ApiToken, now: datetime, actor: str, action: str, **detail: str) -> None:
    audit.note(
        session,
        clinic_id=token.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="token",
        subject_id=token.id,
        name=token.name,
        **detail,
    )

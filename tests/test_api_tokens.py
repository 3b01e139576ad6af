"""Tokens: shown once, kept as a hash, for one clinic, and worth nothing once revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import api_tokens
from notifier.api_tokens import Bearer, Created
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import ApiToken, AuditEntry, Clinic
from tests.cast import DESK, LOGGED


def create(session: Session, clinic: Clinic, name: str = "EHR", scope: str = "write") -> Created:
    return api_tokens.create(session, clinic, name=name, scope=scope, now=LOGGED, actor=DESK)


def found(session: Session, secret: str) -> Bearer:
    bearer = api_tokens.find(session, secret)
    assert bearer is not None
    return bearer


def test_the_secret_is_kept_only_as_its_hash(session: Session, clinic: Clinic) -> None:
    created = create(session, clinic)
    kept = {column.name: getattr(created.token, column.name) for column in ApiToken.__table__.columns}
    assert created.secret not in str(kept)
    assert kept["hint"] == created.secret[-4:]
    assert len(created.secret) > 50


def test_a_secret_leads_to_its_clinic_and_what_it_may_do(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    create(session, clinic)
    theirs = create(session, other_clinic, "Reports", "read")
    bearer = found(session, theirs.secret)
    assert (bearer.clinic_id, bearer.clinic_name) == (other_clinic.id, "Harbour Osteopathy")
    assert (bearer.may_write, bearer.actor) == (False, "api:Reports")


def test_any_other_secret_leads_nowhere(session: Session, clinic: Clinic) -> None:
    secret = create(session, clinic).secret
    for wrong in ("", "x", secret[:-1], secret + "x", secret.swapcase()):
        assert api_tokens.find(session, wrong) is None


def test_a_revoked_token_leads_nowhere_and_is_revoked_once(session: Session, clinic: Clinic) -> None:
    created = create(session, clinic)
    api_tokens.revoke(session, clinic, created.token.id, now=LOGGED, actor=DESK)
    assert api_tokens.find(session, created.secret) is None
    with pytest.raises(ConflictError, match="revoked already"):
        api_tokens.revoke(session, clinic, created.token.id, now=LOGGED, actor=DESK)


def test_the_other_clinic_neither_sees_nor_revokes_it(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    created = create(session, clinic)
    assert api_tokens.listing(session, other_clinic) == []
    with pytest.raises(NotFoundError):
        api_tokens.revoke(session, other_clinic, created.token.id, now=LOGGED, actor=DESK)
    assert found(session, created.secret).name == "EHR"


@pytest.mark.parametrize(
    ("name", "scope", "field"),
    [(" ", "read", "name"), ("x" * 61, "read", "name"), ("E\x00R", "read", "name"), ("EHR", "all", "scope")],
)
def test_what_cannot_be_is_refused_beside_its_field(
    session: Session, clinic: Clinic, name: str, scope: str, field: str
) -> None:
    with pytest.raises(InputError) as refused:
        create(session, clinic, name, scope)
    assert refused.value.field == field
    assert api_tokens.listing(session, clinic) == []


def test_two_tokens_in_use_never_share_a_name(session: Session, clinic: Clinic) -> None:
    first = create(session, clinic)
    with pytest.raises(InputError, match='called "EHR" already'):
        create(session, clinic, " EHR ")
    api_tokens.revoke(session, clinic, first.token.id, now=LOGGED, actor=DESK)
    second = create(session, clinic)
    assert [token.id for token in api_tokens.listing(session, clinic)] == [second.token.id, first.token.id]


def test_its_use_is_written_down_every_five_minutes_at_most(session: Session, clinic: Clinic) -> None:
    secret = create(session, clinic).secret
    bearer = found(session, secret)
    assert not api_tokens.is_noted(bearer, LOGGED)
    api_tokens.note_use(session, bearer, LOGGED)
    bearer = found(session, secret)
    assert api_tokens.is_noted(bearer, LOGGED + timedelta(minutes=4))
    assert not api_tokens.is_noted(bearer, LOGGED + timedelta(minutes=5))
    # The demo's clock may be set back.
    assert not api_tokens.is_noted(replace(bearer, last_used_at=LOGGED), LOGGED - timedelta(hours=1))


def test_the_audit_trail_tells_of_both_but_not_the_secret(session: Session, clinic: Clinic) -> None:
    created = create(session, clinic)
    api_tokens.revoke(session, clinic, created.token.id, now=LOGGED, actor=DESK)
    entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == "token")).all()
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("token.created", DESK),
        ("token.revoked", DESK),
    ]
    assert created.secret not in str([entry.detail for entry in entries])

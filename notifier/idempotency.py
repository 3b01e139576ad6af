"""A request that is repeated under the same key does its work once and is answered the same each time.

Only what succeeded is kept: after a refusal nothing has happened, and the key is free again. Answers are
forgotten after two days, by the chore in `purging`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.db import insert_missing
from notifier.errors import ConflictError, InputError
from notifier.models import IdempotencyRecord

LONGEST_KEY = 120
FIELD = "Idempotency-Key"


class KeyReused(InputError):
    """The key stands for another request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered. `body` is plain JSON; of the headers only what belongs to the answer."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeated: bool = False


def fingerprint(method: str, target: str, body: bytes) -> str:
    """The same for requests that say the same, in whatever order their JSON names its fields."""
    try:
        said = json.dumps(json.loads(body), sort_keys=True).encode() if body.strip() else b""
    except ValueError:
        said = body
    return hashlib.sha256(b"\0".join((method.encode(), target.encode(), said))).hexdigest()


def require_usable(key: str) -> None:
    if not 0 < len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise InputError(f"{FIELD}: use 1 to {LONGEST_KEY} plain characters, such as a UUID.", field=FIELD)


def once(
    session: Session,
    token_id: int,
    key: str,
    fingerprint: str,
    work: Callable[[Session], Answer],
    *,
    now: datetime,
) -> Answer:
    """Do the work, or give the answer that it had. In one transaction with it, so that both or neither stay.

    Two requests with one key at the same moment: the second waits here until the first has ended. Raises
    KeyReused where the key came with another request, and ConflictError where the answer was erased since.
    """
    require_usable(key)
    if not _take(session, token_id, key, fingerprint, now):
        return _kept(session, token_id, key, fingerprint)
    answer = work(session)
    session.flush()
    session.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.token_id == token_id, IdempotencyRecord.key == key)
        .values(status=answer.status, body={"body": dict(answer.body), "headers": dict(answer.headers)})
    )
    return answer


def _take(session: Session, token_id: int, key: str, fingerprint: str, now: datetime) -> bool:
    """Whether the key is ours. The unique constraint makes whoever comes second wait for who came first."""
    taken = session.execute(
        insert_missing(session, IdempotencyRecord).returning(IdempotencyRecord.id),
        [
            {
                "token_id": token_id,
                "key": key,
                "fingerprint": fingerprint,
                "status": 0,
                "body": {},
                "created_at": now,
            }
        ],
    )
    return taken.first() is not None


def _kept(session: Session, token_id: int, key: str, fingerprint: str) -> Answer:
    record = session.scalars(
        select(IdempotencyRecord).where(IdempotencyRecord.token_id == token_id, IdempotencyRecord.key == key)
    ).one()
    if record.fingerprint != fingerprint:
        raise KeyReused(
            f"{FIELD}: this key came with another request before. Use a new key for each request, and the "
            "same one only to repeat it unchanged.",
            field=FIELD,
        )
    if not record.body:
        raise ConflictError(f"{FIELD}: this was done once, and the patient's data have been erased since.")
    return Answer(record.status, record.body["body"], record.body["headers"], is_repeated=True)

"""What stays of an erased patient's address: a keyed hash, by which a no is found when it comes again.

The key is the database's own and not `web.secret_key`: a no has to hold on every host, and after that secret
was replaced.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.db import insert_missing
from notifier.db_bulk import among
from notifier.models import Seal, Withdrawal
from notifier.rules.recipients import address_key

_NAME = "addresses"
# No address begins like this.
_MARK = "#"

Place = tuple[str, str]  # channel, address


@dataclass(frozen=True, slots=True)
class Sealer:
    """`key` is empty where nobody was erased yet: then there is nothing to be found by a hash."""

    key: str = ""

    def seal(self, channel: str, address: str) -> str:
        said = f"{channel}\0{address_key(channel, address)}".encode()
        return _MARK + hmac.new(self.key.encode(), said, hashlib.sha256).hexdigest()

    def spellings(self, channel: str, address: str) -> tuple[str, ...]:
        """How the address may stand in the database."""
        return (address, self.seal(channel, address)) if self.key else (address,)

    def read(self, places: Collection[Place]) -> dict[str, str]:
        """Each spelling of these, and the address that it means."""
        return {
            spelling: address for channel, address in places for spelling in self.spellings(channel, address)
        }


def load(session: Session) -> Sealer:
    return Sealer(session.scalar(select(Seal.key).where(Seal.name == _NAME)) or "")


def make(session: Session) -> Sealer:
    """For who erases: the first makes the key, once for the installation."""
    session.execute(insert_missing(session, Seal), [{"name": _NAME, "key": secrets.token_hex(32)}])
    return load(session)


def withdrawals(
    session: Session, sealer: Sealer, clinic_ids: Collection[int], places: Collection[Place]
) -> dict[tuple[int, str, str], list[Withdrawal]]:
    """What erased patients withdrew, by clinic, channel and address."""
    if not sealer.key or not places:
        return {}
    sealed = {sealer.seal(channel, address): address for channel, address in places}
    rows = session.scalars(
        select(Withdrawal).where(
            Withdrawal.clinic_id.in_(clinic_ids), among(session, Withdrawal.address, sealed)
        )
    )
    found: dict[tuple[int, str, str], list[Withdrawal]] = {}
    for row in rows:
        found.setdefault((row.clinic_id, row.channel, sealed[row.address]), []).append(row)
    return found


def withdrawn_since(
    known: Collection[Withdrawal], *, entered_at: datetime, granted_at: datetime
) -> datetime | None:
    """When the no was said that a yes of a patient who was entered later does not answer; None: it does.

    Who was there before the erasing has a ledger of their own, and is not bound.
    """
    binding = [row.at for row in known if entered_at >= row.erased_at and granted_at <= row.at]
    return max(binding, default=None)

"""Messages at the provider that are not the one we ask about, and that nothing here accounts for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.envelope import OutboundMessage, Stray
from notifier.models import Attempt


def unexplained(session: Session, outbound: OutboundMessage, strays: Sequence[Stray]) -> list[str]:
    """Ids of those that belong to no attempt, whether it has its id yet or is asked about itself.

    After a restore one of them may be the message: its text was edited since the backup.
    """
    if not strays:
        return []
    there = session.execute(
        select(Attempt.provider_id, Attempt.words).where(Attempt.address == outbound.to)
    ).all()
    ids, words = {row.provider_id for row in there}, {row.words for row in there}
    return [stray.provider_id for stray in strays if stray.provider_id not in ids and stray.text not in words]

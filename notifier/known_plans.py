"""Plan versions ready for use, read once: a version never changes, and pages ask for the same few all day."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import plans
from notifier.models import PlanVersion
from notifier.planfiles import Definition

# By id and digest: another database has other versions under the same ids.
_READ: dict[tuple[int, str], Definition] = {}
_READ_AT_MOST = 500


def definitions(session: Session, version_ids: Iterable[int]) -> dict[int, Definition]:
    wanted = set(version_ids)
    if not wanted:
        return {}
    rows = session.execute(select(PlanVersion.id, PlanVersion.digest).where(PlanVersion.id.in_(wanted)))
    return {version_id: definition(session, version_id, digest) for version_id, digest in rows}


def definition(session: Session, version_id: int, digest: str) -> Definition:
    known = _READ.get((version_id, digest))
    if known is None:
        known = plans.definition(session.get_one(PlanVersion, version_id))
        if len(_READ) >= _READ_AT_MOST:
            _READ.clear()
        _READ[version_id, digest] = known
    return known

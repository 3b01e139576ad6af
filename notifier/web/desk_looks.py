"""Who is looked at on the pages goes into the audit trail: once for a while, not once for each click."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from notifier import audit

if TYPE_CHECKING:
    from notifier.web.visit import Visit


def note_view(visit: Visit, patient_id: int) -> None:
    """The first look asks for a write, the others do not."""
    now, actor = visit.now(), visit.actor
    with visit.reading() as session:
        if audit.is_viewing(session, patient_id, now=now, actor=actor):
            return
    with visit.transaction() as session:
        audit.viewed(session, clinic_id=visit.clinic_id, patient_id=patient_id, now=now, actor=actor)


def note_list(visit: Visit, patient_ids: Iterable[int]) -> None:
    """A list with names in it is a look at each of them."""
    seen: dict[str, Any] = {
        "clinic_id": visit.clinic_id,
        "patient_ids": sorted(set(patient_ids)),
        "now": visit.now(),
        "actor": visit.actor,
    }
    if not seen["patient_ids"]:
        return
    with visit.reading() as session:
        if audit.is_listed(session, **seen):
            return
    with visit.transaction() as session:
        audit.listed(session, **seen)

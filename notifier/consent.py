"""Consent: an append-only ledger per patient and channel. No consent, no message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.models import ConsentEntry, Patient

Key = tuple[int, str]  # patient id, channel


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says today about one patient and channel."""

    granted: bool
    at: datetime


def standings(session: Session, patient_ids: Iterable[int]) -> dict[Key, Standing]:
    """A line dated before a later one does not count, whenever entered; at the same instant, no wins."""
    rows = session.execute(
        select(ConsentEntry.patient_id, ConsentEntry.channel, ConsentEntry.granted, ConsentEntry.at)
        .where(ConsentEntry.patient_id.in_(list(patient_ids)))
        .order_by(ConsentEntry.at, ConsentEntry.granted.desc())
    )
    return {(patient_id, channel): Standing(granted, at) for patient_id, channel, granted, at in rows}


def record(
    session: Session,
    patient: Patient,
    channel: str,
    *,
    granted: bool,
    at: datetime,
    now: datetime,
    method: str,
    wording: str,
    actor: str,
) -> bool:
    """Add a line to the ledger, unless the very same one stands there already (a file imported again).

    Returns whether a line was added. Planned messages follow by `planning.replan`.
    """
    same = select(ConsentEntry.id).where(
        ConsentEntry.patient_id == patient.id,
        ConsentEntry.channel == channel,
        ConsentEntry.granted == granted,
        ConsentEntry.at == at,
    )
    if session.scalar(same.limit(1)) is not None:
        return False
    session.add(
        ConsentEntry(
            clinic_id=patient.clinic_id,
            patient_id=patient.id,
            channel=channel,
            granted=granted,
            at=at,
            recorded_at=now,
            method=method,
            wording=wording,
            recorded_by=actor,
        )
    )
    return True


def history(session: Session, patient: Patient) -> list[ConsentEntry]:
    """The ledger of one patient, newest first."""
    return list(
        session.scalars(
            select(ConsentEntry)
            .where(ConsentEntry.patient_id == patient.id)
            .order_by(ConsentEntry.at.desc(), ConsentEntry.id.desc())
        )
    )

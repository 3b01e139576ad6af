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


Line = tuple[int, str, bool, datetime]  # patient id, channel, granted, at


def lines(session: Session, patient_ids: Iterable[int]) -> set[Line]:
    """What stands in the ledgers of these patients, so that the very same line is not added again."""
    entry = ConsentEntry
    rows = session.execute(
        select(entry.patient_id, entry.channel, entry.granted, entry.at).where(
            entry.patient_id.in_(list(patient_ids))
        )
    )
    return {(patient_id, channel, granted, at) for patient_id, channel, granted, at in rows}


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
    known: set[Line] | None = None,
) -> bool:
    """Add a line to the ledger, unless the very same one stands there already (a file imported again).

    `known` is what `lines` found for this patient, kept up to date here. Returns whether a line was added.
    Planned messages follow by `planning.replan`.
    """
    if known is None:
        known = lines(session, [patient.id])
    line = (patient.id, channel, granted, at)
    if line in known:
        return False
    known.add(line)
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

"""Consent: an append-only ledger per patient and channel. No consent, no message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier.db_bulk import among
from notifier.models import ConsentEntry, Patient

Key = tuple[int, str]  # patient id, channel


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """What a patient said about one channel (a no is said too), when, how, and to which words."""

    channel: str
    granted: bool
    at: datetime
    method: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says today about one patient and channel."""

    granted: bool
    at: datetime


def standings(session: Session, patient_ids: Iterable[int]) -> dict[Key, Standing]:
    """A line dated before a later one does not count, whenever entered; at the same instant, no wins."""
    rows = session.execute(
        select(ConsentEntry.patient_id, ConsentEntry.channel, ConsentEntry.granted, ConsentEntry.at)
        .where(among(session, ConsentEntry.patient_id, list(patient_ids)))
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
) -> bool:
    """Add one line, as `record_all` does. Returns whether it is new."""
    given = ConsentGiven(channel, granted, at, method, wording)
    return record_all(session, [(patient, given)], now=now, actor=actor) == 1


def record_all(
    session: Session, said: Sequence[tuple[Patient, ConsentGiven]], *, now: datetime, actor: str
) -> int:
    """Add lines to the ledgers, but for those that stand there already (a file imported again).

    Returns how many are new. Planned messages follow by `planning.replan`.
    """
    known = lines(session, {patient.id for patient, _ in said})
    new = []
    for patient, given in said:
        line = (patient.id, given.channel, given.granted, given.at)
        if line not in known:
            known.add(line)
            new.append(_row(patient, given, now, actor))
    if new:
        session.execute(insert(ConsentEntry).execution_options(render_nulls=True), new)
    return len(new)


def _row(patient: Patient, given: ConsentGiven, now: datetime, actor: str) -> dict[str, object]:
    return {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "channel": given.channel,
        "granted": given.granted,
        "at": given.at,
        "recorded_at": now,
        "method": given.method,
        "wording": given.wording,
        "recorded_by": actor,
    }


def history(session: Session, patient: Patient) -> list[ConsentEntry]:
    """The ledger of one patient, newest first."""
    return list(
        session.scalars(
            select(ConsentEntry)
            .where(ConsentEntry.patient_id == patient.id)
            .order_by(ConsentEntry.at.desc(), ConsentEntry.id.desc())
        )
    )

"""A yes in a file without its date is no answer to a withdrawal: nobody can tell which of them is the newer.

Booking programs export a patient's old yes with every visit. Dated by the visit, it would undo what the
patient has told us since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifier import sealing
from notifier.import_values import Reading, RowProblem
from notifier.models import Clinic, ConsentEntry, Patient
from notifier.patients import PatientBook, PatientEntry
from notifier.treatments import ConsentGiven

_NEVER = datetime.min.replace(tzinfo=UTC)


class Withdrawals:
    """What the patients of some rows have withdrawn, apart from what this very import records.

    Also what others withdrew who were reached at the address of a row, and were erased since.
    """

    def __init__(
        self, session: Session, clinic: Clinic, readings: Sequence[Reading], *, now: datetime, actor: str
    ) -> None:
        undated = [
            reading.entry.patient
            for reading in readings
            if reading.entry is not None and reading.entry.consents and not reading.dated_consent
        ]
        self._now = now
        self._known = known = PatientBook(session, clinic, undated).known if undated else []
        places = {
            (channel, address)
            for each in undated
            for channel, address in (("sms", each.phone), ("email", each.email))
            if address
        }
        erased = sealing.withdrawals(session, sealing.load(session), [clinic.id], places) if places else {}
        self._erased = {(channel, address): rows for (_, channel, address), rows in erased.items()}
        entry = ConsentEntry
        elsewhere = or_(entry.recorded_at != now, entry.recorded_by != actor)
        rows = session.execute(
            select(entry.patient_id, entry.channel, entry.granted, entry.at)
            .where(entry.patient_id.in_([patient.id for patient in known]), elsewhere)
            .order_by(entry.at, entry.granted.desc())
        )
        latest = {(patient_id, channel): (granted, at) for patient_id, channel, granted, at in rows}
        self._granted = {key: at for key, (granted, at) in latest.items() if granted}
        self._since = {key: at for key, (granted, at) in latest.items() if not granted}
        withdrew = {patient_id for patient_id, _ in self._since}
        self._patients = [patient for patient in known if patient.id in withdrew]

    def heed(self, reading: Reading) -> tuple[tuple[ConsentGiven, ...], list[RowProblem]]:
        """The row's consents but for each yes that may be older than a no; a note says so."""
        assert reading.entry is not None
        kept, notes = [], []
        for given in reading.entry.consents:
            since = self._withdrawal(reading.entry.patient, given.channel)
            if since is None or reading.dated_consent or not given.granted:
                kept.append(given)
            else:
                column = f"consent_{given.channel}"
                notes.append(
                    reading.problem(
                        column,
                        f"The patient withdrew this consent on {since:%Y-%m-%d}, and the row does not say "
                        "when it was given. It was not taken over; a newer one needs its consent_at.",
                    )
                )
        return tuple(kept), notes

    def _withdrawal(self, entry: PatientEntry, channel: str) -> datetime | None:
        found = (self._since.get((known.id, channel)) for known in self._patients if _same(known, entry))
        own = next((since for since in found if since is not None), None)
        return own or self._of_erased(entry, channel)

    def _of_erased(self, entry: PatientEntry, channel: str) -> datetime | None:
        rows = self._erased.get((channel, (entry.phone if channel == "sms" else entry.email)))
        if not rows:
            return None
        known = next((known for known in self._known if _same(known, entry)), None)
        if known is None:
            return sealing.withdrawn_since(rows, entered_at=self._now, granted_at=_NEVER)
        granted_at = self._granted.get((known.id, channel), _NEVER)
        return sealing.withdrawn_since(rows, entered_at=known.created_at, granted_at=granted_at)


def _same(known: Patient, entry: PatientEntry) -> bool:
    if entry.record_number and known.record_number:
        return entry.record_number == known.record_number
    shared = (entry.phone and entry.phone == known.phone) or (entry.email and entry.email == known.email)
    return bool(shared) and entry.folded_name == known.folded_name

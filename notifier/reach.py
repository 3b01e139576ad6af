"""Whether a patient may be written to on a channel, and if not, why. Asked when planning and sending."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, sealing
from notifier.db import insert_missing
from notifier.db_bulk import among
from notifier.models import Address, Clinic, Patient, Sender, Suppression, Withdrawal
from notifier.rules import recipients
from notifier.rules.plan import CHANNELS

_CALLED = {"sms": "SMS", "email": "e-mail"}

Place = tuple[int, str, str]  # clinic, channel, address


def address_of(patient: Patient, channel: str) -> str | None:
    return patient.phone if channel == "sms" else patient.email


def preferred_order(patient: Patient) -> tuple[str, ...]:
    return (
        patient.preferred_channel,
        *(channel for channel in CHANNELS if channel != patient.preferred_channel),
    )


@lru_cache(maxsize=50_000)
def _can_text(phone: str) -> bool:
    return recipients.can_text(phone)


@dataclass
class Reach:
    """What is known about some patients' ways to be reached, looked up for all of them at once."""

    senders: dict[tuple[int, str], Sender] = field(default_factory=dict)  # clinic, channel
    consents: dict[consent.Key, consent.Standing] = field(default_factory=dict)
    suppressions: dict[tuple[int, str], Suppression] = field(default_factory=dict)  # sender, address
    # Of patients who were erased since, by clinic, channel and address.
    withdrawals: dict[Place, list[Withdrawal]] = field(default_factory=dict)

    def sender(self, patient: Patient, channel: str) -> Sender | None:
        return self.senders.get((patient.clinic_id, channel))

    def obstacle(self, patient: Patient, channel: str) -> str | None:
        """None: the patient may be written to. Else why not, in a sentence for the desk."""
        sender, address = self.sender(patient, channel), address_of(patient, channel)
        called = _CALLED[channel]
        if patient.erased_at is not None:
            return "The patient's data were erased."
        if address is None:
            return "No phone number is on record." if channel == "sms" else "No e-mail address is on record."
        if sender is None:
            return f"The clinic has no sender for {called}."
        if problem := patient.phone_problem if channel == "sms" else patient.email_problem:
            return problem
        if channel == "sms" and not _can_text(address):
            return "The number is a landline, which cannot receive SMS."
        if (sender.id, address) in self.suppressions:
            since = self.suppressions[sender.id, address].since
            return f"This {'number' if channel == 'sms' else 'address'} opted out on {since:%Y-%m-%d}."
        return self._consent_missing(patient, channel, address)

    def _consent_missing(self, patient: Patient, channel: str, address: str) -> str | None:
        standing = self.consents.get((patient.id, channel))
        if standing is None:
            return f"No consent to {_CALLED[channel]} is on record."
        withdrawn = standing.at if not standing.granted else self._withdrawn(patient, channel, address)
        if withdrawn is not None:
            return f"Consent to {_CALLED[channel]} was withdrawn on {withdrawn:%Y-%m-%d}."
        return None

    def _withdrawn(self, patient: Patient, channel: str, address: str) -> datetime | None:
        """When an erased patient of this address said no, where the yes on record is no newer."""
        known = self.withdrawals.get((patient.clinic_id, channel, address))
        if not known:
            return None
        granted_at = self.consents[patient.id, channel].at
        return sealing.withdrawn_since(known, entered_at=patient.created_at, granted_at=granted_at)


def load(session: Session, patients: Collection[Patient]) -> Reach:
    clinic_ids = {patient.clinic_id for patient in patients}
    senders = session.scalars(
        select(Sender).where(Sender.clinic_id.in_(clinic_ids), Sender.active).order_by(Sender.id.desc())
    )
    by_channel = {(sender.clinic_id, sender.channel): sender for sender in senders}
    places = {(c, address) for p in patients for c in CHANNELS if (address := address_of(p, c))}
    sealer = sealing.load(session)
    spelled = sealer.read(places)
    suppressions = session.scalars(
        select(Suppression).where(
            Suppression.clinic_id.in_(clinic_ids),
            among(session, Suppression.address, spelled),
            Suppression.lifted_at.is_(None),
        )
    )
    return Reach(
        senders=by_channel,
        consents=consent.standings(session, [patient.id for patient in patients]),
        suppressions={(s.sender_id, spelled[s.address]): s for s in suppressions},
        withdrawals=sealing.withdrawals(session, sealer, clinic_ids, places),
    )


def is_refused(session: Session, clinic: Clinic, channel: str, address: str) -> bool:
    """Whether a patient who is reached there has said no to this channel, whatever others there say."""
    column = Patient.phone if channel == "sms" else Patient.email
    there = session.scalars(
        select(Patient.id).where(
            Patient.clinic_id == clinic.id, column == address, Patient.erased_at.is_(None)
        )
    ).all()
    said = consent.standings(session, there) if there else {}
    return any(not standing.granted for (_, on), standing in said.items() if on == channel)


def addresses_of(session: Session, wanted: Collection[Place]) -> dict[Place, Address]:
    """The address rows for these places, made where they do not exist yet."""
    ids = address_ids(session, wanted)
    if not ids:
        return {}
    rows = session.scalars(select(Address).where(Address.id.in_(ids.values())))
    return {(row.clinic_id, row.channel, row.address): row for row in rows}


def address_ids(session: Session, wanted: Collection[Place]) -> dict[Place, int]:
    """The numbers of the rows for these places, made where they do not exist yet."""
    found: dict[Place, int] = {}
    if wanted:
        row = Address
        rows = session.execute(
            select(row.clinic_id, row.channel, row.address, row.id).where(
                row.clinic_id.in_({clinic for clinic, _, _ in wanted}),
                row.channel.in_(CHANNELS),  # so that an index finds them among a clinic's many
                among(session, row.address, {address for _, _, address in wanted}),
            )
        )
        found = {(clinic_id, channel, address): known for clinic_id, channel, address, known in rows}
    missing = [key for key in wanted if key not in found]
    if not missing:
        return found
    # Somebody else may be adding the same one at this moment; then theirs is as good.
    values = [dict(zip(("clinic_id", "channel", "address"), key, strict=True)) for key in missing]
    session.execute(insert_missing(session, Address), values)
    return address_ids(session, wanted)

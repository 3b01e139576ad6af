"""Where a reply belongs: the clinic whose number or mail it answers, and the patient who wrote it.

In doubt every clinic that it may be meant for sees it, and a shared phone leaves the patient open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import opting, scores
from notifier.config import Settings
from notifier.envelope import InboundMessage
from notifier.models import Address, Attempt, Clinic, Message, Patient, Sender, Treatment
from notifier.rules.recipients import address_key


@dataclass(frozen=True, slots=True)
class Origin:
    """`patients` are all who are reached at the address; `patient` is the one who wrote, None in doubt.

    `binding` are the senders that a stop from there is meant for: all that use the number it came to.
    `question` is the message that may have been answered, `treatment` what it was about.
    """

    clinic: Clinic
    sender: Sender | None  # None: it came by no number, but by the patient's page
    binding: tuple[Sender, ...]
    patients: tuple[Patient, ...] = ()
    patient: Patient | None = None
    question: Message | None = None
    treatment: Treatment | None = None
    asked: bool = False  # the question was for a score, and its time is not over
    wrote_to: str = ""  # where the mail went that this one answers, which may be another address


def origins(session: Session, inbound: InboundMessage, settings: Settings) -> list[Origin]:
    """One for each clinic that it may be meant for; empty where no clinic has this channel."""
    senders = _senders(session, inbound.channel)
    address = address_key(inbound.channel, inbound.from_address)
    answered = _answered(session, inbound)
    if answered is not None:
        there = [sender for sender in senders if sender.clinic_id == answered.clinic_id]
        return [_origin(session, inbound, address, sender, there, answered) for sender in there[:1]]
    own = _came_to(senders, inbound, settings)
    chosen = _chosen(session, own, inbound.channel, address)
    return [_origin(session, inbound, address, sender, own, None) for sender in chosen]


def _senders(session: Session, channel: str) -> list[Sender]:
    query = select(Sender).where(Sender.channel == channel, Sender.active).order_by(Sender.id)
    return list(session.scalars(query))


def _answered(session: Session, inbound: InboundMessage) -> Message | None:
    """The message of ours that an e-mail says it answers; not of somebody who was erased since."""
    if not inbound.in_reply_to:
        return None
    return session.scalar(
        select(Message)
        .join(Attempt, Attempt.message_id == Message.id)
        .join(Patient, Patient.id == Message.patient_id)
        .where(Attempt.provider_id.in_(inbound.in_reply_to), Patient.erased_at.is_(None))
        .order_by(Attempt.id.desc())
        .limit(1)
    )


def _came_to(senders: Sequence[Sender], inbound: InboundMessage, settings: Settings) -> list[Sender]:
    """The senders whose number or address it came to; all of them where that cannot be told."""
    configured = settings.sms.from_number if inbound.channel == "sms" else settings.email.from_address
    to = address_key(inbound.channel, inbound.to_address) if inbound.to_address else ""
    exact = [
        sender
        for sender in senders
        if address_key(inbound.channel, sender.identity or configured or "") == to != ""
    ]
    return exact or list(senders)


def _chosen(session: Session, senders: Sequence[Sender], channel: str, address: str) -> list[Sender]:
    """Of several clinics that share a number: the last that wrote there, else those who know the address."""
    by_clinic = {sender.clinic_id: sender for sender in reversed(senders)}
    if len(by_clinic) < 2:
        return list(by_clinic.values())
    wrote = session.scalar(
        select(Message.clinic_id)
        .join(Address, Address.id == Message.address_id)
        .where(
            Address.channel == channel,
            Address.address == address,
            Address.clinic_id.in_(by_clinic),
            Message.claimed_at.is_not(None),
        )
        .order_by(Message.claimed_at.desc())
        .limit(1)
    )
    if wrote is not None:
        return [by_clinic[wrote]]
    known = {patient.clinic_id for patient in opting.there(session, by_clinic.keys(), channel, address)}
    return [by_clinic[clinic_id] for clinic_id in sorted(known or by_clinic)]


def _origin(
    session: Session,
    inbound: InboundMessage,
    address: str,
    sender: Sender,
    binding: Sequence[Sender],
    answered: Message | None,
) -> Origin:
    clinic = session.get_one(Clinic, sender.clinic_id)
    patients = opting.there(session, [clinic.id], inbound.channel, address)
    at = inbound.received_at
    asked = {patient.id: found for patient in patients if (found := scores.asked(session, patient, at))}
    patient = _writer(session, patients, answered, {key: found.message for key, found in asked.items()})
    if patient is not None and patient not in patients:
        # Who answers a mail from another address of theirs is the same patient.
        patients.append(patient)
    found = asked.get(patient.id) if patient is not None else None
    return Origin(
        clinic,
        sender,
        tuple(binding),
        tuple(patients),
        patient,
        found.message if found is not None else answered,
        found.treatment if found is not None else _about(session, patient, answered, at),
        asked=found is not None,
        wrote_to=answered.to if answered is not None else "",
    )


def _writer(
    session: Session, patients: Sequence[Patient], answered: Message | None, asked: dict[int, Message]
) -> Patient | None:
    """On a shared phone: whoever was asked last. In doubt nobody."""
    if answered is not None and answered.patient_id is not None:
        return session.get(Patient, answered.patient_id)
    if len(patients) == 1:
        return patients[0]
    by_id = {patient.id: patient for patient in patients}
    last = max(asked, key=lambda key: (asked[key].claimed_at or asked[key].created_at, key), default=None)
    return by_id[last] if last is not None else None


def _about(
    session: Session, patient: Patient | None, answered: Message | None, at: datetime
) -> Treatment | None:
    if answered is not None and answered.treatment_id is not None:
        return session.get(Treatment, answered.treatment_id)
    return scores.latest_treatment(session, patient, at) if patient is not None else None


def on_page(
    session: Session, patient: Patient, treatment: Treatment | None, *, asked: bool = False
) -> Origin:
    """What a patient writes on their own page came by no number, and is certainly theirs."""
    clinic = session.get_one(Clinic, patient.clinic_id)
    return Origin(
        clinic, None, (), (patient,), patient, None, treatment, asked=asked and treatment is not None
    )

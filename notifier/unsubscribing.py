"""A patient stops the messages on a channel by the link in one: a no in the ledger, binding the address."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from notifier import in_flight, opting, reach
from notifier.models import Clinic, Patient

_METHOD = "unsubscribe link"
_REASON = "The reader of this address stopped the messages by the link in an e-mail."


def stop(session: Session, clinic: Clinic, patient: Patient, channel: str, *, now: datetime) -> None:
    """Once: mail programs ask more often, and a second line in the ledger would say nothing new."""
    address = reach.address_of(patient, channel)
    sender = reach.load(session, [patient]).sender(patient, channel)
    if address is None or sender is None:
        return
    opting.stop(
        session,
        [sender],
        address,
        method=_METHOD,
        reason=_REASON,
        now=now,
        actor=f"patient {patient.id}",
        patients=[patient],
    )


def is_in_flight(session: Session, patient: Patient, channel: str) -> bool:
    """Whether a call that had begun before the stop is still under way to this address."""
    return in_flight.is_any(session, [(channel, reach.address_of(patient, channel) or "")])

"""A patient stops the messages on a channel by a link: a no in the ledger, binding the address it went to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import opting, reach
from notifier.in_flight import Place
from notifier.links import Links, Unsubscribing
from notifier.models import Attempt, Clinic, Message, Patient
from notifier.rules.plan import CHANNELS

BY_LINK = "unsubscribe link"
BY_PAGE = "patient's page"
_REASONS = {
    BY_LINK: "The reader of this address stopped the messages by the link in an e-mail.",
    BY_PAGE: "The patient stopped the messages on their own page.",
}


def address_meant(session: Session, links: Links, said: Unsubscribing, patient: Patient) -> str | None:
    """The address that the link was sent to: the patient's own, or one from before it was corrected.

    A link from before they named the address by its mark is good as long as the patient has had no other;
    else it may be a stranger's who got somebody else's mail. None: it cannot be told.
    """
    own = reach.address_of(patient, said.channel)
    others = _written_to(session, patient, said.channel) - {own}
    if not said.mark:
        return own if not others else None
    known = [own, *sorted(others)]
    return next((address for address in known if address and links.mark(address) == said.mark), None)


def _written_to(session: Session, patient: Patient, channel: str) -> set[str]:
    rows = session.scalars(
        select(Attempt.address)
        .join(Message, Message.id == Attempt.message_id)
        .where(Message.patient_id == patient.id, Attempt.channel == channel)
        .distinct()
    )
    return set(rows)


def stop(
    session: Session,
    clinic: Clinic,
    patient: Patient,
    channel: str,
    *,
    now: datetime,
    address: str | None = None,
    method: str = BY_LINK,
) -> list[Place]:
    """Once: mail programs ask more often, and a second line in the ledger would say nothing new.

    Where an earlier address of the patient's says no, the patient has said nothing. Returns where nothing may
    go any more; after the commit the caller waits until nothing is under way there.
    """
    own = reach.address_of(patient, channel)
    address = address or own
    sender = reach.load(session, [patient]).sender(patient, channel)
    if address is None or sender is None:
        return []
    opting.stop(
        session,
        [sender],
        address,
        method=method,
        reason=_REASONS[method],
        now=now,
        actor=f"patient {patient.id}",
        patients=[patient] if address == own else [],
    )
    return [(channel, address)]


def stop_all(
    session: Session,
    clinic: Clinic,
    patient: Patient,
    channels: Collection[str],
    *,
    now: datetime,
    method: str,
) -> list[Place]:
    """On several channels at once."""
    wanted = [channel for channel in CHANNELS if channel in channels]
    return [
        place
        for channel in wanted
        for place in stop(session, clinic, patient, channel, now=now, method=method)
    ]

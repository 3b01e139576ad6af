"""A month for the owner: whom the aftercare reached, whom it did not and why, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Exists, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from notifier import delivery_figures, reason_groups
from notifier.delivery import Filters
from notifier.delivery_figures import Why
from notifier.models import Attempt, Clinic, ConsentEntry, Message, Suppression, Treatment
from notifier.reason_groups import Group
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.months import Month
from notifier.rules.zones import zone
from notifier.searching import midnight

_NOTHING_PLANNED = Group("nothing-planned", "Nothing was planned for it.", to_act=True)
_ARRIVED = [str(status) for status in MAY_HAVE_ARRIVED]
_WAITS = [str(Status.SCHEDULED), str(Status.HELD)]
_NEVER_SENT = [str(Status.SKIPPED), str(Status.CANCELLED)]
# Providers charge for what they took, whatever became of it.
_CHARGED = ("accepted", "sent", "delivered", "undelivered")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of treatments: a message of theirs may have arrived; or one still may; or none did, and why."""

    covered: int
    waiting: int
    uncovered: list[Why]

    @property
    def missed(self) -> int:
        return sum(why.count for why in self.uncovered)

    @property
    def treatments(self) -> int:
        return self.covered + self.waiting + self.missed

    @property
    def share(self) -> float | None:
        """Of those that are settled; None where there are none."""
        settled = self.covered + self.missed
        return self.covered / settled if settled else None


@dataclass(frozen=True, slots=True)
class Texts:
    """Parts of SMS: what the provider took, and what stayed in an outbox and costs nothing."""

    sent: int
    kept: int
    price: float | None
    currency: str

    @property
    def cost(self) -> float | None:
        """None: nobody has said what a part costs."""
        return None if self.price is None else self.sent * self.price

    @property
    def would_cost(self) -> float | None:
        return None if self.price is None else self.kept * self.price


@dataclass(frozen=True, slots=True)
class Report:
    month: Month
    coverage: Coverage
    outcomes: Counter[str]  # messages, by `delivery.OUTCOMES`
    reasons: list[Why]
    withdrawn: int  # patients who took a consent back
    opted_out: int  # addresses that may not be written to any more
    texts: Texts
    to_fix: int  # addresses that need a person, today


def report(session: Session, clinic: Clinic, month: Month, *, reasons: bool = True) -> Report:
    """What happened to the treatments that ended in the month, and to the messages that stand in it.

    `reasons`: without, for who only compares the numbers.
    """
    filters = Filters(month.first, month.last)
    begins, ends = _span(clinic, month)
    return Report(
        month=month,
        coverage=coverage(session, clinic, month),
        outcomes=delivery_figures.outcomes(session, clinic, filters),
        reasons=delivery_figures.by_reason(session, clinic, filters) if reasons else [],
        withdrawn=_withdrawn(session, clinic, begins, ends),
        opted_out=_opted_out(session, clinic, begins, ends),
        texts=_texts(session, clinic, begins, ends),
        to_fix=delivery_figures.count_to_fix(session, clinic),
    )


def _span(clinic: Clinic, month: Month) -> tuple[datetime, datetime]:
    tz = zone(clinic.timezone)
    return midnight(month.first, tz), midnight(month.next.first, tz)


def coverage(session: Session, clinic: Clinic, month: Month) -> Coverage:
    """Of the treatments that ended in the month and were not voided."""
    begins, ends = _span(clinic, month)
    mine = and_(
        Treatment.clinic_id == clinic.id,
        Treatment.ended_at >= begins,
        Treatment.ended_at < ends,
        Treatment.voided_at.is_(None),
    )
    count = session.execute(select(func.count()).select_from(Treatment).where(mine)).scalar_one()
    # Only those that nothing reached are fetched: a few of many.
    others = session.execute(select(Treatment.id, _any_in(_WAITS)).where(mine, ~_any_in(_ARRIVED))).all()
    missed = [treatment for treatment, waits in others if not waits]
    return Coverage(count - len(others), len(others) - len(missed), _why_not(session, missed))


def _any_in(statuses: Sequence[str]) -> Exists:
    """Whether the treatment has a message in one of these states."""
    return exists().where(Message.treatment_id == Treatment.id, Message.status.in_(statuses))


def _why_not(session: Session, treatments: Sequence[int]) -> list[Why]:
    """One reason for each treatment: the first that somebody can act upon, else the first."""
    chosen: dict[int, Group] = {}
    for start in range(0, len(treatments), 500):
        rows = session.execute(
            select(Message.treatment_id, Message.reason, Message.reason_code)
            .where(Message.treatment_id.in_(treatments[start : start + 500]))
            .order_by(Message.treatment_id, Message.id)
        )
        for treatment, reason, code in rows:
            group = reason_groups.group_of(reason, code)
            known = chosen.setdefault(treatment or 0, group)
            if group.to_act and not known.to_act:
                chosen[treatment or 0] = group
    counted = Counter(chosen.get(treatment, _NOTHING_PLANNED) for treatment in treatments)
    return [Why(group, count) for group, count in counted.most_common()]


def _withdrawn(session: Session, clinic: Clinic, begins: datetime, ends: datetime) -> int:
    """A no that follows a yes; who never said yes has nothing to take back."""
    earlier = aliased(ConsentEntry)
    said_yes = exists().where(
        earlier.patient_id == ConsentEntry.patient_id,
        earlier.channel == ConsentEntry.channel,
        earlier.granted,
        earlier.at <= ConsentEntry.at,
    )
    query = select(func.count(ConsentEntry.patient_id.distinct())).where(
        ConsentEntry.clinic_id == clinic.id, ~ConsentEntry.granted, said_yes
    )
    return session.execute(query.where(ConsentEntry.at >= begins, ConsentEntry.at < ends)).scalar_one()


def _opted_out(session: Session, clinic: Clinic, begins: datetime, ends: datetime) -> int:
    query = select(func.count(Suppression.address.distinct())).where(Suppression.clinic_id == clinic.id)
    return session.execute(query.where(Suppression.since >= begins, Suppression.since < ends)).scalar_one()


def _texts(session: Session, clinic: Clinic, begins: datetime, ends: datetime) -> Texts:
    due = select(Message.id).where(
        Message.clinic_id == clinic.id,
        Message.channel == "sms",
        Message.status.not_in(_NEVER_SENT),
        Message.due_at >= begins,
        Message.due_at < ends,
    )
    kept = case((Attempt.provider == "outbox", Attempt.segments), else_=0)
    parts, of_outbox = session.execute(
        select(func.coalesce(func.sum(Attempt.segments), 0), func.coalesce(func.sum(kept), 0)).where(
            Attempt.message_id.in_(due), Attempt.outcome.in_(_CHARGED)
        )
    ).one()
    return Texts(int(parts) - int(of_outbox), int(of_outbox), clinic.sms_price, clinic.currency)

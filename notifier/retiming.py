"""Bringing a new version of a plan to what is still pending, batch by batch; resumes where it stopped.

What becomes of each message is what planning says of the patient's treatments with the new version.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import audit
from notifier.models import Clinic, PlanRow, PlanVersion, Retiming
from notifier.retiming_batches import waiting


def begin(
    session: Session, clinic: Clinic, plan: PlanRow, version: PlanVersion, *, now: datetime, actor: str
) -> Retiming:
    """Have this version brought to pending messages. An older retiming of the plan ends where it is.

    What it had not come to yet is on an old version still, so this one brings it over.
    """
    for unfinished in running(session, clinic):
        if unfinished.plan_id == plan.id:
            unfinished.finished_at = now
    total = session.scalar(select(func.count()).select_from(waiting(plan.id, version.id, now).subquery()))
    retiming = Retiming(
        clinic_id=clinic.id,
        plan_id=plan.id,
        to_version_id=version.id,
        total=total or 0,
        started_at=now,
        started_by=actor,
        finished_at=None if total else now,
    )
    session.add(retiming)
    session.flush()
    _note(session, retiming, "plan.retiming", now, number=version.number, treatments=retiming.total)
    return retiming


def _note(session: Session, retiming: Retiming, action: str, now: datetime, **detail: int) -> None:
    audit.note(
        session,
        clinic_id=retiming.clinic_id,
        at=now,
        actor=retiming.started_by,
        action=action,
        subject="plan",
        subject_id=retiming.plan_id,
        **detail,
    )


def running(session: Session, clinic: Clinic) -> list[Retiming]:
    """Those of the clinic that have not finished, oldest first."""
    return list(
        session.scalars(
            select(Retiming)
            .where(Retiming.clinic_id == clinic.id, Retiming.finished_at.is_(None))
            .order_by(Retiming.id)
        )
    )


def latest(session: Session, plan: PlanRow) -> Retiming | None:
    """The plan's last retiming, finished or not."""
    return session.scalar(
        select(Retiming).where(Retiming.plan_id == plan.id).order_by(Retiming.id.desc()).limit(1)
    )


def unfinished(session: Session) -> list[int]:
    """Of all clinics, for whoever resumes them."""
    return list(
        session.scalars(select(Retiming.id).where(Retiming.finished_at.is_(None)).order_by(Retiming.id))
    )


def finish(session: Session, retiming_id: int, *, now: datetime, left: int = 0) -> None:
    """Nothing waits any more but what could not be brought over, which is `left` treatments."""
    retiming = session.get_one(Retiming, retiming_id, with_for_update={"key_share": True})
    if retiming.finished_at is None:
        retiming.finished_at, retiming.total = now, retiming.done
        _note(
            session,
            retiming,
            "plan.retimed",
            now,
            treatments=retiming.done,
            messages=retiming.changed,
            left=left,
        )

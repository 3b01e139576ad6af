"""Plans in the database: immutable versions, and who stands for their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from notifier import audit
from notifier.errors import NotFoundError
from notifier.models import Clinic, PlanApproval, PlanRow, PlanVersion
from notifier.planfiles import Content, Definition, define, digest_of, read_content, read_folder
from notifier.rules.zones import to_instant, zone


@dataclass(frozen=True, slots=True)
class Loaded:
    version: PlanVersion
    is_new: bool


def definition(version: PlanVersion) -> Definition:
    return define(version.content, digest=version.digest)


def current_version(session: Session, plan: PlanRow) -> PlanVersion:
    version = session.scalar(
        select(PlanVersion).where(PlanVersion.plan_id == plan.id).order_by(PlanVersion.number.desc()).limit(1)
    )
    if version is None:
        raise NotFoundError(f'The plan "{plan.key}" has no version yet.')
    return version


def current_versions(session: Session, clinic: Clinic) -> dict[str, PlanVersion]:
    """The clinic's plans that may be chosen, by key."""
    rows = session.execute(
        select(PlanRow.key, PlanVersion)
        .join(PlanVersion, PlanVersion.plan_id == PlanRow.id)
        .where(PlanRow.clinic_id == clinic.id, PlanRow.archived_at.is_(None))
        .order_by(PlanVersion.number)
    )
    return {row.key: row.PlanVersion for row in rows}


def find(session: Session, clinic: Clinic, key: str) -> PlanRow:
    row = session.scalar(select(PlanRow).where(PlanRow.clinic_id == clinic.id, PlanRow.key == key))
    if row is None:
        known = ", ".join(sorted(current_versions(session, clinic))) or "none yet"
        raise NotFoundError(f'There is no plan "{key}" at {clinic.name}. There are: {known}.')
    return row


def load_folder(session: Session, clinic: Clinic, folder: Path, *, now: datetime, actor: str) -> Loaded:
    """Make what the folder says the plan's current version, if it is not already."""
    definition = read_folder(folder)
    loaded = save(session, clinic, read_content(folder), now=now, actor=actor)
    plan = definition.plan
    if plan.reviewed_by and plan.reviewed_on and not loaded.version.approvals:
        midnight = to_instant(datetime.combine(plan.reviewed_on, time()), zone(clinic.timezone))
        approve(session, loaded.version, by=plan.reviewed_by, on=midnight, now=now, actor=actor)
    return loaded


def save(session: Session, clinic: Clinic, content: Content, *, now: datetime, actor: str) -> Loaded:
    key, digest = content["key"], digest_of(content)
    plan = session.scalar(select(PlanRow).where(PlanRow.clinic_id == clinic.id, PlanRow.key == key))
    if plan is None:
        plan = PlanRow(clinic_id=clinic.id, key=key)
        session.add(plan)
        session.flush()
    versions = list(
        session.scalars(
            select(PlanVersion).where(PlanVersion.plan_id == plan.id).order_by(PlanVersion.number)
        )
    )
    if versions and versions[-1].digest == digest:
        return Loaded(versions[-1], is_new=False)
    version = PlanVersion(
        clinic_id=clinic.id,
        plan_id=plan.id,
        number=len(versions) + 1,
        digest=digest,
        content=dict(content),
        created_at=now,
        created_by=actor,
    )
    session.add(version)
    session.flush()
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action="plan.saved",
        subject="plan",
        subject_id=plan.id,
        plan=key,
        number=version.number,
    )
    return Loaded(version, is_new=True)


def approve(
    session: Session, version: PlanVersion, *, by: str, now: datetime, actor: str, on: datetime | None = None
) -> PlanApproval:
    """A named clinician approves the words of this version; the next version needs it again.

    `on`: when they did, where it was not now.
    """
    approval = PlanApproval(
        clinic_id=version.clinic_id,
        plan_version_id=version.id,
        approved_by=by,
        approved_on=on or now,
        recorded_at=now,
        recorded_by=actor,
    )
    version.approvals.append(approval)
    session.flush()
    audit.note(
        session,
        clinic_id=version.clinic_id,
        at=now,
        actor=actor,
        action="plan.approved",
        subject="plan",
        subject_id=version.plan_id,
        number=version.number,
        by=by,
    )
    return approval


def drafts(session: Session, clinics: Iterable[Clinic]) -> list[tuple[Clinic, PlanVersion]]:
    """Current versions that nobody has approved: their texts are drafts, and the product says so."""
    return [
        (clinic, version)
        for clinic in clinics
        for version in current_versions(session, clinic).values()
        if not version.approvals
    ]


def draft_keys(session: Session, clinic: Clinic) -> list[str]:
    """As `drafts`, without reading any text: for what is asked on every page."""
    later = aliased(PlanVersion)
    query = (
        select(PlanRow.key)
        .join(PlanVersion, PlanVersion.plan_id == PlanRow.id)
        .where(
            PlanRow.clinic_id == clinic.id,
            PlanRow.archived_at.is_(None),
            ~exists().where(later.plan_id == PlanVersion.plan_id, later.number > PlanVersion.number),
            ~exists().where(PlanApproval.plan_version_id == PlanVersion.id),
        )
        .order_by(PlanRow.key)
    )
    return list(session.scalars(query))

"""Plans by the API: what they say now and said before, and what they would send after a treatment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from notifier import plans
from notifier.errors import NotFoundError
from notifier.models import PlanVersion
from notifier.preview import preview
from notifier.web.api_plan_shapes import (
    PlanContent,
    PlanGiven,
    PreviewGiven,
    plan_content,
    plan_given,
    preview_given,
)
from notifier.web.api_shapes import TIME, Language, Listing
from notifier.web.api_support import Caller, Number, Reader, listed, maybe_moment, moment, respond, shown

router = APIRouter(prefix="/api/v1/plans", tags=["Plans"])

Key = Annotated[str, Path(max_length=60, description="The plan's key, such as `dry-needling`.")]


@router.get("", response_model=Listing[PlanGiven], summary="List plans")
def list_plans(caller: Reader) -> Response:
    """Those that a treatment may be logged with."""
    with caller.reading() as session:
        current = plans.current_versions(session, caller.clinic(session))
        data = [plan_given(version) for _, version in sorted(current.items())]
    return listed(caller, Listing[PlanGiven](data=data, next=None))


@router.get("/{key}", response_model=PlanContent, summary="One plan", responses={404: {}})
def get_plan(caller: Reader, key: Key) -> Response:
    """Its current version in full, and which versions there were."""
    with caller.reading() as session:
        versions = _versions(session, caller, key)
        shape = plan_content(versions[-1], versions)
    return respond(shown(shape))


@router.get(
    "/{key}/versions/{version}", response_model=PlanContent, summary="One version", responses={404: {}}
)
def get_version(caller: Reader, key: Key, version: Number) -> Response:
    """As it was: versions never change."""
    with caller.reading() as session:
        versions = _versions(session, caller, key)
        shape = plan_content(_numbered(versions, key, version), versions)
    return respond(shown(shape))


def _versions(session: Session, caller: Caller, key: str) -> list[PlanVersion]:
    """At least one, the oldest first."""
    plan = plans.find(session, caller.clinic(session), key)
    found = session.scalars(
        select(PlanVersion)
        .where(PlanVersion.plan_id == plan.id)
        .options(selectinload(PlanVersion.approvals))
        .order_by(PlanVersion.number)
    ).all()
    if not found:
        raise NotFoundError(f'The plan "{key}" has no version yet.')
    return list(found)


def _numbered(versions: list[PlanVersion], key: str, number: int) -> PlanVersion:
    for version in versions:
        if version.number == number:
            return version
    raise NotFoundError(f'The plan "{key}" has no version {number}; the newest is {versions[-1].number}.')


@router.get(
    "/{key}/preview",
    response_model=Listing[PreviewGiven],
    summary="What a plan would send",
    responses={404: {}},
)
def preview_plan(
    caller: Reader,
    key: Key,
    ended_at: Annotated[str, Query(max_length=40, description=f"When the treatment would end. {TIME}")],
    logged_at: Annotated[str, Query(max_length=40, description="When it would be logged; else then.")] = "",
    next_visit: Annotated[str, Query(max_length=40, description="When the next visit would begin.")] = "",
    timezone: Annotated[str, Query(max_length=60, description="The patient's; else the clinic's.")] = "",
    language: Language = "en",
    areas: Annotated[list[str] | None, Query(description="May be given several times.")] = None,
    version: Annotated[int | None, Query(ge=1, description="Another version than the current one.")] = None,
) -> Response:
    """Each step in the plan's order with its time and words, or with the reason why it would be skipped: by
    the same rules as for real. Nothing is logged, and nothing is sent."""
    with caller.reading() as session:
        clinic, versions = caller.clinic(session), _versions(session, caller, key)
        chosen = versions[-1] if version is None else _numbered(versions, key, version)
        steps = preview(
            plans.definition(chosen),
            ended_at=moment(ended_at, clinic, "ended_at"),
            logged_at=maybe_moment(logged_at, clinic, "logged_at"),
            next_visit=maybe_moment(next_visit, clinic, "next_visit"),
            timezone=timezone or clinic.timezone,
            language=language,
            areas=areas or (),
            clinic_name=clinic.name,
        )
        data = [preview_given(step) for step in steps]
    return listed(caller, Listing[PreviewGiven](data=data, next=None))

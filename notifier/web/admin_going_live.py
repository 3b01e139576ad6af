"""The way to real patients as a checklist, some of it ticked by people; and what is pasted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Response

from notifier import going_live, going_live_pack
from notifier.errors import InputError
from notifier.going_live_steps import GROUPS
from notifier.rules.zones import to_local
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()


@router.get("/going-live")
def checklist(visit: Admin) -> Response:
    return _page(visit)


def _page(
    visit: Visit, *, problems: Problems | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    with visit.reading() as session:
        found = going_live.items(session, visit.clinic(session), visit.settings)
    return visit.page(
        "going_live.html",
        status=422 if problems else 200,
        groups={group: [item for item in found if item.step.group == group] for group in GROUPS},
        blocking=[item for item in found if item.blocks],
        progress=going_live.progress(found),
        today=to_local(visit.now(), visit.tz).date(),
        problems=problems or Problems(),
        typed=typed or {},
    )


@router.post("/going-live/{step}/done")
def done(visit: Admin, step: str, posted: Posted) -> Response:
    problems = Problems()
    with problems.catching(), visit.transaction() as session:
        going_live.tick(
            session,
            visit.clinic(session),
            step,
            by=visit.name,
            on=_day(visit, step, posted),
            note=posted.text("note"),
            now=visit.now(),
            actor=visit.actor,
        )
    if problems:
        return _page(visit, problems=problems, typed={"step": step} | posted.values)
    return visit.go(f"/going-live#{step}", toast="Ticked.", undo=Undo(f"/going-live/{step}/undone"))


def _day(visit: Visit, step: str, posted: Fields) -> date:
    today = to_local(visit.now(), visit.tz).date()
    written = posted.text("on")
    try:
        day = date.fromisoformat(written) if written else today
    except ValueError:
        raise InputError("Write the day like 2026-03-03.", field=f"on.{step}") from None
    if day > today:
        raise InputError("That day has not come yet.", field=f"on.{step}")
    return day


@router.post("/going-live/{step}/undone")
def undone(visit: Admin, step: str, posted: Posted) -> Response:
    with visit.transaction() as session:
        before = going_live.untick(session, visit.clinic(session), step, now=visit.now(), actor=visit.actor)
    fields: dict[str, Any] = {"on": before.on.isoformat(), "note": before.note} if before else {}
    undo = Undo(f"/going-live/{step}/done", fields=fields) if before else None
    return visit.go(f"/going-live#{step}", toast="Not done after all.", undo=undo)


@router.get("/going-live/pack")
def pack(visit: Admin) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        return visit.page(
            "going_live_pack.html",
            at=clinic,
            pieces=going_live_pack.pieces(session, clinic, visit.now()),
        )

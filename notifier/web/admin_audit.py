"""The audit trail: who saw or changed what. Reading it is itself not noted; taking it out as a file is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from notifier import audit_trail, audit_words, delivery_export, staff
from notifier.audit_trail import Filters
from notifier.models import Clinic
from notifier.web.auth import Admin
from notifier.web.look_back import Asked, asked_of, download, presets

router = APIRouter()

_CHOICES = ("person", "kind")


@router.get("/audit")
def show(request: Request, visit: Admin) -> Response:
    asked = asked_of(request, visit, _CHOICES)
    found: dict[str, Any] | None = None
    with visit.reading() as session:
        clinic = visit.clinic(session)
        with asked.problems.catching():
            found = _found(session, clinic, asked)
        return visit.page(
            "audit.html",
            status=200 if found else 422,
            asked=asked,
            found=found,
            presets=presets(asked, "/audit"),
            kinds=[("", "All"), *((key, kind.name) for key, kind in audit_words.KINDS.items())],
            people=[person.name for person, _ in staff.of_clinic(session, clinic)],
        )


def _filters(asked: Asked) -> Filters:
    kind = asked.chosen["kind"] if asked.chosen["kind"] in audit_words.KINDS else ""
    return Filters(asked.first, asked.last, asked.chosen["person"], kind, asked.words)


def _found(session: Session, clinic: Clinic, asked: Asked) -> dict[str, Any] | None:
    """None where the address asks for what cannot be; `asked.problems` says why."""
    if asked.problems:
        return None
    wanted = _filters(asked)
    audit_trail.check(wanted)
    filters = audit_trail.resolved(session, clinic, wanted)
    page = audit_trail.page(session, clinic, filters, cursor=asked.cursor)
    return {
        "entries": page.entries,
        "older": asked.address("/audit", cursor=page.older) if page.older else "",
    }


@router.get("/audit.csv")
def export(request: Request, visit: Admin) -> Response:
    asked = asked_of(request, visit, _CHOICES)
    for problem in asked.problems.values():
        return visit.go("/audit", toast=problem)
    wanted = _filters(asked)
    audit_trail.check(wanted, most_days=delivery_export.MOST_DAYS)
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        filters = audit_trail.resolved(session, clinic, wanted)
        audit_trail.note_export(session, clinic, filters, now=visit.now(), actor=visit.actor)
    return download(
        visit, "audit", asked, lambda session, clinic: audit_trail.csv_of(session, clinic, filters)
    )

"""Delivery: what went out, what did not and why, by day and by reason; as a list, and as a file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from notifier import audit, delivery, delivery_export, delivery_figures, plans, reason_groups, status_words
from notifier.delivery import OUTCOMES, Filters
from notifier.models import Clinic
from notifier.rules.delivery import Kind
from notifier.rules.plan import CHANNELS
from notifier.web import charts
from notifier.web.auth import Admin
from notifier.web.look_back import Asked, asked_of, download, presets
from notifier.web.visit import Visit

router = APIRouter()

_CHOICES = ("outcome", "channel", "plan", "step", "kind", "reason")
_KINDS = {
    str(Kind.PLANNED): "Aftercare",
    str(Kind.ANSWER): "Answers to patients",
    str(Kind.STAFF): "From the clinic",
    str(Kind.ALERT): "To staff",
    str(Kind.TEST): "Tests",
}


@router.get("/delivery")
def show(request: Request, visit: Admin) -> Response:
    asked = asked_of(request, visit, _CHOICES)
    found: dict[str, Any] | None = None
    with visit.reading() as session:
        clinic = visit.clinic(session)
        with asked.problems.catching():
            found = _found(session, clinic, asked)
        page = visit.page(
            "delivery.html",
            status=200 if found else 422,
            asked=asked,
            found=found,
            presets=presets(asked, "/delivery"),
            options=_options(session, clinic),
            country=clinic.country,
            series=charts.SERIES,
        )
    if found:
        _note_seen(visit, found["page"].rows)
    return page


def _filters(asked: Asked) -> Filters:
    chosen = asked.chosen
    return Filters(
        asked.first,
        asked.last,
        outcome=chosen["outcome"] if chosen["outcome"] in OUTCOMES else "",
        channel=chosen["channel"],
        plan=chosen["plan"],
        step=chosen["step"],
        kind=chosen["kind"],
        reason=chosen["reason"],
        words=asked.words,
    )


def _found(session: Session, clinic: Clinic, asked: Asked) -> dict[str, Any] | None:
    """None where the address asks for what cannot be; `asked.problems` says why."""
    if asked.problems:
        return None
    wanted = _filters(asked)
    delivery.check(wanted)
    filters = delivery.resolved(session, clinic, wanted)
    page = delivery.page(session, clinic, filters, cursor=asked.cursor)
    days = delivery_figures.by_day(session, clinic, filters)
    totals = delivery_figures.totals(days)
    return {
        "page": page,
        "older": asked.address("/delivery", cursor=page.older) if page.older else "",
        "days": days,
        "chart": charts.of_days(days),
        "totals": totals,
        "seen": _seen(totals),
        "said": charts.said,
        "of_reason": lambda key: asked.address("/delivery", reason=key, outcome=""),
        "reasons": delivery_figures.by_reason(session, clinic, filters),
        "to_fix": delivery_figures.to_fix(session, clinic, limit=10),
        "to_fix_count": delivery_figures.count_to_fix(session, clinic),
    }


def _seen(totals: Counter[str]) -> str:
    return "-".join(str(totals[outcome]) for outcome in OUTCOMES)


def _options(session: Session, clinic: Clinic) -> dict[str, list[tuple[str, str]]]:
    contents = {key: version.content for key, version in plans.current_versions(session, clinic).items()}
    steps = dict.fromkeys(step["key"] for content in contents.values() for step in content["plan"]["steps"])
    reasons = [(group.key, group.words) for group in reason_groups.GROUPS]
    return {
        "outcome": [("", "All"), *((name, charts.SERIES[name]) for name in OUTCOMES)],
        "channel": [("", "All"), *((name, _capital(status_words.channel_name(name))) for name in CHANNELS)],
        "plan": [
            ("", "All"),
            *((key, content["plan"].get("name", key)) for key, content in contents.items()),
        ],
        "step": [("", "All"), *((key, status_words.step_name(key)) for key in steps)],
        "kind": [("", "All"), *_KINDS.items()],
        "reason": [("", "All"), *reasons],
    }


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _note_seen(visit: Visit, rows: list[delivery.Row]) -> None:
    """A list with names in it is a look at each of these patients; who looks again is still looking."""
    ids = [row.message.patient_id for row in rows if row.message.patient_id is not None]
    seen: dict[str, Any] = {
        "clinic_id": visit.clinic_id,
        "patient_ids": ids,
        "now": visit.now(),
        "actor": visit.actor,
    }
    with visit.reading() as session:
        if not ids or audit.is_listed(session, **seen):
            return
    with visit.transaction() as session:
        audit.listed(session, **seen)


@router.get("/delivery/figures")
def figures(request: Request, visit: Admin) -> Response:
    """The figures again, for a page that somebody keeps open; nothing where nothing became of anything."""
    asked = asked_of(request, visit, _CHOICES)
    with visit.reading() as session:
        clinic = visit.clinic(session)
        wanted = _filters(asked)
        delivery.check(wanted)
        filters = delivery.resolved(session, clinic, wanted)
        totals = delivery_figures.outcomes(session, clinic, filters)
    if _seen(totals) == asked.typed.get("seen"):
        return visit.unchanged()
    found = {"totals": totals, "seen": _seen(totals)}
    return visit.fragment(
        "_delivery_figures.html", asked=asked, found=found, series=charts.SERIES, fresh=True
    )


@router.get("/delivery.csv")
def export(request: Request, visit: Admin) -> Response:
    """Everything that the page's address finds, for at most a year."""
    asked = asked_of(request, visit, _CHOICES)
    for problem in asked.problems.values():
        return visit.go("/delivery", toast=problem)
    wanted = _filters(asked)
    delivery.check(wanted, most_days=delivery_export.MOST_DAYS)
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        filters = delivery.resolved(session, clinic, wanted)
        delivery_export.note_export(session, clinic, filters, now=visit.now(), actor=visit.actor)
    return download(
        visit, "messages", asked, lambda session, clinic: delivery_export.csv_of(session, clinic, filters)
    )

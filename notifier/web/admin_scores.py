"""Soreness: how sore patients were after each plan's treatments, by the hours since; and as a file."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from notifier import score_figures
from notifier.rules import soreness
from notifier.score_figures import PlanSoreness
from notifier.web import score_charts
from notifier.web.auth import Admin
from notifier.web.look_back import asked_of, download, presets

router = APIRouter()


@router.get("/scores")
def show(request: Request, visit: Admin) -> Response:
    asked = asked_of(request, visit, ())
    found: list[PlanSoreness] | None = None
    with visit.reading() as session:
        if not asked.problems:
            with asked.problems.catching():
                score_figures.check(asked.first, asked.last)
                found = score_figures.by_plan(session, visit.clinic(session), asked.first, asked.last)
        return visit.page(
            "scores.html",
            status=422 if found is None else 200,
            asked=asked,
            presets=presets(asked, "/scores"),
            found=found,
            high_from=soreness.high_from(),
            told=[(plan, score_charts.of_hours(plan.spreads)) for plan in found or () if plan.answers],
            silent=[plan for plan in found or () if not plan.answers],
        )


@router.get("/scores.csv")
def export(request: Request, visit: Admin) -> Response:
    asked = asked_of(request, visit, ())
    for problem in asked.problems.values():
        return visit.go("/scores", toast=problem)
    first, last = asked.first, asked.last
    score_figures.check(first, last)
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        score_figures.note_export(session, clinic, first, last, now=visit.now(), actor=visit.actor)
    return download(
        visit, "soreness", asked, lambda session, clinic: score_figures.csv_of(session, clinic, first, last)
    )

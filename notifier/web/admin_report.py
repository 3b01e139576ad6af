"""The owner's month: whom the aftercare reached, whom it did not and why, opt-outs, what it cost."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from notifier import monthly, monthly_mail, staff
from notifier.monthly import Report
from notifier.rules import months
from notifier.rules.months import Month
from notifier.rules.zones import to_local
from notifier.web.auth import Admin
from notifier.web.forms import Posted
from notifier.web.visit import Visit

router = APIRouter()


def _this_month(visit: Visit) -> Month:
    return months.of(to_local(visit.now(), visit.tz).date())


@router.get("/report")
def latest(visit: Admin) -> Response:
    """The month that goes on."""
    return _page(visit, _this_month(visit))


@router.get("/report/{month}")
def show(visit: Admin, month: str, before: str = "") -> Response:
    """`before`: with the month before beside it; where scripts run, it comes by itself afterwards."""
    return _page(visit, months.parse(month), compared=bool(before))


def _page(visit: Visit, month: Month, *, compared: bool = False) -> Response:
    with visit.reading() as session:
        clinic = visit.clinic(session)
        made = monthly.report(session, clinic, month)
        earlier = monthly.report(session, clinic, month.previous, reasons=False) if compared else None
        return visit.page(
            "report.html",
            month=month,
            made=made,
            figures=figures(made, figures(earlier) if earlier else None),
            this=_this_month(visit),
            compared=compared,
            of_reason=lambda key: (
                f"/delivery?from={month.first}&to={month.last}&{urlencode({'reason': key})}"
            ),
        )


def _messages_of(month: Month, reason: str) -> str:
    asked = {"from": month.first.isoformat(), "to": month.last.isoformat(), "reason": reason}
    return f"/delivery?{urlencode(asked)}"


def figures(made: Report, before: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """The lines of the table, each with its key, its words and its number as it is read."""
    coverage, outcomes, texts = made.coverage, made.outcomes, made.texts
    lines: list[tuple[str, str, str]] = [
        ("treatments", "Treatments", f"{coverage.treatments:,}"),
        (
            "covered",
            "with a message that may have arrived",
            _part(coverage.covered, monthly_mail.share(coverage)),
        ),
        ("coming", "with messages still to come", f"{coverage.waiting:,}"),
        ("missed", "without any", f"{coverage.missed:,}"),
        ("delivered", "Messages delivered", f"{outcomes['delivered']:,}"),
        ("sent", "sent, without word of delivery", f"{outcomes['sent'] + outcomes['doubt']:,}"),
        ("failed", "failed", f"{outcomes['failed']:,}"),
        ("skipped", "not sent", f"{outcomes['skipped']:,}"),
        ("waiting", "waiting", f"{outcomes['waiting']:,}"),
        ("withdrawn", "Patients who took back their consent", f"{made.withdrawn:,}"),
        ("opted-out", "Numbers and addresses that opted out", f"{made.opted_out:,}"),
        ("parts", "SMS parts sent", f"{texts.sent:,}"),
        ("cost", "their cost", monthly_mail.cost(made) or "price not set"),
    ]
    if texts.kept:
        lines.append(("kept", "SMS parts kept in the outbox, at no cost", f"{texts.kept:,}"))
    earlier = {line["key"]: line["value"] for line in before or ()}
    return [
        {
            "key": key,
            "words": words,
            "value": value,
            "before": earlier.get(key, ""),
            "main": words[0].isupper(),
        }
        for key, words, value in lines
    ]


def _part(count: int, share: str) -> str:
    return f"{count:,} ({share})" if share else f"{count:,}"


@router.get("/report/{month}/before")
def before(visit: Admin, month: str) -> Response:
    """The numbers of the month before, each for its place in the table."""
    with visit.reading() as session:
        earlier = months.parse(month).previous
        made = monthly.report(session, visit.clinic(session), earlier, reasons=False)
    return visit.fragment("_report_before.html", figures=figures(made))


@router.post("/report/{month}/send")
def send(visit: Admin, posted: Posted, month: str) -> Response:
    """To who asks, now."""
    chosen = months.parse(month)
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        person = staff.get(session, clinic, visit.staff_id)
        base_url = visit.settings.web.base_url
        monthly_mail.send_now(session, clinic, person, chosen, base_url, now=visit.now())
        email = person.email
    return visit.go(f"/report/{chosen}", toast=f"{chosen.name()} is on its way to {email}.")

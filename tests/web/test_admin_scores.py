"""Soreness by plan as the admin reads it: figures, chart, table and file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select

from notifier import score_figures, scores
from notifier.models import AuditEntry, PlanRow, ScoreRow, Treatment
from tests import cast
from tests.query_plans import asked
from tests.web.browser import Browser, Page
from tests.web.cast import Installation

DAYS = "from=2026-02-01&to=2026-02-10"
HOUR = timedelta(hours=1)


@pytest.fixture
def admin(site: Installation) -> Browser:
    """Six after dry needling, of whom five answered; one after cupping, who answered; one silent."""
    for number, told in enumerate([[3], [4], [5], [6], [2, 8], []]):
        treatment_id = site.log(
            replace(cast.ALICE, first_name=f"A{number}", phone=f"(212) 555-01{30 + number}", email="")
        )
        answered(site, treatment_id, told)
    answered(site, site.log(cast.EDWARD, plan="cupping"), [1])
    site.log(cast.MIA, plan="sports-massage")
    site.clock.jump(cast.ENDED + timedelta(days=5))
    return site.as_admin()


def answered(site: Installation, treatment_id: int, values: list[int]) -> None:
    """At hours 46 and 70."""
    with site.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        for place, value in enumerate(values):
            scores.record(session, treatment, value, at=treatment.ended_at + (46 + 24 * place) * HOUR)


def rows(page: Page, plan: str) -> list[str]:
    return page.words(f'section[aria-labelledby="plan-{plan}"] tbody tr')


def figures(page: Page, plan: str) -> list[str]:
    return page.words(f'section[aria-labelledby="plan-{plan}"] .figures li')


def test_it_shows_median_and_middle_half_by_the_hours(admin: Browser) -> None:
    page = admin.get(f"/scores?{DAYS}")
    assert page.words("section h2") == ["Dry needling aftercare", "Cupping aftercare"]
    assert figures(page, "dry-needling") == [
        "6 Treatments", "83 % Answered at least once (5)", "6 Answers", "17 % Of answers 7 or more (1)",
    ]  # fmt: skip
    # 2, 3, 4, 5, 6 at hour 46; a single 8 at hour 70.
    assert rows(page, "dry-needling") == ["36 to 48 5 4 3 to 5", "60 to 72 1 8 too few"]
    assert rows(page, "cupping") == ["36 to 48 1 1 too few"]
    assert "No answers yet: Sports massage aftercare (1 treatment)." in page.text
    chart = page.all("svg.chart")[0]
    names = str(chart["aria-labelledby"]).split()
    assert (
        "Hours 36 to 48: median 4 of 5 answers, the middle half from 3 to 5."
        in page.one(f"#{names[1]}").get_text()
    )
    assert len(chart.select("rect.half")) == 1
    assert len(chart.select("circle.median.few")) == 1


def test_a_score_taken_back_and_a_voided_treatment_are_not_in_it(site: Installation, admin: Browser) -> None:
    with site.change() as session:
        alice = session.scalars(select(Treatment).order_by(Treatment.id)).first()
        assert alice is not None
        alice.voided_at = site.clock.now()
        high = scores.get(session, session.merge(site.clinic, load=False), 6)
        scores.withdraw(session, high, now=site.clock.now(), actor="desk")
    page = admin.get(f"/scores?{DAYS}")
    assert figures(page, "dry-needling")[0] == "5 Treatments"
    assert rows(page, "dry-needling") == ["36 to 48 4 4.5 too few"]


def test_other_days_another_clinic_and_nothing_at_all(site: Installation, admin: Browser) -> None:
    assert "No treatments on these days" in admin.get("/scores?from=2026-01-01&to=2026-01-31").text
    site.open_other_clinic()
    hugo = site.signed_in("hugo@harbour.example")
    assert "Dry needling" not in hugo.get(f"/scores?{DAYS}").text
    assert "Cupping" not in hugo.get(f"/scores.csv?{DAYS}").response.text
    with site.change() as session:
        session.execute(delete(ScoreRow))
    assert "Nobody answered yet" in admin.get(f"/scores?{DAYS}").text


def test_days_that_cannot_be_are_said_beside_the_field(site: Installation) -> None:
    admin = site.as_admin()
    for days, wrong in (
        ("from=2026-02-03&to=2026-02-01", "The last day has to be the first one or later."),
        ("from=2024-01-01&to=2026-02-01", "Choose at most 366 days."),
        ("from=yesterday", "Write the day like 2026-03-31."),
    ):
        page = admin.get(f"/scores?{days}")
        assert (page.status, list(page.wrong().values())) == (422, [wrong])
        assert admin.get(f"/scores.csv?{days}").response.headers["content-type"].startswith("text/html")


def test_the_file_holds_the_same_and_no_formula(site: Installation, admin: Browser) -> None:
    with site.change() as session:
        version = cast.save_cupping(session, session.merge(site.clinic, load=False), CUPPING, name="=1+1")
        assert session.get_one(PlanRow, version.plan_id).key == "cupping"
    answer = admin.get(f"/scores.csv?{DAYS}").response
    assert (
        answer.headers["content-disposition"] == 'attachment; filename="soreness-2026-02-01-2026-02-10.csv"'
    )
    told = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [tuple(row.values()) for row in told] == [
        ("dry-needling", "Dry needling aftercare", "6", "5", "36", "48", "5", "4.0", "3.0", "5.0"),
        ("dry-needling", "Dry needling aftercare", "6", "5", "60", "72", "1", "8.0", "", ""),
        ("cupping", "'=1+1", "1", "1", "36", "48", "1", "1.0", "", ""),
    ]
    with site.look() as session:
        assert session.scalars(select(AuditEntry.action).where(AuditEntry.action == "scores.exported")).all()


def test_no_table_is_read_from_end_to_end_for_it(site: Installation, admin: Browser) -> None:
    with site.look() as session:
        clinic = session.merge(site.clinic, load=False)
        with asked(session) as found:
            score_figures.by_plan(session, clinic, date(2026, 2, 1), date(2026, 2, 10))
    assert found.scans == []
    assert [plan for plan in found.plans if plan.startswith("SCAN scores")] == []
    assert found.uses("ix_treatments_clinic_id_ended_at")
    assert found.uses("ix_scores_treatment_id_at")


CUPPING = {"key": "day0-marks", "after": "2h"}

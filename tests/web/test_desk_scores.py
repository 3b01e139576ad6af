"""Soreness on the patient's page: the curve, a score told by phone, and one that was wrong."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from notifier import scores
from notifier.models import AuditEntry, Patient, ScoreRow, Treatment
from tests import cast
from tests.web.browser import Page
from tests.web.cast import FERN, Installation

HOUR = timedelta(hours=1)


def answered(site: Installation, treatment_id: int, *told: tuple[int, int]) -> None:
    """Each an hour and a score."""
    with site.change() as session:
        treatment = session.get_one(Treatment, treatment_id)
        for hour, value in told:
            scores.record(session, treatment, value, at=treatment.ended_at + hour * HOUR)


def listed(page: Page) -> list[str]:
    return page.words(".scores strong")


def test_each_score_is_a_dot_with_its_number_and_told_in_words(site: Installation) -> None:
    treatment_id = site.log()
    browser = site.as_desk()
    assert browser.get("/patients/1").all(".line .score, ul.scores") == []
    answered(site, treatment_id, (26, 4), (50, 7), (74, 2))
    site.clock.jump(cast.ENDED + 80 * HOUR)
    page = browser.get("/patients/1")
    assert page.words(".line .score text") == ["4", "7", "2"]
    across = [float(str(dot["cx"]).removesuffix("%")) for dot in page.all(".line .score circle")]
    upwards = [float(str(dot["cy"])) for dot in page.all(".line .score circle")]
    assert across == sorted(across)
    assert upwards[1] < upwards[0] < upwards[2]
    assert len(page.all(".line .join")) == 2
    assert "Hour 26: 4. Hour 50: 7. Hour 74: 2." in str(page.one(".line.with-curve")["aria-label"])
    assert listed(page) == ["Hour 26: 4", "Hour 50: 7", "Hour 74: 2"]
    assert page.all("[style]") == []
    live = str(page.one("#messages")["hx-get"])
    assert browser.fragment(live).status == 204
    answered(site, treatment_id, (79, 1))
    assert listed(browser.fragment(live))[-1] == "Hour 79: 1"


def test_a_high_score_told_by_phone_pauses_and_its_undo_lets_go_on(site: Installation) -> None:
    site.log()
    site.clock.jump(cast.ENDED + 30 * HOUR)
    browser = site.as_desk()
    page = browser.get("/patients/1")
    page = browser.post("/treatments/1/scores", page.form("/treatments/1/scores") | {"value": "8"})
    assert page.toast.startswith(
        "Soreness 8 is noted. The planned messages are paused: the soreness score is high."
    )
    assert "told by phone" in page.text
    assert listed(page) == ["Hour 30: 8"]
    undo = "/treatments/1/scores/1/withdraw"
    with site.look() as session:
        assert session.scalars(select(Patient.paused_at)).one() is not None
    page = browser.post(undo, page.form(undo) | {"resume": "1"})
    assert (listed(page), page.toast.split(".")[0]) == ([], "The score 8 counts no more")
    page = browser.post("/treatments/1/scores/1/restore", page.form("/treatments/1/scores/1/restore"))
    assert listed(page) == ["Hour 30: 8"]
    with site.look() as session:
        assert session.scalars(select(Patient.paused_at)).one() is None
        noted = session.execute(
            select(AuditEntry.action, AuditEntry.actor).where(AuditEntry.action.like("score.%"))
        ).all()
    assert [tuple(entry) for entry in noted] == [
        ("score.told", FERN), ("score.withdrawn", FERN), ("score.restored", FERN),
    ]  # fmt: skip


def test_taking_back_an_old_score_leaves_a_pause_to_a_person(site: Installation) -> None:
    treatment_id = site.log()
    site.clock.jump(cast.ENDED + 30 * HOUR)
    browser = site.as_desk()
    browser.get("/patients/1")
    browser.post("/treatments/1/scores", {"value": "8"})
    page = browser.post(f"/treatments/{treatment_id}/scores/1/withdraw", {})
    assert "stay paused until somebody resumes" in page.toast


def test_what_is_no_score_is_asked_again_with_what_was_typed(site: Installation) -> None:
    site.log()
    site.clock.jump(cast.ENDED + 30 * HOUR)
    browser = site.as_desk()
    browser.get("/patients/1")
    for typed in ("", "11", "-1", "4.5", "four"):
        page = browser.post("/treatments/1/scores", {"value": typed})
        assert (page.status, page.one("#score-1")["value"]) == (422, typed)
        assert page.wrong() == {"score-1": "Write a whole number from 0 (none) to 10 (worst)."}
    with site.look() as session:
        assert session.scalars(select(ScoreRow)).all() == []


def test_no_score_after_a_treatment_that_was_voided_or_is_another_ones(site: Installation) -> None:
    first, second = site.log(), site.log(cast.MIA)
    answered(site, first, (26, 4))
    browser = site.as_desk()
    browser.get("/patients/1")
    assert browser.post(f"/treatments/{second}/scores/1/withdraw", {}).status == 404
    browser.post(f"/treatments/{first}/void", {})
    assert browser.post(f"/treatments/{first}/scores", {"value": "3"}).status == 409

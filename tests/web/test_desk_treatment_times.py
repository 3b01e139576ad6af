"""A treatment that two people put right, one after the other."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from notifier.models import Treatment
from tests.cast import ALICE
from tests.web.cast import Installation


def times(site: Installation) -> list[object]:
    with site.look() as session:
        return list(session.execute(select(Treatment.ended_at, Treatment.next_visit_at)).one())


@pytest.mark.parametrize(
    ("what", "typed", "later"),
    [
        ("correct", {"ended_at": "2026-02-03T14:30"}, {"ended_at": "2026-02-03T14:45"}),
        ("visit", {"next_visit": "2026-02-17T09:00"}, {"next_visit": "2026-02-18T09:00"}),
    ],
)
def test_an_undo_that_comes_late_leaves_what_another_did_since(
    site: Installation, what: str, typed: dict[str, str], later: dict[str, str]
) -> None:
    site.log(ALICE)
    fern, ada = site.as_desk(), site.as_admin()
    fern.get("/patients/1")
    fern.submit(f"/treatments/1/{what}", typed)
    ada.get("/patients/1")
    ada.submit(f"/treatments/1/{what}", later)
    there = times(site)
    assert fern.undo().status == 409
    assert times(site) == there

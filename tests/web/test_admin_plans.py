"""The clinic's plans as a list: new ones, copies, and those that are put away."""

from __future__ import annotations

from typing import Any

import pytest

from notifier import plan_shelf, plans
from notifier.models import Clinic, PlanRow
from tests.cast import LOGGED
from tests.web.browser import Browser
from tests.web.cast import Installation

NEEDLING = "/plans/dry-needling"
REVIEW, EDIT, CHECK = (f"{NEEDLING}/{what}" for what in ("review", "edit", "check"))


@pytest.fixture
def admin(site: Installation) -> Browser:
    return site.as_admin()


def current(site: Installation, key: str = "dry-needling") -> Any:
    with site.look() as session:
        row = plans.find(session, session.get_one(Clinic, site.clinic.id), key)
        return plans.current_version(session, row).content


# The list


def test_the_list_shows_each_plan_with_its_picture_and_who_stands_for_it(
    site: Installation, admin: Browser
) -> None:
    site.log()
    page = admin.get("/plans")
    assert page.words(".plan-card h2") == [
        "Cupping aftercare",
        "Dry needling aftercare",
        "Shockwave therapy aftercare",
        "Sports massage aftercare",
    ]
    needling = page.all(".plan-card")[1]
    assert len(needling.select(".line .dot")) == 7
    words = " ".join(needling.get_text(" ").split())
    assert "version 1 draft" in words
    assert "1 treatment in the last 30 days" in words
    assert "no clinician has approved the words yet" in words


def test_a_plan_that_is_archived_cannot_be_chosen_and_comes_back_by_undo(
    site: Installation, admin: Browser
) -> None:
    admin.get("/plans")
    page = admin.submit("/plans/cupping/archive")
    assert page.toast == "Archived. What is pending of it still goes out."
    assert "Cupping aftercare" in page.words("section[aria-labelledby=archived-title] h2")
    with site.look() as session:
        assert "cupping" not in plans.current_versions(session, site.clinic)
    admin.submit("/plans/cupping/restore")
    with site.look() as session:
        assert "cupping" in plans.current_versions(session, site.clinic)


@pytest.mark.parametrize("source", ["own:cupping", "shipped:cupping"])
def test_a_new_plan_is_a_copy_under_a_name_of_its_own(
    site: Installation, admin: Browser, source: str
) -> None:
    admin.get("/plans")
    page = admin.submit("/plans", {"name": "Neck & Schultér", "source": source})
    assert (page.path, page.words("h1")) == ("/plans/neck-schulter", ["Neck & Schultér"])
    assert "draft" in page.words(".tag")
    made, cupping = current(site, "neck-schulter"), current(site, "cupping")
    assert made["plan"]["steps"] == cupping["plan"]["steps"]
    assert made["texts"] == cupping["texts"]
    assert "name_es" not in made["plan"]


def test_an_empty_plan_begins_with_one_step_and_nothing_wrong(site: Installation, admin: Browser) -> None:
    admin.get("/plans")
    page = admin.submit("/plans", {"name": "Taping", "source": ""})
    assert page.words(".step strong") == ["Day 1: how are you"]
    assert page.words(".bar-words") == ["Nothing is changed."]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("", "Write the plan's name as staff will call it, such as Neck aftercare."),
        ("Cupping", 'There is a plan "cupping" already. Choose another name.'),
    ],
)
def test_a_name_that_cannot_be_is_said_beside_its_field(admin: Browser, name: str, wrong: str) -> None:
    admin.get("/plans")
    page = admin.submit("/plans", {"name": name, "name_es": "Cuello"})
    assert (page.status, page.wrong()) == (422, {"name": wrong})
    assert page.form("/plans")["name_es"] == "Cuello"


def test_a_clinician_approves_the_version_that_was_looked_at(site: Installation, admin: Browser) -> None:
    admin.get(NEEDLING)
    page = admin.submit(f"{NEEDLING}/approve", {"by": " Dr Ana  Ruiz", "licence": "PT 12345"})
    assert page.toast == "Version 1 is approved by Dr Ana Ruiz."
    assert page.words(".head .tag.good")[0].startswith("approved by Dr Ana Ruiz, PT 12345, Tue 3 Feb 2026")
    stale = admin.post(f"{NEEDLING}/approve", {"by": "Dr X", "licence": "1", "number": "7"})
    assert stale.status == 409
    missing = admin.post(f"{NEEDLING}/approve", {"by": "Dr X", "licence": "", "number": "1"})
    assert missing.status == 422


def test_no_plan_of_another_clinic_is_seen_or_changed(site: Installation, admin: Browser) -> None:
    other = site.open_other_clinic()
    with site.change() as session:
        at = session.get_one(Clinic, other.id)
        plan_shelf.create(session, at, name="Harbour", name_es="", source="", now=LOGGED, actor="hugo")
    assert "Harbour" not in admin.get("/plans").text
    for method, path in (("get", "/plans/harbour"), ("post", "/plans/harbour/archive")):
        assert getattr(admin, method)(path).status == 404
    with site.look() as session:
        assert session.query(PlanRow).filter_by(key="harbour").one().archived_at is None


def test_the_last_step_is_not_removed(admin: Browser) -> None:
    admin.get("/plans")
    page = admin.submit("/plans", {"name": "Taping", "source": ""})
    page = admin.post("/plans/taping/edit", page.form("/plans/taping/review") | {"do": "remove-s0"})
    assert "A plan needs at least one step." in page.words(".notice[role=status]")[0]

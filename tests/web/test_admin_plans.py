"""The plans' list and their editor, as an admin meets them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from notifier import plan_shelf, plans
from notifier.models import Clinic, PlanRow
from notifier.planfiles import digest_of
from tests.cast import LOGGED
from tests.web.browser import Browser, Page
from tests.web.cast import Installation

NEEDLING = "/plans/dry-needling"
REVIEW, EDIT, CHECK = (f"{NEEDLING}/{what}" for what in ("review", "edit", "check"))


@pytest.fixture
def admin(site: Installation) -> Browser:
    return site.as_admin()


def form(browser: Browser, **changes: str) -> dict[str, Any]:
    """The editor's form with something typed into it: s1_after is the second step's after."""
    typed = {re.sub(r"^(s\d+)_", r"\1-", name): value for name, value in changes.items()}
    return browser.get(NEEDLING).form(REVIEW) | typed


def whole(page: Page) -> dict[str, Any]:
    return page.form(REVIEW)


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
    assert page.words(".step strong") == ["day1-how-are-you"]
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


# The editor


def test_a_plan_that_was_only_opened_is_the_same_when_its_form_comes_back(
    site: Installation, admin: Browser
) -> None:
    page = admin.post(EDIT, form(admin))
    assert page.words(".bar-words") == ["Nothing is changed."]
    assert page.form(REVIEW) == admin.get(NEEDLING).form(REVIEW)


def test_each_step_has_its_lane_its_sentence_and_a_way_to_its_texts(admin: Browser) -> None:
    page = admin.get(NEEDLING)
    assert len(page.all(".axis .handle")) == 7
    assert page.words("#words-s0")[0].startswith(
        "2 hours after the treatment; outside 09:00-20:00 at the last"
    )
    assert page.one("#dot-s0")["aria-valuetext"] == "2 hours after the treatment"
    assert page.one(f'a[href="{NEEDLING}/texts/day3-check-in"]')


def test_what_is_typed_is_checked_beside_its_field(admin: Browser) -> None:
    page = admin.post(CHECK, form(admin, s1_after="40h", s2_at="10:00", min_gap="often"), htmx=True)
    assert page.words("#say-s1-useful_for")[0].startswith("Error: It can never go out")
    assert page.words("#say-s2-at")[0].startswith("Error: A time of day goes with days")
    assert page.words("#say-min_gap")[0].startswith('Error: "often" is not a duration')
    assert page.words("#say-s3-after") == [""]
    assert page.words("#sum-s1") == ["day1-soreness-is-normal 1 error"]
    assert "3 things to put right." in page.words("#save-bar")[0]


def test_a_warning_is_shown_and_does_not_stand_in_the_way(admin: Browser) -> None:
    page = admin.post(CHECK, form(admin, s1_after="1d", s1_at="07:00"), htmx=True)
    assert page.words("#say-s1-at")[0].startswith("Warning: At 07:00 is outside the sending window")
    assert page.words("#save-bar .bar-words") == ["Changed, not saved yet. 1 warning."]


def test_the_axis_and_what_if_follow_what_is_typed(admin: Browser) -> None:
    before = admin.get(NEEDLING)
    page = admin.post(CHECK, form(admin, s1_after="26h"), htmx=True)
    assert page.words("#when-s1") == ["26h"]
    moved, stood = (float(str(p.one("#dot-s1")["x"])[:-1]) for p in (page, before))
    assert moved > stood
    assert [row for row in page.words(".what-head") if "day1-" in row] == [
        "Wed 11 Feb 17:30 26 h day1-soreness-is-normal · SMS"
    ]


def test_a_step_that_is_switched_off_is_told_apart_and_does_not_go_out(admin: Browser) -> None:
    typed = form(admin)
    del typed["s1-on"]
    page = admin.post(CHECK, typed, htmx=True)
    assert page.words("#sum-s1") == ["day1-soreness-is-normal off"]
    assert not any("day1-" in row for row in page.words(".what-row"))


@pytest.mark.parametrize(
    ("preset", "ended", "row"),
    [
        ("evening", "2026-02-10T20:45", "Wed 11 Feb 09:00 12 h 15 day0-what-you-may-feel · SMS"),
        ("night", "2026-02-10T03:00", "Tue 10 Feb 09:00 6 h day0-what-you-may-feel · SMS"),
        ("spring", "2026-03-07T17:30", "Sun 8 Mar 16:30 22 h day1-soreness-is-normal · SMS"),
        ("autumn", "2026-10-31T17:30", "Sun 1 Nov 14:30 22 h day1-soreness-is-normal · SMS"),
        ("far", "2026-02-10T15:30", "Wed 11 Feb 13:30 22 h day1-soreness-is-normal · SMS"),
    ],
)
def test_what_if_has_the_nights_that_matter_at_hand(
    admin: Browser, preset: str, ended: str, row: str
) -> None:
    page = admin.post(EDIT, form(admin, s2_after="50h") | {"preset": preset})
    kept = whole(page)
    assert (kept["what-ended_at"], kept["s2-after"]) == (ended, "50h")
    assert row in page.words(".what-head")
    zone = "America/Los_Angeles" if preset == "far" else "America/New_York"
    assert kept["what-timezone"] == zone
    assert ("times are those of America/Los_Angeles" in page.text) is (preset == "far")


def test_a_question_that_cannot_be_is_told_and_the_plan_is_still_shown(admin: Browser) -> None:
    page = admin.post(EDIT, form(admin) | {"what-timezone": "America/Nowhere"})
    assert page.status == 200
    assert page.wrong()["what-timezone"].startswith('There is no time zone "America/Nowhere".')
    assert len(page.all(".axis .handle")) == 7


def test_steps_are_added_copied_moved_removed_and_kept_without_a_script(
    site: Installation, admin: Browser
) -> None:
    admin.get(NEEDLING)
    for do, first in (
        ("copy-s0", ["day0-what-you-may-feel", "day0-what-you-may-feel-copy"]),
        ("later-s0", ["day0-what-you-may-feel-copy", "day0-what-you-may-feel"]),
        ("remove-s7", ["day0-what-you-may-feel", "day1-soreness-is-normal"]),
        ("add", ["day0-what-you-may-feel", "day1-soreness-is-normal"]),
    ):
        assert admin.page is not None
        page = admin.post(EDIT, whole(admin.page) | {"do": do})
        assert page.words(".step strong")[:2] == first, do
    page = admin.post(EDIT, whole(page) | {"do": "remove-s1", "s2-after": "47h"})
    assert page.words(".step.gone strong") == ["day1-soreness-is-normal"]
    assert page.words(".note, .notice[role=status] p") == [
        "day1-soreness-is-normal is removed when you save."
    ]
    page = admin.post(EDIT, whole(page) | {"do": "keep-s1"})
    assert page.all(".step.gone") == []
    assert whole(page)["s2-after"] == "47h"
    assert page.words(".step strong")[-1] == "new-message"
    assert digest_of(current(site)) == digest_of(current(site, "dry-needling"))


def test_the_last_step_is_not_removed(admin: Browser) -> None:
    admin.get("/plans")
    page = admin.submit("/plans", {"name": "Taping", "source": ""})
    page = admin.post("/plans/taping/edit", page.form("/plans/taping/review") | {"do": "remove-s0"})
    assert "A plan needs at least one step." in page.words(".notice[role=status]")[0]


def test_what_was_typed_survives_a_lost_sign_in(site: Installation, admin: Browser) -> None:
    typed = form(admin, s1_after="26h")
    lost = site.anonymous().post(EDIT, typed)
    assert lost.status == 401
    assert lost.form("/sign-in")["kept:s1-after"] == "26h"
    assert lost.form("/sign-in")["kept:step"] == [f"s{n}" for n in range(7)]

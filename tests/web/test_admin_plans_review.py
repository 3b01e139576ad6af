"""Saving a plan: the effect first, then the version, and pending messages that follow it or stay."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from sqlalchemy import select

from notifier import plans
from notifier.models import AuditEntry, Clinic, Message, PlanVersion
from notifier.planfiles import read_content, write_folder
from tests.cast import DAY1, DAY5, wall
from tests.web.browser import Browser, Page
from tests.web.cast import Installation

NEEDLING = "/plans/dry-needling"
REVIEW, SAVE, EDIT = (f"{NEEDLING}/{what}" for what in ("review", "save", "edit"))
# Alice's message of the day after, before and with four hours more.
BEFORE, AFTER = "2026-02-04 13:30", "2026-02-04 17:30"


@pytest.fixture
def admin(site: Installation) -> Browser:
    return site.as_admin()


def reviewed(browser: Browser, **changes: str) -> Page:
    """What saving would do, with something typed into the editor."""
    typed: dict[str, Any] = {re.sub(r"^(s\d+)_", r"\1-", name): value for name, value in changes.items()}
    page = browser.post(REVIEW, browser.get(NEEDLING).form(REVIEW) | typed)
    end = time.monotonic() + 20
    while page.all("#effect[hx-post]"):
        assert time.monotonic() < end
        page = browser.post(REVIEW, page.form(SAVE))
    return page


def save(browser: Browser, page: Page, apply: str = "new") -> Page:
    return browser.post(SAVE, page.form(SAVE) | {"apply": apply})


def versions(site: Installation) -> list[PlanVersion]:
    with site.look() as session:
        row = plans.find(session, session.get_one(Clinic, site.clinic.id), "dry-needling")
        query = select(PlanVersion).where(PlanVersion.plan_id == row.id).order_by(PlanVersion.number)
        return list(session.scalars(query))


def message(site: Installation, treatment: int, step: str = DAY1) -> tuple[str, str]:
    with site.look() as session:
        row = session.scalars(
            select(Message).where(Message.treatment_id == treatment, Message.step == step)
        ).one()
        return row.status, wall(row.due_at)


def finished(browser: Browser) -> Page:
    """The plan's page asks for progress until it is done."""
    end = time.monotonic() + 30
    while (page := browser.fragment(f"{NEEDLING}/retiming?of=1")).all(".bar"):
        assert time.monotonic() < end
        time.sleep(0.05)
    return page


def test_the_effect_is_shown_before_anything_is_saved(site: Installation, admin: Browser) -> None:
    site.log()
    page = reviewed(admin, s1_after="26h")
    assert page.words("h1") == ["New version 2"]
    assert page.words(".changes li") == [
        "Day 1: soreness is normal : when: 22 hours after the treatment → 26 hours after the treatment."
    ]
    new, pending = page.words(".choices label")
    assert new == "New treatments only. 6 pending messages of 1 treatment stay as they are."
    assert pending.startswith("Pending messages too. 1 moves (4 h later)")
    row = next(tag for tag in page.all(".effect tbody tr") if "Day 1: soreness is normal" in tag.get_text())
    assert [cell.get_text(strip=True) for cell in row.select("td")] == ["1", "1", "4 h later", "0"]
    assert page.words(".examples li")[0].startswith(
        "Alice Moreau Day 1: soreness is normal Tomorrow 13:30 → Tomorrow 17:30"
    )
    assert "Nothing that was already sent is ever sent again." in page.text
    assert len(versions(site)) == 1


def test_pending_messages_stay_unless_they_are_to_follow(site: Installation, admin: Browser) -> None:
    treatment = site.log()
    page = save(admin, reviewed(admin, s1_after="26h"))
    assert page.toast == "Version 2 is saved. Treatments logged from now on follow it."
    assert "draft" in page.words(".tag")
    assert message(site, treatment) == ("scheduled", BEFORE)


def test_pending_messages_follow_in_the_background_and_the_page_says_when(
    site: Installation, admin: Browser
) -> None:
    treatment = site.log()
    page = save(admin, reviewed(admin, s1_after="26h"), "pending")
    assert page.toast.startswith("Version 2 is saved. Pending messages follow;")
    assert finished(admin).toast == "Done: 1 pending message was changed."
    assert message(site, treatment) == ("scheduled", AFTER)


def test_a_step_that_is_switched_off_stops_what_is_pending_and_comes_back(
    site: Installation, admin: Browser
) -> None:
    treatment = site.log()
    typed = admin.get(NEEDLING).form(REVIEW)
    del typed["s5-on"]
    page = admin.post(REVIEW, typed)
    assert "Day 5: how it works : switched off." in page.words(".changes li")
    save(admin, page, "pending")
    finished(admin)
    assert message(site, treatment, DAY5)[0] == "cancelled"
    save(admin, reviewed(admin, s5_on="1"), "pending")
    admin_done = time.monotonic() + 30
    while message(site, treatment, DAY5)[0] != "scheduled":
        assert time.monotonic() < admin_done
        time.sleep(0.05)


def test_where_nothing_is_pending_there_is_nothing_to_choose(admin: Browser) -> None:
    page = reviewed(admin, s1_after="26h")
    assert page.all(".choices") == []
    assert "No message of this plan is pending" in page.text
    assert admin.submit(SAVE).toast.startswith("Version 2 is saved.")


def test_nothing_changed_is_said_and_saves_nothing(site: Installation, admin: Browser) -> None:
    page = admin.post(REVIEW, admin.get(NEEDLING).form(REVIEW))
    assert "Nothing was changed, so there is nothing to save." in page.words(".notice[role=status]")[0]
    assert len(versions(site)) == 1


def test_an_error_keeps_a_plan_from_being_saved_and_everything_that_was_typed(
    site: Installation, admin: Browser
) -> None:
    page = admin.post(REVIEW, admin.get(NEEDLING).form(REVIEW) | {"s1-after": "40h", "name": "Needles"})
    assert page.status == 422
    typed = page.form(REVIEW)
    assert (typed["s1-after"], typed["name"]) == ("40h", "Needles")
    assert page.words("#say-s1-useful_for")[0].startswith("Error: It can never go out")
    content = json.dumps(versions(site)[0].content).replace('"22h"', '"40h"')
    assert admin.post(SAVE, {"content": content, "base": "1", "apply": "new"}).status == 422
    assert len(versions(site)) == 1


def test_a_double_click_saves_once(site: Installation, admin: Browser) -> None:
    page = reviewed(admin, s1_after="26h")
    save(admin, page)
    again = save(admin, page)
    assert (again.status, again.toast) == (200, "Version 2 is saved already.")
    assert len(versions(site)) == 2


def test_going_back_to_the_editor_keeps_what_was_changed(admin: Browser) -> None:
    page = reviewed(admin, s1_after="26h")
    page = admin.post(EDIT, page.form(EDIT))
    assert page.form(REVIEW)["s1-after"] == "26h"
    assert page.words(".bar-words strong") == ["Changed, not saved yet."]
    page = admin.post(EDIT, page.form(REVIEW) | {"s2-after": "47h"})
    assert (page.form(REVIEW)["s1-after"], page.form(REVIEW)["s2-after"]) == ("26h", "47h")


# Two at once


def test_who_comes_second_is_told_sees_both_and_overwrites_nothing(
    site: Installation, admin: Browser
) -> None:
    mine = admin.get(NEEDLING).form(REVIEW) | {"s1-after": "26h"}
    other = site.as_admin()
    save(other, reviewed(other, s2_after="47h", min_gap="10h"))
    page = admin.post(REVIEW, mine)
    assert (page.status, page.words("h1")) == (409, ["Somebody was quicker"])
    assert "ada@riverside.example saved version 2" in page.words(".notice.warn")[-1]
    theirs, own = page.all(".changes")
    assert "46 hours after the treatment → 47 hours" in theirs.get_text()
    assert "22 hours after the treatment → 26 hours" in own.get_text()
    assert len(versions(site)) == 2
    page = admin.post(f"{NEEDLING}/merge", page.form(f"{NEEDLING}/merge"))
    typed = page.form(REVIEW)
    assert (typed["base"], typed["s1-after"], typed["s2-after"]) == ("2", "26h", "47h")
    save(admin, admin.post(REVIEW, typed))
    steps = versions(site)[-1].content["plan"]["steps"]
    assert [step["after"] for step in steps[1:3]] == ["26h", "47h"]


def test_who_confirms_too_late_is_told_as_well(site: Installation, admin: Browser) -> None:
    page = reviewed(admin, s1_after="26h")
    other = site.as_admin()
    save(other, reviewed(other, s2_after="47h"))
    late = save(admin, page)
    assert (late.status, len(versions(site))) == (409, 2)
    assert late.form(f"{NEEDLING}/merge")["content"] == page.form(SAVE)["content"]


# History


def test_the_history_says_who_changed_what_and_leads_back(site: Installation, admin: Browser) -> None:
    save(admin, reviewed(admin, s1_after="26h"))
    page = admin.get(f"{NEEDLING}/versions")
    assert page.words("article h2") == ["Version 2 current", "Version 1"]
    assert page.words(".changes li") == [
        "Day 1: soreness is normal : when: 22 hours after the treatment → 26 hours after the treatment."
    ]
    assert "by ada@riverside.example" in page.words("article p")[0]
    back = f"{NEEDLING}/versions/1/return"
    page = admin.submit(back)
    assert page.words("h1") == ["New version 3"]
    save(admin, page)
    first, _, third = versions(site)
    assert (third.number, third.digest) == (3, first.digest)
    assert admin.post(f"{NEEDLING}/versions/9/return", {"base": "3"}).status == 404


def test_a_removed_step_comes_back_with_an_old_version_and_its_key_is_not_used_for_another(
    site: Installation, admin: Browser
) -> None:
    page = admin.post(EDIT, admin.get(NEEDLING).form(REVIEW) | {"do": "remove-s5"})
    save(admin, admin.post(REVIEW, page.form(REVIEW)))
    assert len(versions(site)[-1].content["plan"]["steps"]) == 6
    page = admin.post(EDIT, admin.get(NEEDLING).form(REVIEW) | {"do": "add"})
    page = admin.post(REVIEW, page.form(REVIEW) | {"s6-key": DAY5})
    assert page.status == 422
    assert "Was the key of a step before" in page.words("#say-s6-key")[0]
    admin.get(f"{NEEDLING}/versions")
    save(admin, admin.submit(f"{NEEDLING}/versions/1/return"))
    assert len(versions(site)[-1].content["plan"]["steps"]) == 7


def test_a_saved_plan_is_audited_a_draft_and_a_folder_like_any_other(
    site: Installation, admin: Browser, tmp_path: Any
) -> None:
    save(admin, reviewed(admin, s1_after="1d", s1_at="10:00"))
    version = versions(site)[-1]
    write_folder(version.content, tmp_path / "dry-needling")
    assert read_content(tmp_path / "dry-needling") == version.content
    with site.look() as session:
        assert session.get_one(PlanVersion, version.id).approvals == []
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.actor.startswith("ada"))).all()
        assert "plan.saved" in actions


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"key": "dry-needling"}', '{"key": "cupping", "plan": {"steps": []}, "texts": {}}'],
)
def test_what_a_page_carried_along_is_not_trusted(site: Installation, admin: Browser, content: str) -> None:
    for path in (REVIEW, SAVE, f"{NEEDLING}/effect", f"{NEEDLING}/merge"):
        assert admin.post(path, {"content": content, "base": "1"}).status == 422
    assert len(versions(site)) == 1

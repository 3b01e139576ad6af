"""Two people edit one plan at the same time, and both wishes come true."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from notifier.plan_merging import merge
from notifier.planfiles import read_content, shipped_plans

BASE = next(read_content(folder) for folder in shipped_plans() if folder.name == "dry-needling")


def edit(**changes: Any) -> dict[str, Any]:
    content = deepcopy(dict(BASE))
    content["plan"] |= changes
    return content


def with_step(place: int, **changes: Any) -> dict[str, Any]:
    content = edit()
    content["plan"]["steps"][place] |= changes
    return content


def without_step(place: int) -> dict[str, Any]:
    content = edit()
    key = content["plan"]["steps"].pop(place)["key"]
    content["texts"] = {n: t for n, t in content["texts"].items() if not n.startswith(f"{key}.")}
    return content


def keys(content: dict[str, Any]) -> list[str]:
    return [step["key"] for step in content["plan"]["steps"]]


def test_who_changed_nothing_gets_what_the_other_wanted() -> None:
    theirs = with_step(1, after="26h")
    assert merge(BASE, BASE, theirs) == theirs
    assert merge(BASE, theirs, BASE) == theirs
    assert merge(BASE, BASE, BASE) == BASE


def test_different_settings_of_one_step_go_together() -> None:
    merged = merge(BASE, with_step(1, after="26h"), with_step(1, audience="every"))
    step = merged["plan"]["steps"][1]
    assert (step["after"], step["audience"]) == ("26h", "every")


def test_where_both_changed_the_same_mine_holds() -> None:
    merged = merge(BASE, edit(min_gap="6h", max_per_day=2), edit(min_gap="8h", max_per_week=7))
    assert [merged["plan"][name] for name in ("min_gap", "max_per_day", "max_per_week")] == ["6h", 2, 7]


def test_a_setting_that_one_of_them_took_away_is_away() -> None:
    mine = edit()
    del mine["plan"]["steps"][0]["useful_for"]
    assert "useful_for" not in merge(BASE, mine, with_step(0, after="3h"))["plan"]["steps"][0]


def test_timing_and_words_go_together() -> None:
    theirs = edit()
    theirs["texts"]["day3-check-in.en"] = "{% block sms %}New{% endblock %}"
    merged = merge(BASE, with_step(3, after="80h"), theirs)
    assert merged["texts"]["day3-check-in.en"] == "{% block sms %}New{% endblock %}"
    assert merged["plan"]["steps"][3]["after"] == "80h"


def test_a_step_that_one_removed_is_gone_with_its_words_unless_i_changed_it() -> None:
    for merged in (
        merge(BASE, without_step(3), BASE),
        merge(BASE, with_step(1, after="26h"), without_step(3)),
    ):
        assert "day3-check-in" not in keys(merged)
        assert not any(name.startswith("day3-check-in.") for name in merged["texts"])
    assert "day3-check-in" in keys(merge(BASE, with_step(3, after="80h"), without_step(3)))


def test_new_steps_of_both_stand_behind_what_they_stood_behind() -> None:
    mine, theirs = edit(), edit()
    mine["plan"]["steps"].insert(2, {"key": "mine", "after": "30h"})
    theirs["plan"]["steps"].insert(0, {"key": "theirs", "after": "1h"})
    merged = keys(merge(BASE, mine, theirs))
    assert merged[:4] == ["theirs", "day0-what-you-may-feel", "day1-soreness-is-normal", "mine"]
    assert len(merged) == 9


def test_an_order_that_i_changed_holds() -> None:
    mine = edit()
    mine["plan"]["steps"].reverse()
    assert keys(merge(BASE, mine, without_step(3))) == [
        key for key in reversed(keys(dict(BASE))) if key != "day3-check-in"
    ]

"""A plan in the form of the editor: nothing changes but what was changed, and every mistake has its field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier import plan_editing_steps as steps
from notifier.errors import InputError
from notifier.plan_complaints import Checked, check_draft
from notifier.plan_editing import (
    PLAN_FIELDS,
    STEP_FIELDS,
    Draft,
    content_of,
    draft_from,
    draft_of,
    has_starter_words,
)
from notifier.planfiles import Content, define, digest_of, read_content, shipped_plans, write_folder

SHIPPED = {folder.name: read_content(folder) for folder in shipped_plans()}
NEEDLING = SHIPPED["dry-needling"]
EVERY_PLAN = pytest.mark.parametrize("base", SHIPPED.values(), ids=SHIPPED)


def posted(draft: Draft) -> tuple[dict[str, str], list[str]]:
    """As the form sends it."""
    values = dict(draft.plan)
    for step in draft.steps:
        values |= {f"{step.row}-{name}": value for name, value in step.fields.items()}
        values |= {f"{step.row}-{name}": str(getattr(step, name)) for name in ("key", "was", "words_of")}
        values[f"{step.row}-gone"] = "1" if step.gone else ""
    return values, [step.row for step in draft.steps]


def typed(base: Content = NEEDLING, several: Mapping[str, str] | None = None, **one: str) -> Draft:
    """The form of this plan with something else typed into it: s1_after is the second step's after."""
    values, rows = posted(draft_of(base))
    changes = dict(several or {}) | one
    return draft_from(values | {name.replace("_", "-", 1): value for name, value in changes.items()}, rows)


def set_plan(base: Content = NEEDLING, **changes: str) -> Draft:
    values, rows = posted(draft_of(base))
    return draft_from(values | changes, rows)


def table(draft: Draft, place: int, base: Content = NEEDLING) -> dict[str, Any]:
    found: dict[str, Any] = content_of(draft, base)["plan"]["steps"][place]
    return found


def said(checked: Checked) -> dict[str, str]:
    return {complaint.field: complaint.message for complaint in checked.complaints}


@EVERY_PLAN
def test_a_plan_that_was_only_looked_at_is_the_same(base: Content) -> None:
    draft = draft_from(*posted(draft_of(base)))
    assert content_of(draft, base) == base
    assert digest_of(content_of(draft, base)) == digest_of(base)


@EVERY_PLAN
def test_the_shipped_plans_have_nothing_to_complain_about(base: Content) -> None:
    assert check_draft(draft_of(base), base).errors == 0


def test_a_setting_that_is_changed_is_the_only_change() -> None:
    content = content_of(typed(s1_after="26 H"), NEEDLING)
    assert content["plan"]["steps"][1] == NEEDLING["plan"]["steps"][1] | {"after": "26h"}
    content["plan"]["steps"][1]["after"] = "22h"
    assert content == NEEDLING


def test_what_is_emptied_or_set_to_its_default_is_not_written() -> None:
    assert "useful_for" not in table(typed(s1_useful_for=""), 1)
    assert "audience" not in table(typed(s1_audience="every"), 1)
    assert "safety" not in table(typed(s0_safety=""), 0)
    assert "on" not in table(typed(s0_on="1"), 0)


@pytest.mark.parametrize(
    ("name", "value", "raw"),
    [
        ("at", "9:30", "09:30"),
        ("channels", "email, sms", ["email", "sms"]),
        ("detail", "sms", {"sms": "treatment"}),
        ("detail", "treatment", "treatment"),
        ("on", "", False),
        ("safety", "1", True),
        ("audience", "first  and not score>=4", "first and not score>=4"),
    ],
)
def test_settings_are_written_as_a_plan_toml_has_them(name: str, value: str, raw: object) -> None:
    assert table(typed(several={f"s1_{name}": value}), 1)[name] == raw


def test_the_plans_own_settings() -> None:
    content = content_of(
        set_plan(name="Needling", opens="8:00", closes="21:00", min_gap="0m", max_per_day="0", caution="x"),
        NEEDLING,
    )
    plan = content["plan"]
    assert (plan["name"], plan["window"], plan["min_gap"]) == ("Needling", ["08:00", "21:00"], "0m")
    assert (plan["max_per_day"], plan["caution"]) == (0, "x")


def test_a_kind_of_treatment_that_was_never_written_stays_unwritten() -> None:
    base = dict(NEEDLING) | {"plan": {k: v for k, v in NEEDLING["plan"].items() if k != "treatment"}}
    assert "treatment" not in content_of(draft_of(base), base)["plan"]
    assert content_of(set_plan(base, treatment="acupuncture"), base)["plan"]["treatment"] == "acupuncture"


# Complaints


def test_every_mistake_is_told_at_its_field_at_once() -> None:
    draft = typed(
        s0_after="soon", s1_at="10:00", s2_audience="all", s3_channels="fax", s4_answer_within="-1h"
    )
    draft.plan |= {"opens": "21:00", "max_per_day": "many"}
    checked = check_draft(draft, NEEDLING)
    assert {c.field for c in checked.complaints if c.severity == "error"} == {
        *("s0-after", "s1-at", "s2-audience", "s3-channels", "s4-answer_within", "window", "max_per_day"),
    }
    assert said(checked)["s0-after"].startswith('"soon" is not a duration; write it like')
    define(checked.sound)


def test_a_step_that_can_never_leave_is_told_where_it_can_be_mended() -> None:
    checked = check_draft(typed(s1_after="40h"), NEEDLING)
    assert said(checked)["s1-useful_for"].startswith("It can never go out: its first moment")
    assert (checked.errors, checked.of_step("s1", "error")) == (1, 1)


def test_a_warning_is_no_error() -> None:
    checked = check_draft(typed(s1_after="1d", s1_at="07:00"), NEEDLING)
    assert (checked.errors, [c.field for c in checked.complaints]) == (0, ["s1-at"])
    assert checked.warnings == 1


def test_words_that_a_setting_makes_wrong_are_told_at_the_texts() -> None:
    checked = check_draft(typed(s1_ask="score"), NEEDLING)
    assert {c.field for c in checked.complaints} == {"s1-texts"}
    assert any(
        c.message.startswith("Spanish: It asks for a score without its range") for c in checked.complaints
    )


def test_places_are_right_when_steps_before_are_off_or_removed() -> None:
    draft = typed(s0_on="", s3_after="200h")
    steps.remove(draft, "s1")
    assert [c.field for c in check_draft(draft, NEEDLING).complaints] == ["s3-useful_for"]


def test_a_plan_without_any_step_that_is_on_is_no_plan() -> None:
    checked = check_draft(typed(several={f"s{place}_on": "" for place in range(7)}), NEEDLING)
    assert said(checked) == {"steps": "Every step is switched off; leave one on."}


words = st.text(max_size=12) | st.sampled_from(
    ["", "5d", "-1d", "22h", "09:00", "score", "first", "sms", "1"]
)


@settings(max_examples=40)
@given(
    st.dictionaries(st.tuples(st.integers(0, 2), st.sampled_from(list(STEP_FIELDS))), words, max_size=6),
    st.dictionaries(st.sampled_from([*PLAN_FIELDS, "opens", "closes"]), words, max_size=3),
)
def test_whatever_is_typed_is_a_plan_or_is_complained_about(
    of_steps: dict[tuple[int, str], str], of_plan: dict[str, str]
) -> None:
    base = SHIPPED["cupping"]
    draft = typed(base, {f"s{place}_{name}": value for (place, name), value in of_steps.items()})
    draft.plan |= of_plan
    checked = check_draft(draft, base)
    define(checked.sound)
    if not checked.errors:
        assert checked.content == checked.sound
        assert content_of(draft_of(checked.content), checked.content) == checked.content


# Steps


def test_a_new_step_has_words_that_may_go_out_and_that_somebody_has_yet_to_write() -> None:
    draft = draft_of(NEEDLING)
    step = steps.add(draft, ())
    checked = check_draft(draft, NEEDLING)
    assert checked.complaints == ()
    assert (step.row, step.key, checked.content["plan"]["steps"][7]["after"]) == ("s7", "new-message", "1d")
    assert has_starter_words(checked.content, "new-message")
    assert not has_starter_words(checked.content, "day3-check-in")


def test_a_copy_stands_behind_its_original_with_its_words_and_sources() -> None:
    draft = draft_of(NEEDLING)
    made = steps.copy(draft, "s2", ())
    again = steps.copy(draft, made.row, ())
    content = content_of(draft, NEEDLING)
    first, second, third = content["plan"]["steps"][2:5]
    assert (second, third) == (first | {"key": second["key"]}, first | {"key": third["key"]})
    assert (second["key"], third["key"]) == ("day2-soreness-score-copy", "day2-soreness-score-copy-copy")
    texts = content["texts"]
    assert texts[f"{again.key}.es"] == texts["day2-soreness-score.es"]
    assert check_draft(draft, NEEDLING).errors == 0


def test_a_key_is_never_used_again() -> None:
    draft = draft_of(NEEDLING)
    assert steps.add(draft, {"new-message", "new-message-2"}).key == "new-message-3"
    draft.steps[-1].key = "day4-of-old"
    assert said(check_draft(draft, NEEDLING, {"day4-of-old"}))["s7-key"].startswith("Was the key of a step")
    draft.steps[-1].key = "day5-how-it-works"
    assert "s7-key" in said(check_draft(draft, NEEDLING))
    draft.steps[-1].key = "no good"
    assert list(said(check_draft(draft, NEEDLING))) == ["s7-key"]


def test_a_saved_step_keeps_its_key_whatever_is_typed() -> None:
    assert content_of(typed(s1_key="other"), NEEDLING) == NEEDLING


def test_steps_move_among_those_that_stay() -> None:
    draft = draft_of(NEEDLING)
    steps.remove(draft, "s1")
    steps.move(draft, "s2", -1)
    assert [step.row for step in draft.left] == ["s2", "s0", "s3", "s4", "s5", "s6"]
    steps.move(draft, "s2", -1)
    steps.move(draft, "s6", +1)
    assert [step.row for step in draft.left] == ["s2", "s0", "s3", "s4", "s5", "s6"]


def test_a_step_that_is_removed_can_be_kept_after_all_and_takes_its_words_along() -> None:
    draft = draft_of(NEEDLING)
    steps.remove(draft, "s3")
    content = content_of(draft, NEEDLING)
    assert len(content["plan"]["steps"]) == 6
    assert not any(name.startswith("day3-check-in.") for name in content["texts"])
    assert check_draft(draft, NEEDLING).complaints == ()
    steps.keep(draft, "s3")
    assert content_of(draft, NEEDLING) == NEEDLING


def test_the_last_step_cannot_be_removed() -> None:
    draft = draft_of(SHIPPED["cupping"])
    for row in ("s0", "s1"):
        steps.remove(draft, row)
    with pytest.raises(InputError, match="at least one step"):
        steps.remove(draft, "s2")


def test_an_edited_plan_is_a_folder_like_any_other(tmp_path: Path) -> None:
    draft = typed(s1_after="1d", s1_at="10:00", s1_on="", s4_detail="email", s5_channels="sms")
    steps.copy(draft, "s0", ())
    content = check_draft(draft, NEEDLING).content
    write_folder(content, tmp_path / "dry-needling")
    assert read_content(tmp_path / "dry-needling") == content

"""A plan read from its plan.toml: every field, and for every mistake a sentence and the place to mend."""

from __future__ import annotations

import tomllib
from datetime import date, time, timedelta
from typing import Any

import pytest

from notifier.errors import PlanError
from notifier.rules.durations import Duration
from notifier.rules.plan import Pace, Plan, Step, Window, read_plan

EXAMPLE = """
name = "Dry needling aftercare"
name_es = "Cuidados tras la punción seca"
treatment = "dry-needling"
caution = 3
window = ["09:00", "20:00"]
min_gap = "12h"
max_per_day = 1
max_per_week = 5
supersede = "cancel"

[review]
by = ""
on = ""

[[steps]]
key = "day0-what-you-may-feel"
after = "2h"
outside_window = "earlier"
not_before = "15m"
useful_for = "18h"
safety = true

[[steps]]
key = "day2-soreness-score"
after = "2d"
at = "10:00"
useful_for = "60h"
audience = "every"
deliver = "first"
detail = "minimal"
ask = "score"
answer_within = "24h"

[[steps]]
key = "before-next-visit"
anchor = "next_visit"
after = "-1d"
at = "18:00"
useful_for = "-2h"
audience = "next_visit_booked"
"""


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE)


def with_plan(**changes: Any) -> Plan:
    return read_plan("dry-needling", {**example(), **changes})


def with_step(**changes: Any) -> Step:
    """The second step of the example with some fields changed, or left out where None."""
    table = example()
    changed = {**table["steps"][1], **changes}
    table["steps"][1] = {key: value for key, value in changed.items() if value is not None}
    return read_plan("dry-needling", table).steps[1]


def test_the_plan_of_the_design_is_read_field_by_field() -> None:
    plan = read_plan("needling", example())
    assert plan.key == "needling"
    assert plan.name == {"en": "Dry needling aftercare", "es": "Cuidados tras la punción seca"}
    assert (plan.treatment, plan.caution, plan.supersede) == ("dry-needling", 3, "cancel")
    assert plan.window == Window(time(9), time(20))
    assert str(plan.window) == "09:00-20:00"
    assert plan.pace == Pace(timedelta(hours=12), 1, 5)
    assert (plan.reviewed_by, plan.reviewed_on) == ("", None)
    assert [step.key for step in plan.steps] == [
        "day0-what-you-may-feel",
        "day2-soreness-score",
        "before-next-visit",
    ]


def test_the_steps_of_the_design_are_read_field_by_field() -> None:
    first, score, visit = read_plan("needling", example()).steps
    assert (first.after, first.useful_for) == (Duration(2, "h"), Duration(18, "h"))
    assert (first.outside_window, first.not_before, first.safety) == ("earlier", timedelta(minutes=15), True)
    assert (score.after, score.at, score.safety) == (Duration(2, "d"), time(10), False)
    assert (score.ask, score.answer_within) == ("score", timedelta(hours=24))
    assert (visit.anchor, visit.after, visit.at) == ("next_visit", Duration(-1, "d"), time(18))
    assert (visit.useful_for, visit.audience.text) == (Duration(-2, "h"), "next_visit_booked")


def test_what_is_left_out_has_its_documented_default() -> None:
    plan = read_plan("cupping", {"name": "Cupping", "steps": [{"key": "day1", "after": "1d"}]})
    assert (plan.treatment, plan.caution, plan.supersede) == ("cupping", 0, "cancel")
    assert plan.window == Window(time(9), time(20))
    assert plan.pace == Pace(timedelta(hours=12), 1, 5)
    step = plan.steps[0]
    assert (step.anchor, step.at, step.outside_window) == ("treatment_end", None, "later")
    assert (step.not_before, step.useful_for, step.audience.text) == (timedelta(minutes=15), None, "every")
    assert (step.channels, step.deliver, step.safety) == ((), "first", False)
    assert (step.supersede, step.ask, step.answer_within, step.sources) == (None, None, None, ())
    assert (step.detail_on("sms"), step.detail_on("email")) == ("minimal", "minimal")


def test_the_name_in_a_language_without_one_is_the_english() -> None:
    plan = with_plan()
    assert (plan.name_in("es"), plan.name_in("en")) == ("Cuidados tras la punción seca", plan.name["en"])
    assert with_plan(name_es="").name_in("es") == "Dry needling aftercare"


def test_a_step_is_found_by_its_key() -> None:
    plan = with_plan()
    assert plan.step("day2-soreness-score") is plan.steps[1]
    assert plan.step("day3") is None


def test_a_free_pace_has_neither_gap_nor_caps() -> None:
    assert with_plan(min_gap="0m", max_per_day=0, max_per_week=0).pace.is_free
    assert not with_plan(min_gap="0m", max_per_day=0, max_per_week=1).pace.is_free
    assert not with_plan(min_gap="1m", max_per_day=0, max_per_week=0).pace.is_free


@pytest.mark.parametrize(
    ("plan_says", "step_says", "survives"),
    [("cancel", None, False), ("cancel", "keep", True), ("keep", None, True), ("keep", "cancel", False)],
)
def test_a_step_may_keep_what_its_plan_cancels(plan_says: str, step_says: str | None, survives: bool) -> None:
    plan = with_plan(supersede=plan_says)
    assert plan.survives_newer_treatment(with_step(supersede=step_says)) is survives


@pytest.mark.parametrize(
    ("changes", "opens"),
    [
        ({"after": "2h", "at": None}, True),
        ({"after": "719m", "at": None}, True),  # 11 h 59 min
        ({"after": "12h", "at": None}, False),
        ({"after": "0d", "at": "18:00"}, True),
        ({"after": "1d"}, False),
        ({"after": "-2h", "at": None, "anchor": "next_visit", "useful_for": None}, False),
    ],
)
def test_a_step_within_twelve_hours_of_the_treatment_is_of_the_first_day(
    changes: dict[str, Any], opens: bool
) -> None:
    assert with_step(**changes).opens_the_aftercare is opens


def test_detail_may_be_given_for_all_channels_or_for_one() -> None:
    both = with_step(detail="treatment")
    assert (both.detail_on("sms"), both.detail_on("email")) == ("treatment", "treatment")
    one = with_step(detail={"email": "treatment", "sms": "minimal"})
    assert (one.detail_on("sms"), one.detail_on("email")) == ("minimal", "treatment")


@pytest.mark.parametrize(
    "on", ["2026-03-07", date(2026, 3, 7), tomllib.loads("on = 2026-03-07T12:00:00")["on"]]
)
def test_a_review_has_a_name_and_a_day(on: Any) -> None:
    plan = with_plan(review={"by": " Dr Vega ", "on": on})
    assert plan.reviewed_by == "Dr Vega"
    assert plan.reviewed_on is not None
    assert repr(plan.reviewed_on) == "datetime.date(2026, 3, 7)"


def test_channels_and_sources_are_kept_in_order() -> None:
    step = with_step(channels=["email", "sms"], sources=["USER", "HDC17"])
    assert (step.channels, step.sources) == (("email", "sms"), ("USER", "HDC17"))


NOT_TWO_TIMES = 'window: needs two times such as ["09:00", "20:00"].'
PLAN_ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"name": None}, "name", "name: is missing; write the plan's name as staff know it."),
    ({"name": ""}, "name", "name: is missing; write the plan's name as staff know it."),
    ({"name": 5}, "name", "name: 5 is not a name."),
    ({"name_es": ["x"]}, "name_es", "name_es: ['x'] is not a name."),
    ({"name_fr": "Soins"}, "name_fr", "name_fr: is not a setting of plans."),
    ({"treatment": 1}, "treatment", "treatment: 1 is not a name such as dry-needling."),
    ({"caution": "high"}, "caution", "caution: 'high' is not a whole number."),
    ({"caution": True}, "caution", "caution: True is not a whole number."),
    ({"caution": -1}, "caution", "caution: may not be negative; 0 means no limit."),
    (
        {"window": "09:00-20:00"},
        "window",
        'window: \'09:00-20:00\' is not two times such as ["09:00", "20:00"].',
    ),
    ({"window": ["09:00"]}, "window", NOT_TWO_TIMES),
    ({"window": ["09:00", "12:00", "20:00"]}, "window", NOT_TWO_TIMES),
    (
        {"window": ["9:00", "20:00"]},
        "window",
        "window: '9:00' is not a time of day; write it like \"09:00\".",
    ),
    (
        {"window": ["09:00", "24:00"]},
        "window",
        "window: '24:00' is not a time of day; write it like \"09:00\".",
    ),
    # Python's own reader of times would take these, the second with a zone.
    (
        {"window": ["T0900", "20:00"]},
        "window",
        "window: 'T0900' is not a time of day; write it like \"09:00\".",
    ),
    (
        {"window": ["0900Z", "20:00"]},
        "window",
        "window: '0900Z' is not a time of day; write it like \"09:00\".",
    ),
    ({"window": [9, 20]}, "window", 'window: 9 is not a time of day; write it like "09:00".'),
    ({"window": ["20:00", "09:00"]}, "window", "window: has to open before it closes, on the same day."),
    ({"window": ["09:00", "09:00"]}, "window", "window: has to open before it closes, on the same day."),
    ({"min_gap": 12}, "min_gap", 'min_gap: 12 is not a duration such as "22h".'),
    ({"min_gap": "-1h"}, "min_gap", "min_gap: may not be negative."),
    (
        {"min_gap": "half"},
        "min_gap",
        'min_gap: "half" is not a duration; write it like "15m", "22h", "5d", "1w" or "-1d".',
    ),
    ({"max_per_day": 1.5}, "max_per_day", "max_per_day: 1.5 is not a whole number."),
    ({"max_per_week": -5}, "max_per_week", "max_per_week: may not be negative; 0 means no limit."),
    ({"supersede": "drop"}, "supersede", "supersede: 'drop' is not one of cancel, keep."),
    ({"review": "yes"}, "review", "review: 'yes' is not a table [review]."),
    ({"review": {"by": 1}}, "by", "review: by: 1 is not a name."),
    (
        {"review": {"by": "Dr Vega"}},
        "by",
        "review: by: a review needs both the name of the clinician and the day.",
    ),
    (
        {"review": {"on": "2026-03-07"}},
        "by",
        "review: by: a review needs both the name of the clinician and the day.",
    ),
    (
        {"review": {"by": "Dr Vega", "on": "7 March"}},
        "on",
        "review: on: '7 March' is not a date; write it like \"2026-03-07\".",
    ),
    ({"review": {"who": "me"}}, "who", "review: who: is not a setting of plans."),
    ({"steps": []}, "steps", "steps: a plan needs at least one [[steps]]."),
    ({"steps": "none"}, "steps", "steps: 'none' is not a list of [[steps]]."),
    ({"steps": ["day0"]}, "steps", "steps: 'day0' is not a step; write each as [[steps]]."),
    ({"color": "blue"}, "color", "color: is not a setting of plans."),
]


@pytest.mark.parametrize(("changes", "key", "sentence"), PLAN_ERRORS)
def test_a_mistake_in_a_plan_is_a_sentence_and_a_place(
    changes: dict[str, Any], key: str, sentence: str
) -> None:
    with pytest.raises(PlanError) as refused:
        with_plan(**changes)
    assert str(refused.value) == sentence
    assert refused.value.place == (None, key)


def test_a_plan_without_steps_is_refused() -> None:
    with pytest.raises(PlanError, match="needs at least one"):
        read_plan("empty", {"name": "Empty"})


GRAMMAR = 'is not a duration; write it like "15m", "22h", "5d", "1w" or "-1d".'
STEP_ERRORS: list[tuple[dict[str, Any], str, str]] = [
    ({"after": None}, "after", 'is missing; say how long after the anchor, such as "22h" or "5d".'),
    ({"after": 2}, "after", '2 is not a duration such as "22h".'),
    ({"after": "2 days"}, "after", f'"2 days" {GRAMMAR}'),
    ({"after": "-1d"}, "after", "may be negative only with anchor next_visit."),
    ({"anchor": "visit"}, "anchor", "'visit' is not one of treatment_end, next_visit."),
    ({"at": 10}, "at", '10 is not a time of day such as "09:00".'),
    ({"at": "10am"}, "at", "'10am' is not a time of day; write it like \"09:00\"."),
    ({"at": "10:60"}, "at", "'10:60' is not a time of day; write it like \"09:00\"."),
    ({"at": "09+01"}, "at", "'09+01' is not a time of day; write it like \"09:00\"."),
    ({"after": "48h"}, "at", 'a time of day goes with days: write after in "d" or "w", not "48h".'),
    ({"not_before": "-15m"}, "not_before", "may not be negative."),
    ({"not_before": "soon"}, "not_before", f'"soon" {GRAMMAR}'),
    ({"outside_window": "never"}, "outside_window", "'never' is not one of later, earlier."),
    ({"useful_for": "long"}, "useful_for", f'"long" {GRAMMAR}'),
    ({"useful_for": "-1h"}, "useful_for", "may be negative only with anchor next_visit."),
    ({"audience": ["first"]}, "audience", "['first'] is not an audience such as \"first\"."),
    ({"audience": "first or"}, "audience", '"first or": something is missing beside "or".'),
    ({"channels": "sms"}, "channels", '\'sms\' is not a list such as ["sms", "email"].'),
    ({"channels": ["fax"]}, "channels", "'fax' is not one of sms, email."),
    ({"channels": ["sms", "sms"]}, "channels", "names a channel twice."),
    ({"deliver": "all"}, "deliver", "'all' is not one of first, each."),
    ({"safety": 1}, "safety", "1 is not true or false."),
    ({"safety": "yes"}, "safety", "'yes' is not true or false."),
    ({"supersede": "drop"}, "supersede", "'drop' is not one of cancel, keep."),
    ({"ask": "mood"}, "ask", "'mood' is not one of score."),
    ({"ask": None}, "answer_within", 'goes with ask = "score".'),
    ({"answer_within": "-24h"}, "answer_within", '"-24h" leaves no time to answer; write it like "24h".'),
    ({"answer_within": "0h"}, "answer_within", '"0h" leaves no time to answer; write it like "24h".'),
    ({"answer_within": 24}, "answer_within", '24 is not a duration such as "22h".'),
    ({"detail": "full"}, "detail", 'write "minimal" or "treatment", or { email = "treatment" }.'),
    ({"detail": {"fax": "minimal"}}, "detail", 'write "minimal" or "treatment", or { email = "treatment" }.'),
    ({"detail": 1}, "detail", '1 is not "minimal" or "treatment".'),
    ({"sources": "USER"}, "sources", "'USER' is not a list of source ids."),
    ({"sources": ["USER", 7]}, "sources", "7 is not a source id."),
    ({"untill": "5d"}, "untill", "is not a setting of plans."),
]


@pytest.mark.parametrize(("changes", "key", "sentence"), STEP_ERRORS)
def test_a_mistake_in_a_step_is_a_sentence_that_names_the_step(
    changes: dict[str, Any], key: str, sentence: str
) -> None:
    with pytest.raises(PlanError) as refused:
        with_step(**changes)
    assert str(refused.value) == f"day2-soreness-score: {key}: {sentence}"
    assert refused.value.place == (1, key)


@pytest.mark.parametrize("key", [None, "", "day 2", "day2_score", "día-2", "-day2", "day2-", "day2--score"])
def test_a_step_needs_a_key_that_can_be_a_file_name(key: str | None) -> None:
    with pytest.raises(PlanError) as refused:
        with_step(key=key)
    assert str(refused.value) == (
        f"{key or 'step 2'}: key: needs a name of letters, digits and hyphens, such as day1-soreness."
    )
    assert refused.value.place == (1, "key")


def test_two_steps_of_a_plan_may_not_share_a_key() -> None:
    with pytest.raises(PlanError) as refused:
        with_step(key="day0-what-you-may-feel")
    assert str(refused.value) == "day0-what-you-may-feel: key: is used by an earlier step of this plan."
    assert refused.value.place == (1, "key")

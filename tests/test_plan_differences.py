"""The differences between two contents of a plan, as the version history tells them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from notifier.plan_differences import compare, word_segments
from notifier.planfiles import read_content, shipped_plans

Content = dict[str, Any]
DAY1 = "day1-soreness-is-normal"


@pytest.fixture
def old() -> Content:
    folder = next(folder for folder in shipped_plans() if folder.name == "dry-needling")
    return dict(read_content(folder))


def changed(old: Content, change: Callable[[Content], object]) -> list[tuple[str, str]]:
    new = deepcopy(old)
    change(new)
    return [(difference.subject, difference.what) for difference in compare(old, new)]


def step(content: Content, key: str = DAY1) -> dict[str, Any]:
    return next(table for table in content["plan"]["steps"] if table["key"] == key)


def put(path: str, value: object) -> Callable[[Content], object]:
    where, _, name = path.rpartition(".")
    return lambda content: (step(content) if where else content["plan"]).update({name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            put("step.after", "24h"),
            (DAY1, "when: 22 hours after the treatment → 24 hours after the treatment."),
        ),
        (
            put("step.not_before", "1h"),
            (DAY1, "not before: 15 minutes after logging → 60 minutes after logging."),
        ),
        (
            put("step.outside_window", "earlier"),
            (DAY1, "outside the window: the next opening → the last close."),
        ),
        (
            put("step.useful_for", "2d"),
            (DAY1, "useful: until 36 hours after the treatment → until 2 days after the treatment."),
        ),
        (put("step.audience", "every"), (DAY1, "for: not received in 90 days → every patient.")),
        (put("step.channels", ["email"]), (DAY1, "by: as the patient prefers → e-mail.")),
        (put("step.safety", True), (DAY1, "safety message: no → yes.")),
        (
            put("step.supersede", "keep"),
            (DAY1, "when a newer treatment comes: as the plan says → what is pending is kept."),
        ),
        (put("step.ask", "score"), (DAY1, "asks for a score: no → yes.")),
        (put("step.detail", {"email": "treatment"}), (DAY1, "names the treatment: no → in the e-mail.")),
        (
            put("step.sources", ["USER"]),
            (DAY1, "sources: USER, DICIOLLA21, FOCUS, ANIMS, PALMS, SALOM17, WANG21, NYT15 → USER."),
        ),
        (put("step.on", False), (DAY1, "switched off.")),
        (put("name", "Needles"), ("plan", "name: Dry needling aftercare → Needles.")),
        (put("window", ["08:00", "20:00"]), ("plan", "sending window: 09:00-20:00 → 08:00-20:00.")),
        (
            put("max_per_day", 2),
            (
                "plan",
                (
                    "pace: at least 12 hours apart, at most 1 a day, at most 5 a week → "
                    "at least 12 hours apart, at most 2 a day, at most 5 a week."
                ),
            ),
        ),
        (
            put("supersede", "keep"),
            ("plan", "when a newer treatment comes: what is pending is cancelled → what is pending is kept."),
        ),
    ],
    ids=lambda value: value[1].partition(":")[0] if isinstance(value, tuple) else "",
)
def test_each_setting_is_told_in_words(
    old: Content, change: Callable[[Content], object], said: tuple[str, str]
) -> None:
    assert changed(old, change) == [said]


def test_who_reviewed_it_is_no_difference(old: Content) -> None:
    assert changed(old, put("review", {"by": "Dr Ruiz", "on": "2026-03-01"})) == []


def test_new_removed_and_reordered_steps(old: Content) -> None:
    def change(content: Content) -> None:
        steps = content["plan"]["steps"]
        steps[:] = [steps[1], steps[0], *steps[3:], {"key": "day9-ask", "after": "9d", "audience": "every"}]
        content["texts"]["day9-ask.en"] = "{% block sms %}How are you?{% endblock %}"

    first, new, text, gone = changed(old, change)
    assert first[1].startswith(f"the steps come in another order: {DAY1}, day0-what-you-may-feel, ")
    assert new == ("day9-ask", "new: 9 days after the treatment, for every patient.")
    assert text == ("day9-ask", "the SMS text (English) is new.")
    assert gone == ("day2-soreness-score", "removed.")


def test_words_are_compared_word_by_word(old: Content) -> None:
    new = deepcopy(old)
    new["texts"][f"{DAY1}.en"] = old["texts"][f"{DAY1}.en"].replace(
        "{% block sms %}", "{% block sms %}Hello! "
    )
    (difference,) = compare(old, new)
    assert (difference.subject, difference.what) == (DAY1, "the SMS text (English) changed.")
    text = difference.text
    assert text is not None
    assert (text.step, text.language, text.part) == (DAY1, "en", "sms")
    assert [segment.text.strip() for segment in text.segments if segment.kind == "added"] == ["Hello!"]
    assert "".join(it.text for it in text.segments if it.kind != "added") == text.old
    assert "".join(it.text for it in text.segments if it.kind != "removed") == text.new


def test_a_language_that_is_gone_is_told(old: Content) -> None:
    def change(content: Content) -> None:
        del content["texts"][f"{DAY1}.es"]

    assert (DAY1, "the SMS text (Spanish) was removed.") in changed(old, change)


def test_nothing_changed_is_no_difference(old: Content) -> None:
    assert compare(old, deepcopy(old)) == []


def test_segments_keep_white_space() -> None:
    assert [(it.kind, it.text) for it in word_segments("a b  c", "a x  c")] == [
        ("same", "a "),
        ("removed", "b"),
        ("added", "x"),
        ("same", "  c"),
    ]

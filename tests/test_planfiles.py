"""Plans as folders: read, written, read again; and the line of every mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.errors import NotFoundError, PlanError
from notifier.planfiles import (
    Content,
    define,
    digest_of,
    find_folder,
    line_of,
    read_content,
    read_folder,
    shipped_plans,
    write_folder,
)

PLAN = """# Written by hand
name = "Taping aftercare"
name_es = "Cuidados tras el vendaje"
window = ["09:00", "20:00"]

[review]
by = "Dr Ana Ruiz, PT"
on = 2026-03-07

[[steps]]
key = "day0"
after = "2h"
detail = { email = "treatment" }

[[ steps ]]
key = "day1"
after = "1d"
at = "10:00"
audience = "first and not score>=4"
safety = true
"""
TEXT = "{% block sms %}¿Qué tal? “Bien” 😀{% endblock %}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "taping"
    path.mkdir()
    (path / "plan.toml").write_text(PLAN, "utf-8")
    (path / "day0.en.j2").write_text(TEXT, "utf-8")
    return path


def copy(content: Content, tmp_path: Path) -> Content:
    write_folder(content, tmp_path / "copy" / content["key"])
    return read_content(tmp_path / "copy" / content["key"])


def test_a_folder_is_read_into_a_plan_and_its_texts(folder: Path) -> None:
    definition = read_folder(folder)
    assert [step.key for step in definition.plan.steps] == ["day0", "day1"]
    assert (definition.plan.key, definition.plan.treatment) == ("taping", "taping")
    assert (definition.plan.reviewed_by, definition.plan.reviewed_on) == (
        "Dr Ana Ruiz, PT",
        date(2026, 3, 7),
    )
    assert definition.texts.keys() == {("day0", "en")}


def test_a_language_without_words_reads_the_english_ones(folder: Path) -> None:
    definition = read_folder(folder)
    step = definition.plan.steps[0]
    assert definition.text("day0", "es") is definition.text("day0", "en")
    assert definition.speaks(step, "sms", "es")
    assert not definition.speaks(step, "email", "es")
    assert definition.text("day1", "en") is None


def test_what_is_written_reads_the_same(folder: Path, tmp_path: Path) -> None:
    content = read_content(folder)
    assert copy(content, tmp_path) == content
    assert define(copy(content, tmp_path)) == define(content)


@pytest.mark.parametrize("shipped", shipped_plans(), ids=lambda path: path.name)
def test_a_shipped_plan_survives_being_written_and_read(shipped: Path, tmp_path: Path) -> None:
    content = read_content(shipped)
    written = copy(content, tmp_path)
    assert written == content
    assert digest_of(written) == digest_of(content)


keys = st.sampled_from(["name", "after", "max_per_day", "useful_for", "x"])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    words | st.integers(-(2**62), 2**62) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)
tables = st.dictionaries(keys, values)


@settings(max_examples=60, deadline=None)
@given(
    plan=tables,
    review=tables,
    steps=st.lists(tables, min_size=1, max_size=3),
    text=st.text(alphabet='aé¿😀\n"\\{} ', max_size=50),
)
def test_anything_that_toml_can_say_survives(
    tmp_path_factory: pytest.TempPathFactory,
    plan: dict[str, Any],
    review: dict[str, Any],
    steps: list[dict[str, Any]],
    text: str,
) -> None:
    content = {"key": "any", "plan": plan | {"review": review, "steps": steps}, "texts": {"day0.en": text}}
    assert copy(content, tmp_path_factory.mktemp("any")) == content


def test_the_digest_is_about_what_is_said_and_not_about_who_reviewed_it(folder: Path) -> None:
    content = read_content(folder)
    unreviewed = {**content, "plan": {k: v for k, v in content["plan"].items() if k != "review"}}
    renamed = {**content, "plan": {**content["plan"], "name": "Tape"}}
    reworded = {**content, "texts": {"day0.en": TEXT.upper()}}
    assert digest_of(unreviewed) == digest_of(content)
    assert len({digest_of(content), digest_of(renamed), digest_of(reworded)}) == 3


def test_the_same_words_with_another_reviewer_are_not_taken_for_the_old_ones(folder: Path) -> None:
    content = read_content(folder)
    review = {"by": "Dr Ben Cho", "on": "2026-04-01"}
    again = define({**content, "plan": {**content["plan"], "review": review}})
    assert (define(content).plan.reviewed_by, again.plan.reviewed_by) == ("Dr Ana Ruiz, PT", "Dr Ben Cho")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('name = "Taping aftercare"', "name = Taping", 2, "not valid TOML"),
        ('window = ["09:00"', 'window = ["9"', 4, "window: '9' is not a time of day"),
        ("on = 2026-03-07", 'on = "soon"', 8, "'soon' is not a date"),
        ('by = "Dr Ana Ruiz, PT"', 'by = ""', 7, "needs both the name of the clinician and the day"),
        ('after = "2h"', 'after = "2 h"', 12, 'day0: after: "2 h" is not a duration'),
        ('after = "1d"', 'after = "1h"', 18, "day1: at: a time of day goes with days"),
        ('key = "day1"', 'key = "day0"', 16, "is used by an earlier step"),
        ("safety = true", "safty = true", 20, "day1: safty: is not a setting of plans"),
        ('after = "2h"\n', "", 10, "day0: after: is missing"),
        ('{ email = "treatment" }', '{ fax = "treatment" }', 13, "detail"),
    ],
)
def test_a_mistake_is_told_with_its_line(folder: Path, old: str, new: str, line: int, words: str) -> None:
    file = folder / "plan.toml"
    assert old in PLAN
    file.write_text(PLAN.replace(old, new), "utf-8")
    with pytest.raises(PlanError) as refused:
        read_folder(folder)
    assert (refused.value.file, refused.value.line) == (file, line)
    assert words in refused.value.plain
    assert str(refused.value) == f"{file}:{line}: {refused.value.plain}"


def test_a_mistake_in_a_text_is_told_with_its_file_and_line(folder: Path) -> None:
    file = folder / "day0.en.j2"
    file.write_text("{% block sms %}\nHi\n{{ patient.nmae }}{% endblock %}", "utf-8")
    with pytest.raises(PlanError) as refused:
        read_folder(folder)
    assert (refused.value.file, refused.value.line) == (str(file), 3)


def test_a_file_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "day0.en.j2").write_bytes(b"{% block sms %}\xff{% endblock %}")
    with pytest.raises(PlanError, match=r"day0\.en\.j2: The file cannot be read as UTF-8 text"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("step", "key", "line"),
    [
        (None, "name", 2),
        (None, "by", 7),
        (0, "key", 11),
        (1, "key", 16),
        (1, "detail", 15),
        (None, "detail", None),
    ],
)
def test_a_key_is_looked_for_in_its_own_table_only(step: int | None, key: str, line: int | None) -> None:
    assert line_of(PLAN, step, key) == line


def test_a_plan_is_found_by_its_folder_or_by_a_shipped_key(folder: Path) -> None:
    assert find_folder(str(folder)) == folder
    assert find_folder("cupping").name == "cupping"
    with pytest.raises(NotFoundError, match="cupping, dry-needling, shockwave, sports-massage"):
        find_folder("taping")


def test_a_step_that_is_switched_off_is_kept_but_not_in_use(folder: Path, tmp_path: Path) -> None:
    (folder / "plan.toml").write_text(PLAN + "on = false\n", "utf-8")
    plan = read_folder(folder).plan
    assert ([step.key for step in plan.steps], [step.key for step in plan.off]) == (["day0"], ["day1"])
    assert plan.step("day1") is None
    assert copy(read_content(folder), tmp_path) == read_content(folder)


def test_a_plan_whose_steps_are_all_off_is_none(folder: Path) -> None:
    off = PLAN.replace('after = "2h"', 'after = "2h"\non = false') + "on = false\n"
    (folder / "plan.toml").write_text(off, "utf-8")
    with pytest.raises(PlanError, match="steps: every step is switched off; leave one on"):
        read_folder(folder)

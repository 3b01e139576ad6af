"""Questions and answers beside the plans: the same in both languages, with sources that the plan names."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifier import plan_questions
from notifier.planfiles import read_folder, shipped_plans
from notifier.rules.plan import LANGUAGES

WITH_QUESTIONS = [folder for folder in shipped_plans() if list(folder.glob("questions.*.toml"))]
# What a page may not say until its reader asks for it.
NAMES = ("needl", "acupunct", "punción", "aguja", "acupunt")


@pytest.mark.parametrize("folder", WITH_QUESTIONS, ids=lambda folder: folder.name)
def test_every_answer_stands_in_both_languages_with_its_sources(folder: Path) -> None:
    known = {source for step in read_folder(folder).plan.steps for source in step.sources}
    english, spanish = (plan_questions.of_plan(folder.name, language) for language in LANGUAGES)
    told = [(each.sources, each.names_treatment) for each in english]
    assert told == [(each.sources, each.names_treatment) for each in spanish]
    for each in (*english, *spanish):
        assert each.sources
        assert set(each.sources) <= known
        said = f"{each.ask} {each.answer}".lower()
        assert each.names_treatment or not any(name in said for name in NAMES), said


def test_a_plan_without_questions_has_none_and_no_other_folder_is_read() -> None:
    assert plan_questions.of_plan("no-such-plan", "en") == ()
    assert plan_questions.of_plan("../email", "en") == ()
    assert plan_questions.of_plan("dry-needling", "fr") == plan_questions.of_plan("dry-needling", "en") != ()

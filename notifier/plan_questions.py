"""Questions that patients ask about a kind of treatment, with answers: shipped beside the plan, with sources.

They are drafts, as the plan's texts are, until a clinician has read them; `[review]` says who did.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from notifier.resources import templates_dir
from notifier.rules.plan import LANGUAGES


@dataclass(frozen=True, slots=True)
class Question:
    """`names_treatment`: the words say what was done, so they are for a reader who asks for that."""

    ask: str
    answer: str
    sources: tuple[str, ...]
    names_treatment: bool = False


@cache
def of_plan(key: str, language: str) -> tuple[Question, ...]:
    """In this language, else in English; none where the plan has none."""
    folder = templates_dir() / "plans" / key
    tags = (language[:2], LANGUAGES[0])
    files = [folder / f"questions.{tag}.toml" for tag in tags]
    found = next((file for file in files if file.is_file()), None)
    if found is None or folder.parent.name != "plans":
        return ()
    tables = tomllib.loads(found.read_text("utf-8"))
    return tuple(
        Question(
            each["ask"],
            " ".join(each["answer"].split()),
            tuple(each["sources"]),
            each.get("names_treatment", False),
        )
        for each in tables["questions"]
    )

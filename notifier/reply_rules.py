"""The word lists that a clinic's replies are read by: those that come with the program, and its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from notifier.errors import InputError
from notifier.models import Clinic
from notifier.rules.plan import LANGUAGES
from notifier.rules.triage_lexicon import Extra, Rules, shipped
from notifier.rules.triage_patterns import Words, parse

# A clinic's own phrases name none.
_NO_LISTS = Words({}, {})
LISTS = ("emergency", "urgent", "crisis", "opt_out")


def make_ready() -> None:
    """Read the lists that come with the program: a third of a second, once, and better before a transaction
    begins that others wait for.
    """
    shipped()


def for_clinic(clinic: Clinic) -> Rules:
    """Both languages together, because patients write in either."""
    return shipped(Extra(**{name: tuple(_lines(clinic.reply_words.get(name, {}))) for name in LISTS}))


def _lines(by_language: dict[str, Any]) -> Iterator[str]:
    """What was kept before and cannot be read any more must not keep a warning from being found."""
    for language in LANGUAGES:
        for line in by_language.get(language, []):
            try:
                parse(line, _NO_LISTS)
            except InputError:
                continue
            yield line

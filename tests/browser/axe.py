"""What axe-core finds on a page, of the rules of WCAG 2.0, 2.1 and 2.2 at levels A and AA."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import MODULES

LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
OPTIONS = {
    "runOnly": {"type": "tag", "values": LEVELS},
    # Off unless asked for, though it is of level AA.
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
    # Mails are shown in frames that may run no script, so it cannot look into them.
    "iframes": False,
}


def axe(page: Page) -> None:
    """Fails with every violation, the element it is in and what would mend it."""
    if found := violations(page):
        pytest.fail(f"{page.url} is not accessible:\n" + "\n".join(found), pytrace=False)


# What a page in other colours or at another size may break; the rest is in the words, the same everywhere.
OF_THE_LOOK = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")


def violations(page: Page, *only: str) -> list[str]:
    """By all rules, or by these."""
    # The debugger puts it in, past the content policy of the page, which stays as it is for people.
    page.evaluate(_source())
    options = OPTIONS | ({"runOnly": {"type": "rule", "values": only}} if only else {})
    result: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [_in_words(rule, node) for rule in result["violations"] for node in rule["nodes"]]


@cache
def _source() -> str:
    return (MODULES / "axe-core" / "axe.min.js").read_text("utf-8")


def _in_words(rule: dict[str, Any], node: dict[str, Any]) -> str:
    mend = node["failureSummary"].replace("\n", "\n    ")
    return f"{rule['id']} ({rule['impact']}): {rule['help']}\n  {node['html'][:300]}\n    {mend}"

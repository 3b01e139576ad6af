"""Workers that are killed, at providers that fail a third of their calls: the short run of `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.verdict import Taken, judge
from tests.chaos.world import Terms, killing, world
from tests.worker_cast import until


def test_killed_workers_and_failing_providers_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    with world(tmp_path, f"sqlite:///{tmp_path / 'notifier.db'}", Terms(60, 0.33)) as made:
        with killing(made, 2, 1.5):
            until(lambda: made.kills >= 2)
        until(lambda: made.open_rows() == 0, seconds=120, pause=0.1)
        made.stop()
        assert made.twilio.messages
        verdict = made.verdict()
    assert verdict.messages == 60
    assert verdict.is_clean, verdict


@pytest.mark.parametrize(
    ("status", "there", "told"),
    [
        ("sent", ["a"], ""),
        ("accepted", ["a"], ""),
        ("sent", ["a", "a"], ""),  # a mail that came again under its own name
        ("sent", ["a", "b"], "doubled"),
        ("sent", [], "lied"),
        ("failed", ["a"], "lied"),
        ("failed", [], "lost"),
        ("skipped", [], "lost"),
        ("unknown", [], "stuck"),
        ("scheduled", [], "stuck"),
    ],
)
def test_the_verdict(status: str, there: list[str], told: str) -> None:
    row = {"id": 7, "to": "+1", "status": status, "attempts": [{"words": "Hello"}]}
    found = judge([row], [Taken("+1", "Hello", name) for name in there])
    wrong = {name: getattr(found, name) for name in ("lost", "doubled", "lied", "stuck")}
    assert {name: numbers for name, numbers in wrong.items() if numbers} == ({told: [7]} if told else {})

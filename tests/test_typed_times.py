from __future__ import annotations

import pytest

from notifier.errors import InputError
from notifier.models import Clinic
from notifier.typed_times import moment
from tests.cast import NEW_YORK, at, wall

NOW = at("2026-02-03 15:40")
CLINIC = Clinic(timezone=NEW_YORK, country="US")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("15:10", "2026-02-03 15:10"),
        ("3.10 pm", "2026-02-03 15:10"),
        (" 2026-02-02 17:30 ", "2026-02-02 17:30"),
        ("2/2/2026 5:30 PM", "2026-02-02 17:30"),  # month first, as in the United States
        ("2026-02-02T17:30", "2026-02-02 17:30"),  # as a browser's own field sends it
        ("-30", "2026-02-03 15:10"),
        ("− 45 min", "2026-02-03 14:55"),
    ],
)
def test_a_moment_is_read_on_the_clinics_clock(typed: str, meant: str) -> None:
    assert wall(moment(typed, CLINIC, NOW)) == meant


@pytest.mark.parametrize("typed", ["soon", "25:10", "-", "30"])
def test_what_is_no_moment_is_refused_in_words(typed: str) -> None:
    with pytest.raises(InputError, match=r"write it like|no clock shows"):
        moment(typed, CLINIC, NOW)

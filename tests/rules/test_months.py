"""A month of a calendar."""

from __future__ import annotations

from datetime import date

import pytest

from notifier.errors import InputError
from notifier.rules import months
from notifier.rules.months import Month


def test_a_month_knows_its_days_and_its_neighbours() -> None:
    assert (Month(2024, 2).first, Month(2024, 2).last) == (date(2024, 2, 1), date(2024, 2, 29))
    assert (Month(2025, 12).next, Month(2026, 1).previous) == (Month(2026, 1), Month(2025, 12))
    assert months.of(date(2026, 2, 28)) == Month(2026, 2)


def test_it_is_written_and_read_alike() -> None:
    assert months.parse(str(Month(2026, 2))) == Month(2026, 2)
    assert (Month(2026, 2).name(), Month(2026, 2).name("es")) == ("February 2026", "febrero de 2026")


@pytest.mark.parametrize("text", ["2026-13", "2026-2", "1999-01", "", "2026-02-01", "2026/02"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a month"):
        months.parse(text)

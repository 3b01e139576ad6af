"""Files for spreadsheets: no cell is a formula, accents survive, long ones come in pieces."""

from __future__ import annotations

import csv
import io

import pytest

from notifier import spreadsheet
from notifier.rules.zones import zone
from tests.cast import NEW_YORK, at


@pytest.mark.parametrize(
    "text", ["=1+1", "+1 212 555 0101", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x"]
)
def test_a_cell_that_would_be_computed_is_text(text: str) -> None:
    assert spreadsheet.cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "written"), [("a=b", "a=b"), (-3, "-3"), (None, ""), ("", ""), (0, "0")])
def test_other_cells_stay_as_they_are(value: object, written: str) -> None:
    assert spreadsheet.cell(value) == written


def test_moments_are_on_the_clinics_clock_and_mean_one_instant() -> None:
    assert spreadsheet.moment(at("2026-07-01 09:00"), zone(NEW_YORK)) == "2026-07-01 09:00:00-04:00"
    assert spreadsheet.moment(None, zone(NEW_YORK)) == ""


def test_a_file_has_a_mark_a_header_and_every_row() -> None:
    rows = [(number, 'María "Mia", Ruiz', "=cmd") for number in range(1200)]
    pieces = list(spreadsheet.lines(("id", "name", "formula"), rows))
    assert len(pieces) == 3
    text = b"".join(pieces).decode("utf-8")
    assert text.startswith("\ufeffid,name,formula\r\n")
    read = list(csv.reader(io.StringIO(text[1:], newline="")))
    assert read[1:] == [[str(number), 'María "Mia", Ruiz', "'=cmd"] for number in range(1200)]

"""Files whose columns a person names: labels, guesses, and rows under our own names."""

from __future__ import annotations

import pytest

from notifier.errors import InputError
from notifier.import_table import lacking, read_sheet, table_of

DAY = b"Patient;;Phone;Phone 2;Date;End time\nAna Ruiz;x;212 555 0111;;2026-02-03;14:30\nBen;;1;;;\n"


def test_each_column_has_a_label_of_its_own() -> None:
    sheet = read_sheet(b"Name,Room,,Room\nAna,1,,2\n", "day.csv")
    assert sheet.labels == ("Name", "Room", "Column 3", "Room (2)")


def test_what_is_understood_is_guessed_and_the_rest_is_left_open() -> None:
    sheet = read_sheet(DAY, "day.csv")
    assert dict(sheet.guess) == {
        "Patient": "full_name",
        "Phone": "phone",
        "Date": "ended_on",
        "End time": "ended_time",
    }


def test_a_separator_is_found_without_knowing_a_single_heading() -> None:
    assert read_sheet(b"Foo;Bar;Baz\n1;2,5;3\n", "day.csv").labels == ("Foo", "Bar", "Baz")


def test_day_and_time_in_two_columns_are_one_moment() -> None:
    sheet = read_sheet(DAY, "day.csv")
    first, second = table_of(sheet, sheet.guess).rows
    assert first["ended_at"] == "2026-02-03 14:30"
    assert second["ended_at"] == ""


def test_an_end_time_without_a_day_beside_it_is_the_whole_moment() -> None:
    sheet = read_sheet(b"Name,End time\nAna,2026-02-03 14:30\n", "day.csv")
    assert sheet.guess["End time"] == "ended_at"


def test_a_person_may_say_something_else_than_the_headings() -> None:
    sheet = read_sheet(DAY, "day.csv")
    row, _ = table_of(sheet, {"Patient": "last_name", "Phone 2": "phone"}).rows
    assert (row["last_name"], row["phone"], row["full_name"]) == ("Ana Ruiz", "", "")


def test_the_same_headings_are_recognised_again_and_others_are_not() -> None:
    again = read_sheet(DAY.replace(b"Ana", b"Eve"), "tomorrow.csv")
    other = read_sheet(DAY.replace(b"Date", b"Day"), "day.csv")
    assert read_sheet(DAY, "day.csv").digest == again.digest != other.digest


def test_how_often_each_value_stands_in_a_column() -> None:
    sheet = read_sheet(b"Name,Service\nA,Needling\nB,Cupping\nC,Needling\nD,\n", "day.csv")
    assert sheet.values_of("Service").most_common() == [("Needling", 2), ("Cupping", 1)]


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({"full_name", "email", "plan", "ended_at"}, []),
        ({"first_name", "phone", "plan", "ended_on", "ended_time"}, []),
        ({"first_name", "phone", "plan", "ended_on"}, ["ended_at"]),
        ({"last_name"}, ["first_name", "phone or email", "plan", "ended_at"]),
    ],
)
def test_what_an_import_cannot_do_without(columns: set[str], missing: list[str]) -> None:
    assert lacking(columns) == missing


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="larger than 100 MB"):
        read_sheet(b"a" * (100 * 1024 * 1024 + 1), "day.csv")

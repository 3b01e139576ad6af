from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from notifier.errors import InputError
from notifier.import_table import COLUMNS, SYNONYMS, Table, read_table

HEADER = "first_name,phone,plan,ended_at"
ANA = "Ana,+12125550100,cupping,2026-03-03 10:00"


def table(tmp_path: Path, content: str | bytes) -> Table:
    path = tmp_path / "visits.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path)


def refusal(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(InputError) as refused:
        table(tmp_path, content)
    return str(refused.value)


@pytest.mark.parametrize(
    "header",
    [
        "first_name,phone,plan,ended_at",
        "FIRST NAME,Phone,Plan,Ended At",
        "First-Name, phone ,PLAN,ended-at",
        "\ufefffirst_name,phone,plan,ended_at",
        '"First Name","Mobile","Treatment","Treatment end"',
        "Given name,Cell,Service,End time",
        "Nombre,Teléfono,Tratamiento,Ended",
        "first_name;phone;plan;ended_at",
        "first_name\tphone\tplan\tended_at",
        "sep=;\nfirst_name;phone;plan;ended_at",
    ],
)
def test_headers_may_be_written_in_many_ways(tmp_path: Path, header: str) -> None:
    mark = ";" if ";" in header else "\t" if "\t" in header else ","
    (row,) = table(tmp_path, f"{header}\n{ANA.replace(',', mark)}\n").rows
    assert (row["first_name"], row["phone"], row["plan"]) == ("Ana", "+12125550100", "cupping")
    assert (row["ended_at"], row["last_name"], row.fault) == ("2026-03-03 10:00", "", "")


def test_every_column_is_known_by_its_name_and_no_synonym_stands_for_two() -> None:
    names = [name for names in SYNONYMS.values() for name in names]
    assert len(names) == len(set(names))
    assert not set(names) & set(COLUMNS)


def test_every_column_arrives(tmp_path: Path) -> None:
    (row,) = table(tmp_path, ",".join(COLUMNS) + "\n" + ",".join(f"<{name}>" for name in COLUMNS)).rows
    assert row.values == {name: f"<{name}>" for name in COLUMNS}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_names_keep_their_letters(tmp_path: Path, encoding: str, mark: bytes, line_end: str) -> None:
    text = f"{HEADER}\nJosé Łukasz,1,cupping,x\n".replace("\n", line_end)
    (row,) = table(tmp_path, mark + text.encode(encoding)).rows
    assert row["first_name"] == "José Łukasz"


def test_another_encoding_is_refused_rather_than_guessed(tmp_path: Path) -> None:
    text = f'{HEADER}\n{ANA}\n"A\nB",1,cupping,x\nJosé,1,cupping,x\n'
    said = refusal(tmp_path, text.encode("cp1252"))
    assert said == 'visits.csv is not UTF-8 text in row 4. In Excel choose "Save as" and then "CSV UTF-8".'


def test_rows_are_counted_as_the_spreadsheet_shows_them(tmp_path: Path) -> None:
    text = f'{HEADER}\n\n{ANA}\n,,,\n"Bea\nLuz",1,cupping,x\n   \n{ANA}\n'
    assert [(row.number, row["first_name"]) for row in table(tmp_path, text).rows] == [
        (3, "Ana"),
        (5, "Bea\nLuz"),
        (7, "Ana"),
    ]


def test_a_value_may_hold_the_separator_and_quotes(tmp_path: Path) -> None:
    rows = table(tmp_path, f'{HEADER}\n"Ana, ""Nita""", "1","cupping",x\n="007",5" tall,c,x\n').rows
    assert [(row["first_name"], row["phone"]) for row in rows] == [('Ana, "Nita"', "1"), ("007", '5" tall')]


def test_columns_that_mean_nothing_here_are_named(tmp_path: Path) -> None:
    found = table(tmp_path, f"Room,{HEADER},Paid?,\n1,{ANA},yes,\n")
    assert found.ignored == ("Room", "Paid?")
    assert found.rows[0]["first_name"] == "Ana"


def test_a_row_that_does_not_fit_its_columns_is_a_fault_of_that_row(tmp_path: Path) -> None:
    text = f'{HEADER}\n{ANA}, more\n"Ana"x,1,cupping,x\nAna\n{ANA},,\n'
    rows = table(tmp_path, text).rows
    assert [row.fault for row in rows] == [
        "The row has 5 values for 4 columns. A value with the separator in it needs quotes.",
        'A quote (") stands in the middle of a value; double it, or leave it out.',
        "",
        "",
    ]
    assert [row["phone"] for row in rows] == ["", "", "", "+12125550100"]


def test_an_open_quote_would_swallow_the_rows_below_it_so_the_file_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'{HEADER}\n{ANA}\n"Ana,1,cupping,x\n{ANA}\n')
    assert said.startswith('Row 3 of visits.csv opens a quote (") that is not closed')
    assert "nothing was imported" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "visits.csv is empty."),
        ("\ufeff\n\n ,,\n", "visits.csv is empty."),
        (f"{HEADER}\n\n", "visits.csv has a header and no rows below it, so there is nothing to import."),
        (b"PK\x03\x04rest", 'visits.csv is a workbook, not a CSV file. In Excel choose "Save as"'),
        (b"\xd0\xcf\x11\xe0rest", "visits.csv is a workbook"),
        (f"{HEADER}\n{ANA}".encode("utf-16-le"), "visits.csv is not a text file."),
        (codecs.BOM_UTF16_LE + b"odd", "visits.csv is not UTF-8 text."),
        (f"{ANA}\n{ANA}\n", "visits.csv lacks the columns first_name, phone or email, plan, ended_at."),
        ("first_name,plan,ended_at\na,b,c\n", "lacks the column phone or email. The first row has to name"),
        ("first_name,phone,plan\na,b,c\n", "lacks the column ended_at."),
        (f"{HEADER},Mobile\n{ANA},1\n", 'Two columns of visits.csv, "phone" and "Mobile", both mean phone.'),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert said in refusal(tmp_path, content)


def test_there_has_to_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is a folder; name the CSV file in it"):
        read_table(tmp_path)

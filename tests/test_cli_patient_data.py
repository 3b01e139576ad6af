"""What is kept about a patient, taken out and erased from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_cast import Home, ago, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = open_home(tmp_path)
    home.log("Ana", "--phone", "(212) 555-0123", "--consent-sms", "--ended-at", ago(minutes=1))
    return home


def test_everything_is_taken_out_on_stdout_or_into_a_file_of_ones_own(home: Home) -> None:
    taken = home.run("export-patient", "1", "--json").json
    assert taken["tables"]["patients"][0]["phone"] == "+12125550123"
    file = home.folder / "ana.json"
    assert f"rows are in {file}" in home.run("export-patient", "1", "--out", file).out
    assert json.loads(file.read_text("utf-8"))["tables"].keys() == taken["tables"].keys()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "exists" in home.refused("export-patient", "1", "--out", file)
    assert "There is no patient 7" in home.refused("export-patient", "7")


def test_erasing_wants_a_yes_and_says_what_goes(home: Home) -> None:
    waiting = len(home.messages("--status", "scheduled"))
    refused = home.refused("erase-patient", "1")
    assert f"({waiting} of them waiting, which are cancelled)" in refused
    assert "To confirm, add --yes." in refused
    assert len(home.messages("--status", "scheduled")) == waiting
    assert home.run("erase-patient", "1", "--yes", "--json").json["pending"] == waiting
    assert home.messages("--status", "scheduled") == []
    assert {row["to"] for row in home.messages()} == {""}
    assert "were erased on" in home.refused("erase-patient", "1", "--yes")
    assert "were erased on" in home.refused("export-patient", "1")

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifier.cli_output import echo_json
from notifier.importing import report_text
from tests.cast import on_sqlite
from tests.importing_cast import HEADER, bring, file_in, row

pytestmark = [on_sqlite, pytest.mark.usefixtures("clinic")]


def test_the_report_reads_as_sentences(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(engine, tmp_path, row("Ana", 100), row("Bea", 101))
    report = bring(
        engine,
        tmp_path,
        row("Ana", 100),
        row("Bea", 101),
        row("Carol", 102),
        row("Carol", 102),
        row("Dora", 103, consent_sms="maybe", record_number='="7'),
    )
    assert report_text(report).splitlines() == [
        "1 treatment added, 2 were there already, 1 stands in the file twice, 1 row left out:",
        "  row 6, consent_sms: 'maybe' is neither yes nor no; leave it empty where nothing was said.",
    ]
    dry = bring(engine, tmp_path, dry_run=True)
    assert report_text(dry).splitlines()[:2] == [
        "Nothing was changed; this was a dry run.",
        "0 treatments would be added, 4 were there already, 1 row would be left out:",
    ]
    echo_json(report)
    assert '"message": "\'maybe\' is neither yes nor no' in capsys.readouterr().out


def test_a_long_report_stops_somewhere(engine: Engine, tmp_path: Path) -> None:
    report = bring(engine, tmp_path, *(row(f"P{n}", 100 + n, plan="?") for n in range(8)))
    lines = report_text(report, most=3).splitlines()
    assert (len(lines), lines[-1]) == (5, "  … and 5 more.")


def test_columns_that_were_ignored_are_named(engine: Engine, tmp_path: Path) -> None:
    file_in(tmp_path).write_text(
        f"Room;{HEADER.replace(',', ';')}\n4;{row('Ana', 100).replace(',', ';')}\n", "utf-8"
    )
    report = bring(engine, tmp_path)
    assert report.added == 1
    assert report_text(report).endswith("Columns that mean nothing here were ignored: Room.")

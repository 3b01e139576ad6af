from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum
from pathlib import PurePath

import pytest

from notifier.cli_output import echo_json, progress, refuse, table
from notifier.errors import ConfigError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Colour(Enum):
    GREEN = "green"


@dataclass(frozen=True)
class Row:
    id: int
    due_at: datetime


EASTERN = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2026, 3, 7, 17, 30, tzinfo=UTC), "2026-03-07T17:30:00Z"),
        (datetime(2026, 3, 7, 17, 30, tzinfo=EASTERN), "2026-03-07T22:30:00Z"),
        (datetime(2026, 3, 7, 17, 30, 0, 5000, tzinfo=UTC), "2026-03-07T17:30:00.005000Z"),
        (date(2026, 3, 7), "2026-03-07"),
        (time(9, 0), "09:00:00"),
        (Colour.GREEN, "green"),
        (Row(1, datetime(2026, 3, 7, tzinfo=UTC)), {"id": 1, "due_at": "2026-03-07T00:00:00Z"}),
        ({Colour.GREEN: (1, None)}, {"green": [1, None]}),
        (frozenset({"urgent", "crisis"}), ["crisis", "urgent"]),
        (PurePath("a/b"), "a/b"),
        ([True, 1.5, "día"], [True, 1.5, "día"]),
    ],
)
def test_json_knows_the_values_of_this_program(
    value: object, plain: object, capsys: pytest.CaptureFixture[str]
) -> None:
    echo_json(value)
    assert json.loads(capsys.readouterr().out) == plain


def test_json_keeps_the_order_of_keys_and_the_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"z": "ñ", "a": 1})
    assert capsys.readouterr().out == '{\n  "z": "ñ",\n  "a": 1\n}\n'


@pytest.mark.parametrize("value", [datetime(2026, 3, 7), timedelta(1), object(), float("nan")])  # noqa: DTZ001
def test_json_refuses_what_has_no_one_form(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        echo_json({"value": value})


@pytest.mark.parametrize("text", ["día 😀", "\ud800"])
def test_json_stays_json_where_the_encoding_is_poor(text: str) -> None:
    raw = io.BytesIO()
    poor = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with redirect_stdout(poor):
        echo_json([text])
    assert json.loads(raw.getvalue()) == [text]


def test_a_table_is_aligned_text_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    table(["id", "status", "reason"], [[1, Colour.GREEN, None], [20, "failed", "No\nsuch  number."]])
    assert capsys.readouterr().out == (
        "id  status  reason\n"
        "1   green\n"
        "20  failed  No such number.\n"
    )  # fmt: skip


def test_a_table_without_rows_still_says_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(["id", "status"], [])
    assert capsys.readouterr().out == "id  status\n"


def test_a_table_survives_letters_that_the_encoding_lacks() -> None:
    raw = io.BytesIO()
    poor = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with redirect_stdout(poor):
        table(["name"], [["Núñez"], ["Ωμέγα•1"]])
    assert raw.getvalue().split() == [b"name", b"Nunez", b"?????*1"]


def test_on_a_terminal_a_table_is_drawn_and_takes_names_literally() -> None:
    with redirect_stdout(Terminal()) as out:
        table(["name"], [["[red]Ana[/red]"], ["\x1b[2JBob"]])
    assert "[red]Ana[/red]" in out.getvalue()
    assert "─" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_progress_is_silent_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("abc"), 3, "Reading")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_progress_shows_on_the_terminals_stderr_and_leaves_stdout_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with redirect_stderr(Terminal()) as err:
        assert list(progress(iter("abc"), 3, "Reading")) == ["a", "b", "c"]
    assert "Reading" in err.getvalue()
    assert "100%" in err.getvalue()
    assert capsys.readouterr().out == ""


def test_a_refusal_is_its_sentence_on_stderr_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        refuse(ConfigError("sms.timeout is not a duration."))
    assert left.value.code == 1
    assert capsys.readouterr() == ("", "sms.timeout is not a duration.\n")


def test_piped_output_never_loads_rich() -> None:
    code = (
        "import sys; from notifier.cli_output import *; echo_json([1]); table(['a'], [[1]]); "
        "list(progress([1], 1, 'x')); sys.exit('rich' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")

"""What all commands have in common: how they end, what they say where, and what they never do."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from notifier.cli_context import App, change, command, open_app
from notifier.errors import NeedsConfirmation
from tests.cli_cast import CLINIC, Home, Program, ago, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


def second_clinic(home: Home) -> None:
    home.run("init", "--name", "Harbour Osteopathy", "--another")


# How they end


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["frobnicate"], "frobnicate"),
        (["log"], "--plan"),
        (["log", "--plan", "any-hour"], "--first-name"),
        (["messages", "--why", "one"], "integer"),
        (["messages", "--status", "lost"], "scheduled, held, sending"),
        (["patient", "change", "1"], "Say what to change"),
        (["patient", "consent", "1", "fax", "--yes"], "sms, email"),
        (["patient", "consent", "1", "sms"], "--yes"),
        (["treatment", "visit", "1"], "--at"),
        (["user", "add", "roe@example.com", "--name", "Roe", "--role", "owner"], "front_desk, admin"),
        (["send-test", "fax", "2125550101"], "sms, email"),
        (["worker", "--twice"], "--twice"),
    ],
)
def test_misuse_ends_with_2_and_names_what_is_wrong(home: Home, words: list[str], about: str) -> None:
    said = home.run(*words, code=2)
    assert said.out == ""
    assert about in " ".join(said.err.replace("│", " ").split())


@pytest.mark.parametrize("words", [["-h"], ["--version"], ["log", "-h"], ["patient", "consent", "-h"]])
def test_help_and_version_need_nothing(tmp_path: Path, words: list[str]) -> None:
    home = Home(tmp_path)
    home.config.unlink()
    assert home.run(*words).out
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_not_there_is_named(home: Home) -> None:
    line = home.refused("messages", "--config", "elsewhere.toml")
    assert line == "There is no configuration file elsewhere.toml; correct --config or NOTIFIER_CONFIG."


@pytest.mark.parametrize(
    "words", [["messages"], ["log", "--plan", "x", "--first-name", "Al"], ["worker", "--once"]]
)
def test_without_a_database_none_is_made_by_mistake(tmp_path: Path, words: list[str]) -> None:
    home = Home(tmp_path)
    assert home.refused(*words) == (
        f"There is no database {tmp_path / 'notifier.db'} yet. Run notifier init, "
        "or name another configuration with --config."
    )
    assert not (tmp_path / "notifier.db").exists()


@pytest.mark.parametrize("words", [["messages"], ["init"], ["migrate"], ["worker", "--once"], ["worker"]])
def test_a_database_of_a_newer_version_is_left_alone(home: Home, words: list[str]) -> None:
    _sql(home, "UPDATE alembic_version SET version_num = 'from the future'")
    assert "The database is newer than this program" in home.refused(*words)


def _sql(home: Home, statement: str) -> None:
    connection = sqlite3.connect(home.folder / "notifier.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("words", [["messages"], ["init"], ["worker", "--once"]])
def test_a_file_that_is_no_database_is_said_to_be_none(home: Home, words: list[str]) -> None:
    (home.folder / "notifier.db").write_text("Dear diary,\n" * 100)
    assert home.refused(*words).endswith("is not a database of this program.")


def test_where_there_are_several_clinics_one_has_to_be_named(home: Home) -> None:
    second_clinic(home)
    there = "There are: riverside-physio, harbour-osteopathy."
    assert home.refused("messages") == f"There are several clinics; say which with --clinic. {there}"
    assert home.refused("messages", "--clinic", "x") == f'There is no clinic "x". {there}'
    home.log("Ana", "--phone", "2125550101", "--consent-sms", "--clinic", "riverside-physio")
    assert home.messages("--clinic", "riverside-physio")
    assert home.messages("--clinic", "harbour-osteopathy") == []
    assert "no message 1 at Harbour" in home.refused("messages", "--why", 1, "--clinic", "harbour-osteopathy")


def test_a_terminal_that_is_not_utf8_is_told_as_much(home: Home) -> None:
    line = home.refused("log", "--plan", "any-hour", "--first-name", "\udcff", "--phone", "2125550101")
    assert line == "What was typed is not valid text; set the terminal to UTF-8 and type it again."


def test_what_nobody_foresaw_is_a_sentence_and_its_details_are_in_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @command
    def broken() -> None:
        raise KeyError("something")

    with pytest.raises(SystemExit) as left:
        broken()
    said = capsys.readouterr()
    found = re.fullmatch(
        r"This is a fault of the program \(KeyError\)\. Please report it with (\S+); look .*\n", said.err
    )
    assert (left.value.code, said.out) == (1, "")
    assert found
    details = Path(found[1])
    assert "Traceback" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0
    details.unlink()


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        interrupted()
    assert (left.value.code, capsys.readouterr().err) == (130, "")


def test_what_has_to_be_confirmed_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    def doubtful() -> None:
        raise NeedsConfirmation("That is next year.", field="ended_at", flag="--confirm")

    with pytest.raises(SystemExit):
        doubtful()
    assert capsys.readouterr().err == "That is next year. To confirm, add --confirm.\n"


# Two desks at once


@pytest.fixture
def opened(home: Home) -> App:
    return open_app(home.config)


def _collide() -> IntegrityError:
    return IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))


def test_a_command_that_another_desk_overtook_looks_again(opened: App) -> None:
    tries = []

    def work(session: object) -> str:
        tries.append(session)
        if len(tries) == 1:
            raise _collide()
        return "found"

    with opened:
        assert change(opened, work) == "found"
    assert len(set(map(id, tries))) == 2


def test_who_is_overtaken_twice_is_told_to_try_again(opened: App, capsys: pytest.CaptureFixture[str]) -> None:
    def work(session: object) -> None:
        raise _collide()

    @command
    def overtaken() -> None:
        with opened:
            change(opened, work)

    with pytest.raises(SystemExit) as left:
        overtaken()
    assert left.value.code == 1
    assert capsys.readouterr().err == (
        "Somebody else changed the same at this moment; nothing was done. Try again.\n"
    )


# What they say where


def test_json_is_all_that_stands_on_stdout(home: Home, tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(
        f"first_name,phone,plan,ended_at\nBo,2125550102,any-hour,{ago(minutes=5)}\n", "utf-8"
    )
    phone = ["--phone", "2125550101"]
    for words in (
        ["init"],
        ["log", "--plan", "any-hour", "--first-name", "Ana", *phone, "--consent-sms"],
        ["log", "--plan", "any-hour", "--first-name", "Ana", *phone],
        ["import", tmp_path / "day.csv", "--dry-run"],
        ["import", tmp_path / "day.csv"],
        ["messages"],
        ["messages", "--status", "failed"],
        ["messages", "--why", 1],
        ["treatment", "show", 1],
        ["treatment", "visit", 1, "--at", ago(days=-3)],
        ["treatment", "correct", 1, "--ended-at", ago(minutes=2)],
        ["treatment", "void", 1],
        ["treatment", "unvoid", 1],
        ["patient", "find", "Ana"],
        ["patient", "find", "Nobody"],
        ["patient", "change", 1, "--language", "es"],
        ["patient", "consent", 1, "sms", "--no"],
        ["send-test", "sms", "2125550177"],
        ["user", "list"],
        ["user", "add", "roe@example.com", "--name", "Roe"],
        ["user", "list"],
        ["user", "disable", "roe@example.com"],
        ["user", "enable", "roe@example.com"],
        ["plan", "list"],
        ["plan", "show", "any-hour"],
        ["migrate"],
    ):
        said = home.run(*words, "--json")
        assert isinstance(said.json, dict | list), words
    doctor = home.run("doctor", "--json")
    assert {finding["level"] for finding in doctor.json} <= {"ok", "note", "warning", "error"}


def test_a_program_that_asked_for_json_gets_none_with_a_refusal(home: Home) -> None:
    for words in (
        ["messages", "--why", 9],
        ["treatment", "void", "x"],
        ["patient", "consent", 9, "sms", "--no"],
    ):
        assert home.refused(*words, "--json")


def test_a_poor_terminal_shows_plain_letters_instead_of_failing(home: Home) -> None:
    home.log("José", "--last-name", "Núñez", "--phone", "2125550101", "--consent-sms")
    listed = home.run("messages", charset="ascii").out
    assert "Jose Nunez" in listed
    assert "+1***0101" in listed
    waiting = home.messages("--status", "scheduled")[0]["id"]
    home.run("treatment", "void", 1)
    assert "scheduled -> cancelled" in home.run("messages", "--why", waiting, charset="ascii").out


def test_whoever_reads_only_the_first_line_sees_no_trouble(home: Home) -> None:
    home.log("Ana", "--phone", "2125550101", "--consent-sms")
    program = Program(home, "messages", "--json")
    program.stops_listening()
    assert program.ends().err == ""


def test_names_do_not_steer_the_terminal(home: Home) -> None:
    home.log("[bold]Eve\x1b[2J", "--phone", "2125550101", "--consent-sms")
    for words in (
        ["messages"],
        ["messages", "--why", 1],
        ["patient", "find", "0101"],
        ["treatment", "show", 1],
    ):
        seen = home.run(*words).out
        assert "[bold]Eve" in seen
        assert "\x1b" not in seen


def test_bringing_up_a_database_that_is_up_to_date_says_so(home: Home) -> None:
    assert home.run("migrate").out == "The database is up to date.\n"


def test_a_database_without_a_schema_is_brought_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.run("migrate").out.startswith("The database was brought from nothing to ")
    assert home.refused("messages") == "There is no clinic yet. Run: notifier init"
    home.run("init")
    assert json.loads(home.run("messages", "--json").out) == []
    assert CLINIC["name"] in home.run("init").out

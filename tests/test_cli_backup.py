"""Keeping and bringing back as an operator does it: beside a worker at work, and after a lost disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifier import db
from tests.cast import on_sqlite
from tests.cli_cast import Home, Program, ago, open_home

ANA = ("--phone", "2125550101", "--consent-sms")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


def test_a_lost_database_comes_back_and_what_waited_goes_out_once(home: Home) -> None:
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    kept = home.run("backup", "--json").json
    assert Path(kept["file"]).parent == home.folder / "backups"
    assert kept["removed"] == []
    home.run("worker", "--once")
    (home.folder / "notifier.db").unlink()

    said = home.run("restore", kept["file"])
    assert "2 messages may have been sent since" in said.out
    with closing(sqlite3.connect(home.folder / "notifier.db")) as an_hour_later:
        an_hour_later.execute("UPDATE messages SET lookup_at = '2026-01-01 00:00:00.000000'")
        an_hour_later.commit()
    home.run("worker", "--once")
    rows = {row["step"]: row for row in home.messages()}
    assert rows["first-words"]["status"] == rows["both-ways"]["status"] == "sent"
    assert rows["first-words"]["reason"].startswith("Found at the provider")
    assert len((home.folder / "outbox.jsonl").read_text().splitlines()) == 2
    assert "notifier release sms" in home.run("doctor", code=1).out.replace("\n             ", " ")
    assert "Released" in home.run("release", "sms").out
    assert "does not wait" in home.refused("release", "sms")


def test_a_worker_at_work_is_backed_up_beside_and_keeps_a_restore_away(home: Home) -> None:
    running = Program(home, "worker")
    running.says("worker started")
    kept = home.folder / "kept.db"
    assert "holds everything until" in home.run("backup", kept).out
    assert "--yes" in home.refused("restore", kept)
    assert "stop notifier run, serve and worker first" in home.refused("restore", kept, "--yes")
    assert running.stop().code == 0
    done = home.run("restore", kept, "--yes", "--json").json
    assert Path(done["aside"]).exists()
    assert [words.partition(":")[0] for words in done["waiting"]] == ["SMS", "E-mail"]


def test_misuse_is_told(home: Home) -> None:
    assert "is there already" in home.refused("backup", home.config)
    assert "There is no file" in home.refused("restore", home.folder / "nothing")
    assert "with its zone" in home.refused("restore", home.config, "--made-at", "2026-03-05T02:00")
    assert "fax" in home.run("release", "fax", code=2).err


@on_sqlite
def test_migrate_makes_a_backup_first(empty_engine: Engine, tmp_path: Path) -> None:
    db.upgrade(empty_engine, "0002")
    home = Home(tmp_path, database={"url": str(empty_engine.url)})
    empty_engine.dispose()
    done = home.run("migrate", "--json")
    assert "A backup was made first" in done.err
    assert done.json["before"] == "0002"
    before = db.open_engine(f"sqlite:///{done.json['backup']}")
    assert db.revision_of(before) == "0002"
    before.dispose()
    assert home.run("migrate", "--json").json["backup"] == ""

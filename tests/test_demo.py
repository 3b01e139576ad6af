"""The demo, played once for all of these: a week in fast time that ends by itself and tells no lies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from notifier.channels.outbox import Outbox
from notifier.demo import play
from notifier.errors import InputError
from tests.cli_cast import PATIENCE, Home, Person, Said
from tests.worker_cast import until


@dataclass(frozen=True)
class Played:
    said: Said
    folder: Path
    messages: list[dict[str, Any]]
    outbox: list[dict[str, Any]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("demo")
    # A terminal that cannot show the frames must not end it either; and nobody answers questions here.
    run = subprocess.run(
        [sys.executable, "-m", "notifier", "demo", "--once", "--folder", str(folder)],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    home = Home(tmp_path_factory.mktemp("looking on"))
    messages = home.messages("--config", folder / "config.toml")
    outbox = Outbox(folder / "outbox.jsonl").entries()
    return Played(Said(run.returncode, run.stdout, run.stderr), folder, messages, outbox)


def test_it_ends_by_itself_and_quietly(played: Played) -> None:
    assert (played.said.code, played.said.err) == (0, "")


def test_it_says_that_nothing_reaches_anyone_and_where_it_is(played: Played) -> None:
    assert "every message stays in an outbox, and nothing reaches anyone" in played.said.out
    assert "The texts are drafts until a named clinician approves them" in played.said.out
    assert str(played.folder) in played.said.out


def test_its_file_has_good_rows_and_bad_ones_and_says_which(played: Played) -> None:
    assert "47 treatments added, 1 stands in the file twice, 2 rows left out:" in played.said.out
    assert "row 50, phone: '(212) 555-01' cannot be a phone number in US" in played.said.out
    assert 'row 51, plan: There is no plan "hot-stone".' in played.said.out


def test_its_numbers_are_those_of_the_database_and_the_outbox(played: Played) -> None:
    found = re.search(r"(\d+) messages sent, (\d+) not sent, (\d+) still to come", played.said.out)
    assert found
    sent, stopped, waiting = map(int, found.groups())
    status = Counter(message["status"] for message in played.messages)
    assert sent == status["sent"] == len(played.outbox) > 100
    assert stopped == status["skipped"] + status["cancelled"] + status["held"] > 0
    assert waiting == status["scheduled"] == 0
    assert len({(entry["message_id"], entry["attempt"]) for entry in played.outbox}) == sent


def test_every_message_that_was_not_sent_has_a_reason(played: Played) -> None:
    assert [row["id"] for row in played.messages if row["status"] != "sent" and not row["reason"]] == []


def test_it_speaks_both_languages_on_both_channels_in_the_patients_time(played: Played) -> None:
    words = " ".join(entry["text"] for entry in played.outbox)
    assert "Hi Grace" in words
    assert "Hola Jos" in words
    assert {entry["channel"] for entry in played.outbox} == {"sms", "email"}
    assert re.search(r"\d\d:\d\d \(\d\d:\d\d in Los Angeles\)  SMS to ", played.said.out)


def test_what_happens_at_the_desk_stops_what_was_planned(played: Played) -> None:
    assert "At the desk: treatment NP-2140 was logged by mistake and is voided." in played.said.out
    voided = [row for row in played.messages if row["external_id"] == "NP-2140"]
    assert {row["status"] for row in voided} <= {"cancelled", "skipped"}
    assert any(row["reason"].startswith("The treatment was voided.") for row in voided)
    assert "At the desk: patient 1031 calls: no more texts; consent is withdrawn." in played.said.out
    withdrew = [row for row in played.messages if row["external_id"] == "NP-2133"]
    assert {row["status"] for row in withdrew} == {"sent", "skipped"}
    assert any(row["reason"].startswith("Consent to SMS was withdrawn") for row in withdrew)


def test_what_patients_write_is_answered_and_a_warning_is_taken_at_night(played: Played) -> None:
    assert re.search(r"03:04  Fiona M\. writes: cant catch my breath", played.said.out)
    texts: dict[str, list[str]] = defaultdict(list)
    for entry in played.outbox:
        texts[entry["to"]].append(entry["text"])
    owner, fiona = texts["+12125550199"], texts["+12125550130"]
    code = re.search(r"EMERGENCY\..*?Code ([A-Z0-9]{4})", " ".join(owner))
    assert code
    assert f"Maya Johnson writes: {code[1]}" in played.said.out
    assert f"Northside Physio: {code[1]} is yours. Call the patient: +12125550130." in owner
    assert "call 911 or go to an emergency room NOW" in fiona[-1], "and nothing planned followed it"
    assert "writes: STOP" in played.said.out
    assert texts["+13125550144"][-1].startswith("Northside Physio: You will get no more automatic texts")


def test_a_score_of_four_and_more_brings_another_third_day(played: Played) -> None:
    sent = {
        row["external_id"]: row["step"]
        for row in played.messages
        if row["status"] == "sent" and str(row["step"]).startswith("day3")
    }
    assert {sent[named] for named in ("NP-2119", "NP-2147")} == {"day3-still-sore"}
    assert {sent[named] for named in ("NP-2134", "NP-2129", "NP-2142")} == {"day3-check-in"}
    assert re.search(r"beside plans +automatic answers +2\d", played.said.out)


def test_its_closing_words_are_commands_that_work(played: Played, tmp_path: Path) -> None:
    commands = re.findall(r"notifier (messages .*)", played.said.out)
    assert len(commands) == 2
    home = Home(tmp_path)
    for command in commands:
        assert home.run(*command.split()).out


def test_its_pages_answer_by_the_links_that_it_prints(played: Played) -> None:
    links = re.findall(r"As (.*):  http://127\.0\.0\.1:\d+/link/[\w-]{40,}", played.said.out)
    assert links == ["Maya Johnson", "Dana Reyes"]
    assert (
        "The pages answer: Maya Johnson was signed in by the link, and the phones show the latest 30 texts."
        in played.said.out
    )


def test_on_a_terminal_the_pages_stay_open_and_the_clock_runs_until_ctrl_c(tmp_path: Path) -> None:
    person = Person(Home(tmp_path), "demo", "--folder", tmp_path / "week")
    link = person.reads_after("As Dana Reyes:  ")
    with httpx2.Client(follow_redirects=True, trust_env=False, timeout=PATIENCE) as browser:
        home = browser.get(link)
        assert (home.status_code, home.url.path) == (200, "/")
        assert "Northside Physio" in home.text
        assert "The demo's clock" in home.text
        person.reads_after("Ctrl-C ends it.")
        proof = {"csrf": browser.cookies["notifier-csrf"]}
        assert browser.post(home.url.join("/demo/next"), data=proof).status_code == 200
        person.reads_after("SMS to ")
        until(lambda: 'class="bubble"' in browser.get(home.url.join("/phone")).text)
        assert browser.get(link).status_code == 200, "the link may be used again"
    person.presses_ctrl_c(when="╭")
    code, screen = person.leaves()
    assert code == 0
    assert "The week in numbers" in screen
    assert "Traceback" not in screen


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[sms]\nauth_token = "a secret"\n')
    with pytest.raises(InputError, match="holds something else than a demo"):
        play(tmp_path, say=_nothing, table=_nothing)
    assert "a secret" in (tmp_path / "config.toml").read_text()


def _nothing(*_: object) -> None:
    """Nobody looks."""

"""The worker as an operator runs it: it waits for its database, finishes what is in flight, and says so."""

from __future__ import annotations

import itertools
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.channels.outbox import Outbox
from tests.cli_cast import PATIENCE, Home, Program, ago, open_home, write_plan
from tests.servers.postgres import PostgresServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, Fault, TwilioServer

ANA = ("--phone", "2125550101", "--consent-sms")


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def live(folder: Path, twilio: TwilioServer, token: str = TOKEN) -> Home:
    return open_home(
        folder,
        delivery={"mode": "live", "unready": "warn"},
        sms={
            "account_sid": ACCOUNT,
            "auth_token": token,
            "from_number": "+12125550199",
            "api_base_url": twilio.url,
            "max_per_second": 50.0,
        },
    )


def statuses(home: Home) -> dict[str, str]:
    return {row["step"]: row["status"] for row in home.messages()}


def test_once_sends_what_is_due_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    home = open_home(tmp_path)
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    home.run("worker", "--once")
    assert "2 attempts; nothing more can be sent now" in caplog.text
    assert statuses(home) == {
        "first-words": "sent",
        "both-ways": "sent",
        "two-days-on": "scheduled",
        "before-next-visit": "skipped",
    }
    assert len(Outbox(tmp_path / "outbox.jsonl").entries()) == 2


def test_once_says_what_waits_behind_a_sender_that_is_stopped(
    tmp_path: Path, twilio: TwilioServer, caplog: pytest.LogCaptureFixture
) -> None:
    home = live(tmp_path, twilio, token="not the token")
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    home.run("worker", "--once")
    assert "2 due, but sms of Riverside Physio is stopped: " in caplog.text
    assert statuses(home)["first-words"] == "scheduled"
    assert twilio.messages == []


def test_told_to_stop_it_finishes_what_is_in_flight(tmp_path: Path, twilio: TwilioServer) -> None:
    home = live(tmp_path, twilio)
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    reached = threading.Event()

    def slowly(form: object) -> Fault:
        reached.set()
        return Fault.slow(0.5)

    twilio.choose = slowly
    worker = Program(home, "worker")
    assert reached.wait(PATIENCE)
    said = worker.stop()
    assert said.code == 0
    assert said.err.rstrip().endswith("stopped")
    taken = {message["sid"] for message in twilio.messages}
    assert taken
    assert {row["provider_id"] for row in home.messages() if row["status"] == "accepted"} == taken
    assert "sending" not in statuses(home).values()


def test_it_sends_what_is_logged_while_it_runs_until_ctrl_c_and_its_log_names_nobody(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    worker = Program(home, "worker")
    worker.says("worker started, delivery.mode is outbox")
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    worker.says(", attempt 1, by sms: sent")
    said = worker.stop(signal.SIGINT)
    assert (said.code, said.out) == (0, "")
    for word in ("alembic", "Ana", "5550101", "first words"):
        assert word not in said.err


def test_live_without_any_channel_says_what_to_set_up(tmp_path: Path) -> None:
    home = open_home(tmp_path, delivery={"mode": "live", "unready": "warn"})
    assert home.refused("worker", "--once") == (
        "Nothing can be sent: set up sms (account_sid …) or email (host …) in config.toml."
    )


# Without its database


def nobody_listens() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"postgresql+psycopg://someone:secret@127.0.0.1:{free.getsockname()[1]}/clinic"


def test_once_does_not_wait_for_a_database(tmp_path: Path) -> None:
    home = Home(tmp_path, database={"url": nobody_listens()})
    line = home.refused("worker", "--once")
    assert line.startswith("The database at 127.0.0.1:")
    assert "secret" not in line


def test_a_worker_that_waits_for_its_database_says_so_and_can_be_stopped(tmp_path: Path) -> None:
    worker = Program(Home(tmp_path, database={"url": nobody_listens()}), "worker")
    worker.says("Trying again in 1 s.")
    said = worker.stop()
    assert said.code == 0
    assert "Traceback" not in said.err


_names = itertools.count(1)


def test_a_worker_that_is_there_first_begins_when_its_database_comes(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    ready, late = (f"worker_{next(_names)}_{name}" for name in ("ready", "late"))
    postgres.run(f"CREATE DATABASE {ready}")
    home = Home(tmp_path, database={"url": postgres.url(ready)})
    home.run("init")
    home.run("plan", "import", write_plan(tmp_path))
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    worker = Program(home, "worker", NOTIFIER_DATABASE__URL=postgres.url(late))
    worker.says(f'database "{late}" does not exist Trying again in 1 s.')
    postgres.run(f"CREATE DATABASE {late} TEMPLATE {ready}")
    worker.says("by sms: sent")
    assert worker.stop().code == 0

"""The pages as an operator runs them: alone or with the worker, in their own process, over a real socket."""

from __future__ import annotations

import re
import resource
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from notifier import db
from notifier.models import PlanVersion, Retiming
from notifier.web.server import address_of, listen, listen_near
from tests.cli_cast import PATIENCE, Home, Program, ago, open_home
from tests.servers.twilio_server import ACCOUNT, TOKEN, Fault, TwilioServer
from tests.test_cli_worker import ANA, nobody_listens, statuses
from tests.worker_cast import until

NEAR = {"port": 0}  # whichever is free


@contextmanager
def running(home: Home, command: str) -> Iterator[tuple[Program, str]]:
    """The program, and where its pages are."""
    program = Program(home, command)
    try:
        program.says("ready at ")
        found = re.search(r"ready at (\S+),", program.heard)
        assert found
        yield program, found[1]
    finally:
        program.stop()


def get(address: str) -> tuple[int, str, Any]:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def test_run_serves_the_pages_and_sends_what_is_due(tmp_path: Path) -> None:
    home = open_home(tmp_path, web=NEAR)
    with running(home, "run") as (program, address):
        assert get(f"{address}/healthz")[:2] == (200, "ok\n")
        assert get(f"{address}/readyz")[:2] == (200, "ready\n")
        status, page, headers = get(f"{address}/")
        assert status == 200
        assert "Sign in" in page
        assert "server" not in headers, "nobody has to know what serves it"
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
        program.says(", attempt 1, by sms: sent")
    assert statuses(home)["first-words"] == "sent"


def test_serve_sends_nothing(tmp_path: Path) -> None:
    home = open_home(tmp_path, web=NEAR)
    home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
    with running(home, "serve") as (program, address):
        assert get(f"{address}/sign-in")[0] == 200
        assert "pages, without a worker," in program.heard
    assert statuses(home)["first-words"] == "scheduled"


def test_a_retiming_that_another_start_left_unfinished_is_finished(tmp_path: Path) -> None:
    home = open_home(tmp_path, web=NEAR)
    engine = db.open_engine(f"sqlite:///{tmp_path / 'notifier.db'}")
    with db.transaction(engine) as session:
        version = session.scalars(select(PlanVersion)).first()
        assert version is not None
        begun = Retiming(
            clinic_id=version.clinic_id,
            plan_id=version.plan_id,
            to_version_id=version.id,
            total=0,
            started_at=version.created_at,
        )
        session.add(begun)

    def is_finished() -> bool:
        with db.reading(engine) as session:
            return session.scalars(select(Retiming.finished_at)).one() is not None

    with running(home, "serve"):
        until(is_finished)
    engine.dispose()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_in_good_order(tmp_path: Path, how: signal.Signals) -> None:
    program = Program(open_home(tmp_path, web=NEAR), "run")
    program.says("ready at ")
    said = program.stop(how)
    assert (said.code, said.out) == (0, "")
    assert said.err.rstrip().endswith("stopped")


def test_stopping_finishes_what_is_in_flight(tmp_path: Path) -> None:
    reached = threading.Event()

    def slowly(form: object) -> Fault:
        reached.set()
        return Fault.slow(0.5)

    with TwilioServer() as twilio:
        home = open_home(
            tmp_path,
            web=NEAR,
            delivery={"mode": "live", "unready": "warn"},
            sms={
                "account_sid": ACCOUNT,
                "auth_token": TOKEN,
                "from_number": "+12125550199",
                "api_base_url": twilio.url,
                "max_per_second": 50.0,
            },
        )
        home.log("Ana", *ANA, "--ended-at", ago(minutes=30))
        twilio.choose = slowly
        program = Program(home, "run")
        assert reached.wait(PATIENCE)
        said = program.stop()
        taken = {message["sid"] for message in twilio.messages}
    assert said.code == 0
    assert taken
    assert {row["provider_id"] for row in home.messages() if row["status"] == "accepted"} == taken
    assert "sending" not in statuses(home).values()


def test_its_log_has_a_line_for_each_request_and_names_nobody(tmp_path: Path) -> None:
    with running(open_home(tmp_path, web=NEAR), "run") as (program, address):
        get(f"{address}/patients?q=Ana+Moreau&phone=2125550101")
        get(f"{address}/a-name-in-a-wrong-address")
        get(f"{address}/healthz")
        get(f"{address}/link/a-secret-that-opens-a-door")
        program.says("GET /link/{secret} 404")
        heard = program.heard
    assert "GET (nowhere) 404" in heard
    for word in ("Ana", "Moreau", "5550101", "a-secret", "a-name", "healthz", "127.0.0.1:0"):
        assert word not in heard


def test_headers_of_a_proxy_are_not_believed(tmp_path: Path) -> None:
    """Whoever asks could send them: a sign-in is throttled by who really connects."""
    with running(open_home(tmp_path, web=NEAR), "serve") as (_, address):
        request = urllib.request.Request(
            f"{address}/account", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.url.startswith(address)
            assert "evil.example" not in answer.read().decode()


# Refusals, in one sentence


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        home = open_home(tmp_path, web={"port": port})
        assert home.refused("run") == (
            f"Port {port} on 127.0.0.1 is in use by another program. Stop that one, or set another web.port."
        )


def test_an_address_of_another_host_is_told(tmp_path: Path) -> None:
    home = open_home(tmp_path, web={"host": "192.0.2.1", "port": 8000})
    assert home.refused("serve").startswith("Nothing can listen on web.host 192.0.2.1: ")


@pytest.mark.parametrize("command", ["run", "serve"])
def test_without_a_database_it_says_what_to_run(tmp_path: Path, command: str) -> None:
    assert "Run notifier init" in Home(tmp_path, web=NEAR).refused(command)


def test_a_setting_that_cannot_be_is_told(tmp_path: Path) -> None:
    assert "web.port" in Home(tmp_path, web={"port": 70000}).refused("run")


def test_live_without_any_channel_says_what_to_set_up(tmp_path: Path) -> None:
    home = open_home(tmp_path, web=NEAR, delivery={"mode": "live", "unready": "warn"})
    assert home.refused("run").startswith("Nothing can be sent: set up sms")


def test_not_ready_for_patients_it_refuses_with_all_that_is_missing(tmp_path: Path) -> None:
    home = open_home(tmp_path, web=NEAR, delivery={"mode": "live"})
    said = home.run("run", code=1)
    assert 'delivery.mode is "live", but patients should not be written to yet' in said.err


def test_it_waits_for_its_database_and_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    program = Program(Home(tmp_path, database={"url": nobody_listens()}, web=NEAR), "serve")
    program.says("Trying again in 1 s.")
    said = program.stop()
    assert said.code == 0
    assert "Traceback" not in said.err


# The socket


def test_the_next_free_port_is_taken_where_one_is_in_use() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen_near("127.0.0.1", port) as second:
            assert second.getsockname()[1] > port


def test_an_answer_does_not_wait_for_its_headers_to_be_acknowledged() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_is_one_that_a_browser_on_this_host_can_open() -> None:
    with listen("0.0.0.0", 0) as everywhere:
        assert address_of(everywhere).startswith("http://127.0.0.1:")
    with listen("::1", 0) as six:
        assert address_of(six).startswith("http://[::1]:")


def test_it_takes_little_to_be_ready(tmp_path: Path) -> None:
    """In the time of the processor, so that a busy machine does not count: about two seconds."""
    home = open_home(tmp_path, web=NEAR)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with running(home, "run"):
        pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 5

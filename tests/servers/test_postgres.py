from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import PostgresServer, installed_programs

ROOT = Path(__file__).resolve().parents[2]


def value(server: PostgresServer, query: str) -> object:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_comes_back_with_its_data_at_the_same_address_and_leaves_nothing() -> None:
    server = PostgresServer(durable=True, settings={"work_mem": "7MB"})
    try:
        assert (value(server, "SHOW fsync"), value(server, "SHOW work_mem")) == ("on", "7MB")
        server.run("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        server.restart()
        assert value(server, "SELECT n FROM kept") == 7
        server.stop(crash=True)
        with pytest.raises(psycopg.OperationalError):
            value(server, "SELECT 1")
        server.start()
        assert value(server, "SELECT n FROM kept") == 7
    finally:
        server.close()
    assert not server.folder.exists()


def test_it_is_fast_where_nobody_asked_for_more(postgres: PostgresServer) -> None:
    assert (value(postgres, "SHOW fsync"), value(postgres, "SHOW synchronous_commit")) == ("off", "off")


def test_it_does_not_outlive_tests_that_were_killed() -> None:
    code = (
        "from tests.servers.postgres import PostgresServer; import time; "
        "server = PostgresServer(); print(server.folder, server.port, flush=True); time.sleep(60)"
    )
    tests = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert tests.stdout is not None
    with tests.stdout:
        folder, port = tests.stdout.readline().split()
    assert Path(folder).is_dir()
    os.kill(tests.pid, signal.SIGKILL)
    tests.wait()
    end = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(host="127.0.0.1", port=int(port), dbname="postgres")


def test_without_its_programs_it_says_where_they_come_from() -> None:
    with pytest.raises(RuntimeError, match=r"come with the package not_there; it is not installed"):
        installed_programs("not_there")
